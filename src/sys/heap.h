/* SPDX-License-Identifier: Apache-2.0
 *
 * Memory for a program that lives as long as one command: taken from the system in large pieces,
 * handed out in blocks of some hundred sizes, and kept when it is freed. The story is in heap.c.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

enum {
    HEAP_ALIGNMENT = 16,
    HEAP_CLASS_COUNT = 92,
};
/* What is larger has a mapping of its own, and gives it back when it is freed. */
enum : size_t { HEAP_BLOCK_BYTES_MAX = 128 * 1024 };

/* All zero to begin with, and for one thread. */
struct heap {
    uint64_t
        secret;  /* set once, before the first call: no address of a block may be told from it */
    uint8_t *at; /* where the unused part of the newest piece begins */
    size_t left;
    uint64_t free[HEAP_CLASS_COUNT]; /* hidden addresses of the first free block of each class */
};

/* At least `size` bytes, or nullptr when there are none. The caller frees them with heap_free(). */
void *heap_allocate(struct heap *heap, size_t size);
/* As heap_allocate(), all zero. */
void *heap_allocate_zeroed(struct heap *heap, size_t size);
/* The same bytes in a block of at least `size`; consumes `data`, but on failure, which is nullptr,
 * leaves it as it is. `data` may be nullptr. */
void *heap_resize(struct heap *heap, void *data, size_t size);
/* What did not come from this heap, was freed before, or was written beyond its end, ends the
 * program. nullptr is fine. */
void heap_free(struct heap *heap, void *data);
/* How many bytes the block has, at least what was asked for. */
size_t heap_usable(const struct heap *heap, const void *data);
