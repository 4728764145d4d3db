/* SPDX-License-Identifier: Apache-2.0
 *
 * Moving bytes: one engine for each worker thread, behind one interface. Whoever is served by it
 * does not know whether epoll or io_uring does the work; tests/unit/edge/test_io.c runs on both.
 *
 * A stream is a socket whose bytes are handed to its owner as they come, and whose output waits in
 * blocks until the socket takes it. Its owner's calls come from io_turn() alone. An owner may close
 * any stream, watch or timer at any moment, also from within a call; a stream's memory has to stay
 * until `closed` is called, because the kernel may still hold on to it (io_uring).
 */
#pragma once

#include <sys/socket.h>
#include <sys/uio.h>

#include "base/bytes.h"
#include "base/error.h"
#include "edge/config.h"
#include "proxy/timers.h"

struct io; /* an engine */
struct io_block;
struct io_pipe;
struct io_slot;
struct io_stream;

struct io_stream_row { /* what a kind of owner does; a constant */
    /* Bytes came; borrowed until it returns. All of them count as taken. */
    void (*received)(struct io_stream *stream, struct slice bytes);
    /* 0: the other end sends no more. An errno: the stream is broken, both ways. */
    void (*ended)(struct io_stream *stream, int error);
    /* What waits to be sent was past the high-water mark and is below the low one again. */
    void (*drained)(struct io_stream *stream);
    /* What io_connect() began: 0, or an errno. */
    void (*connected)(struct io_stream *stream, int error);
    /* After io_join(): so many bytes came and are on their way into the other stream. */
    void (*passed)(struct io_stream *stream, size_t size);
    /* After io_close(): the engine knows the stream no more, and its memory is the owner's. */
    void (*closed)(struct io_stream *stream);
};

enum {
    IO_HIGH_WATER = 128 << 10, /* bytes that wait in one stream until its source is stopped */
    IO_LOW_WATER = 32 << 10,   /* and until it goes on */
    IO_PARTS_MAX = 8,          /* blocks in one send */
    IO_REASON_BYTES = 128,
};

struct io_stream {
    const struct io_stream_row *row; /* set by the owner before io_open() */
    int fd;                          /* owned by the engine from io_open() on; -1: none */
    /* What follows is the engine's. */
    uint32_t pending; /* io_uring: operations that the kernel holds */
    bool is_open, is_connecting, is_reading, is_shut, is_finishing, is_closing, is_broken,
        has_ended, was_full;
    bool can_read, has_hung_up;       /* epoll: as far as is known */
    bool can_write;                   /* epoll, and of what is joined */
    bool receives, sends;             /* io_uring: under way */
    bool polls_in, polls_out;         /* the same */
    uint8_t stops;                    /* io_uring: times it had to be stopped, at most two */
    uint8_t pool;                     /* io_uring: of the receive under way */
    bool is_dirty, is_ready;          /* in the lists below */
    struct io_block *first, *last;    /* output, owned */
    size_t waiting;                   /* bytes of output */
    struct io_stream *next;           /* of what is to be flushed */
    struct io_stream *before, *after; /* epoll: of what has more to read */
    uint64_t ready_turn;
    struct io_stream *next_closed;
    struct io_stream *into, *source; /* joined: what comes goes there; where what goes comes from */
    struct io_pipe *pipe;            /* owned while there are bytes in it */
    bool is_piping;                  /* what comes is not copied any more */
    uint32_t run; /* copied: bytes of large reads on end; piped: fillings on end that were little */
    struct msghdr message; /* io_uring: of the send under way */
    struct iovec parts[IO_PARTS_MAX];
};

/* Readiness of a descriptor that is no stream: a wake-up pipe, a UDP socket. Level-triggered. */
struct io_watch {
    int fd;          /* borrowed; -1: it is in no engine */
    uint32_t events; /* POLLIN, POLLOUT: asked for; 0: none for now */
    void (*ready)(struct io_watch *watch, uint32_t events); /* errors count as all asked for */
    struct io_slot *slot;                                   /* the engine's */
};

/* A socket that listens, non-blocking. */
struct io_acceptor {
    int fd; /* borrowed */
    /* The new connection, non-blocking, the callee's from here on. */
    void (*accepted)(struct io_acceptor *acceptor, int fd);
    /* accept(2) failed, with EMFILE for one; it is tried again after a moment. */
    void (*failed)(struct io_acceptor *acceptor, int error);
    struct io_watch watch; /* the engine's, as all that follows */
    struct io_slot *slot;
    struct io *io;
    struct timer again;
    uint64_t turn; /* epoll: the last in which it was ready, */
    int accepts;   /* and how many it took at most */
};

