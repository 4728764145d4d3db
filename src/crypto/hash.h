/* SPDX-License-Identifier: Apache-2.0
 *
 * SHA-256 (FIPS 180-4). One-shot and incremental. Uses libcrypto's direct SHA256_* functions, not
 * EVP: the first EVP fetch initialises every provider, about a millisecond of each command.
 */
#pragma once

#include <stdint.h>

#include "base/bytes.h"

enum { DIGEST_BYTES = 32 };

struct digest {
    uint8_t bytes[DIGEST_BYTES];
};

struct sha256 {
    alignas(8) uint8_t state[128]; /* room for libcrypto's context; checked by a static_assert */
};

void sha256_init(struct sha256 *hash);
void sha256_update(struct sha256 *hash, struct slice bytes);
void sha256_final(struct sha256 *hash, struct digest *ret_digest);
void sha256_of(struct slice bytes, struct digest *ret_digest);
bool digest_equal(const struct digest *a, const struct digest *b);
