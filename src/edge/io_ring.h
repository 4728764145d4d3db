/* SPDX-License-Identifier: Apache-2.0
 *
 * What io_uring.c, which works with a ring, and io_uring_new.c, which makes it, share.
 */
#pragma once

#include <liburing.h>

#include "edge/io_engine.h"

/* The kind of an operation, in the low bits of its user data. */
enum kind : uint8_t {
    KIND_NONE,
    KIND_RECEIVE,
    KIND_SEND,
    KIND_CONNECT,
    KIND_WATCH,
    KIND_ACCEPT,
    KIND_PIPE_IN,  /* what is piped can be read again */
    KIND_PIPE_OUT, /* and what it is piped into takes more */
};
enum { KIND_MASK = 7 };

/* Buffers that are lent to the kernel; the number of a pool is that of its group. */
struct io_pool {
    struct io_uring_buf_ring *ring;
    uint8_t *memory; /* owned */
};
/* Many for streams that say something now and then, large ones for streams that never end. */
enum { IO_POOL_MANY, IO_POOL_LARGE, IO_POOL_COUNT };

struct io_slot {
    alignas(8) struct io_watch *watch; /* nullptr: nobody waits for it any more */
    struct io_acceptor *acceptor;
    bool is_armed; /* the kernel refers to it */
    struct io_slot *before, *next;
};

struct io_ring {
    struct io base; /* first */
    struct io_uring ring;
    struct io_pool pools[IO_POOL_COUNT];
    struct io_slot *slots; /* all of them, owned */
    bool is_enabled;
};

extern const struct io_engine IO_URING_ENGINE;

unsigned io_ring_buffer_bytes(unsigned pool);
void io_ring_give_buffer(struct io_ring *ring, unsigned pool, unsigned number); /* to the kernel */
void io_ring_arm_receive(struct io_ring *ring, struct io_stream *stream);
struct io_slot *io_ring_take_slot(struct io_ring *ring); /* nullptr: no memory */
void io_ring_free_slot(struct io_ring *ring, struct io_slot *slot);
void io_ring_free(struct io_ring *ring);

/* What is to be asked of the kernel next; the queue is flushed when it is full, so there is one. */
struct io_uring_sqe *io_ring_sqe(struct io_ring *ring);
void io_ring_mark(struct io_uring_sqe *sqe, void *pointer, enum kind kind);
void io_ring_cancel(struct io_ring *ring, void *pointer, enum kind kind);

/* An operation of the stream is over. */
void io_ring_settle(struct io *io, struct io_stream *stream);

/* io_uring_pipe.c */
/* Reads on, one way or the other, unless that is under way. */
void io_ring_receive_next(struct io_ring *ring, struct io_stream *stream);
void io_ring_pipe_resume(struct io *io, struct io_stream *from);
void io_ring_serve_pipe_in(struct io_ring *ring, struct io_stream *from);
void io_ring_serve_pipe_out(struct io_ring *ring, struct io_stream *into);

/* io_uring_accept.c */
bool io_ring_accept_start(struct io *io, struct io_acceptor *acceptor);
void io_ring_accept_stop(struct io *io, struct io_acceptor *acceptor);
bool io_ring_accept_move(struct io *io, struct io_acceptor *from, struct io_acceptor *to);
void io_ring_serve_accept(struct io_ring *ring, struct io_slot *slot, int result, bool goes_on);
