/* SPDX-License-Identifier: Apache-2.0
 *
 * Memory by lifetime: many small pieces that live and die together. An arena hands out pieces until
 * it holds the bytes it was made for, and frees all of them at once. Memory is zeroed and aligned
 * for any type.
 */
#pragma once

#include <stddef.h>

#include "base/bytes.h"

struct arena;

/* nullptr when memory runs out. bytes_max bounds what the pieces take, with their padding. */
struct arena *arena_new(size_t bytes_max);
void arena_free(struct arena *arena); /* nullptr is fine */
void arena_freep(struct arena **arena);

/* A zeroed piece, which the arena owns. nullptr past the arena's maximum or when memory runs out;
 * arena_is_full() says which. A size of 0 gives a piece too. */
void *arena_alloc(struct arena *arena, size_t size);
/* `count` pieces of `size` bytes side by side; nullptr also when the product overflows. */
void *arena_array(struct arena *arena, size_t count, size_t size);
/* A copy with a NUL behind it. */
char *arena_text(struct arena *arena, struct slice text);

/* The arena refused a piece because of its maximum. */
bool arena_is_full(const struct arena *arena);
