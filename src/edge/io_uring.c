/* SPDX-License-Identifier: Apache-2.0
 *
 * The engine for kernels that let it: one ring for each thread. Accepting and receiving are
 * multishot, so that one request serves many completions, and what is received lands in a ring of
 * buffers that the kernel takes from only when there is something to put in. One system call a
 * turn submits all that was sent and waits for what comes.
 *
 * A ring is not subject to the seccomp filter. What it can be asked is therefore restricted when it
 * is made, to the operations below, and nothing can be registered with it later.
 *
 * The kernel refers to streams, watches and acceptors while an operation on them is under way. A
 * stream's memory stays until its last completion came (io_forget); watches and acceptors, whose
 * owners do not wait, are referred to by way of a slot.
 */
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/assert.h"
#include "edge/io_ring.h"

enum { BATCH = 64 };

static struct io_ring *self_of(struct io *io) {
    return (struct io_ring *)io;
}

/* The queue is flushed when it is full, so there is always one. */
struct io_uring_sqe *io_ring_sqe(struct io_ring *self) {
    struct io_uring_sqe *sqe = io_uring_get_sqe(&self->ring);
    while (sqe == nullptr) {
        int submitted = io_uring_submit(&self->ring);
        ASSERT(submitted >= 0 || submitted == -EAGAIN || submitted == -EBUSY ||
               submitted == -EINTR);
        sqe = io_uring_get_sqe(&self->ring);
    }
    return sqe;
}

void io_ring_mark(struct io_uring_sqe *sqe, void *pointer, enum kind kind) {
    ASSERT(((uintptr_t)pointer & KIND_MASK) == 0);
    io_uring_sqe_set_data64(sqe, (uintptr_t)pointer | kind);
}

void io_ring_cancel(struct io_ring *self, void *pointer, enum kind kind) {
    struct io_uring_sqe *sqe = io_ring_sqe(self);
    io_uring_prep_cancel64(sqe, (uintptr_t)pointer | kind, 0);
    io_ring_mark(sqe, nullptr, KIND_NONE);
}

/* Multishot brings all that is there, many buffers at once. A stream that had to be stopped again
 * (each is once, while a server is connected) brings more than its peer takes, and is asked for one
 * buffer at a time, a large one. */
static bool is_endless(const struct io_stream *stream) {
    return stream->stops > 1;
}

void io_ring_arm_receive(struct io_ring *self, struct io_stream *stream) {
    struct io_uring_sqe *sqe = io_ring_sqe(self);
    if (is_endless(stream)) {
        io_uring_prep_recv(sqe, stream->fd, nullptr, 0, 0);
    } else {
        io_uring_prep_recv_multishot(sqe, stream->fd, nullptr, 0, 0);
    }
    sqe->flags |= IOSQE_BUFFER_SELECT;
    stream->pool = is_endless(stream) ? IO_POOL_LARGE : IO_POOL_MANY;
    sqe->buf_group = stream->pool;
    io_ring_mark(sqe, stream, KIND_RECEIVE);
    stream->receives = true;
    stream->pending++;
}

static bool uring_connect(struct io *io, struct io_stream *stream, const struct sockaddr *address,
                          socklen_t size) {
    struct io_uring_sqe *sqe = io_ring_sqe(self_of(io));
    io_uring_prep_connect(sqe, stream->fd, address, size);
    io_ring_mark(sqe, stream, KIND_CONNECT);
    stream->pending++;
    return true;
}

static void uring_read_start(struct io *io, struct io_stream *stream) {
    io_ring_receive_next(self_of(io), stream);
}

static void uring_read_stop(struct io *io, struct io_stream *stream) {
    if (stream->receives && stream->pool == IO_POOL_MANY) {
        io_ring_cancel(self_of(io), stream, KIND_RECEIVE);
    }
    stream->stops += is_endless(stream) ? 0 : 1;
}

static void uring_flush(struct io *io, struct io_stream *stream) {
    if (stream->sends) {
        return; /* its completion goes on */
    }
    int count = io_parts(stream, stream->parts);
    struct io_uring_sqe *sqe = io_ring_sqe(self_of(io));
    if (count == 1) {
        io_uring_prep_send(sqe, stream->fd, stream->parts[0].iov_base, stream->parts[0].iov_len,
                           MSG_NOSIGNAL);
    } else {
        stream->message = (struct msghdr){.msg_iov = stream->parts, .msg_iovlen = (size_t)count};
        io_uring_prep_sendmsg(sqe, stream->fd, &stream->message, MSG_NOSIGNAL);
    }
    io_ring_mark(sqe, stream, KIND_SEND);
    stream->sends = true;
    stream->pending++;
}

