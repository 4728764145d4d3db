/* SPDX-License-Identifier: Apache-2.0 */
#include "sys/userns.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/mount.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "sys/fd.h"

static bool write_text(const char *path, const char *text) {
    CLEANUP(fd_closep) int fd = open(path, O_WRONLY | O_CLOEXEC);
    size_t size = strlen(text);
    return fd >= 0 && write(fd, text, size) == (ssize_t)size;
}

bool userns_map_write(pid_t pid, const struct userns_map *map) {
    char path[64];
    char text[64];
    char name[16] = "self";
    bool is_root = pid != 0 && geteuid() == 0;
    if (pid != 0) {
        (void)snprintf(name, sizeof name, "%d", pid);
    }
    (void)snprintf(path, sizeof path, "/proc/%s/setgroups", name);
    bool written = is_root || write_text(path, "deny");
    (void)snprintf(path, sizeof path, "/proc/%s/uid_map", name);
    (void)snprintf(text, sizeof text, "%u %u 1\n", map->uid, map->host_uid);
    written = written && write_text(path, text);
    (void)snprintf(path, sizeof path, "/proc/%s/gid_map", name);
    (void)snprintf(text, sizeof text, "%u %u 1\n", map->gid, map->host_gid);
    return written && write_text(path, text);
}

/* A user namespace lives in a process of it; an open descriptor keeps it after that. */
int userns_open(const struct userns_map *map) {
    struct clone_args {
        uint64_t flags, pidfd, child_tid, parent_tid, exit_signal, stack, stack_size, tls;
    } arguments = {.flags = CLONE_NEWUSER, .exit_signal = SIGCHLD};
    pid_t pid = (pid_t)syscall(SYS_clone3, &arguments, sizeof arguments);
    if (pid < 0) {
        return -1;
    }
    if (pid == 0) {
        (void)prctl(PR_SET_PDEATHSIG, SIGKILL); /* should the caller be killed right now */
        for (;;) {
            (void)pause();
        }
    }
    char path[64];
    (void)snprintf(path, sizeof path, "/proc/%d/ns/user", pid);
    int fd = userns_map_write(pid, map) ? open(path, O_RDONLY | O_CLOEXEC) : -1;
    int number = errno;
    (void)kill(pid, SIGKILL);
    (void)waitpid(pid, nullptr, 0);
    errno = number;
    return fd;
}

int userns_view(int userns, int folder) {
    enum { CLONE_FLAGS = OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_EMPTY_PATH };
    CLEANUP(fd_closep) int tree = (int)syscall(SYS_open_tree, folder, "", CLONE_FLAGS);
    struct mount_attr attr = {
        .attr_set = MOUNT_ATTR_IDMAP | MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV,
        .propagation = MS_PRIVATE,
        .userns_fd = (uint64_t)userns,
    };
    bool is_mapped =
        tree >= 0 && syscall(SYS_mount_setattr, tree, "", AT_EMPTY_PATH, &attr, sizeof attr) == 0;
    return is_mapped ? fd_take(&tree) : -1;
}
