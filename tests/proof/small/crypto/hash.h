/* SPDX-License-Identifier: Apache-2.0
 *
 * Stands for src/crypto/hash.h in proofs about indices: hashes of one byte, because the arithmetic
 * does not know how long they are, and CBMC pays for every byte of 64 of them.
 */
#pragma once

#include <stdint.h>

#include "base/bytes.h"

enum { DIGEST_BYTES = 1 };

struct digest {
    uint8_t bytes[DIGEST_BYTES];
};

struct sha256 {
    uint8_t state[1];
};

void sha256_init(struct sha256 *hash);
void sha256_update(struct sha256 *hash, struct slice bytes);
void sha256_final(struct sha256 *hash, struct digest *ret_digest);
void sha256_of(struct slice bytes, struct digest *ret_digest);
bool digest_equal(const struct digest *a, const struct digest *b);
