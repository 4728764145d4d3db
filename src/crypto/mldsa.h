/* SPDX-License-Identifier: Apache-2.0
 *
 * ML-DSA-44 (FIPS 204), pure, with an empty context, by libcrypto's EVP. The first call starts
 * libcrypto's providers, which costs millions of instructions, so nothing calls it that has no
 * ML-DSA key to use (docs/adr/0005-libsodium.md).
 */
#pragma once

#include "base/bytes.h"
#include "base/error.h"

enum {
    MLDSA44_SEED_BYTES = 32, /* xi of FIPS 204, from which everything else is made */
    MLDSA44_PUBLIC_BYTES = 1312,
    MLDSA44_SIGNATURE_BYTES = 2420,
};

struct mldsa44_key; /* a private key, ready to sign */

status_t mldsa44_key_new(const uint8_t seed[static MLDSA44_SEED_BYTES],
                         struct mldsa44_key **ret_key, struct error *err);
void mldsa44_key_free(struct mldsa44_key *key); /* nullptr is fine */
void mldsa44_key_freep(struct mldsa44_key **key);
void mldsa44_key_public(const struct mldsa44_key *key,
                        uint8_t ret_public[static MLDSA44_PUBLIC_BYTES]);
/* Hedged: two signatures of one message differ. ERROR_KEYS_FAILED when libcrypto cannot sign. */
status_t mldsa44_sign(const struct mldsa44_key *key, struct slice message,
                      uint8_t ret_signature[static MLDSA44_SIGNATURE_BYTES], struct error *err);

/* false for a wrong signature, and when libcrypto cannot tell. */
bool mldsa44_verify(const uint8_t public_key[static MLDSA44_PUBLIC_BYTES], struct slice message,
                    const uint8_t signature[static MLDSA44_SIGNATURE_BYTES]);
