/* SPDX-License-Identifier: Apache-2.0
 *
 * Streams that are piped (io_pipe.c), with a ring. It has no hand in it but to tell when to go on:
 * IORING_OP_SPLICE would be done by another thread of the kernel's. So a stream leaves the ring
 * first: it is not piped while the kernel holds a receive of it.
 */
#include <poll.h>

#include "edge/io_ring.h"

static void poll_for_pipe(struct io_ring *self, struct io_stream *stream, enum kind kind) {
    struct io_uring_sqe *sqe = io_ring_sqe(self);
    io_uring_prep_poll_add(sqe, stream->fd, kind == KIND_PIPE_IN ? POLLIN | POLLRDHUP : POLLOUT);
    io_ring_mark(sqe, stream, kind);
    stream->pending++;
}

static void receive_by_pipe(struct io_ring *self, struct io_stream *from) {
    switch (io_pipe_move(&self->base, from)) {
    case IO_PIPED_AGAIN: /* after the others */
    case IO_PIPED_EMPTY:
        from->polls_in = true;
        poll_for_pipe(self, from, KIND_PIPE_IN);
        break;
    case IO_PIPED_FULL:
        if (!from->into->can_write && !from->into->polls_out) {
            from->into->polls_out = true;
            poll_for_pipe(self, from->into, KIND_PIPE_OUT);
        }
        break;
    case IO_PIPED_COPY:
        io_ring_arm_receive(self, from);
        break;
    case IO_PIPED_OVER:
        break;
    }
}

/* Unless it is being read already. */
void io_ring_receive_next(struct io_ring *self, struct io_stream *stream) {
    if (stream->receives || stream->polls_in || stream->is_connecting) {
        return;
    }
    if (stream->is_piping) {
        receive_by_pipe(self, stream);
    } else {
        io_ring_arm_receive(self, stream);
    }
}

void io_ring_pipe_resume(struct io *io, struct io_stream *from) {
    if (from->pipe != nullptr || from->is_reading) {
        io_ring_receive_next((struct io_ring *)io, from);
    }
}

/* What poll(2) says of errors and of the end, reading and writing say again. */
void io_ring_serve_pipe_in(struct io_ring *self, struct io_stream *from) {
    from->polls_in = false;
    io_ring_settle(&self->base, from);
    if (!from->is_closing && from->is_reading) {
        io_ring_receive_next(self, from);
    }
}

void io_ring_serve_pipe_out(struct io_ring *self, struct io_stream *into) {
    into->polls_out = false;
    into->can_write = true;
    io_ring_settle(&self->base, into);
    if (!into->is_closing && into->source != nullptr && into->source->is_piping) {
        io_ring_pipe_resume(&self->base, into->source);
    }
}
