/* SPDX-License-Identifier: Apache-2.0
 *
 * One loop over poll(2), no threads. The user's own stdin, stdout and stderr keep their blocking
 * mode, because other processes share them; so they are read only when poll says that bytes wait,
 * and written in pieces of PIPE_BUF, which never block once poll says that there is room.
 *
 * The end: when the payload has ended its pipes reach their end too, because everything in the
 * sandbox is killed. If a pipe stays open, it is read until nothing came for LIMIT_OUTPUT_DRAIN_MS;
 * bytes that were read are always delivered, however slow the reader is.
 */
#include "cli/streams.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <time.h>
#include <unistd.h>

#include "base/assert.h"
#include "base/cleanup.h"
#include "cli/channel.h"
#include "cli/terminal.h"
#include "sys/fd.h"

enum { SIGNAL_COUNT_PER_READ = 8 };

struct streams {
    struct streams_options options;
    sigset_t signals;
    int signal_fd;
    int input, output,
        error; /* our ends of the pipes; owned. For a terminal, input is the master */
    struct channel in, out, err;
    uint8_t *filtered; /* owned; room for one buffer through the filter */
    const struct run_exec_relay *relay;
    bool exited;
    bool stop_expected;      /* we stopped the payload, so its report is no news */
    uint64_t drain_until_ms; /* once exited */
    uint64_t kill_at_ms;     /* 0: nobody asked for the end */
};

