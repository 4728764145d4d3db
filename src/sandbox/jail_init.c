/* SPDX-License-Identifier: Apache-2.0
 *
 * Pid 1 of the sandbox. It keeps the capabilities of its own user namespace, so it runs nothing
 * that the payload wrote; it is not dumpable, so that nobody inside can look into it; it dies with
 * the launcher, and everything dies with it.
 */
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "sandbox/jail.h"
#include "sys/fd.h"

enum { SAMPLE_MS = JAIL_SAMPLE_MS };

/* What pid 1 knows of its sandbox. */
struct init {
    struct jail *jail;
    int socket; /* to the payload, until all is mounted */
    pid_t payload;
    bool payload_ended;
    bool by_signal;
    int status;
    uint32_t killed_count;
    uint64_t sample_at_ns;
    struct jail_walk walk;
    uint64_t stopped_at_ns; /* when a stop was last told */
    struct jail_meter meter;
};

uint64_t jail_now_ns(void) {
    struct timespec now;
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

status_t jail_report_send(const struct jail *jail, const struct jail_report *report, int fd,
                          struct error *err) {
    struct socket_fds fds = {.fd = {fd}, .count = fd >= 0 ? 1 : 0};
    return socket_send(jail->channel_child, slice_of(report, sizeof *report), &fds, err);
}

[[noreturn]] static void init_fail(const struct jail *jail, const struct error *err) {
    struct jail_report report = {
        .kind = REPORT_FAILED,
        .failure = protocol_failure_of(err).failure,
    };
    struct error ignored = {};
    (void)!jail_report_send(jail, &report, -1, &ignored).code;
    _exit(1);
}

static status_t become_user(const struct jail *jail, struct error *err) {
    const struct plan_view *plan = &jail->plan;
    if (!jail->is_root) {
        return jail_map_write(0, plan->uid, plan->gid, plan, err);
    }
    struct jail_order order;
    struct socket_fds none;
    TRY(jail_order_receive(jail, ORDER_MAPPED, &order, &none, err));
    if (setgroups(0, nullptr) != 0 || setresgid(plan->gid, plan->gid, plan->gid) != 0 ||
        setresuid(plan->uid, plan->uid, plan->uid) != 0) {
        return error_set(err, ERROR_SANDBOX_USERNS_DENIED, errno,
                         "cannot become the payload's uid");
    }
    return STATUS_OK;
}

static status_t protect(const struct jail *jail, struct error *err) {
    TRY(become_user(jail, err));
    if (prctl(PR_SET_PDEATHSIG, SIGKILL) != 0 || prctl(PR_SET_DUMPABLE, 0) != 0) {
        return error_set(err, ERROR_JAIL_FAILED, errno, "cannot protect the init of the sandbox");
    }
    if (sethostname("airlock", 7) != 0) {
        return error_set(err, ERROR_SANDBOX_NAMESPACE, errno, "cannot name the sandbox's host");
    }
    return STATUS_OK;
}

static void report(const struct init *init, enum jail_report_kind kind) {
    enum { IO_BLOCK_BYTES = 512 };
    struct rusage usage = {};
    (void)getrusage(RUSAGE_CHILDREN, &usage);
    uint64_t largest = (uint64_t)usage.ru_maxrss * 1024u;
    struct jail_report out = {
        .kind = kind,
        .by_signal = init->by_signal,
        .status = init->status,
        .killed_count = init->killed_count,
        .time_ns = jail_now_ns(),
        .cpu_user_us = jail_time_us(usage.ru_utime),
        .cpu_system_us = jail_time_us(usage.ru_stime),
        .memory_peak_bytes =
            largest > init->meter.resident_peak_bytes ? largest : init->meter.resident_peak_bytes,
        .io_read_bytes = (uint64_t)usage.ru_inblock * IO_BLOCK_BYTES,
        .io_write_bytes = (uint64_t)usage.ru_oublock * IO_BLOCK_BYTES,
        .cpu_held_us = init->meter.hold.held_us,
        .pid_count_peak = init->meter.pid_count_peak,
    };
    struct error ignored = {};
    if (!status_is_ok(jail_report_send(init->jail, &out, -1, &ignored))) {
        _exit(1);
    }
}

/* Reaps what there is to reap. False when no process is left. */
static bool reap(struct init *init) {
    for (;;) {
        siginfo_t info = {};
        if (waitid(P_ALL, 0, &info, WEXITED | WSTOPPED | WNOHANG) != 0) {
            return errno != ECHILD;
        }
        if (info.si_pid == 0) {
            return true;
        }
        if (info.si_code == CLD_STOPPED) {
            /* Not more often: a payload that stops and goes on all the time would keep the
             * launcher busy with it. */
            uint64_t now = jail_now_ns();
            bool is_ours = init->meter.hold.is_paused || init->meter.hold.is_over_cpu;
            if (info.si_pid == init->payload && !is_ours &&
                now - init->stopped_at_ns >= (uint64_t)SAMPLE_MS * 1000000u) {
                init->stopped_at_ns = now;
                report(init, REPORT_STOPPED);
            }
            continue;
        }
        if (info.si_pid == init->payload) {
            init->payload_ended = true;
            init->by_signal = info.si_code != CLD_EXITED;
            init->status = info.si_status;
        }
    }
}

/* Ends everything but init itself, and counts it. */
static void kill_rest(struct init *init) {
    (void)kill(-1, SIGKILL);
    for (;;) {
        siginfo_t info = {};
        if (waitid(P_ALL, 0, &info, WEXITED) != 0) {
            if (errno == EINTR) {
                continue;
            }
            return;
        }
        if (info.si_pid == init->payload) {
            init->payload_ended = true;
            init->by_signal = info.si_code != CLD_EXITED;
            init->status = info.si_status;
        } else {
            init->killed_count++;
        }
        (void)kill(-1, SIGKILL);
    }
}

/* Looks at the disk, and at memory where no cgroup does. Each has its own pace: many files must not
 * keep us from seeing memory. */
static void sample(struct init *init) {
    uint64_t now = jail_now_ns();
    if (now < init->sample_at_ns) {
        return;
    }
    uint64_t room = 0;
    const struct template_limits *limits = &init->jail->plan.limits;
    bool over_disk = jail_disk_is_short(init->jail, limits->stage_bytes_max, &room);
    init->sample_at_ns = jail_next_look(now, room);
    over_disk = over_disk || jail_walk_is_over(&init->walk, init->jail, room);
    if (over_disk) {
        report(init, REPORT_DISK);
        kill_rest(init);
        return;
    }
    if (jail_meter_look(&init->meter, init->jail)) {
        report(init, REPORT_MEMORY);
        kill_rest(init);
    }
    if (jail_meter_runs_on(&init->meter)) {
        kill_rest(init);
    }
    uint64_t first = jail_walk_at_ns(&init->walk, now);
    first = first < init->meter.look_at_ns ? first : init->meter.look_at_ns;
    first = first < init->meter.still_at_ns ? first : init->meter.still_at_ns;
    init->sample_at_ns = first < init->sample_at_ns ? first : init->sample_at_ns;
}

static void obey(struct init *init) {
    struct jail_order order;
    size_t size = 0;
    struct error err = {};
    if (!status_is_ok(socket_receive(init->jail->channel_child, &order, sizeof order, &size,
                                     nullptr, &err)) ||
        size != sizeof order) {
        _exit(1);
    }
    if (order.kind == ORDER_HOLD || order.kind == ORDER_RELEASE) {
        init->meter.hold.is_paused = order.kind == ORDER_HOLD;
        jail_hold_apply(&init->meter.hold);
        init->sample_at_ns = 0;
        report(init, init->meter.hold.is_paused ? REPORT_HELD : REPORT_RELEASED);
        return;
    }
    if (order.kind == ORDER_END) {
        kill_rest(init);
        return;
    }
    if (order.kind != ORDER_SIGNAL) {
        _exit(1);
    }
    if (order.signal_number == SIGCONT && init->meter.hold.is_paused) {
        return; /* who resumes the run lets all of it go on */
    }
    /* The payload leads a session, so its group has its number. */
    if (kill(-init->payload, order.signal_number) != 0) {
        (void)kill(init->payload, order.signal_number);
    }
}

static void on_child(int number) {
    (void)number;
}

static void serve(struct init *init) {
    sigset_t waiting;
    (void)sigemptyset(&waiting);
    init->sample_at_ns = jail_now_ns() + (uint64_t)SAMPLE_MS * 1000000u;
    struct pollfd poll_fd = {.fd = init->jail->channel_child, .events = POLLIN};
    for (;;) {
        bool some_left = reap(init);
        if (!some_left || (init->payload_ended && !init->jail->plan.wait_all)) {
            return;
        }
        uint64_t now = jail_now_ns();
        uint64_t left = init->sample_at_ns > now ? init->sample_at_ns - now : 0;
        struct timespec timeout = {.tv_sec = (time_t)(left / 1000000000u),
                                   .tv_nsec = (long)(left % 1000000000u)};
        int ready = ppoll(&poll_fd, 1, &timeout, &waiting);
        if (ready > 0) {
            obey(init);
        }
        sample(init); /* always: orphans that die all the time leave no quiet moment */
    }
}

static void block_child_signal(void) {
    struct sigaction action = {.sa_handler = on_child};
    (void)sigaction(SIGCHLD, &action, nullptr);
    sigset_t set;
    (void)sigemptyset(&set);
    (void)sigaddset(&set, SIGCHLD);
    (void)sigprocmask(SIG_SETMASK, &set, nullptr);
}

/* The payload is born first: it makes the network namespace while init mounts. */
static status_t start_payload(struct init *init, struct error *err) {
    struct jail *jail = init->jail;
    int pair[2];
    TRY(socket_pair(pair, err));
    block_child_signal();
    init->payload = fork();
    if (init->payload < 0) {
        return error_set(err, ERROR_SANDBOX_LIMITS, errno, "cannot start the payload");
    }
    if (init->payload == 0) {
        (void)close(pair[0]);
        jail_payload_run(jail, pair[1]);
    }
    (void)close(pair[1]);
    init->socket = pair[0];
    fd_closep(&jail->go_read);
    fd_closep(&jail->exec_write);
    return STATUS_OK;
}

/* Into the payload's network namespace: whoever reads /proc/1/net must not see the host's. */
static status_t enter_network(const struct init *init, struct error *err) {
    char word = 0;
    size_t size = 0;
    struct socket_fds fds = {};
    TRY(socket_receive(init->socket, &word, sizeof word, &size, &fds, err));
    bool entered = size == 1 && fds.count == 1 && setns(fds.fd[0], CLONE_NEWNET) == 0;
    int number = errno;
    socket_fds_close(&fds);
    return entered ? STATUS_OK
                   : error_set(err, ERROR_SANDBOX_NAMESPACE, number,
                               "cannot enter the network namespace of the sandbox");
}

/* The payload works on while init does its own part. */
static status_t tell(const struct init *init, const char *word, const struct socket_fds *fds,
                     struct error *err) {
    return socket_send(init->socket, slice_of(word, 1), fds, err);
}

/* The launcher has checked what it sends, and it is sealed. */
static status_t receive_plan(struct init *init, struct error *err) {
    struct jail *jail = init->jail;
    struct jail_order order;
    struct socket_fds fds;
    TRY(jail_order_receive(jail, ORDER_PLAN, &order, &fds, err));
    if (fds.count == 0) {
        return error_set(err, ERROR_JAIL_PROTOCOL, 0, "the plan did not come");
    }
    jail_lock_take(jail, &fds);
    /* The ground's stays until the process ends: to unmap it would be waited for. */
    jail->done_count = jail->plan.operation_count;
    status_t status = jail_plan_read(fds.fd[0], &jail->plan, err);
    if (status_is_ok(status) && jail->plan.listener) {
        status = jail_listener_open(jail, err);
    }
    if (status_is_ok(status) && jail->plan.terminal) {
        status = jail_terminal_open(jail, &fds.fd[1], err);
        fds.count += status_is_ok(status) ? 1 : 0;
    }
    if (status_is_ok(status)) {
        status = tell(init, "p", &fds, err);
    }
    socket_fds_close(&fds);
    return status;
}

static status_t mount_rest(struct init *init, struct error *err) {
    struct jail *jail = init->jail;
    const struct plan_view *plan = &jail->plan;
    uint32_t overlay = jail->done_count;
    while (overlay < plan->operation_count && plan->operations[overlay].type != PLAN_OVERLAY) {
        overlay++;
    }
    TRY(jail_mount_some(jail, jail->done_count, overlay, err));
    struct socket_fds root = {.fd = {jail->root}, .count = 1};
    TRY(tell(init, "t", &root, err));
    TRY(jail_mount_some(jail, overlay, plan->operation_count, err));
    if (!jail->is_root) {
        TRY(jail_mount_enter(jail, err));
    }
    fd_closep(&jail->root);
    return tell(init, "d", nullptr, err);
}

static status_t set_up(struct init *init, struct error *err) {
    struct jail *jail = init->jail;
    TRY(protect(jail, err));
    TRY(start_payload(init, err));
    (void)umask(0);
    TRY(jail_mount_some(jail, 0, jail->plan.operation_count, err));
    /* The launcher of root opens whatever of the host is still to come, so the host can go now,
     * when nobody waits for it: the kernel does, for all its processors. A plain user's init opens
     * it itself, and lets go of the host last. */
    TRY(jail->is_root ? jail_mount_enter(jail, err) : jail_overlay_begin(jail, err));
    TRY(enter_network(init, err));
    TRY(receive_plan(init, err));
    TRY(mount_rest(init, err));
    (void)umask(022);
    fd_closep(&init->socket);
    jail_overlay_forget(jail);
    return STATUS_OK;
}

[[noreturn]] void jail_init_run(struct jail *jail) {
    struct error err = {};
    struct init init = {.jail = jail, .socket = -1};
    fd_closep(&jail->kernel);
    fd_closep(&jail->channel);
    fd_closep(&jail->go_write);
    fd_closep(&jail->exec_read);
    if (!status_is_ok(set_up(&init, &err))) {
        init_fail(jail, &err);
    }
    serve(&init);
    kill_rest(&init);
    report(&init, REPORT_ENDED);
    jail_overlay_leave(jail);
    _exit(0);
}
