/* SPDX-License-Identifier: Apache-2.0
 *
 * What io.c, which keeps output and timers, and the engines, which talk to the kernel, share.
 */
#pragma once

#include "edge/io.h"

/* Until accept(2) is tried again after it failed for want of descriptors or memory. */
enum { IO_ACCEPT_AGAIN_MS = 100 };

enum { IO_BLOCK_BYTES = (16 << 10) + 512 }; /* a TLS record of full size, with its overhead */

struct io_block {
    struct io_block *next;
    uint32_t start, end;
    uint8_t data[IO_BLOCK_BYTES];
};

struct io_engine {
    const char *name;
    bool (*turn)(struct io *io, int wait_ms);
    bool (*watch_add)(struct io *io, struct io_watch *watch);
    void (*watch_set)(struct io *io, struct io_watch *watch, uint32_t events);
    void (*watch_remove)(struct io *io, struct io_watch *watch);
    bool (*accept_start)(struct io *io, struct io_acceptor *acceptor);
    void (*accept_stop)(struct io *io, struct io_acceptor *acceptor);
    /* nullptr: nothing is accepted ahead of time, so that stopping and starting loses nothing */
    bool (*accept_move)(struct io *io, struct io_acceptor *from, struct io_acceptor *to);
    bool (*open)(struct io *io, struct io_stream *stream); /* nullptr: nothing is to be done */
    bool (*connect)(struct io *io, struct io_stream *stream, const struct sockaddr *address,
                    socklen_t size);
    void (*read_start)(struct io *io, struct io_stream *stream);
    void (*read_stop)(struct io *io, struct io_stream *stream);
    void (*flush)(struct io *io, struct io_stream *stream); /* begins to send what waits */
    /* nullptr: it has no pipes. `from->into` has room again, or has sent what was copied. */
    void (*pipe_resume)(struct io *io, struct io_stream *from);
    void (*close)(struct io *io, struct io_stream *stream); /* leads to io_forget() */
    void (*free)(struct io *io);
};

struct io {
    const struct io_engine *engine;
    struct timers timers;
    uint64_t now_us;
    struct io_stream *dirty;  /* have output that nobody has begun to send */
    struct io_stream *closed; /* whose owners are to be told */
    struct io_block *spare;
    size_t spare_count;
    struct io_pipe *pipes; /* that nobody holds; owned */
    size_t pipe_count;     /* all of them */
    bool cannot_splice;    /* as was seen */
};

enum io_piped : uint8_t {
    IO_PIPED_AGAIN, /* there may be more; the pipe is empty */
    IO_PIPED_EMPTY, /* nothing comes now */
    IO_PIPED_FULL,  /* the other stream has no room, or has to send first what was copied */
    IO_PIPED_COPY,  /* from here on it is copied */
    IO_PIPED_OVER,  /* ended, failed, closed, or nobody wants more; the owners know */
};

/* nullptr, with a reason, when this kernel or sandbox does not let it work. */
struct io *io_uring_new(char ret_reason[static IO_REASON_BYTES]);
struct io *io_epoll_new(void); /* nullptr with errno */

void io_clock(struct io *io);
void io_mark_dirty(struct io *io, struct io_stream *stream);        /* it has output */
void io_drop(struct io *io, struct io_stream *stream, size_t size); /* output, from the front */
/* `size` bytes of the output were sent. Tells the owner, and shuts, where that is due. */
void io_sent(struct io *io, struct io_stream *stream, size_t size);
/* What io_connect() began has come to its end: tells the owner, and begins with what waits. */
void io_connected(struct io *io, struct io_stream *stream, int error);
void io_fail(struct io *io, struct io_stream *stream, int error); /* broken: tells the owner */
void io_end(struct io_stream *stream);                            /* the other end sends no more */
/* Begins to send all that was put into streams since. */
void io_flush_dirty(struct io *io);
/* The kernel holds nothing of it any more: its descriptor is closed, its owner told at the end of
 * the turn. */
void io_forget(struct io *io, struct io_stream *stream);
/* Fills `parts` with what waits; the number of them. */
int io_parts(const struct io_stream *stream, struct iovec parts[static IO_PARTS_MAX]);

/* io_pipe.c. After a receive of a joined stream, before its owner is told: whether it is to go over
 * to a pipe (`is_piping`). */
void io_pipe_notice(struct io *io, struct io_stream *from, size_t size);
/* Of a stream that `is_piping`: as much as goes without waiting, and without starving others. */
enum io_piped io_pipe_move(struct io *io, struct io_stream *from);
void io_part(struct io *io, struct io_stream *stream); /* the opposite of io_join(), both ways */
void io_pipes_free(struct io *io);