static uint64_t now_ms(void) {
    struct timespec now;
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

/* Keeps output of the payload for later, up to the template's maximum. A full disk ends keeping,
 * not the run; the entry says how much was kept. */
static void keep_output(struct streams *streams, const struct channel *channel) {
    struct run_exec_result *result = streams->relay->result;
    uint64_t size = channel->end - channel->begin;
    uint64_t room = streams->relay->output_bytes_max > result->output_kept_bytes
                        ? streams->relay->output_bytes_max - result->output_kept_bytes
                        : 0;
    bool complete = result->output_bytes == result->output_kept_bytes;
    result->output_bytes += size;
    if (!complete || room == 0) {
        return;
    }
    ssize_t kept = write(streams->relay->output_fd, channel->buffer + channel->begin,
                         size < room ? size : room);
    result->output_kept_bytes += kept > 0 ? (uint64_t)kept : 0;
}

/* Runs what was read through the filter, in place of the buffer's content. Such a channel is read
 * in pieces of half the buffer, so that what was held back before and what the filter adds fit. */
static void filter_output(struct streams *streams, struct channel *channel) {
    if (!channel->is_filtered) {
        return;
    }
    size_t size = terminal_filter_feed(&channel->filter, channel->buffer + channel->begin,
                                       channel->end - channel->begin, streams->filtered);
    ASSERT(size <= sizeof channel->buffer);
    memcpy(channel->buffer, streams->filtered, size);
    channel->begin = 0;
    channel->end = size;
}

static void serve_output(struct streams *streams, struct channel *channel, int *owned,
                         const struct pollfd *from, const struct pollfd *to) {
    if (from->revents != 0) {
        if (channel_fill(channel)) {
            streams->drain_until_ms = now_ms() + LIMIT_OUTPUT_DRAIN_MS;
            keep_output(streams, channel);
            filter_output(streams, channel);
        } else {
            channel->from = -1;
        }
    }
    if (to->revents != 0 && !channel_drain(channel)) {
        /* As a pipe without Airlock: the payload gets SIGPIPE at its next write. */
        channel->to = -1;
        channel->from = -1;
        channel->begin = channel->end;
        if (!streams->options.terminal) {
            fd_closep(owned);
        }
    }
}

static void serve_input(struct streams *streams, const struct pollfd *from,
                        const struct pollfd *to) {
    struct channel *channel = &streams->in;
    if (from->revents != 0 && !channel_fill(channel)) {
        channel->from = -1;
    }
    if (to->revents != 0 && !channel_drain(channel)) {
        channel->to = -1;
        channel->begin = channel->end;
    }
    if (!streams->options.terminal && (channel_is_done(channel) || channel->to < 0)) {
        channel->to = -1;
        fd_closep(&streams->input); /* the payload sees the end of its input */
    }
}

static status_t send_signal(struct streams *streams, int signal_number, struct error *err) {
    const struct run_peer *peer = streams->relay->peer;
    return peer->signal(peer->context, signal_number, err);
}

static void copy_size(struct streams *streams) {
    const struct run_peer *peer = streams->relay->peer;
    unsigned rows;
    unsigned columns;
    if (peer->resize == nullptr) {
        terminal_copy_size(streams->input);
    } else if (terminal_size(&rows, &columns)) {
        peer->resize(peer->context, rows, columns);
    }
}

static bool has_pending(const struct streams *streams) {
    const struct run_peer *peer = streams->relay->peer;
    return !streams->exited && peer->is_pending != nullptr && peer->is_pending(peer->context);
}

static status_t stop_ourselves(struct streams *streams, struct error *err) {
    terminal_restore();
    (void)raise(SIGSTOP);
    if (streams->options.terminal) {
        terminal_resume_raw();
        copy_size(streams);
    }
    return send_signal(streams, SIGCONT, err);
}

static status_t take_signal(struct streams *streams, int signal_number, struct error *err) {
    switch (signal_number) {
    case SIGWINCH:
        if (streams->options.terminal && streams->input >= 0) {
            copy_size(streams);
        }
        return STATUS_OK;
    case SIGTSTP:
        streams->stop_expected = true;
        TRY(send_signal(streams, SIGSTOP, err));
        return stop_ourselves(streams, err);
    case SIGTERM:
    case SIGHUP:
        if (streams->kill_at_ms == 0) {
            streams->kill_at_ms = now_ms() + LIMIT_STOP_GRACE_MS;
        }
        return send_signal(streams, signal_number, err);
    default:
        return send_signal(streams, signal_number, err);
    }
}

static status_t take_signals(struct streams *streams, struct error *err) {
    struct signalfd_siginfo info[SIGNAL_COUNT_PER_READ];
    ssize_t size = read(streams->signal_fd, info, sizeof info);
    for (ssize_t i = 0; !streams->exited && size > 0 && i < size / (ssize_t)sizeof info[0]; i++) {
        TRY(take_signal(streams, (int)info[i].ssi_signo, err));
    }
    return STATUS_OK;
}

static status_t begin_terminal(struct streams *streams, int master, struct error *err) {
    if (!streams->options.terminal || streams->input >= 0) {
        (void)close(master);
        return error_set(err, ERROR_JAIL_PROTOCOL, 0, "a terminal came that nobody asked for");
    }
    streams->input = master;
    streams->in.to = master;
    streams->out.from = master;
    (void)fd_set_nonblocking(master, true);
    copy_size(streams);
    return terminal_enter_raw(err);
}

static status_t take_message(struct streams *streams, struct error *err) {
    const struct run_peer *peer = streams->relay->peer;
    struct launcher_message message;
    TRY(peer->receive(peer->context, &message, err));
    switch (message.type) {
    case LAUNCHER_TERMINAL:
        return begin_terminal(streams, message.fd, err);
    case LAUNCHER_STARTED:
        return STATUS_OK;
    case LAUNCHER_STOPPED:
        if (streams->stop_expected || !streams->options.terminal) {
            /* Without a terminal there is no shell to go on from, and nobody could end us. */
            streams->stop_expected = false;
            return STATUS_OK;
        }
        return stop_ourselves(streams, err);
    case LAUNCHER_PAUSED:
    case LAUNCHER_RESUMED:
        return run_control_told(streams->relay->control, message.type, err);
    case LAUNCHER_EXITED:
        streams->exited = true;
        streams->drain_until_ms = now_ms() + LIMIT_OUTPUT_DRAIN_MS;
        streams->relay->result->exit = message;
        return STATUS_OK;
    }
    return error_set(err, ERROR_JAIL_PROTOCOL, 0, "the launcher sent an unknown message");
}

static bool is_finished(const struct streams *streams) {
    bool delivered = channel_is_empty(&streams->out) && channel_is_empty(&streams->err);
    bool ended = streams->out.from < 0 && streams->err.from < 0;
    return streams->exited && delivered &&
           (ended || limit_past(now_ms() >= streams->drain_until_ms, LIMIT_ID_OUTPUT_DRAIN_MS));
}

static int poll_timeout(const struct streams *streams) {
    if (has_pending(streams)) {
        return 0;
    }
    uint64_t until = streams->exited ? streams->drain_until_ms : streams->kill_at_ms;
    bool delivered = channel_is_empty(&streams->out) && channel_is_empty(&streams->err);
    if (until == 0 || (streams->exited && !delivered)) {
        return -1; /* only the reader of what is left can bring us on */
    }
    uint64_t now = now_ms();
    return until > now ? (int)(until - now) : 0;
}

static status_t serve_control(struct streams *streams, struct error *err) {
    bool end = false;
    TRY(run_control_serve(streams->relay->control, &end, err));
    return end ? take_signal(streams, SIGTERM, err) : STATUS_OK;
}

static status_t relay_once(struct streams *streams, struct error *err) {
    struct pollfd polls[] = {
        {.fd = streams->signal_fd, .events = POLLIN},
        {.fd = streams->exited ? -1 : streams->relay->peer->fd, .events = POLLIN},
        channel_poll_from(&streams->out),
        channel_poll_to(&streams->out),
        channel_poll_from(&streams->err),
        channel_poll_to(&streams->err),
        channel_poll_from(&streams->in),
        channel_poll_to(&streams->in),
        {.fd = streams->exited ? -1 : run_control_fd(streams->relay->control), .events = POLLIN},
    };
    if (streams->exited) {
        polls[6].fd = -1;
        polls[7].fd = -1;
    }
    if (poll(polls, sizeof polls / sizeof polls[0], poll_timeout(streams)) < 0 && errno != EINTR) {
        return error_set(err, ERROR_IO, errno, "cannot wait for the payload's streams");
    }
    serve_output(streams, &streams->out, &streams->output, &polls[2], &polls[3]);
    serve_output(streams, &streams->err, &streams->error, &polls[4], &polls[5]);
    serve_input(streams, &polls[6], &polls[7]);
    if (polls[1].revents != 0 || has_pending(streams)) {
        TRY(take_message(streams, err));
    }
    if (polls[0].revents != 0) {
        TRY(take_signals(streams, err));
    }
    if (!streams->exited && polls[8].revents != 0) {
        TRY(serve_control(streams, err));
    }
    if (!streams->exited && streams->kill_at_ms != 0 &&
        limit_past(now_ms() >= streams->kill_at_ms, LIMIT_ID_STOP_GRACE_MS)) {
        streams->kill_at_ms = 0;
        return send_signal(streams, SIGKILL, err);
    }
    return STATUS_OK;
}

status_t streams_relay(void *context, const struct run_exec_relay *relay, struct error *err) {
    struct streams *streams = context;
    streams->relay = relay;
    while (!is_finished(streams)) {
        TRY(relay_once(streams, err));
    }
    return STATUS_OK;
}

static status_t open_pipes(struct streams *streams, struct launcher_streams *payload,
                           struct error *err) {
    int pipes[3][2] = {{-1, -1}, {-1, -1}, {-1, -1}};
    for (int i = 0; i < 3; i++) {
        if (pipe2(pipes[i], O_CLOEXEC) != 0) {
            (void)error_set(err, ERROR_IO, errno, "cannot make the payload's pipes");
            for (int j = 0; j < i; j++) {
                fd_closep(&pipes[j][0]);
                fd_closep(&pipes[j][1]);
            }
            return (status_t){(int)err->code};
        }
    }
    *payload = (struct launcher_streams){pipes[0][0], pipes[1][1], pipes[2][1]};
    streams->input = pipes[0][1];
    streams->output = pipes[1][0];
    streams->error = pipes[2][0];
    (void)fd_set_nonblocking(streams->input, true);
    streams->in.to = streams->input;
    streams->out.from = streams->output;
    streams->err.from = streams->error;
    return STATUS_OK;
}

static status_t catch_signals(struct streams *streams, struct error *err) {
    static const int relayed[] = {SIGINT,  SIGTERM, SIGHUP,  SIGQUIT,
                                  SIGUSR1, SIGUSR2, SIGTSTP, SIGWINCH};
    (void)sigemptyset(&streams->signals);
    for (unsigned i = 0; i < sizeof relayed / sizeof relayed[0]; i++) {
        struct sigaction action;
        /* What the user told us to ignore (nohup) stays ignored. */
        if (sigaction(relayed[i], nullptr, &action) == 0 && action.sa_handler != SIG_IGN) {
            (void)sigaddset(&streams->signals, relayed[i]);
        }
    }
    (void)sigprocmask(SIG_BLOCK, &streams->signals, nullptr);
    const struct sigaction ignore = {.sa_handler = SIG_IGN};
    (void)sigaction(SIGPIPE, &ignore, nullptr);
    streams->signal_fd = signalfd(-1, &streams->signals, SFD_CLOEXEC | SFD_NONBLOCK);
    if (streams->signal_fd < 0) {
        return error_set(err, ERROR_IO, errno, "cannot make a signal descriptor");
    }
    return STATUS_OK;
}

/* Not only with a pty: `airlock run make >log` has the payload's stderr on the user's terminal. */
static status_t set_up_filters(struct streams *streams, struct error *err) {
    for (unsigned i = 0; i < 2; i++) {
        struct channel *channel = i == 0 ? &streams->out : &streams->err;
        channel->is_filtered = !streams->options.raw_terminal && isatty(channel->to) == 1;
        channel->read_max = channel->is_filtered ? CHANNEL_BYTES / 2 : CHANNEL_BYTES;
        terminal_filter_init(&channel->filter);
        channel->filter.single_bytes = channel->is_filtered && !terminal_is_utf8(channel->to);
    }
    if (!streams->out.is_filtered && !streams->err.is_filtered) {
        return STATUS_OK;
    }
    streams->filtered = malloc(terminal_filter_room(CHANNEL_BYTES));
    return streams->filtered != nullptr
               ? STATUS_OK
               : error_set(err, ERROR_NO_MEMORY, ENOMEM, "cannot make the payload's streams");
}

status_t streams_open(const struct streams_options *options, struct streams **ret_streams,
                      struct launcher_streams *ret_payload, struct error *err) {
    struct streams *streams = calloc(1, sizeof *streams);
    if (streams == nullptr) {
        return error_set(err, ERROR_NO_MEMORY, ENOMEM, "cannot make the payload's streams");
    }
    streams->options = *options;
    streams->signal_fd = streams->input = streams->output = streams->error = -1;
    streams->in.read_max = CHANNEL_BYTES;
    streams->in.from = STDIN_FILENO;
    streams->in.to = streams->out.from = streams->err.from = -1;
    streams->out.to = STDOUT_FILENO;
    streams->err.to = STDERR_FILENO;
    *ret_payload = (struct launcher_streams){-1, -1, -1};
    status_t status = catch_signals(streams, err);
    if (status_is_ok(status)) {
        status = set_up_filters(streams, err);
    }
    if (status_is_ok(status) && !options->terminal) {
        status = open_pipes(streams, ret_payload, err);
    }
    if (!status_is_ok(status)) {
        streams_close(streams);
        return status;
    }
    *ret_streams = streams;
    return STATUS_OK;
}

void streams_close(struct streams *streams) {
    if (streams == nullptr) {
        return;
    }
    terminal_restore();
    fd_closep(&streams->signal_fd);
    fd_closep(&streams->input);
    fd_closep(&streams->output);
    fd_closep(&streams->error);
    free(streams->filtered);
    free(streams);
}
