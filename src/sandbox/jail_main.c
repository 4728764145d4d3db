/* SPDX-License-Identifier: Apache-2.0
 *
 * airlock-jail: the launcher of one run. It receives a plan in sealed memory, decodes and checks it
 * as if the kernel were a stranger, makes the sandbox, and watches it. It links no other parser.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/assert.h"
#include "base/cleanup.h"
#include "sandbox/jail.h"
#include "sandbox/jail_supervisor.h"
#include "sys/fd.h"
#include "sys/ids.h"

enum { PATIENCE_MS = 60000, END_LOOK_MS = 50 };

static void send_kernel(struct supervisor *run, const struct protocol_message *message, int fd) {
    struct error ignored = {};
    ASSERT(protocol_is_permitted(message->type, PROTOCOL_TO_KERNEL, run->state, fd >= 0 ? 1 : 0));
    /* A kernel that is gone is noticed by its end of file. */
    (void)!protocol_send(run->jail.kernel, message, fd, &ignored).code;
}

static void end_init(struct supervisor *run) {
    jail_let_die(&run->jail);
    if (run->jail.init > 0) {
        (void)kill(run->jail.init, SIGKILL);
        while (waitpid(run->jail.init, nullptr, __WALL) < 0 && errno == EINTR) {
        }
        run->jail.init = 0;
    }
}

/* A kernel that is itself stopped reads nothing; waiting for it would stop the clock. */
static bool kernel_has_room(const struct supervisor *run) {
    struct pollfd fd = {.fd = run->jail.kernel, .events = POLLOUT};
    return poll(&fd, 1, 0) == 1 && (fd.revents & POLLOUT) != 0;
}

static bool is_being_made(const struct supervisor *run) {
    return run->state == PROTOCOL_STATE_PREPARING || run->state == PROTOCOL_STATE_GOING;
}

static bool is_running(const struct supervisor *run) {
    return run->state == PROTOCOL_STATE_RUNNING || run->state == PROTOCOL_STATE_PAUSED;
}

/* Ends the sandbox, whatever state it is in, and leaves nothing of it behind. */
static void destroy(struct supervisor *run) {
    end_init(run);
    jail_pause_remove(&run->jail);
    jail_cgroup_remove(&run->jail.cgroup);
}

[[noreturn]] static void fail(struct supervisor *run, const struct error *err) {
    destroy(run);
    if (run->state == PROTOCOL_STATE_NEW) {
        run->state = PROTOCOL_STATE_GROUNDING;
    }
    struct protocol_message message = protocol_failure_of(err);
    send_kernel(run, &message, -1);
    exit(1);
}

/* The next message; ends this process when the kernel is gone. */
static status_t receive(struct supervisor *run, struct socket_fds *ret_fds, struct error *err) {
    struct protocol_message message;
    bool is_open = false;
    TRY(protocol_receive(run->jail.kernel, PROTOCOL_TO_LAUNCHER, run->state, &message, ret_fds,
                         &is_open, err));
    if (!is_open) {
        destroy(run);
        exit(0);
    }
    return STATUS_OK;
}

static status_t make_sandbox(struct supervisor *run, struct error *err) {
    struct socket_fds fds = {};
    TRY(receive(run, &fds, err));
    run->state = PROTOCOL_STATE_GROUNDING;
    TRY(jail_make_ground(&run->jail, fds.fd[0], err));
    TRY(receive(run, &fds, err));
    run->received_ns = jail_now_ns();
    run->state = PROTOCOL_STATE_PREPARING;
    return jail_make_rest(&run->jail, &fds, err);
}

/* When the child failed, nobody listens to what it is told any more, and its own words say why. */
static void prefer_report(const struct supervisor *run, struct error *err) {
    struct pollfd fd = {.fd = run->jail.channel, .events = POLLIN};
    struct jail_report report;
    struct socket_fds fds = {};
    size_t size = 0;
    struct error ignored;
    if (run->jail.channel < 0 || poll(&fd, 1, 0) != 1 ||
        !status_is_ok(
            socket_receive(run->jail.channel, &report, sizeof report, &size, &fds, &ignored))) {
        return;
    }
    socket_fds_close(&fds);
    if (size == sizeof report && report.kind == REPORT_FAILED) {
        struct protocol_message message = {.failure = report.failure};
        (void)protocol_failure_to_error(&message, err).code;
    }
}

