/* SPDX-License-Identifier: Apache-2.0 */
#include "sys/confine.h"

#include <linux/landlock.h>
#include <linux/seccomp.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "sys/fd.h"
#include "sys/ruleset.h"

/* A ruleset without a rule for files: none can be opened. Port 0: it has no rule at all. */
static bool landlock_set(uint16_t port) {
    static const struct ruleset_options OPTIONS = {.has_tcp = true};
    const struct landlock_net_port_attr connect = {
        .allowed_access = LANDLOCK_ACCESS_NET_CONNECT_TCP,
        .port = port,
    };
    int ruleset = -1;
    int abi = 0;
    bool is_set =
        ruleset_open(&OPTIONS, &ruleset, &abi) &&
        (port == 0 || abi < RULESET_ABI_TCP ||
         syscall(SYS_landlock_add_rule, ruleset, LANDLOCK_RULE_NET_PORT, &connect, 0) == 0) &&
        ruleset_enforce(ruleset);
    fd_closep(&ruleset);
    return is_set;
}

bool confine_no_files(void) {
    return confine_no_files_but_port(0);
}

bool confine_no_files_but_port(uint16_t port) {
    const struct rlimit no_core = {0, 0};
    return prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) == 0 && setrlimit(RLIMIT_CORE, &no_core) == 0 &&
           prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 && landlock_set(port);
}

static bool set_filter(const struct sock_filter *lines, size_t count, unsigned flags) {
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
    return lines != nullptr && count + flags > 0;
#else
    /* The kernel reads the lines; its interface only does not say so. */
    union {
        const struct sock_filter *given;
        struct sock_filter *taken;
    } filter = {.given = lines};
    const struct sock_fprog program = {(unsigned short)count, filter.taken};
    return syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, flags, &program) == 0;
#endif
}

bool confine_calls_to(const struct sock_filter *lines, size_t count) {
    return set_filter(lines, count, 0);
}

bool confine_all_calls_to(const struct sock_filter *lines, size_t count) {
    return set_filter(lines, count, SECCOMP_FILTER_FLAG_TSYNC);
}
