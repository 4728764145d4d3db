/* SPDX-License-Identifier: Apache-2.0
 *
 * Bytes from one thread to another, without a lock: the one puts whole lines at the head, the other
 * takes them at the tail. Both count up for ever; what lies between is in use.
 */
#pragma once

#include <stdatomic.h>

#include "base/bytes.h"
#include "base/limits.h"

struct log_ring {
    alignas(64) _Atomic uint64_t head;
    alignas(64) _Atomic uint64_t tail;
    uint8_t bytes[LIMIT_EDGE_LOG_BYTES];
};

/* False: it does not fit, and nothing was put. */
bool log_ring_put(struct log_ring *ring, struct slice line);
size_t log_ring_used(const struct log_ring *ring);
/* What can be written next, in one piece: whole lines of at most `size_max` bytes, if the first
 * line is not longer and does not go over the ring's end. Borrowed until log_ring_taken(). */
struct slice log_ring_peek(const struct log_ring *ring, size_t size_max);
void log_ring_taken(struct log_ring *ring, size_t size);
