/* SPDX-License-Identifier: Apache-2.0
 *
 * The engine that every kernel, container and enclave has: no timerfd, no signalfd, no eventfd, and
 * splice(2) where it is to be had. Streams are watched edge-triggered from birth to death, so that
 * a change of mind about reading costs no system call: what is readable is kept in a list.
 */
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/epoll.h>

#include "base/assert.h"
#include "edge/io_engine.h"
#include "sys/fd.h"

enum { BATCH = 128, READ_BYTES = 64 << 10, ACCEPTS_MAX = 16 };

struct io_epoll {
    struct io base; /* first */
    int epoll;
    struct epoll_event batch[BATCH];
    int batch_count, batch_at;
    struct io_stream *ready, *ready_last; /* have more to read and an owner that wants it */
    uint64_t turn;
    uint8_t buffer[READ_BYTES];
};

/* What an event's pointer points to: streams as they are, watches with the lowest bit set. */
enum { IS_WATCH = 1 };

static struct io_epoll *self_of(struct io *io) {
    return (struct io_epoll *)io;
}

static void *tagged(struct io_watch *watch) {
    return (void *)((uintptr_t)watch | IS_WATCH);
}

static void forget_events(struct io_epoll *self, const void *pointer) {
    for (int i = self->batch_at; i < self->batch_count; i++) {
        if (self->batch[i].data.ptr == pointer) {
            self->batch[i].data.ptr = nullptr;
        }
    }
}

/* At the end of the list: what had its turn waits for the others. */
static void add_ready(struct io_epoll *self, struct io_stream *stream) {
    if (stream->is_ready) {
        return;
    }
    stream->is_ready = true;
    stream->ready_turn = self->turn;
    stream->after = nullptr;
    stream->before = self->ready_last;
    if (self->ready_last != nullptr) {
        self->ready_last->after = stream;
    } else {
        self->ready = stream;
    }
    self->ready_last = stream;
}

static void drop_ready(struct io_epoll *self, struct io_stream *stream) {
    if (!stream->is_ready) {
        return;
    }
    stream->is_ready = false;
    if (stream->before != nullptr) {
        stream->before->after = stream->after;
    } else {
        self->ready = stream->after;
    }
    if (stream->after != nullptr) {
        stream->after->before = stream->before;
    } else {
        self->ready_last = stream->before;
    }
}

static bool epoll_open(struct io *io, struct io_stream *stream) {
    struct epoll_event event = {.events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLPRI | EPOLLET,
                                .data.ptr = stream};
    stream->can_write = !stream->is_connecting;
    return epoll_ctl(self_of(io)->epoll, EPOLL_CTL_ADD, stream->fd, &event) == 0;
}

static bool epoll_connect(struct io *io, struct io_stream *stream, const struct sockaddr *address,
                          socklen_t size) {
    /* An error that is known at once is told as any other: by the event that follows. */
    if (connect(stream->fd, address, size) != 0 && errno != EINPROGRESS) {
        return false;
    }
    return epoll_open(io, stream);
}

static void epoll_read_start(struct io *io, struct io_stream *stream) {
    if (stream->can_read) {
        add_ready(self_of(io), stream);
    }
}

static void epoll_read_stop(struct io *io, struct io_stream *stream) {
    drop_ready(self_of(io), stream);
}

/* True: it did what was to be done. */
static bool receive_by_pipe(struct io_epoll *self, struct io_stream *stream) {
    enum io_piped piped = io_pipe_move(&self->base, stream);
    if (piped == IO_PIPED_AGAIN) {
        add_ready(self, stream);
    }
    stream->can_read = stream->can_read && piped != IO_PIPED_EMPTY;
    return piped != IO_PIPED_COPY;
}

static void epoll_pipe_resume(struct io *io, struct io_stream *from) {
    if (from->pipe != nullptr || (from->is_reading && from->can_read)) {
        add_ready(self_of(io), from);
    }
}

/* One read; a stream that has more waits for the next turn, so that none starves the others. */
static void receive(struct io_epoll *self, struct io_stream *stream) {
    if (stream->is_piping && receive_by_pipe(self, stream)) {
        return;
    }
    ssize_t size = recv(stream->fd, self->buffer, sizeof self->buffer, 0);
    if (size < 0) {
        if (errno == EAGAIN) {
            stream->can_read = false;
        } else if (errno != EINTR) {
            io_fail(&self->base, stream, errno);
        } else {
            add_ready(self, stream);
        }
        return;
    }
    if (size == 0) {
        stream->can_read = false;
        io_end(stream);
        return;
    }
    /* A short read drained the socket; the end of the stream makes an event of its own. Once there
     * was urgent data, where a read stops in front of it, nothing is known before EAGAIN. */
    bool has_more = (size_t)size == sizeof self->buffer || stream->has_hung_up;
    stream->can_read = has_more;
    if (has_more) {
        add_ready(self, stream);
    }
    io_pipe_notice(&self->base, stream, (size_t)size);
    stream->row->received(stream, slice_of(self->buffer, (size_t)size));
}

