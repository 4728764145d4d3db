/* SPDX-License-Identifier: Apache-2.0
 *
 * The last steps before the command: everything that can be given up is given up, in an order in
 * which each step is still permitted.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <linux/close_range.h>
#include <linux/securebits.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "sandbox/jail.h"
#include "sandbox/seccomp.h"
#include "sys/fd.h"

/* RLIMIT_DATA counts what is reserved, and Node reserves over half a GiB before its first line.
 * What is used is sampled. */
enum : uint64_t { DATA_BYTES_MIN = 1024 * 1024 * 1024 };
enum { OPEN_FILES_MAX = 65536 };

/* Without a loopback no test suite that listens on 127.0.0.1 would pass. */
static status_t make_network(int init, struct error *err) {
    if (unshare(CLONE_NEWNET) != 0) {
        return error_set(err, ERROR_SANDBOX_NAMESPACE, errno,
                         "cannot make the network namespace of the sandbox");
    }
    CLEANUP(fd_closep) int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    struct ifreq request = {.ifr_flags = IFF_UP};
    memcpy(request.ifr_name, "lo", 3);
    if (fd < 0 || ioctl(fd, SIOCSIFFLAGS, &request) != 0) {
        return error_set(err, ERROR_SANDBOX_NAMESPACE, errno,
                         "cannot bring up the loopback of the network namespace");
    }
    CLEANUP(fd_closep) int network = ioctl(fd, SIOCGSKNS);
    if (network < 0) {
        return error_set(err, ERROR_SANDBOX_NAMESPACE, errno, "cannot name the network namespace");
    }
    struct socket_fds fds = {.fd = {network}, .count = 1};
    return socket_send(init, SLICE_LITERAL("n"), &fds, err);
}

/* The next word of init; ends this process when init is gone, because that says why itself. */
static status_t hear(int init, char word, struct socket_fds *ret_fds, struct error *err) {
    char heard = 0;
    size_t size = 0;
    TRY(socket_receive(init, &heard, sizeof heard, &size, ret_fds, err));
    if (size == 0) {
        _exit(125);
    }
    return heard == word ? STATUS_OK
                         : error_set(err, ERROR_JAIL_PROTOCOL, 0, "init said something else");
}

/* The three ends, or one terminal for all. */
static status_t take_streams(const struct socket_fds *fds, struct error *err) {
    bool is_terminal = fds->count == 2;
    if (is_terminal && ioctl(fds->fd[1], TIOCSCTTY, 0) != 0) {
        return error_set(err, ERROR_JAIL_FAILED, errno, "cannot take the terminal");
    }
    for (int i = 0; i < 3; i++) {
        if (dup2(fds->fd[is_terminal ? 1 : i + 1], i) < 0) {
            return error_set(err, ERROR_JAIL_FAILED, errno, "cannot connect stream %d", i);
        }
    }
    return STATUS_OK;
}

static bool limit(int resource, uint64_t value) {
    struct rlimit now; /* the C libraries do not agree on the type of a resource */
    if (syscall(SYS_prlimit64, 0, resource, nullptr, &now) != 0) {
        return false;
    }
    rlim_t wanted = value < now.rlim_max ? value : now.rlim_max;
    struct rlimit set = {.rlim_cur = wanted, .rlim_max = wanted};
    return syscall(SYS_prlimit64, 0, resource, &set, nullptr) == 0;
}

/* NPROC is counted per user namespace because this one was made before: what else the user runs
 * does not count. */
static status_t set_limits(const struct jail *jail, struct error *err) {
    const struct template_limits *limits = &jail->plan.limits;
    bool set = limit(RLIMIT_NPROC, limits->pid_count_max + 1u) && /* init */
               limit(RLIMIT_FSIZE, limits->file_bytes_max) &&
               limit(RLIMIT_NOFILE, OPEN_FILES_MAX) && limit(RLIMIT_MEMLOCK, 8 << 20) &&
               limit(RLIMIT_MSGQUEUE, 1 << 20) && limit(RLIMIT_NICE, 0) && limit(RLIMIT_RTPRIO, 0);
    if (set && jail->samples_memory) {
        uint64_t bytes = limits->memory_bytes_max;
        set = limit(RLIMIT_DATA, bytes > DATA_BYTES_MIN ? bytes : DATA_BYTES_MIN);
    }
    return set ? STATUS_OK
               : error_set(err, ERROR_SANDBOX_LIMITS, errno, "cannot set the resource limits");
}

/* No capability, and no way to one: even uid 0 of the sandbox gets none by exec. */
static status_t drop_capabilities(struct error *err) {
    unsigned long bits = SECBIT_NOROOT | SECBIT_NOROOT_LOCKED | SECBIT_NO_SETUID_FIXUP |
                         SECBIT_NO_SETUID_FIXUP_LOCKED | SECBIT_KEEP_CAPS_LOCKED |
                         SECBIT_NO_CAP_AMBIENT_RAISE | SECBIT_NO_CAP_AMBIENT_RAISE_LOCKED;
    if (prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0) != 0 ||
        prctl(PR_SET_SECUREBITS, bits) != 0) {
        return error_set(err, ERROR_JAIL_FAILED, errno, "cannot lock the capabilities");
    }
    for (unsigned long capability = 0; capability < 64; capability++) {
        if (prctl(PR_CAPBSET_DROP, capability) != 0) {
            if (errno == EINVAL && capability > CAP_CHECKPOINT_RESTORE) {
                break;
            }
            return error_set(err, ERROR_JAIL_FAILED, errno, "cannot drop capability %lu",
                             capability);
        }
    }
    struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
    struct __user_cap_data_struct none[2] = {};
    if (syscall(SYS_capset, &header, none) != 0 || prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) {
        return error_set(err, ERROR_JAIL_FAILED, errno, "cannot drop the capabilities");
    }
    return STATUS_OK;
}

