/* SPDX-License-Identifier: Apache-2.0
 *
 * OpenSSL calls the SHA256_* functions deprecated in favour of EVP. They are the same code without
 * the provider machinery, whose first use costs more than everything else a command does.
 */
#define OPENSSL_SUPPRESS_DEPRECATED
#include "crypto/hash.h"

#include <openssl/sha.h>
#include <string.h>

#include "base/assert.h"

static_assert(sizeof(SHA256_CTX) <= sizeof((struct sha256){0}.state));
static_assert(alignof(SHA256_CTX) <= alignof(struct sha256));
static_assert(SHA256_DIGEST_LENGTH == DIGEST_BYTES);

static SHA256_CTX *context_of(struct sha256 *hash) {
    return (SHA256_CTX *)(void *)hash->state;
}

void sha256_init(struct sha256 *hash) {
    ASSERT(SHA256_Init(context_of(hash)) == 1);
}

void sha256_update(struct sha256 *hash, struct slice bytes) {
    ASSERT(bytes.size == 0 || SHA256_Update(context_of(hash), bytes.data, bytes.size) == 1);
}

void sha256_final(struct sha256 *hash, struct digest *ret_digest) {
    ASSERT(SHA256_Final(ret_digest->bytes, context_of(hash)) == 1);
}

void sha256_of(struct slice bytes, struct digest *ret_digest) {
    struct sha256 hash;
    sha256_init(&hash);
    sha256_update(&hash, bytes);
    sha256_final(&hash, ret_digest);
}

bool digest_equal(const struct digest *a, const struct digest *b) {
    return memcmp(a->bytes, b->bytes, DIGEST_BYTES) == 0;
}