static void uring_close(struct io *io, struct io_stream *stream) {
    if (stream->pending == 0) {
        io_forget(io, stream);
        return;
    }
    struct io_uring_sqe *sqe = io_ring_sqe(self_of(io));
    io_uring_prep_cancel_fd(sqe, stream->fd, IORING_ASYNC_CANCEL_ALL);
    io_ring_mark(sqe, nullptr, KIND_NONE);
}

static void arm_watch(struct io_ring *self, struct io_watch *watch) {
    struct io_uring_sqe *sqe = io_ring_sqe(self);
    io_uring_prep_poll_add(sqe, watch->fd, watch->events);
    io_ring_mark(sqe, watch->slot, KIND_WATCH);
    watch->slot->is_armed = true;
}

static bool uring_watch_add(struct io *io, struct io_watch *watch) {
    if (watch->events == 0) {
        return true;
    }
    struct io_slot *slot = io_ring_take_slot(self_of(io));
    if (slot == nullptr) {
        return false;
    }
    slot->watch = watch;
    watch->slot = slot;
    arm_watch(self_of(io), watch);
    return true;
}

/* The slot is freed when the cancelled operation completes. */
static void uring_watch_remove(struct io *io, struct io_watch *watch) {
    if (watch->slot != nullptr) {
        watch->slot->watch = nullptr;
        io_ring_cancel(self_of(io), watch->slot, KIND_WATCH);
        watch->slot = nullptr;
    }
}

static void uring_watch_set(struct io *io, struct io_watch *watch, uint32_t events) {
    uring_watch_remove(io, watch);
    watch->events = events;
    bool is_set = uring_watch_add(io, watch);
    ASSERT(is_set);
}

static void serve_watch(struct io_ring *self, struct io_slot *slot, int result) {
    struct io_watch *watch = slot->watch;
    if (watch == nullptr) {
        io_ring_free_slot(self, slot);
        return;
    }
    uint32_t seen = result < 0 ? watch->events : (uint32_t)result & (POLLIN | POLLOUT);
    bool is_broken = result < 0 || ((uint32_t)result & (POLLERR | POLLHUP)) != 0;
    watch->ready(watch, is_broken ? watch->events : seen);
    if (slot->watch == watch && watch->slot == slot) {
        arm_watch(self, watch);
    } else {
        io_ring_free_slot(self, slot);
    }
}

void io_ring_settle(struct io *io, struct io_stream *stream) {
    stream->pending--;
    if (stream->is_closing && stream->pending == 0) {
        io_forget(io, stream);
    }
}

/* What ended the operation: nothing bad, the end, or an error. */
static void finish_receive(struct io_ring *self, struct io_stream *stream, int result) {
    io_ring_settle(&self->base, stream);
    if (stream->is_closing) {
        return;
    }
    if (result == 0) {
        io_end(stream);
    } else if (result < 0 && result != -ECANCELED && result != -ENOBUFS && result != -EINTR) {
        io_fail(&self->base, stream, -result);
    } else if (stream->is_reading) {
        io_ring_receive_next(self, stream);
    }
}

static void serve_receive(struct io_ring *self, struct io_stream *stream, int result,
                          uint32_t flags) {
    bool goes_on = (flags & IORING_CQE_F_MORE) != 0;
    stream->receives = goes_on;
    if ((flags & IORING_CQE_F_BUFFER) != 0) {
        unsigned pool = stream->pool; /* what is called may begin another */
        unsigned number = flags >> IORING_CQE_BUFFER_SHIFT;
        if (result > 0 && !stream->is_closing) {
            bool was_piping = stream->is_piping;
            io_pipe_notice(&self->base, stream, (size_t)result);
            if (stream->is_piping && !was_piping && goes_on) {
                io_ring_cancel(self, stream, KIND_RECEIVE);
            }
            stream->row->received(stream, slice_of(self->pools[pool].memory +
                                                       (size_t)number * io_ring_buffer_bytes(pool),
                                                   (size_t)result));
        }
        io_ring_give_buffer(self, pool, number);
    }
    if (!goes_on) {
        finish_receive(self, stream, result);
    }
}

