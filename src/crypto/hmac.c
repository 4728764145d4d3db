/* SPDX-License-Identifier: Apache-2.0 */
#include "crypto/hmac.h"

#include <string.h>

enum { BLOCK_BYTES = 64, INNER_PAD = 0x36, OUTER_PAD = 0x5c };

static void init_padded(struct sha256 *hash, const uint8_t block[static BLOCK_BYTES], uint8_t pad) {
    uint8_t padded[BLOCK_BYTES];
    for (size_t i = 0; i < BLOCK_BYTES; i++) {
        padded[i] = block[i] ^ pad;
    }
    sha256_init(hash);
    sha256_update(hash, slice_of(padded, BLOCK_BYTES));
    explicit_bzero(padded, sizeof padded);
}

void hmac_key_init(struct hmac_key *key, struct slice bytes) {
    uint8_t block[BLOCK_BYTES] = {0};
    if (bytes.size > BLOCK_BYTES) {
        struct digest digest;
        sha256_of(bytes, &digest);
        memcpy(block, digest.bytes, DIGEST_BYTES);
        explicit_bzero(&digest, sizeof digest);
    } else if (bytes.size > 0) {
        memcpy(block, bytes.data, bytes.size);
    }
    init_padded(&key->inner, block, INNER_PAD);
    init_padded(&key->outer, block, OUTER_PAD);
    explicit_bzero(block, sizeof block);
}

void hmac_key_wipe(struct hmac_key *key) {
    explicit_bzero(key, sizeof *key);
}

void hmac_sha256(const struct hmac_key *key, struct slice message, struct digest *ret_tag) {
    struct sha256 hash = key->inner;
    struct digest inner;
    sha256_update(&hash, message);
    sha256_final(&hash, &inner);
    hash = key->outer;
    sha256_update(&hash, slice_of(inner.bytes, DIGEST_BYTES));
    sha256_final(&hash, ret_tag);
    explicit_bzero(&hash, sizeof hash);
    explicit_bzero(&inner, sizeof inner);
}

bool digest_equal_constant(const struct digest *a, const struct digest *b) {
    uint8_t difference = 0;
    for (size_t i = 0; i < DIGEST_BYTES; i++) {
        difference |= a->bytes[i] ^ b->bytes[i];
    }
    /* The compiler must not see that one differing bit settles it. */
    __asm__ volatile("" : "+r"(difference));
    return difference == 0;
}