/* Init's report comes when every process of the payload is dead and reaped, so the kernel is told
 * before init's namespaces are taken apart: that takes milliseconds, and the stage is sealed
 * meanwhile. The kernel waits for this process before it is done. */
[[noreturn]] static void finish(struct supervisor *run, const struct jail_report *report) {
    struct protocol_message message = {
        .type = PROTOCOL_EXITED,
        .exit = jail_outcome(run, report),
    };
    send_kernel(run, &message, -1);
    destroy(run);
    exit(0);
}

/* Init is gone without a word: it was killed with everything else. */
[[noreturn]] static void finish_without_report(struct supervisor *run) {
    if (!is_running(run)) {
        struct error err = {};
        (void)!error_set(&err, ERROR_JAIL_FAILED, 0, "the sandbox died while it was made").code;
        fail(run, &err);
    }
    struct jail_report report = {
        .kind = REPORT_ENDED,
        .by_signal = true,
        .status = SIGKILL,
        .time_ns = jail_now_ns(),
    };
    if (run->executing_ns == 0) {
        run->executing_ns = report.time_ns;
    }
    end_init(run); /* its processes die with it: only then is nothing of the payload alive */
    finish(run, &report);
}

/* The exec pipe ends when the command was exec'd, and carries errno when it was not. */
static void read_exec_pipe(struct supervisor *run) {
    int number = 0;
    ssize_t size = read(run->jail.exec_read, &number, sizeof number);
    fd_closep(&run->jail.exec_read);
    if (size == sizeof number) {
        run->exec_errno = number;
        return;
    }
    if (is_running(run) && run->executing_ns != 0) {
        run->started = true;
        struct protocol_message message = {.type = PROTOCOL_STARTED};
        send_kernel(run, &message, -1);
    }
}

static void on_ready(struct supervisor *run, const struct jail_report *report) {
    bool goes_on = run->state == PROTOCOL_STATE_GOING;
    run->ready_ns = report->time_ns;
    struct protocol_message message = {.type = PROTOCOL_READY};
    struct protocol_levels *levels = &message.levels;
    run->landlock_abi = levels->landlock_abi = report->landlock_abi;
    levels->seccomp = run->jail.plan.seccomp;
    (void)snprintf(levels->limits, sizeof levels->limits, "%s", run->jail.cgroup.level);
    (void)snprintf(levels->disk_rate, sizeof levels->disk_rate, "%s", run->jail.cgroup.disk_rate);
    send_kernel(run, &message, -1);
    run->state = goes_on ? PROTOCOL_STATE_RUNNING : PROTOCOL_STATE_READY;
    run->go_ns = run->ready_ns; /* it finds its go when it looks for it, or on_go() says when */
}

/* The payload looks for it when everything else is done, so it may lie there already. One that
 * failed before that does not take it, and its report says why. */
static void on_go(struct supervisor *run) {
    bool is_ready = run->state == PROTOCOL_STATE_READY;
    run->go_ns = jail_now_ns();
    run->state = is_ready ? PROTOCOL_STATE_RUNNING : PROTOCOL_STATE_GOING;
    if (write(run->jail.go_write, "g", 1) != 1 && is_ready) {
        finish_without_report(run);
    }
}