static void epoll_flush(struct io *io, struct io_stream *stream) {
    while (stream->can_write && stream->waiting > 0 && !stream->is_closing) {
        struct msghdr message = {.msg_iov = stream->parts};
        message.msg_iovlen = (size_t)io_parts(stream, stream->parts);
        ssize_t size = sendmsg(stream->fd, &message, MSG_NOSIGNAL);
        if (size >= 0) {
            io_sent(io, stream, (size_t)size);
        } else if (errno == EAGAIN) {
            stream->can_write = false;
        } else if (errno != EINTR) {
            io_fail(io, stream, errno);
            return;
        }
    }
}

static void finish_connect(struct io *io, struct io_stream *stream, uint32_t events) {
    int error = 0;
    socklen_t size = sizeof error;
    if ((events & (EPOLLERR | EPOLLHUP)) != 0 &&
        getsockopt(stream->fd, SOL_SOCKET, SO_ERROR, &error, &size) != 0) {
        error = errno;
    }
    stream->can_write = error == 0;
    io_connected(io, stream, error);
}

static void serve_stream(struct io_epoll *self, struct io_stream *stream, uint32_t events) {
    struct io *io = &self->base;
    if (stream->is_connecting) {
        if ((events & (EPOLLOUT | EPOLLERR | EPOLLHUP)) == 0) {
            return;
        }
        finish_connect(io, stream, events);
    }
    if (!stream->is_closing && (events & (EPOLLOUT | EPOLLERR | EPOLLHUP)) != 0) {
        stream->can_write = true;
        epoll_flush(io, stream);
        if (stream->source != nullptr && stream->source->is_piping) {
            epoll_pipe_resume(io, stream->source);
        }
    }
    if (!stream->is_closing && (events & (EPOLLIN | EPOLLRDHUP | EPOLLERR | EPOLLHUP)) != 0) {
        stream->can_read = true;
        stream->has_hung_up =
            stream->has_hung_up || (events & (EPOLLRDHUP | EPOLLPRI | EPOLLERR | EPOLLHUP)) != 0;
        if (stream->is_reading) {
            drop_ready(self, stream);
            receive(self, stream);
        }
    }
}

/* Those that had more to read before this turn began. */
static void serve_ready(struct io_epoll *self) {
    while (self->ready != nullptr && self->ready->ready_turn != self->turn) {
        struct io_stream *stream = self->ready;
        drop_ready(self, stream);
        receive(self, stream);
        io_flush_dirty(&self->base);
    }
}

static uint32_t epoll_bits(uint32_t events) {
    return ((events & POLLIN) != 0 ? (uint32_t)EPOLLIN : 0) |
           ((events & POLLOUT) != 0 ? (uint32_t)EPOLLOUT : 0);
}

static uint32_t exclusive(const struct io_watch *watch);

static bool control(struct io_epoll *self, int operation, struct io_watch *watch) {
    struct epoll_event event = {.events = epoll_bits(watch->events) | exclusive(watch),
                                .data.ptr = tagged(watch)};
    return epoll_ctl(self->epoll, operation, watch->fd, &event) == 0;
}

static bool epoll_watch_add(struct io *io, struct io_watch *watch) {
    return watch->events == 0 || control(self_of(io), EPOLL_CTL_ADD, watch);
}

/* A watch that asks for nothing leaves: epoll tells of errors whatever one asks for. */
static void epoll_watch_set(struct io *io, struct io_watch *watch, uint32_t events) {
    int operation = watch->events == 0 ? EPOLL_CTL_ADD : EPOLL_CTL_MOD;
    operation = events == 0 ? EPOLL_CTL_DEL : operation;
    watch->events = events;
    bool is_set = control(self_of(io), operation, watch);
    ASSERT(is_set || errno == ENOMEM || errno == ENOSPC);
}

static void epoll_watch_remove(struct io *io, struct io_watch *watch) {
    struct io_epoll *self = self_of(io);
    if (watch->events != 0) {
        (void)epoll_ctl(self->epoll, EPOLL_CTL_DEL, watch->fd, nullptr);
    }
    forget_events(self, tagged(watch));
}

static struct io_acceptor *acceptor_of(struct io_watch *watch) {
    return (struct io_acceptor *)((uint8_t *)watch - offsetof(struct io_acceptor, watch));
}

static void accept_again(struct timer *timer) {
    struct io_acceptor *acceptor =
        (struct io_acceptor *)((uint8_t *)timer - offsetof(struct io_acceptor, again));
    if (!epoll_watch_add(acceptor->io, &acceptor->watch)) {
        (void)io_timer_set(acceptor->io, &acceptor->again, IO_ACCEPT_AGAIN_MS);
    }
}

/* Without descriptors to spare, a listener that stays ready would keep the thread busy. */
static void accept_later(struct io_acceptor *acceptor, int error) {
    epoll_watch_remove(acceptor->io, &acceptor->watch);
    (void)io_timer_set(acceptor->io, &acceptor->again, IO_ACCEPT_AGAIN_MS);
    acceptor->failed(acceptor, error);
}