/* The engine of the name; AUTO: io_uring where a real operation of it works, else epoll.
 * `ret_reason` says why. Made by any thread; the one that calls io_turn() owns it. ERROR_IO,
 * ERROR_NO_MEMORY. */
status_t io_new(enum edge_engine engine, struct io **ret_io,
                char ret_reason[static IO_REASON_BYTES], struct error *err);
void io_free(struct io *io);              /* nullptr is fine; every stream must be closed */
const char *io_name(const struct io *io); /* "io_uring", "epoll" */
uint64_t io_now_us(const struct io *io);  /* monotonic, as of the last wake-up */
uint64_t io_now_ms(const struct io *io);
uint64_t io_fresh_us(void); /* the same clock, read now */
/* Fires once, `after_ms` from now. False when memory runs out. */
bool io_timer_set(struct io *io, struct timer *timer, uint64_t after_ms);
void io_timer_clear(struct io *io, struct timer *timer);

/* Waits for what comes next, at most until the next timer, and serves it. False, with errno, when
 * the engine failed. */
bool io_turn(struct io *io);

/* False, with errno, when the kernel has no room. `ready` is set by the caller. */
bool io_watch_add(struct io *io, struct io_watch *watch, int fd, uint32_t events);
void io_watch_set(struct io *io, struct io_watch *watch, uint32_t events);
void io_watch_remove(struct io *io, struct io_watch *watch); /* fine when it is in no engine */

bool io_accept_start(struct io *io, struct io_acceptor *acceptor);
void io_accept_stop(struct io *io, struct io_acceptor *acceptor);
/* `to`, whose descriptor is of the same socket, goes on where `from` stops: what the kernel has
 * accepted already is handed to it. False: `to` was not started; `from` is stopped in any case. */
bool io_accept_move(struct io *io, struct io_acceptor *from, struct io_acceptor *to);

/* Takes the descriptor over, which has to be non-blocking; nothing is read before io_read_start().
 * False, with errno, when there is no room: then the descriptor is still the caller's. */
bool io_open(struct io *io, struct io_stream *stream, int fd);
/* The same with a socket that is not connected yet; `address` has to stay until it is. */
bool io_connect(struct io *io, struct io_stream *stream, int fd, const struct sockaddr *address,
                socklen_t size);
void io_read_start(struct io *io, struct io_stream *stream);
/* Bytes that the kernel has handed over already may still come. */
void io_read_stop(struct io *io, struct io_stream *stream);

/* Whether the other end broke the connection already and left nothing to be read. Asks the kernel.
 */
bool io_is_gone(const struct io_stream *stream);

/* Whether bytes are on their way to the other end, here or in the kernel. *ret_mark is another one
 * when some of them got there since. Asks the kernel. */
bool io_is_sending(const struct io_stream *stream, uint64_t *ret_mark);

/* From now on what comes on `from` may go into `into` without being handed to its owner first, who
 * is told of it by `passed`: it does as long as much comes, and nothing waits in `into`
 * (splice(2)). Order is kept with what the owner of `from` sends into `into` itself when bytes are
 * handed to it after all; nobody else may send there. It ends when either closes. Both are open, of
 * one engine, and new to this on that side. */
void io_join(struct io *io, struct io_stream *from, struct io_stream *into);

/* Output is appended, and sent when the call that the engine made returns. False when memory runs
 * out, when LIMIT_EDGE_OUTPUT_BYTES wait already, or when the stream is shut or broken. */
bool io_send(struct io *io, struct io_stream *stream, struct slice bytes);
/* Room to be filled in place: at least one byte; nullptr as io_send() is false. What was written
 * counts after io_send_added(). */
uint8_t *io_send_room(struct io *io, struct io_stream *stream, size_t *ret_size);
void io_send_added(struct io *io, struct io_stream *stream, size_t size); /* 0: none after all */
bool io_is_full(struct io_stream *stream); /* past the high-water mark: `drained` will come */
/* After what waits, the other end sees the end. */
void io_shut(struct io *io, struct io_stream *stream);
/* The same, and then closes. Nothing more is read; the owner is told by `closed` alone, or by
 * `ended` when the other end broke it. */
void io_finish(struct io *io, struct io_stream *stream);
/* Closes; what waits is dropped. With `reset` the other end sees an abort. `closed` comes later. */
void io_close(struct io *io, struct io_stream *stream, bool reset);