static void on_report(struct supervisor *run) {
    struct jail_report report;
    struct socket_fds fds = {};
    size_t size = 0;
    struct error err = {};
    if (!status_is_ok(
            socket_receive(run->jail.channel, &report, sizeof report, &size, &fds, &err)) ||
        size == 0) {
        finish_without_report(run);
    }
    CLEANUP(fd_closep) int fd = fds.count > 0 ? fds.fd[0] : -1;
    if (size != sizeof report) {
        (void)!error_set(&err, ERROR_JAIL_PROTOCOL, 0, "the sandbox sent half a report").code;
        fail(run, &err);
    }
    struct protocol_message message = {};
    switch (report.kind) {
    case REPORT_FAILED:
        message.failure = report.failure;
        (void)!protocol_failure_to_error(&message, &err).code;
        fail(run, &err);
    case REPORT_TERMINAL:
    case REPORT_LISTENER:
        message.type = report.kind == REPORT_TERMINAL ? PROTOCOL_TERMINAL : PROTOCOL_LISTENER;
        send_kernel(run, &message, fd);
        break;
    case REPORT_READY:
        on_ready(run, &report);
        break;
    case REPORT_EXECUTING:
        run->executing_ns = report.time_ns;
        break;
    case REPORT_STOPPED:
        if (run->state == PROTOCOL_STATE_RUNNING && kernel_has_room(run)) {
            message.type = PROTOCOL_STOPPED;
            send_kernel(run, &message, -1);
        }
        break;
    case REPORT_MEMORY:
        run->over_memory = true;
        break;
    case REPORT_DISK:
        run->over_disk = true;
        break;
    case REPORT_HELD:
    case REPORT_RELEASED:
        message.type = report.kind == REPORT_HELD ? PROTOCOL_PAUSED : PROTOCOL_RESUMED;
        send_kernel(run, &message, -1);
        break;
    case REPORT_ENDED:
        if (!is_running(run) || run->executing_ns == 0) {
            finish_without_report(run);
        }
        if (run->jail.exec_read >= 0) {
            read_exec_pipe(run);
        }
        finish(run, &report);
    }
}

/* Where a cgroup is frozen the kernel is told at once; otherwise when init has done its part. */
static void stand_still(struct supervisor *run, bool is_pause) {
    struct error ignored = {};
    struct protocol_message message = {.type = is_pause ? PROTOCOL_PAUSED : PROTOCOL_RESUMED};
    bool is_news = is_pause != (run->state == PROTOCOL_STATE_PAUSED);
    if (is_news && is_pause) {
        jail_pause_begin(&run->jail);
    } else if (is_news) {
        jail_pause_end(&run->jail);
    }
    run->state = is_pause ? PROTOCOL_STATE_PAUSED : PROTOCOL_STATE_RUNNING;
    if (is_news && run->jail.pause.is_by_init) {
        struct jail_order order = {.kind = is_pause ? ORDER_HOLD : ORDER_RELEASE};
        (void)jail_order_send(&run->jail, &order, nullptr, &ignored).code;
    } else {
        send_kernel(run, &message, -1);
    }
}

static void on_kernel(struct supervisor *run) {
    struct protocol_message message;
    struct socket_fds fds = {};
    bool is_open = false;
    struct error err = {};
    if (!status_is_ok(protocol_receive(run->jail.kernel, PROTOCOL_TO_LAUNCHER, run->state, &message,
                                       &fds, &is_open, &err)) ||
        !is_open) {
        destroy(run);
        exit(is_open ? 1 : 0);
    }
    if (message.type == PROTOCOL_GO) {
        on_go(run);
        return;
    }
    if (message.type == PROTOCOL_PAUSE || message.type == PROTOCOL_RESUME) {
        stand_still(run, message.type == PROTOCOL_PAUSE);
    } else if (message.signal_number == SIGKILL) {
        jail_end(run);
    } else if (message.signal_number > 0 && message.signal_number < NSIG) {
        struct jail_order order = {.kind = ORDER_SIGNAL, .signal_number = message.signal_number};
        (void)jail_order_send(&run->jail, &order, nullptr, &err).code;
    }
}

