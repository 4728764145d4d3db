/* SPDX-License-Identifier: Apache-2.0
 *
 * Bits of 64-bit numbers: what C23's <stdbit.h> has, which musl has not.
 */
#pragma once

#include <stdint.h>

static inline unsigned bits_count(uint64_t value) {
    return (unsigned)__builtin_popcountll(value);
}

/* How many digits it has; 0 has none. */
static inline unsigned bits_width(uint64_t value) {
    return value == 0 ? 0 : 64 - (unsigned)__builtin_clzll(value);
}

static inline unsigned bits_trailing_ones(uint64_t value) {
    return value == UINT64_MAX ? 64 : (unsigned)__builtin_ctzll(~value);
}

/* The largest power of two that is not larger; 0 for 0. */
static inline uint64_t bits_floor(uint64_t value) {
    return value == 0 ? 0 : UINT64_C(1) << (bits_width(value) - 1);
}

static inline bool bits_has_one(uint64_t value) {
    return bits_count(value) == 1;
}
