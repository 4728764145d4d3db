/* SPDX-License-Identifier: Apache-2.0 */
#include "sandbox/wall.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/mount.h>
#include <sched.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/assert.h"
#include "base/cleanup.h"
#include "sandbox/wall_try.h"
#include "sys/fd.h"

const char *wall_state_text(enum wall_state state) {
    static const char *const texts[] = {
        [WALL_THERE] = "there",
        [WALL_LESS] = "less",
        [WALL_MISSING] = "missing",
        [WALL_UNTRIED] = "untried",
    };
    ASSERT((size_t)state < sizeof texts / sizeof texts[0]);
    return texts[state];
}

struct wall *wall_add(struct wall_report *report, const char *name) {
    ASSERT(report->count < WALL_COUNT_MAX);
    struct wall *wall = &report->wall[report->count++];
    *wall = (struct wall){.name = name};
    return wall;
}

const struct wall *wall_find(const struct wall_report *report, const char *name) {
    for (size_t i = 0; i < report->count; i++) {
        if (strcmp(report->wall[i].name, name) == 0) {
            return &report->wall[i];
        }
    }
    return nullptr;
}

void wall_level(struct wall *wall, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(wall->level, sizeof wall->level, format, arguments);
    va_end(arguments);
}

void wall_how(struct wall *wall, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(wall->how, sizeof wall->how, format, arguments);
    va_end(arguments);
}

void wall_fail(struct wall *wall, const struct error *err) {
    wall->state = WALL_MISSING;
    wall->code = err->code;
    wall_level(wall, "%s", error_slug(err->code));
    wall_how(wall, "%.200s%s%.100s. %.180s", err->message, err->detail[0] != '\0' ? ": " : "",
             err->detail, error_effective_hint(err));
}

int wall_run(wall_attempt *attempt, void *context) {
    pid_t pid = fork();
    if (pid < 0) {
        return errno;
    }
    if (pid == 0) {
        _exit(attempt(context));
    }
    int status = 0;
    while (waitpid(pid, &status, 0) < 0) {
        if (errno != EINTR) {
            return errno;
        }
    }
    return WIFEXITED(status) ? WEXITSTATUS(status) : EIO;
}

bool wall_write_text(const char *path, const char *text) {
    CLEANUP(fd_closep) int fd = open(path, O_WRONLY | O_CLOEXEC);
    size_t size = strlen(text);
    return fd >= 0 && write(fd, text, size) == (ssize_t)size;
}

long wall_read_number(const char *path, long missing) {
    char text[32] = "";
    CLEANUP(fd_closep) int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t size = fd < 0 ? -1 : read(fd, text, sizeof text - 1);
    return size <= 0 ? missing : strtol(text, nullptr, 10);
}

bool wall_is_filtered(void) {
    char text[4096] = "";
    CLEANUP(fd_closep) int fd = open("/proc/self/status", O_RDONLY | O_CLOEXEC);
    ssize_t size = fd < 0 ? -1 : read(fd, text, sizeof text - 1);
    return size > 0 && strstr(text, "\nSeccomp:\t2") != nullptr;
}

int wall_enter(int flags) {
    char text[64];
    unsigned uid = geteuid();
    unsigned gid = getegid();
    if (unshare(CLONE_NEWUSER | flags) != 0) {
        return errno;
    }
    (void)wall_write_text("/proc/self/setgroups", "deny");
    (void)snprintf(text, sizeof text, "%u %u 1\n", uid, uid);
    if (!wall_write_text("/proc/self/uid_map", text)) {
        return errno;
    }
    (void)snprintf(text, sizeof text, "%u %u 1\n", gid, gid);
    return wall_write_text("/proc/self/gid_map", text) ? 0 : errno;
}

int wall_mount(const char *filesystem, const char *option, const char *value) {
    CLEANUP(fd_closep) int context = (int)syscall(SYS_fsopen, filesystem, FSOPEN_CLOEXEC);
    if (context < 0 ||
        (option != nullptr &&
         syscall(SYS_fsconfig, context, FSCONFIG_SET_STRING, option, value, 0) != 0) ||
        syscall(SYS_fsconfig, context, FSCONFIG_CMD_CREATE, nullptr, nullptr, 0) != 0) {
        return -1;
    }
    return (int)syscall(SYS_fsmount, context, FSMOUNT_CLOEXEC, MOUNT_ATTR_NOSUID);
}

static void try_kernel(struct wall_report *report) {
    struct utsname name = {};
    unsigned major = 0;
    unsigned minor = 0;
    bool is_known = uname(&name) == 0 && sscanf(name.release, "%u.%u", &major, &minor) == 2;
    struct wall *wall = wall_add(report, "kernel");
    wall_level(wall, "Linux %.64s", name.release);
    if (!is_known || major < 6 || (major == 6 && minor < 1)) {
        wall->state = WALL_MISSING;
        wall->code = ERROR_SANDBOX_OLD_KERNEL;
        wall_how(wall, "%s", error_default_hint(ERROR_SANDBOX_OLD_KERNEL));
    }
}

void walls_try(const struct state *state, struct wall_report *ret_report) {
    *ret_report = (struct wall_report){};
    try_kernel(ret_report);
    wall_try_namespaces(ret_report);
    wall_try_mounts(ret_report);
    if (state != nullptr) {
        wall_try_overlay(state, ret_report);
        wall_try_idmap(state, ret_report);
    } else {
        struct wall *overlay = wall_add(ret_report, "overlay");
        overlay->state = WALL_UNTRIED;
        wall_level(overlay, "needs a state folder");
    }
    wall_try_landlock(ret_report);
    wall_try_seccomp(ret_report);
}
