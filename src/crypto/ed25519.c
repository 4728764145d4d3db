/* SPDX-License-Identifier: Apache-2.0 */
#include "crypto/ed25519.h"

#include <sodium/core.h>
#include <sodium/crypto_sign_ed25519.h>
#include <stdlib.h>
#include <string.h>

#include "base/assert.h"
#include "base/cleanup.h"

static_assert(crypto_sign_ed25519_SEEDBYTES == ED25519_SEED_BYTES);
static_assert(crypto_sign_ed25519_PUBLICKEYBYTES == ED25519_PUBLIC_BYTES);
static_assert(crypto_sign_ed25519_BYTES == ED25519_SIGNATURE_BYTES);

struct ed25519_key {
    uint8_t public_key[crypto_sign_ed25519_PUBLICKEYBYTES];
    uint8_t secret_key[crypto_sign_ed25519_SECRETKEYBYTES];
};

status_t ed25519_key_new(const uint8_t seed[static ED25519_SEED_BYTES],
                         struct ed25519_key **ret_key, struct error *err) {
    ASSERT(sodium_init() >= 0);
    CLEANUP(ed25519_key_freep) struct ed25519_key *key = calloc(1, sizeof *key);
    if (key == nullptr) {
        return error_set(err, ERROR_NO_MEMORY, 0, "cannot hold a key");
    }
    if (crypto_sign_ed25519_seed_keypair(key->public_key, key->secret_key, seed) != 0) {
        return error_set(err, ERROR_KEYS_FAILED, 0, "libsodium cannot use the Ed25519 key");
    }
    *ret_key = TAKE(key);
    return STATUS_OK;
}

void ed25519_key_free(struct ed25519_key *key) {
    if (key != nullptr) {
        explicit_bzero(key, sizeof *key);
        free(key);
    }
}

void ed25519_key_freep(struct ed25519_key **key) {
    ed25519_key_free(*key);
    *key = nullptr;
}

void ed25519_key_public(const struct ed25519_key *key,
                        uint8_t ret_public[static ED25519_PUBLIC_BYTES]) {
    memcpy(ret_public, key->public_key, ED25519_PUBLIC_BYTES);
}

void ed25519_sign(const struct ed25519_key *key, struct slice message,
                  uint8_t ret_signature[static ED25519_SIGNATURE_BYTES]) {
    unsigned long long size = 0;
    ASSERT(crypto_sign_ed25519_detached(ret_signature, &size, message.data, message.size,
                                        key->secret_key) == 0 &&
           size == ED25519_SIGNATURE_BYTES);
}

bool ed25519_verify(const uint8_t public_key[static ED25519_PUBLIC_BYTES], struct slice message,
                    const uint8_t signature[static ED25519_SIGNATURE_BYTES]) {
    ASSERT(sodium_init() >= 0);
    return crypto_sign_ed25519_verify_detached(signature, message.data, message.size, public_key) ==
           0;
}
