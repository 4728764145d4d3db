/* SPDX-License-Identifier: Apache-2.0
 *
 * What the program may not do, as Gramine does not do it. Two filters: the list of calls, made
 * while Airlock is built, and the few that a manifest has to permit first. The kernel takes the
 * stricter answer of both.
 */
#include <errno.h>
#include <linux/audit.h>
#include <linux/capability.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <stddef.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "enclave/sim_inside.h"
#include "gramine_filter.h"
#include "sys/confine.h"
#include "sys/fd.h"
#include "sys/ruleset.h"

enum { EXTRA_LINES_MAX = 32 };

struct extra {
    struct sock_filter lines[EXTRA_LINES_MAX];
    unsigned short count;
};

static void add(struct extra *extra, struct sock_filter line) {
    extra->lines[extra->count++] = line;
}

/* One call answers ENOSYS. The number is loaded, and still is afterwards. */
static void add_missing(struct extra *extra, unsigned number) {
    add(extra, (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, number, 0, 1));
    add(extra, (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | ENOSYS));
}

/* Threads go through, processes do not. */
static void add_threads_only(struct extra *extra) {
    add_missing(extra, SYS_fork);
    add_missing(extra, SYS_vfork);
    add(extra, (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_clone, 0, 4));
    add(extra, (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS,
                                            offsetof(struct seccomp_data, args[0])));
    add(extra, (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, CLONE_THREAD, 1, 0));
    add(extra, (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | ENOSYS));
    add(extra, (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW));
}

/* The other filter has looked at the architecture. */
static bool extra_set(const struct sim_plan *plan) {
    struct extra extra = {};
    add(&extra,
        (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)));
    if (!plan->may_eventfd) {
        add_missing(&extra, SYS_eventfd);
        add_missing(&extra, SYS_eventfd2);
    }
    if (!plan->may_flock) {
        add_missing(&extra, SYS_flock);
    }
    if (!plan->may_start_processes) {
        add_threads_only(&extra);
    }
    add(&extra, (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW));
    return confine_calls_to(extra.lines, extra.count);
}

/* At most what the host lets this process have: Gramine's own descriptors are not the host's. */
static bool limit_set(__rlimit_resource_t resource, uint64_t most) {
    struct rlimit limit;
    if (getrlimit(resource, &limit) != 0) {
        return false;
    }
    limit.rlim_max = limit.rlim_max < most ? limit.rlim_max : most;
    limit.rlim_cur = limit.rlim_max;
    return setrlimit(resource, &limit) == 0;
}

static bool limits_set(const struct sim_plan *plan) {
    bool is_set = limit_set(RLIMIT_NOFILE, plan->descriptors) &&
                  limit_set(RLIMIT_STACK, plan->stack_bytes) && limit_set(RLIMIT_CORE, 0);
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
    /* Everything the program maps is memory of the enclave; shadow memory is larger than that. */
    is_set = is_set && (plan->memory_bytes == 0 || limit_set(RLIMIT_AS, plan->memory_bytes));
#endif
    return is_set;
}

/* User 0 of a namespace has every capability there, and again after execve(2) unless the bounding
 * set is empty. */
static bool capabilities_drop(void) {
    const struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
    const struct __user_cap_data_struct none[2] = {};
    for (int i = 0; i <= CAP_LAST_CAP; i++) {
        if (prctl(PR_CAPBSET_DROP, i, 0, 0, 0) != 0 && errno != EINVAL) {
            return false;
        }
    }
    return prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0) == 0 &&
           syscall(SYS_capset, &header, none) == 0;
}

/* The network is the host's, and with it the sockets that have a name in no folder: in Gramine Unix
 * sockets are its own. A kernel without Landlock's scopes (before 6.12) leaves them in reach. */
static bool abstract_sockets_drop(void) {
    static const struct ruleset_options OPTIONS = {.no_files = true, .is_scoped = true};
    int ruleset = -1;
    int abi = 0;
    bool is_set = ruleset_open(&OPTIONS, &ruleset, &abi) && ruleset_enforce(ruleset);
    fd_closep(&ruleset);
    return is_set;
}

status_t sim_calls_limit(const struct sim_plan *plan, struct error *err) {
    if (!limits_set(plan)) {
        return error_set(err, ERROR_SANDBOX_LIMITS, errno, "cannot set the limits of the manifest");
    }
    if (!capabilities_drop() || prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 ||
        !abstract_sockets_drop() || !extra_set(plan) ||
        !confine_calls_to(filter_gramine, sizeof filter_gramine / sizeof filter_gramine[0])) {
        return error_set(err, ERROR_SANDBOX_LIMITS, errno,
                         "cannot take away the calls that Gramine does not have");
    }
    return STATUS_OK;
}
