/* SPDX-License-Identifier: Apache-2.0
 *
 * Ed25519 (RFC 8032) by libsodium: libcrypto's start takes longer than a hundred signatures, and a
 * process that signs one checkpoint would pay for it every time (docs/adr/0005-libsodium.md).
 */
#pragma once

#include "base/bytes.h"
#include "base/error.h"

enum {
    ED25519_SEED_BYTES = 32,
    ED25519_PUBLIC_BYTES = 32,
    ED25519_SIGNATURE_BYTES = 64,
};

struct ed25519_key; /* a private key, ready to sign */

status_t ed25519_key_new(const uint8_t seed[static ED25519_SEED_BYTES],
                         struct ed25519_key **ret_key, struct error *err);
void ed25519_key_free(struct ed25519_key *key); /* nullptr is fine */
void ed25519_key_freep(struct ed25519_key **key);
void ed25519_key_public(const struct ed25519_key *key,
                        uint8_t ret_public[static ED25519_PUBLIC_BYTES]);
void ed25519_sign(const struct ed25519_key *key, struct slice message,
                  uint8_t ret_signature[static ED25519_SIGNATURE_BYTES]);

/* false for a wrong signature, one that is not in its one canonical form, and a public key that is
 * none or of small order. */
bool ed25519_verify(const uint8_t public_key[static ED25519_PUBLIC_BYTES], struct slice message,
                    const uint8_t signature[static ED25519_SIGNATURE_BYTES]);
