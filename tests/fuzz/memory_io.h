/* SPDX-License-Identifier: Apache-2.0
 *
 * An engine (edge/io.h) without a kernel: the other ends of its streams are memory, and the clock
 * is a number. Who drives it says when and in what pieces bytes come and are taken, when a server
 * answers, when an end breaks. A client's stream and a server's, one of each at a time.
 *
 * It keeps to what io.h promises of either engine. `is_late` makes it io_uring's kind: sends and
 * closings complete in a later turn, and bytes come that the kernel had in hand when reading was
 * stopped. Else it is epoll's.
 */
#pragma once

#include "edge/io_engine.h"

enum { MEMORY_WIRE_BYTES = 1536 << 10, MEMORY_ENDLESS = 1 << 30 };

struct memory_end {
    struct io_stream *stream; /* nullptr: there is none, or no more */
    size_t at, size;          /* of `wire`: given to the stream, and put there */
    size_t room;              /* bytes that it takes of the stream; MEMORY_ENDLESS: any */
    size_t in_hand;           /* late: bytes that may come although nobody reads any more */
    bool is_end_in_hand;      /* and the end */
    bool has_end;             /* stands behind what is on the wire */
    int end_error;            /* and is this */
    bool refuses;             /* what is sent to it breaks the stream */
    uint8_t wire[MEMORY_WIRE_BYTES];
};

struct memory_io {
    struct io base; /* first */
    struct memory_end client, server;
    bool is_late;
    int refused; /* the next connect(2) fails at once, with this errno */
    uint64_t now_us;
    void (*step)(struct memory_io *self); /* what happens in a turn */
    /* What a stream sent. */
    void (*took)(struct memory_io *self, struct memory_end *end, struct slice bytes);
    void (*asked)(struct memory_io *self); /* a server is being connected to: another `server` */
};

void memory_io_init(struct memory_io *self); /* all but the functions and the clock */
void memory_io_deinit(struct memory_io *self);
void memory_put(struct memory_end *end, struct slice bytes); /* on the wire, as far as it fits */

/* From within `step`. At most `max` bytes of the wire, or its end; false: nothing could come. */
bool memory_give(struct memory_io *self, struct memory_end *end, size_t max);
/* The server is connected to, or not. False: nobody asks. */
bool memory_answer(struct memory_io *self, int error);
