/* SPDX-License-Identifier: Apache-2.0 */
#include "keys/confine.h"

#include <errno.h>
#include <linux/filter.h>
#include <linux/landlock.h>
#include <linux/seccomp.h>
#include <stdint.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "keys_filter.h"
#include "sys/fd.h"

/* Every file right of Landlock ABI 1, which all supported kernels with Landlock have. */
static const uint64_t FILE_RIGHTS = (LANDLOCK_ACCESS_FS_MAKE_SYM << 1) - 1;
static const uint64_t FOLDER_RIGHTS = LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_READ_DIR |
                                      LANDLOCK_ACCESS_FS_WRITE_FILE | LANDLOCK_ACCESS_FS_MAKE_REG |
                                      LANDLOCK_ACCESS_FS_REMOVE_FILE;

static bool landlock_folder(int folder_fd) {
    long abi = syscall(SYS_landlock_create_ruleset, nullptr, 0, LANDLOCK_CREATE_RULESET_VERSION);
    if (abi < 1) {
        return errno == ENOSYS || errno == EOPNOTSUPP;
    }
    struct landlock_ruleset_attr rules = {.handled_access_fs = FILE_RIGHTS};
    if (abi >= 4) {
        rules.handled_access_net = LANDLOCK_ACCESS_NET_BIND_TCP | LANDLOCK_ACCESS_NET_CONNECT_TCP;
    }
    size_t size = abi >= 4 ? sizeof rules : sizeof rules.handled_access_fs;
    int ruleset = (int)syscall(SYS_landlock_create_ruleset, &rules, size, 0);
    const struct landlock_path_beneath_attr folder = {
        .allowed_access = FOLDER_RIGHTS,
        .parent_fd = folder_fd,
    };
    bool confined =
        ruleset >= 0 &&
        syscall(SYS_landlock_add_rule, ruleset, LANDLOCK_RULE_PATH_BENEATH, &folder, 0) == 0 &&
        syscall(SYS_landlock_restrict_self, ruleset, 0) == 0;
    fd_closep(&ruleset);
    return confined;
}

bool confine_to_folder(int folder_fd) {
    const struct rlimit no_core = {0, 0};
    return prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) == 0 && setrlimit(RLIMIT_CORE, &no_core) == 0 &&
           prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 && landlock_folder(folder_fd);
}

bool confine_calls(void) {
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
    return true; /* the sanitizer's own calls at exit are no part of the product */
#else
    struct sock_filter lines[sizeof filter_keys / sizeof filter_keys[0]];
    memcpy(lines, filter_keys, sizeof lines); /* the kernel's interface is not const */
    const struct sock_fprog program = {
        .len = (unsigned short)(sizeof lines / sizeof lines[0]),
        .filter = lines,
    };
    return syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &program) == 0;
#endif
}