/* The launcher was started with every signal at its default; only these were changed since. */
static void reset_signals(void) {
    (void)signal(SIGPIPE, SIG_DFL);
    (void)signal(SIGCHLD, SIG_DFL);
    sigset_t none;
    (void)sigemptyset(&none);
    (void)sigprocmask(SIG_SETMASK, &none, nullptr);
}

/* What needs neither plan nor paths, while init lays the ground. */
static status_t give_up_rights(const struct jail *jail, int init, struct error *err) {
    TRY(make_network(init, err));
    if (setsid() < 0) {
        return error_set(err, ERROR_JAIL_FAILED, errno, "cannot start a session");
    }
    reset_signals();
    /* Not 0: see emit_prlimit() in seccomp_gen.c, which also keeps it there from here on. */
    if (!limit(RLIMIT_CORE, 1)) {
        return error_set(err, ERROR_SANDBOX_LIMITS, errno, "cannot forbid core files");
    }
    TRY(drop_capabilities(err));
    /* Every profile permits what is left to do here: streams, lower limits, Landlock. */
    if (!seccomp_install(jail->plan.seccomp, jail->plan.uid, jail->plan.gid)) {
        return error_set(err, ERROR_SANDBOX_SECCOMP, errno, "cannot install the seccomp filter");
    }
    return STATUS_OK;
}

static status_t set_up(struct jail *jail, int init, int *ret_abi, struct error *err) {
    struct socket_fds fds = {};
    TRY(give_up_rights(jail, init, err));
    TRY(hear(init, 'p', &fds, err));
    if (fds.count < 2) {
        return error_set(err, ERROR_JAIL_PROTOCOL, 0, "the plan came without its streams");
    }
    TRY(jail_plan_read(fds.fd[0], &jail->plan, err));
    (void)umask(022);
    TRY(take_streams(&fds, err));
    TRY(set_limits(jail, err));
    /* The exec pipe must survive until exec, the channel until the last report. */
    if (syscall(SYS_close_range, 3u, ~0u, CLOSE_RANGE_CLOEXEC) != 0) {
        return error_set(err, ERROR_JAIL_FAILED, errno, "cannot close what was inherited");
    }
    TRY(hear(init, 't', &fds, err));
    struct jail_landlock landlock;
    TRY(jail_landlock_begin(&jail->plan, fds.count == 1 ? fds.fd[0] : -1, &landlock, err));
    socket_fds_close(&fds);
    /* Not before the host's root is gone: until then it lies over ours, and "/.." of a link that an
     * earlier run left in the workspace leads to it. */
    TRY(hear(init, 'd', nullptr, err));
    if (chdir(jail->plan.working_folder) != 0) {
        return error_set(err, ERROR_WORKSPACE_UNUSABLE, errno,
                         "cannot change to the working folder in the sandbox");
    }
    TRY(jail_landlock_finish(&jail->plan, &landlock, err));
    *ret_abi = landlock.abi;
    return STATUS_OK;
}

static void send_report(const struct jail *jail, struct jail_report *report) {
    struct error ignored = {};
    report->time_ns = jail_now_ns();
    if (!status_is_ok(jail_report_send(jail, report, -1, &ignored))) {
        _exit(125);
    }
}

/* Tries one path; returns only on failure, with errno. */
static void execute(const struct plan_view *plan, const char *path) {
    char *const *argv = nullptr;
    char *const *environment = nullptr;
    memcpy(&argv, &plan->argv, sizeof argv);
    memcpy(&environment, &plan->environment, sizeof environment);
    (void)execve(path, argv, environment);
}

/* As execvp(3), but over the PATH of the plan and without its guess at scripts. Returns errno. */
static int execute_found(const struct plan_view *plan) {
    const char *name = plan->argv[0];
    if (strchr(name, '/') != nullptr) {
        execute(plan, name);
        return errno;
    }
    int worst = ENOENT;
    const char *part = plan->path;
    while (*part != '\0') {
        int size = (int)strcspn(part, ":");
        char path[LIMIT_PATH_BYTES];
        int length = snprintf(path, sizeof path, "%.*s/%s", size, part, name);
        if (size > 0 && length > 0 && (size_t)length < sizeof path) {
            execute(plan, path);
            if (errno != ENOENT && errno != ENOTDIR) {
                worst = errno;
            }
            if (errno != ENOENT && errno != ENOTDIR && errno != EACCES) {
                break;
            }
        }
        part += size + (part[size] == ':');
    }
    return worst;
}

[[noreturn]] void jail_payload_run(struct jail *jail, int init) {
    struct error err = {};
    int abi = 0;
    if (!status_is_ok(set_up(jail, init, &abi, &err))) {
        struct jail_report report = {
            .kind = REPORT_FAILED,
            .failure = protocol_failure_of(&err).failure,
        };
        send_report(jail, &report);
        _exit(125);
    }
    struct jail_report report = {.kind = REPORT_READY, .landlock_abi = abi};
    send_report(jail, &report);
    char go = 0;
    if (read(jail->go_read, &go, 1) != 1) {
        _exit(125);
    }
    report.kind = REPORT_EXECUTING;
    send_report(jail, &report);
    int number = execute_found(&jail->plan);
    (void)!write(jail->exec_write, &number, sizeof number);
    _exit(number == ENOENT || number == ENOTDIR ? 127 : 126);
}
