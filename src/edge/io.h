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
struct io_stream;

struct io_stream_row { /* what a kind of owner does; a constant */
    /* Bytes came; borrowed until it returns. All of them count as taken. */
    void (*received)(struct io_stream *stream, struct slice bytes);
    /* Nothing will come any more: the other end shut its side (0), or an errno. */
    void (*ended)(struct io_stream *stream, int error);
    /* What waited to be sent is down to less than io_low_water(). */
    void (*drained)(struct io_stream *stream);
    /* What io_connect() began: 0, or an errno. */
    void (*connected)(struct io_stream *stream, int error);
    /* After io_close(): the engine knows the stream no more. */
    void (*closed)(struct io_stream *stream);
};

enum { IO_SEND_BLOCKS = 8 };

struct io_stream {
    const struct io_stream_row *row; /* set by the owner, with the next line, before io_open() */
    int fd;                          /* owned by the engine from io_open() on; -1: none */
    /* What follows is the engine's. */
    uint8_t state;
    uint32_t pending; /* operations that the kernel holds */
    uint32_t events;  /* epoll: what is asked for */
    bool reads, is_shut, is_closing, is_broken, resets, was_full, is_dirty;
    struct io_block *first, *last; /* output */
    size_t waiting;                /* bytes of output */
    struct io_stream *next_dirty;
    struct msghdr message; /* io_uring: of the send under way */
    struct iovec parts[IO_SEND_BLOCKS];
};

/* Readiness of a descriptor that is no stream: a wake-up pipe, a UDP socket. Level-triggered. */
struct io_watch {
    int fd;          /* borrowed; -1: it is in no engine */
    uint32_t events; /* POLLIN, POLLOUT: asked for */
    void (*ready)(struct io_watch *watch,
                  uint32_t events); /* POLLERR, POLLHUP count as asked for */
    uint32_t generation;            /* the engine's */
    void *slot;
};

/* A socket that listens. */
struct io_acceptor {
    int fd; /* borrowed */
    /* The new connection, non-blocking, owned by the callee from here on. `error`: accepting failed
     * and will be tried again. */
    void (*accepted)(struct io_acceptor *acceptor, int fd);
    void (*failed)(struct io_acceptor *acceptor, int error);
    struct io_watch watch; /* the engine's */
    void *slot;
};

/* The engine of the name, or the best that works here: AUTO tries io_uring with a real operation.
 * *ret_reason, a constant or text in `reason`, says why the other one is not used. */
enum { IO_REASON_BYTES = 128 };
status_t io_new(enum edge_engine engine, struct io **ret_io,
                char ret_reason[static IO_REASON_BYTES], struct error *err);
void io_free(struct io *io);              /* nullptr is fine; everything must be closed */
const char *io_name(const struct io *io); /* "io_uring", "epoll" */
uint64_t io_now_us(const struct io *io);  /* monotonic, as of the last wake-up */
struct timers *io_timers(struct io *io);

/* Waits for what comes next, at most until the next timer, and serves it. False, with errno, when
 * the engine failed. */
bool io_turn(struct io *io);

bool io_watch_add(struct io *io, struct io_watch *watch, int fd, uint32_t events);
void io_watch_set(struct io *io, struct io_watch *watch, uint32_t events);
void io_watch_remove(struct io *io, struct io_watch *watch);

bool io_accept_start(struct io *io, struct io_acceptor *acceptor);
void io_accept_stop(struct io *io, struct io_acceptor *acceptor);

/* Takes the descriptor over, which has to be non-blocking; nothing is read before io_read_start().
 * False when there is no room: then the descriptor is still the caller's. */
bool io_open(struct io *io, struct io_stream *stream, int fd);
/* io_open() on a socket that is not connected yet, and connects it. */
bool io_connect(struct io *io, struct io_stream *stream, int fd, const struct sockaddr *address,
                socklen_t size);
void io_read_start(struct io *io, struct io_stream *stream);
/* Bytes that the kernel has handed over already may still come. */
void io_read_stop(struct io *io, struct io_stream *stream);

/* Output is appended and sent at the end of the turn. False when memory runs out, when what waits
 * would pass LIMIT_EDGE_OUTPUT_BYTES, or when the stream is shut or broken. */
bool io_send(struct io *io, struct io_stream *stream, struct slice bytes);
/* Room for at least one byte, to be filled in place; nullptr as io_send() is false. What was
 * written counts after io_sent(). */
uint8_t *io_send_room(struct io *io, struct io_stream *stream, size_t *ret_size);
void io_send_added(struct io *io, struct io_stream *stream, size_t size);
size_t io_waiting(const struct io_stream *stream);
bool io_is_full(const struct io_stream *stream); /* past the high-water mark: stop the source */
/* After what waits: no more is sent. */
void io_shut(struct io *io, struct io_stream *stream);
/* Closes; what waits is dropped. With `reset` the other end sees an abort. `closed` comes later. */
void io_close(struct io *io, struct io_stream *stream, bool reset);
