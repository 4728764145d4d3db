/* SPDX-License-Identifier: Apache-2.0
 *
 * What the proofs share. A proof is a program that CBMC runs with every input at once, up to the
 * bounds it states; tools/proof runs them all. CBMC itself checks every access, overflow and shift
 * on the way; prove() states what must hold besides.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"

#define prove(condition) __CPROVER_assert((condition), #condition)
#define suppose(condition) __CPROVER_assume(condition)

/* Any value at all. */
bool nondet_bool(void);
uint8_t nondet_u8(void);
uint32_t nondet_u32(void);
uint64_t nondet_u64(void);
size_t nondet_size(void);

/* A block of exactly `size` bytes of any content, so that CBMC sees the first byte past it. */
static inline uint8_t *any_block(size_t size) {
    uint8_t *block = malloc(size);
    suppose(block != nullptr);
    return block;
}

/* Any bytes, at most `size_max` of them. */
static inline struct slice any_bytes(size_t size_max) {
    size_t size = nondet_size();
    suppose(size <= size_max);
    return (struct slice){any_block(size), size};
}