static void serve_send(struct io_ring *self, struct io_stream *stream, int result) {
    struct io *io = &self->base;
    stream->sends = false;
    io_ring_settle(io, stream);
    if (stream->is_closing) {
        return;
    }
    if (result < 0 && result != -EINTR && result != -EAGAIN) {
        io_fail(io, stream, -result);
        return;
    }
    io_sent(io, stream, result > 0 ? (size_t)result : 0);
    if (!stream->is_closing && stream->waiting > 0) {
        uring_flush(io, stream);
    }
}

static void serve_connect(struct io_ring *self, struct io_stream *stream, int result) {
    io_ring_settle(&self->base, stream);
    if (stream->is_closing) {
        return;
    }
    if (stream->is_reading && result >= 0) {
        io_ring_arm_receive(self, stream);
    }
    io_connected(&self->base, stream, -result);
}

static void serve(struct io_ring *self, const struct io_uring_cqe *cqe) {
    void *pointer = (void *)(uintptr_t)(cqe->user_data & ~(uint64_t)KIND_MASK);
    enum kind kind = (enum kind)(cqe->user_data & KIND_MASK);
    switch (kind) {
    case KIND_NONE:
        break;
    case KIND_RECEIVE:
        serve_receive(self, pointer, cqe->res, cqe->flags);
        break;
    case KIND_SEND:
        serve_send(self, pointer, cqe->res);
        break;
    case KIND_CONNECT:
        serve_connect(self, pointer, cqe->res);
        break;
    case KIND_WATCH:
        serve_watch(self, pointer, cqe->res);
        break;
    case KIND_PIPE_IN:
        io_ring_serve_pipe_in(self, pointer);
        break;
    case KIND_PIPE_OUT:
        io_ring_serve_pipe_out(self, pointer);
        break;
    case KIND_ACCEPT:
        io_ring_serve_accept(self, pointer, cqe->res, (cqe->flags & IORING_CQE_F_MORE) != 0);
        break;
    }
}

static bool serve_batch(struct io_ring *self) {
    struct io_uring_cqe *there[BATCH];
    struct io_uring_cqe batch[BATCH];
    unsigned count = io_uring_peek_batch_cqe(&self->ring, there, BATCH);
    for (unsigned i = 0; i < count; i++) {
        batch[i] = *there[i];
    }
    io_uring_cq_advance(&self->ring, count);
    for (unsigned i = 0; i < count; i++) {
        serve(self, &batch[i]);
        io_flush_dirty(&self->base);
    }
    return count == BATCH;
}

static bool uring_turn(struct io *io, int wait_ms) {
    struct io_ring *self = self_of(io);
    if (!self->is_enabled) {
        int failed = io_uring_enable_rings(&self->ring);
        if (failed != 0) {
            errno = -failed;
            return false;
        }
        self->is_enabled = true;
    }
    struct __kernel_timespec time = {.tv_sec = wait_ms / 1000,
                                     .tv_nsec = (long long)(wait_ms % 1000) * 1000000};
    struct io_uring_cqe *first = nullptr;
    int result = io_uring_submit_and_wait_timeout(&self->ring, &first, 1,
                                                  wait_ms < 0 ? nullptr : &time, nullptr);
    if (result < 0 && result != -ETIME && result != -EINTR && result != -EAGAIN &&
        result != -EBUSY) {
        errno = -result;
        return false;
    }
    io_clock(io);
    while (serve_batch(self)) {
    }
    return true;
}

static void uring_free(struct io *io) {
    io_ring_free(self_of(io));
}

const struct io_engine IO_URING_ENGINE = {
    .name = "io_uring",
    .turn = uring_turn,
    .watch_add = uring_watch_add,
    .watch_set = uring_watch_set,
    .watch_remove = uring_watch_remove,
    .accept_start = io_ring_accept_start,
    .accept_stop = io_ring_accept_stop,
    .accept_move = io_ring_accept_move,
    .connect = uring_connect,
    .read_start = uring_read_start,
    .read_stop = uring_read_stop,
    .flush = uring_flush,
    .pipe_resume = io_ring_pipe_resume,
    .close = uring_close,
    .free = uring_free,
};
