/* SPDX-License-Identifier: Apache-2.0 */
#include "witness/confine.h"

#include <errno.h>
#include <linux/filter.h>
#include <linux/landlock.h>
#include <linux/seccomp.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "sys/fd.h"
#include "witness_filter.h"

enum { ABI_TRUNCATE = 3, ABI_TCP = 4 };

static bool limits_set(void) {
    static const struct {
        __rlimit_resource_t resource;
        struct rlimit limit;
    } LIMITS[] = {
        {RLIMIT_CORE, {0, 0}},
        {RLIMIT_FSIZE, {0, 0}},
        {RLIMIT_NOFILE, {1, 1}}, /* fd 0 is taken: no new one; poll(2) wants the number it gets */
        {RLIMIT_CPU, {60, 60}},
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
        {RLIMIT_AS, {512UL << 20, 512UL << 20}}, /* shadow memory is larger than that */
#endif
    };
    bool is_set = true;
    for (size_t i = 0; i < sizeof LIMITS / sizeof LIMITS[0]; i++) {
        is_set = is_set && setrlimit(LIMITS[i].resource, &LIMITS[i].limit) == 0;
    }
    return is_set;
}

/* A ruleset without one rule for files: none can be opened. */
static bool landlock_set(uint16_t port) {
    long abi = syscall(SYS_landlock_create_ruleset, nullptr, 0, LANDLOCK_CREATE_RULESET_VERSION);
    if (abi < 1) {
        return errno == ENOSYS || errno == EOPNOTSUPP;
    }
    struct landlock_ruleset_attr handled = {
        .handled_access_fs = (LANDLOCK_ACCESS_FS_MAKE_SYM << 1) - 1,
    };
    handled.handled_access_fs |= abi >= 2 ? LANDLOCK_ACCESS_FS_REFER : 0;
    handled.handled_access_fs |= abi >= ABI_TRUNCATE ? LANDLOCK_ACCESS_FS_TRUNCATE : 0;
    size_t size = sizeof handled.handled_access_fs;
    if (abi >= ABI_TCP) {
        handled.handled_access_net = LANDLOCK_ACCESS_NET_BIND_TCP | LANDLOCK_ACCESS_NET_CONNECT_TCP;
        size = sizeof handled.handled_access_fs + sizeof handled.handled_access_net;
    }
    int ruleset = (int)syscall(SYS_landlock_create_ruleset, &handled, size, 0);
    const struct landlock_net_port_attr connect = {
        .allowed_access = LANDLOCK_ACCESS_NET_CONNECT_TCP,
        .port = port,
    };
    bool is_set = ruleset >= 0 &&
                  (abi < ABI_TCP || syscall(SYS_landlock_add_rule, ruleset, LANDLOCK_RULE_NET_PORT,
                                            &connect, 0) == 0) &&
                  syscall(SYS_landlock_restrict_self, ruleset, 0) == 0;
    fd_closep(&ruleset);
    return is_set;
}

static bool calls_set(void) {
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
    return true; /* the sanitizer's own calls at exit are no part of the product */
#else
    struct sock_filter lines[sizeof filter_witness / sizeof filter_witness[0]];
    memcpy(lines, filter_witness, sizeof lines); /* the kernel's interface is not const */
    const struct sock_fprog program = {(unsigned short)(sizeof lines / sizeof lines[0]), lines};
    return syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &program) == 0;
#endif
}

bool confine_to_port(uint16_t port) {
    return prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) == 0 && prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 &&
           landlock_set(port) && limits_set() && calls_set();
}
