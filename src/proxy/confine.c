/* SPDX-License-Identifier: Apache-2.0 */
#include "proxy/confine.h"

#include <errno.h>
#include <grp.h>
#include <linux/filter.h>
#include <linux/landlock.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "proxy_filter.h"
#include "sys/fd.h"
#include "sys/ruleset.h"

enum { DNS_PORT = 53, OPEN_FILES_MAX = 4096 };

static bool limits_set(void) {
    static const struct {
        __rlimit_resource_t resource;
        struct rlimit limit;
    } LIMITS[] = {
        {RLIMIT_CORE, {0, 0}},
        {RLIMIT_FSIZE, {0, 0}},
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
        {RLIMIT_AS, {1UL << 30, 1UL << 30}}, /* shadow memory is larger than that */
#endif
    };
    bool is_set = true;
    for (size_t i = 0; i < sizeof LIMITS / sizeof LIMITS[0]; i++) {
        is_set = is_set && setrlimit(LIMITS[i].resource, &LIMITS[i].limit) == 0;
    }
    struct rlimit files;
    is_set = is_set && getrlimit(RLIMIT_NOFILE, &files) == 0;
    if (is_set) {
        files.rlim_max = files.rlim_max < OPEN_FILES_MAX ? files.rlim_max : OPEN_FILES_MAX;
        files.rlim_cur = files.rlim_max;
        is_set = setrlimit(RLIMIT_NOFILE, &files) == 0;
    }
    return is_set;
}

static bool allow_port(int ruleset, uint16_t port) {
    const struct landlock_net_port_attr connect = {
        .allowed_access = LANDLOCK_ACCESS_NET_CONNECT_TCP,
        .port = port,
    };
    return syscall(SYS_landlock_add_rule, ruleset, LANDLOCK_RULE_NET_PORT, &connect, 0) == 0;
}

/* A ruleset without one rule for files: none can be opened. fcntl(2) can have a signal sent, hence
 * the scope. */
static bool landlock_set(const struct egress_config *config) {
    static const struct ruleset_options OPTIONS = {.has_tcp = true, .is_scoped = true};
    CLEANUP(fd_closep) int ruleset = -1;
    int abi = 0;
    bool is_set = ruleset_open(&OPTIONS, &ruleset, &abi) &&
                  (abi < RULESET_ABI_TCP || allow_port(ruleset, DNS_PORT));
    for (uint32_t i = 0; is_set && abi >= RULESET_ABI_TCP && i < config->target_count; i++) {
        is_set = allow_port(ruleset, config->targets[i].port);
    }
    return is_set && ruleset_enforce(ruleset);
}

static bool calls_set(void) {
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
    return true; /* the sanitizer's own calls at exit are no part of the product */
#else
    struct sock_filter lines[sizeof filter_proxy / sizeof filter_proxy[0]];
    memcpy(lines, filter_proxy, sizeof lines); /* the kernel's interface is not const */
    const struct sock_fprog program = {(unsigned short)(sizeof lines / sizeof lines[0]), lines};
    return syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &program) == 0;
#endif
}

static bool become(const struct egress_config *config) {
    return config->uid == 0 ||
           (setgroups(0, nullptr) == 0 && setresgid(config->gid, config->gid, config->gid) == 0 &&
            setresuid(config->uid, config->uid, config->uid) == 0);
}

status_t confine(const struct egress_config *config, struct error *err) {
    pid_t parent = getppid();
    /* The change of the uid clears the signal at the parent's end, so it comes first. */
    bool is_set = become(config) && prctl(PR_SET_PDEATHSIG, SIGKILL) == 0 && getppid() == parent &&
                  prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) == 0 &&
                  prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 && landlock_set(config) &&
                  limits_set() && calls_set();
    return is_set ? STATUS_OK : error_set(err, ERROR_IO, errno, "cannot confine the egress proxy");
}
