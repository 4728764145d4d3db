/* SPDX-License-Identifier: Apache-2.0
 *
 * Bytes between two streams, both ways, each way with its own end (a half-closed connection goes
 * on). A way begins by copying; what turns out to be long goes through a pipe with splice(2) and is
 * not touched by this process. TLS is always copied.
 */
#pragma once

#include "proxy/stream.h"

struct relay_way {
    struct stream *from, *to;
    struct queue held;
    int pipe[2]; /* -1: none */
    size_t piped;
    uint64_t moved;
    bool ended; /* `from` has no more */
    bool shut;  /* and `to` was told */
};

struct relay {
    struct relay_way up, down; /* from the sandbox, and to it */
    bool up_is_open;
};

enum relay_result : uint8_t { RELAY_ON, RELAY_ENDED, RELAY_BROKEN };

/* The way down is open, the way up is not yet. */
void relay_init(struct relay *relay, struct stream *client, struct stream *upstream);
/* Opens the way up; the queue's bytes go first. It is taken over and left empty. */
void relay_open_up(struct relay *relay, struct queue *first);
void relay_deinit(struct relay *relay);
/* Moves what can be moved. *ret_up and *ret_down: bytes that were written. */
enum relay_result relay_drive(struct relay *relay, uint64_t *ret_up, uint64_t *ret_down);
/* What the ends have to wait for. */
void relay_interest(const struct relay *relay, uint32_t *ret_client, uint32_t *ret_upstream);