/* Milliseconds until something must be looked at; -1 for never. */
static int time_left_ms(const struct supervisor *run) {
    if (is_being_made(run)) {
        return PATIENCE_MS;
    }
    if (run->end_by_ns != 0) {
        return END_LOOK_MS;
    }
    if (run->state != PROTOCOL_STATE_RUNNING) {
        return -1;
    }
    bool looks = jail_cgroup_has(&run->jail.cgroup, JAIL_MEMORY) && !run->over_memory;
    uint64_t left_ms = looks ? jail_cgroup_look_ms(jail_now_ns() - run->go_ns) : INT32_MAX;
    uint64_t wall_ms = run->jail.plan.limits.wall_ms_max;
    if (wall_ms != 0 && !run->timed_out) {
        uint64_t now = jail_now_ns();
        uint64_t end = run->go_ns + wall_ms * 1000000u + jail_pause_ns(&run->jail.pause, now);
        uint64_t wall_left_ms = now >= end ? 0 : (end - now + 999999u) / 1000000u;
        left_ms = wall_left_ms < left_ms ? wall_left_ms : left_ms;
    }
    return left_ms >= INT32_MAX ? -1 : (int)left_ms;
}

static void end_in_time(struct supervisor *run) {
    if (run->end_by_ns != 0 && jail_now_ns() >= run->end_by_ns) {
        (void)kill(run->jail.init, SIGKILL);
    }
    uint64_t wall_ns = run->jail.plan.limits.wall_ms_max * 1000000u;
    uint64_t now = jail_now_ns();
    if (run->state == PROTOCOL_STATE_RUNNING && wall_ns != 0 && !run->timed_out &&
        now >= run->go_ns + wall_ns + jail_pause_ns(&run->jail.pause, now)) {
        run->timed_out = true;
        jail_end(run);
    }
}

static void on_time(struct supervisor *run) {
    if (is_being_made(run)) {
        struct error err = {};
        (void)!error_set(&err, ERROR_JAIL_FAILED, 0, "the sandbox was not made in time").code;
        fail(run, &err);
    }
    end_in_time(run);
    jail_cgroup_look(&run->jail.cgroup);
    if (!run->timed_out && run->jail.cgroup.usage.was_oom) {
        /* The kernel kills one process; what waits for it would wait for ever. */
        run->over_memory = true;
        jail_end(run);
    }
}

[[noreturn]] static void serve(struct supervisor *run) {
    for (;;) {
        struct pollfd fds[] = {
            {.fd = run->jail.channel, .events = POLLIN},
            {.fd = run->jail.exec_read, .events = POLLIN},
            {.fd = run->jail.kernel, .events = POLLIN},
        };
        int ready = poll(fds, 3, time_left_ms(run));
        if (ready == 0) {
            on_time(run);
            continue;
        }
        end_in_time(run); /* however much there is to read */
        /* One thing at a time, reports first: they say what the end of the exec pipe means. */
        if (fds[0].revents != 0) {
            on_report(run);
        } else if (fds[1].revents != 0) {
            read_exec_pipe(run);
        } else if (fds[2].revents != 0) {
            on_kernel(run);
        }
    }
}

/* Nothing of the caller's terminal or files comes along. */
static void shed(void) {
    CLEANUP(fd_closep) int null = open("/dev/null", O_RDWR | O_CLOEXEC);
    if (null < 0 || dup2(null, 0) < 0 || dup2(null, 1) < 0 || dup2(null, 2) < 0 ||
        fcntl(PROTOCOL_FD, F_SETFD, FD_CLOEXEC) != 0 ||
        syscall(SYS_close_range, (unsigned)PROTOCOL_FD + 1, ~0u, 0) != 0) {
        exit(1);
    }
    null = -1;
    (void)signal(SIGPIPE, SIG_IGN);
    (void)umask(022);
    (void)!chdir("/");
}

int main(void) {
    shed();
    struct supervisor *run = calloc(1, sizeof *run);
    if (run == nullptr) {
        return 1;
    }
    run->jail = jail_nothing(PROTOCOL_FD);
    struct error err = {};
    if (!status_is_ok(make_sandbox(run, &err))) {
        prefer_report(run, &err);
        fail(run, &err);
    }
    serve(run);
}
