/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <linux/landlock.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "sys/confine.h"
#include "sys/fd.h"
#include "sys/ruleset.h"

/* Those that are not held already are nobody's loss; those that are go, in this thread and in all
 * that it starts. */
static bool drop_capabilities(void) {
    struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
    struct __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3] = {};
    for (unsigned i = 0; prctl(PR_CAPBSET_READ, i, 0, 0, 0) >= 0; i++) {
        if (i != CAP_NET_BIND_SERVICE && prctl(PR_CAPBSET_DROP, i, 0, 0, 0) != 0 &&
            errno != EPERM) {
            return false;
        }
    }
    if (syscall(SYS_capget, &header, data) != 0) {
        return false;
    }
    for (unsigned i = 0; i < _LINUX_CAPABILITY_U32S_3; i++) {
        uint32_t kept = i == 0 ? data[i].permitted & 1u << CAP_NET_BIND_SERVICE : 0;
        data[i] = (struct __user_cap_data_struct){.effective = kept, .permitted = kept};
    }
    return syscall(SYS_capset, &header, data) == 0;
}

static bool add_path(int ruleset, const struct confine_path *path) {
    CLEANUP(fd_closep) int fd = open(path->path, O_PATH | O_CLOEXEC);
    struct stat status;
    if (fd < 0 || fstat(fd, &status) != 0) {
        return errno == ENOENT; /* what is not there needs no rule, and gets none later */
    }
    uint64_t access = LANDLOCK_ACCESS_FS_READ_FILE;
    if (S_ISDIR(status.st_mode)) {
        access |= LANDLOCK_ACCESS_FS_READ_DIR;
        access |=
            path->has_sockets ? LANDLOCK_ACCESS_FS_MAKE_SOCK | LANDLOCK_ACCESS_FS_REMOVE_FILE : 0;
    }
    const struct landlock_path_beneath_attr rule = {.allowed_access = access, .parent_fd = fd};
    return syscall(SYS_landlock_add_rule, ruleset, LANDLOCK_RULE_PATH_BENEATH, &rule, 0) == 0;
}

static bool landlock_set(const struct confine_path *paths, size_t count, bool *ret_enforced) {
    static const struct ruleset_options OPTIONS = {.is_scoped = true};
    CLEANUP(fd_closep) int ruleset = -1;
    int abi = 0;
    bool is_set = ruleset_open(&OPTIONS, &ruleset, &abi);
    for (size_t i = 0; is_set && abi > 0 && i < count; i++) {
        is_set = add_path(ruleset, &paths[i]);
    }
    *ret_enforced = abi > 0;
    return is_set && ruleset_enforce(ruleset);
}

bool confine_files_to(const struct confine_path *paths, size_t count, bool *ret_enforced) {
    const struct rlimit no_core = {0, 0};
    return prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) == 0 && setrlimit(RLIMIT_CORE, &no_core) == 0 &&
           drop_capabilities() && prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 &&
           landlock_set(paths, count, ret_enforced);
}
