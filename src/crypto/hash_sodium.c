/* SPDX-License-Identifier: Apache-2.0
 *
 * The same as hash.c by libsodium, for the program that holds the log key: it hashes a proof of
 * some sixty values and has no use for a larger library.
 */
#include <sodium/crypto_hash_sha256.h>
#include <string.h>

#include "base/assert.h"
#include "crypto/hash.h"

static_assert(sizeof(crypto_hash_sha256_state) <= sizeof((struct sha256){0}.state));
static_assert(alignof(crypto_hash_sha256_state) <= alignof(struct sha256));
static_assert(crypto_hash_sha256_BYTES == DIGEST_BYTES);

static crypto_hash_sha256_state *context_of(struct sha256 *hash) {
    return (crypto_hash_sha256_state *)(void *)hash->state;
}

void sha256_init(struct sha256 *hash) {
    ASSERT(crypto_hash_sha256_init(context_of(hash)) == 0);
}

void sha256_update(struct sha256 *hash, struct slice bytes) {
    ASSERT(crypto_hash_sha256_update(context_of(hash), bytes.data, bytes.size) == 0);
}

void sha256_final(struct sha256 *hash, struct digest *ret_digest) {
    ASSERT(crypto_hash_sha256_final(context_of(hash), ret_digest->bytes) == 0);
}

void sha256_of(struct slice bytes, struct digest *ret_digest) {
    ASSERT(crypto_hash_sha256(ret_digest->bytes, bytes.data, bytes.size) == 0);
}

bool digest_equal(const struct digest *a, const struct digest *b) {
    return memcmp(a->bytes, b->bytes, DIGEST_BYTES) == 0;
}
