/* SPDX-License-Identifier: Apache-2.0
 *
 * One of the two legs of a connection: a stream, in clear or in TLS. Between the stream and libssl
 * stands a BIO of our own: libssl takes what was received where it lies, and writes records
 * straight into the stream's output.
 *
 * A leg that may not be read now holds what came all the same, as it came; nothing is opened before
 * there is room for it on the other leg.
 */
#pragma once

#include <openssl/types.h>

#include "edge/io.h"

struct leg {
    struct io_stream stream; /* first */
    struct io *io;
    SSL *tls;           /* owned; nullptr: in clear */
    struct slice input; /* of TLS: what was received and not taken yet; borrowed */
    uint8_t *held;      /* owned; came while nobody could take it */
    size_t held_size, held_at, held_capacity;
    uint32_t idle_records; /* of TLS, without payload and not made good for by any */
    bool is_handshaken;    /* or in clear */
    bool is_ended;         /* nothing will be read from it any more */
    bool has_eof;          /* the stream's end came, and stands behind what is held */
    bool is_overrun;       /* its output had no room */
};

enum leg_result : uint8_t {
    LEG_DONE,      /* the handshake, or all input */
    LEG_MORE,      /* needs more input */
    LEG_FULL,      /* the other leg has no room: call again when it is drained */
    LEG_END,       /* the peer said in TLS that it sends no more */
    LEG_BROKEN,    /* what came is not what TLS lets come */
    LEG_NO_MEMORY, /* or what waits to be sent is past its limit */
};

/* Before the process's first SSL. False when memory runs out. */
bool leg_prepare(void);

/* Puts TLS on it; owns `tls` from here on, also on failure: false when memory runs out. */
bool leg_set_tls(struct leg *leg, SSL *tls);
/* Keeps bytes for later. False: LIMIT_EDGE_HELD_BYTES, or memory. */
bool leg_hold(struct leg *leg, struct slice bytes);
struct slice leg_held(const struct leg *leg); /* borrowed */
void leg_drop(struct leg *leg, size_t size);  /* from the front of what is held */

/* Whether it has something that was received and not passed on. */
bool leg_has_more(const struct leg *leg);

/* Goes on with the handshake, with what is held or was just received. */
enum leg_result leg_handshake(struct leg *leg, struct slice bytes);
/* Moves what was received, and what was held before it, into the other leg: opened and sealed where
 * they are in TLS. FULL: the rest is held. *ret_moved counts bytes of payload. `to` may be `leg`.
 */
enum leg_result leg_move(struct leg *leg, struct slice bytes, struct leg *to, uint64_t *ret_moved);
/* Appends what was received, opened, to `text`. FULL: it has no room for more. A leg in TLS. */
enum leg_result leg_take(struct leg *leg, struct slice bytes, struct builder *text);
/* Sends payload that is ours. */
bool leg_say(struct leg *leg, struct slice bytes);
/* After what was sent, says that nothing follows. */
void leg_shut(struct leg *leg);
/* Lets go of everything but the stream. */
void leg_deinit(struct leg *leg);
