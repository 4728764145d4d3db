/* SPDX-License-Identifier: Apache-2.0 */
#include "sys/ruleset.h"

#include <errno.h>
#include <linux/landlock.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { ABI_REFER = 2, ABI_TRUNCATE = 3, ABI_SCOPES = 6 };

bool ruleset_open(const struct ruleset_options *options, int *ret_fd, int *ret_abi) {
    long abi = syscall(SYS_landlock_create_ruleset, nullptr, 0, LANDLOCK_CREATE_RULESET_VERSION);
    *ret_fd = -1;
    *ret_abi = abi < 1 ? 0 : (int)abi;
    if (abi < 1) {
        return errno == ENOSYS || errno == EOPNOTSUPP;
    }
    struct landlock_ruleset_attr handled = {};
    if (!options->no_files) {
        handled.handled_access_fs = (LANDLOCK_ACCESS_FS_MAKE_SYM << 1) - 1;
        handled.handled_access_fs |= abi >= ABI_REFER ? LANDLOCK_ACCESS_FS_REFER : 0;
        handled.handled_access_fs |= abi >= ABI_TRUNCATE ? LANDLOCK_ACCESS_FS_TRUNCATE : 0;
    }
    if (options->has_tcp && abi >= RULESET_ABI_TCP) {
        handled.handled_access_net = LANDLOCK_ACCESS_NET_BIND_TCP | LANDLOCK_ACCESS_NET_CONNECT_TCP;
    }
    if (options->is_scoped && abi >= ABI_SCOPES) {
        handled.scoped = LANDLOCK_SCOPE_ABSTRACT_UNIX_SOCKET | LANDLOCK_SCOPE_SIGNAL;
    }
    if (handled.handled_access_fs == 0 && handled.handled_access_net == 0 && handled.scoped == 0) {
        return true;
    }
    /* An older kernel takes a longer structure as long as what it does not know is 0. */
    *ret_fd = (int)syscall(SYS_landlock_create_ruleset, &handled, sizeof handled, 0);
    return *ret_fd >= 0;
}

bool ruleset_enforce(int fd) {
    return fd < 0 || syscall(SYS_landlock_restrict_self, fd, 0) == 0;
}