/* To ask for one more than there are costs as much as half an accept: so the first turn takes one,
 * and each that follows at once, because there are more, twice as many. */
static int accepts_of(struct io_acceptor *acceptor) {
    const struct io_epoll *self = self_of(acceptor->io);
    bool goes_on = self->turn == acceptor->turn + 1;
    acceptor->turn = self->turn;
    acceptor->accepts = goes_on ? acceptor->accepts * 2 : 1;
    acceptor->accepts = acceptor->accepts < ACCEPTS_MAX ? acceptor->accepts : ACCEPTS_MAX;
    return acceptor->accepts;
}

static void accept_ready(struct io_watch *watch, uint32_t events) {
    struct io_acceptor *acceptor = acceptor_of(watch);
    (void)events;
    for (int left = accepts_of(acceptor); left > 0; left--) {
        int fd = accept4(watch->fd, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (fd >= 0) {
            acceptor->accepted(acceptor, fd);
        } else if (errno == EAGAIN) {
            return;
        } else if (errno == EMFILE || errno == ENFILE || errno == ENOMEM || errno == ENOBUFS) {
            accept_later(acceptor, errno);
            return;
        }
        if (watch->fd < 0) {
            return;
        }
    }
}

/* Several threads wait at one listener, and one connection needs one of them. */
static uint32_t exclusive(const struct io_watch *watch) {
    return watch->ready == accept_ready ? (uint32_t)EPOLLEXCLUSIVE : 0;
}

static bool epoll_accept_start(struct io *io, struct io_acceptor *acceptor) {
    acceptor->again.fire = accept_again;
    acceptor->accepts = 1;
    acceptor->watch = (struct io_watch){.fd = -1, .ready = accept_ready};
    return io_watch_add(io, &acceptor->watch, acceptor->fd, POLLIN);
}

static void epoll_accept_stop(struct io *io, struct io_acceptor *acceptor) {
    io_watch_remove(io, &acceptor->watch);
}

static void epoll_close(struct io *io, struct io_stream *stream) {
    struct io_epoll *self = self_of(io);
    drop_ready(self, stream);
    forget_events(self, stream);
    io_forget(io, stream); /* closing it takes it out of the set */
}

static void serve_watch(struct io_watch *watch, uint32_t events) {
    uint32_t seen = ((events & EPOLLIN) != 0 ? (uint32_t)POLLIN : 0) |
                    ((events & EPOLLOUT) != 0 ? (uint32_t)POLLOUT : 0);
    bool is_broken = (events & (EPOLLERR | EPOLLHUP)) != 0;
    watch->ready(watch, is_broken ? watch->events : seen);
}

static bool epoll_turn(struct io *io, int wait_ms) {
    struct io_epoll *self = self_of(io);
    wait_ms = self->ready != nullptr || io->closed != nullptr ? 0 : wait_ms;
    int count = epoll_wait(self->epoll, self->batch, BATCH, wait_ms);
    if (count < 0 && errno != EINTR) {
        return false;
    }
    io_clock(io);
    self->turn++;
    self->batch_count = count > 0 ? count : 0;
    for (self->batch_at = 0; self->batch_at < self->batch_count;) {
        const struct epoll_event *event = &self->batch[self->batch_at++];
        uintptr_t pointer = (uintptr_t)event->data.ptr;
        if (pointer == 0) {
            continue;
        }
        if ((pointer & IS_WATCH) != 0) {
            serve_watch((struct io_watch *)(pointer & ~(uintptr_t)IS_WATCH), event->events);
        } else {
            serve_stream(self, (struct io_stream *)pointer, event->events);
        }
        io_flush_dirty(io);
    }
    self->batch_count = self->batch_at = 0;
    serve_ready(self);
    return true;
}

static void epoll_free(struct io *io) {
    fd_closep(&self_of(io)->epoll);
    free(self_of(io));
}

static const struct io_engine ENGINE = {
    .name = "epoll",
    .turn = epoll_turn,
    .watch_add = epoll_watch_add,
    .watch_set = epoll_watch_set,
    .watch_remove = epoll_watch_remove,
    .accept_start = epoll_accept_start,
    .accept_stop = epoll_accept_stop,
    .open = epoll_open,
    .connect = epoll_connect,
    .read_start = epoll_read_start,
    .read_stop = epoll_read_stop,
    .flush = epoll_flush,
    .pipe_resume = epoll_pipe_resume,
    .close = epoll_close,
    .free = epoll_free,
};

struct io *io_epoll_new(void) {
    struct io_epoll *self = calloc(1, sizeof *self);
    if (self == nullptr) {
        return nullptr;
    }
    self->base.engine = &ENGINE;
    self->epoll = epoll_create1(EPOLL_CLOEXEC);
    if (self->epoll < 0) {
        free(self);
        return nullptr;
    }
    return &self->base;
}
