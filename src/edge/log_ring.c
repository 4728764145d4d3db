/* SPDX-License-Identifier: Apache-2.0 */
#include "edge/log_ring.h"

#include <string.h>

#include "base/assert.h"

enum { RING_BYTES = LIMIT_EDGE_LOG_BYTES };

size_t log_ring_used(const struct log_ring *ring) {
    uint64_t tail = atomic_load_explicit(&ring->tail, memory_order_acquire);
    return (size_t)(atomic_load(&ring->head) - tail);
}

bool log_ring_put(struct log_ring *ring, struct slice line) {
    uint64_t head = atomic_load_explicit(&ring->head, memory_order_relaxed);
    if (line.size > RING_BYTES - log_ring_used(ring)) {
        return false;
    }
    size_t at = head % RING_BYTES;
    size_t first = line.size < RING_BYTES - at ? line.size : RING_BYTES - at;
    memcpy(ring->bytes + at, line.data, first);
    memcpy(ring->bytes, line.data + first, line.size - first);
    atomic_store_explicit(&ring->head, head + line.size, memory_order_seq_cst);
    return true;
}

struct slice log_ring_peek(const struct log_ring *ring, size_t size_max) {
    uint64_t tail = atomic_load_explicit(&ring->tail, memory_order_relaxed);
    size_t at = tail % RING_BYTES;
    size_t size = log_ring_used(ring);
    size = size < RING_BYTES - at ? size : RING_BYTES - at;
    size = size < size_max ? size : size_max;
    const uint8_t *last = size > 0 ? memrchr(ring->bytes + at, '\n', size) : nullptr;
    return slice_of(ring->bytes + at,
                    last != nullptr ? (size_t)(last - ring->bytes) - at + 1 : size);
}

void log_ring_taken(struct log_ring *ring, size_t size) {
    ASSERT(size <= log_ring_used(ring));
    uint64_t tail = atomic_load_explicit(&ring->tail, memory_order_relaxed);
    atomic_store_explicit(&ring->tail, tail + size, memory_order_release);
}
