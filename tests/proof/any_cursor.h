/* SPDX-License-Identifier: Apache-2.0
 *
 * Cursors and slices for proofs about parsers: where they are is as in src/base/bytes.c, which has
 * a proof of its own; what the bytes say is anything, each time they are read. So a parser is
 * proved for every content, and the prover pays for lengths alone.
 */
#pragma once

#include "proof.h"

/* What is copied is anything too: that there is room for it, and that it can be read, is what
 * counts. */
static inline void *copy_checked(void *to, const void *from, size_t size) {
    if (size > 0) {
        prove(__CPROVER_w_ok(to, size));
        prove(__CPROVER_r_ok(from, size));
    }
    return to;
}

static inline int compare_checked(const void *a, const void *b, size_t size) {
    if (size > 0) {
        prove(__CPROVER_r_ok(a, size));
        prove(__CPROVER_r_ok(b, size));
    }
    return (int)nondet_u8();
}

#define memcpy copy_checked
#define memcmp compare_checked

struct slice slice_of(const void *data, size_t size) {
    return (struct slice){data, size};
}

bool slice_equal(struct slice a, struct slice b) {
    return a.size == b.size && nondet_bool();
}

bool slice_starts_with(struct slice whole, struct slice prefix) {
    return whole.size >= prefix.size && nondet_bool();
}

struct cursor cursor_of(struct slice bytes) {
    return (struct cursor){.data = bytes.data, .size = bytes.size};
}

bool cursor_is_ok(const struct cursor *cursor) {
    return !cursor->failed;
}

bool cursor_is_finished(const struct cursor *cursor) {
    return !cursor->failed && cursor->offset == cursor->size;
}

size_t cursor_remaining(const struct cursor *cursor) {
    prove(cursor->offset <= cursor->size);
    return cursor->size - cursor->offset;
}

struct slice cursor_bytes(struct cursor *cursor, size_t size) {
    if (cursor->failed || size > cursor_remaining(cursor)) {
        cursor->failed = true;
        cursor->offset = cursor->size;
        return slice_of(nullptr, 0);
    }
    struct slice bytes = {cursor->data + cursor->offset, size};
    cursor->offset += size;
    return bytes;
}

uint8_t cursor_u8(struct cursor *cursor) {
    return cursor_bytes(cursor, 1).size == 1 ? nondet_u8() : 0;
}

uint16_t cursor_u16_be(struct cursor *cursor) {
    return cursor_bytes(cursor, 2).size == 2 ? (uint16_t)nondet_u32() : 0;
}

struct slice cursor_until(struct cursor *cursor, uint8_t end) {
    size_t size = nondet_size();
    (void)end;
    if (cursor->failed || size >= cursor_remaining(cursor)) {
        return cursor_bytes(cursor, SIZE_MAX);
    }
    struct slice bytes = cursor_bytes(cursor, size);
    (void)cursor_bytes(cursor, 1);
    return bytes;
}
