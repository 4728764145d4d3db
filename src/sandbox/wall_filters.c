/* SPDX-License-Identifier: Apache-2.0
 *
 * Landlock and seccomp. Both are put on, and then something is tried that they have to refuse.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/landlock.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "sandbox/plan.h"
#include "sandbox/seccomp.h"
#include "sandbox/wall_try.h"
#include "sys/fd.h"

enum { SCOPE_ABI = 6, NO_SUCH_CALL = 1000, CALL_WORKED = 200, CALL_OTHER = 201 };

static int try_landlock(void *context) {
    const int *abi = context;
    struct landlock_ruleset_attr attr = {.handled_access_fs = LANDLOCK_ACCESS_FS_READ_FILE};
    size_t size = sizeof attr.handled_access_fs;
    if (*abi >= SCOPE_ABI) {
        attr.scoped = LANDLOCK_SCOPE_ABSTRACT_UNIX_SOCKET;
        size = sizeof attr;
    }
    CLEANUP(fd_closep) int before = open("/proc/self/status", O_RDONLY | O_CLOEXEC);
    CLEANUP(fd_closep) int ruleset = (int)syscall(SYS_landlock_create_ruleset, &attr, size, 0);
    if (before < 0 || ruleset < 0 || prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 ||
        syscall(SYS_landlock_restrict_self, ruleset, 0) != 0) {
        return errno;
    }
    CLEANUP(fd_closep) int after = open("/proc/self/status", O_RDONLY | O_CLOEXEC);
    return after < 0 && errno == EACCES ? 0 : CALL_WORKED;
}

/* An abstract socket that somebody outside the ruleset listens on. */
struct outsider {
    int fd;
    struct sockaddr_un name;
    socklen_t size;
};

static int try_scope(void *context) {
    const struct outsider *outsider = context;
    struct landlock_ruleset_attr attr = {.scoped = LANDLOCK_SCOPE_ABSTRACT_UNIX_SOCKET};
    CLEANUP(fd_closep)
    int ruleset = (int)syscall(SYS_landlock_create_ruleset, &attr, sizeof attr, 0);
    CLEANUP(fd_closep) int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (ruleset < 0 || fd < 0 || prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 ||
        syscall(SYS_landlock_restrict_self, ruleset, 0) != 0) {
        return errno;
    }
    bool is_refused = connect(fd, (const struct sockaddr *)&outsider->name, outsider->size) != 0 &&
                      errno == EPERM;
    return is_refused ? 0 : CALL_WORKED;
}

static int run_scope(void) {
    struct outsider outsider = {.name = {.sun_family = AF_UNIX}};
    int length = snprintf(outsider.name.sun_path + 1, sizeof outsider.name.sun_path - 1,
                          "airlock-doctor-%d", getpid());
    outsider.size = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + (size_t)length);
    outsider.fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    int number = 0;
    if (outsider.fd < 0 ||
        bind(outsider.fd, (const struct sockaddr *)&outsider.name, outsider.size) != 0 ||
        listen(outsider.fd, 1) != 0) {
        number = errno;
    } else {
        number = wall_run(try_scope, &outsider);
    }
    fd_closep(&outsider.fd);
    return number;
}

static void say_landlock(struct wall *wall, int number) {
    wall->code = ERROR_SANDBOX_NO_LANDLOCK;
    if (number == EOPNOTSUPP) {
        wall_how(wall, "It is built in and not switched on: add landlock to the lsm= kernel "
                       "parameter.");
    } else if (number == ENOSYS && !wall_is_filtered()) {
        wall_how(wall, "The kernel needs CONFIG_SECURITY_LANDLOCK, and landlock in its lsm= "
                       "parameter.");
    } else if (number == ENOSYS || number == EPERM) {
        wall_how(wall, "A seccomp filter is in force here, as in a container. Start the container "
                       "with --security-opt seccomp=unconfined, or with a profile that allows "
                       "landlock_create_ruleset.");
    } else {
        wall_how(wall, "%s", error_default_hint(ERROR_SANDBOX_NO_LANDLOCK));
    }
}

void wall_try_landlock(struct wall_report *report) {
    struct wall *wall = wall_add(report, "landlock");
    int abi =
        (int)syscall(SYS_landlock_create_ruleset, nullptr, 0, LANDLOCK_CREATE_RULESET_VERSION);
    int number = abi < 1 ? errno : wall_run(try_landlock, &abi);
    if (number != 0) {
        wall->state = WALL_MISSING;
        wall_level(wall, "%.64s",
                   number == CALL_WORKED ? "a ruleset that refuses nothing" : strerror(number));
        say_landlock(wall, number);
        return;
    }
    bool is_scoped = abi >= SCOPE_ABI && run_scope() == 0;
    wall->state = is_scoped ? WALL_THERE : WALL_LESS;
    wall_level(wall, "ABI %d, refused a file%s", abi, is_scoped ? " and an abstract socket" : "");
    if (!is_scoped) {
        wall_how(wall, "Linux 6.12 adds a second wall around abstract sockets and signals.");
    }
}

/* The filter that runs get. It has to let through, refuse, and not know. */
static int try_seccomp(void *context) {
    (void)context;
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 ||
        !seccomp_install(SECCOMP_STANDARD, geteuid(), getegid())) {
        return errno;
    }
    if (syscall(SYS_getppid) < 0) {
        return CALL_OTHER;
    }
    bool is_refused = syscall(SYS_pivot_root, "/", "/") != 0 && errno == EPERM;
    bool is_unknown = syscall(NO_SUCH_CALL) != 0 && errno == ENOSYS;
    return is_refused && is_unknown ? 0 : CALL_WORKED;
}

void wall_try_seccomp(struct wall_report *report) {
    struct wall *wall = wall_add(report, "seccomp");
    int number = wall_run(try_seccomp, nullptr);
    wall->state = number == 0 ? WALL_THERE : WALL_MISSING;
    if (number == 0) {
        wall_level(wall, "standard, refused pivot_root");
        return;
    }
    wall->code = ERROR_SANDBOX_SECCOMP;
    wall_level(wall, "%.64s",
               number >= CALL_WORKED ? "a filter that does not filter" : strerror(number));
    wall_how(wall, "%s",
             wall_is_filtered()
                 ? "A filter that is in force here forbids others. Start the container with "
                   "--security-opt seccomp=unconfined."
                 : "The kernel needs CONFIG_SECCOMP_FILTER.");
}
