/* SPDX-License-Identifier: Apache-2.0 */
#include "base/arena.h"

#include <stdckdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/assert.h"

enum {
    CHUNK_BYTES_FIRST = 4096,
    CHUNK_BYTES_LARGEST = 1 << 20, /* what is left unused at the end of a chunk stays small */
    ALIGNMENT = alignof(max_align_t),
};

struct chunk {
    struct chunk *next; /* the older one */
    size_t size;
    size_t used;
    alignas(max_align_t) unsigned char data[];
};

struct arena {
    struct chunk *newest;
    size_t bytes;
    size_t bytes_max;
    size_t chunk_bytes; /* of the next chunk */
    bool full;
};

struct arena *arena_new(size_t bytes_max) {
    struct arena *arena = calloc(1, sizeof *arena);
    if (arena != nullptr) {
        arena->bytes_max = bytes_max;
        arena->chunk_bytes = CHUNK_BYTES_FIRST;
    }
    return arena;
}

void arena_free(struct arena *arena) {
    if (arena == nullptr) {
        return;
    }
    struct chunk *chunk = arena->newest;
    while (chunk != nullptr) {
        struct chunk *next = chunk->next;
        free(chunk);
        chunk = next;
    }
    free(arena);
}

void arena_freep(struct arena **arena) {
    arena_free(*arena);
    *arena = nullptr;
}

/* A chunk with room for `size`; calloc, so that pieces are zero without being written twice. */
static struct chunk *arena_grow(struct arena *arena, size_t size) {
    size_t bytes = size > arena->chunk_bytes ? size : arena->chunk_bytes;
    size_t whole;
    if (ckd_add(&whole, bytes, sizeof(struct chunk))) {
        return nullptr;
    }
    struct chunk *chunk = calloc(1, whole);
    if (chunk == nullptr) {
        return nullptr;
    }
    chunk->size = bytes;
    chunk->next = arena->newest;
    arena->newest = chunk;
    if (arena->chunk_bytes < CHUNK_BYTES_LARGEST) {
        arena->chunk_bytes *= 2;
    }
    return chunk;
}

void *arena_alloc(struct arena *arena, size_t size) {
    ASSERT(arena != nullptr);
    size_t padded;
    if (ckd_add(&padded, size, (size_t)ALIGNMENT - 1)) {
        arena->full = true;
        return nullptr;
    }
    padded -= padded % ALIGNMENT;
    if (padded > arena->bytes_max - arena->bytes) {
        arena->full = true;
        return nullptr;
    }
    struct chunk *chunk = arena->newest;
    if (chunk == nullptr || padded > chunk->size - chunk->used) {
        chunk = arena_grow(arena, padded);
    }
    if (chunk == nullptr) {
        return nullptr;
    }
    void *piece = chunk->data + chunk->used;
    chunk->used += padded;
    arena->bytes += padded;
    ASSERT(arena->bytes <= arena->bytes_max);
    return piece;
}

void *arena_array(struct arena *arena, size_t count, size_t size) {
    size_t bytes;
    if (ckd_mul(&bytes, count, size)) {
        arena->full = true;
        return nullptr;
    }
    return arena_alloc(arena, bytes);
}

char *arena_text(struct arena *arena, struct slice text) {
    if (text.size == SIZE_MAX) {
        arena->full = true;
        return nullptr;
    }
    char *copy = arena_alloc(arena, text.size + 1);
    if (copy != nullptr && text.size > 0) {
        memcpy(copy, text.data, text.size);
    }
    return copy;
}

bool arena_is_full(const struct arena *arena) {
    return arena->full;
}
