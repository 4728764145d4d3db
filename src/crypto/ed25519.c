/* SPDX-License-Identifier: Apache-2.0 */
#include "crypto/ed25519.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <stdlib.h>

#include "base/cleanup.h"

struct ed25519_key {
    EVP_PKEY *pair;
    EVP_MD_CTX *next; /* ready for the next signature: its preparation happens off the clock */
};

/* Without this, the first use reads openssl.cnf, which could load foreign providers. */
static void library_start(void) {
    (void)OPENSSL_init_crypto(OPENSSL_INIT_NO_LOAD_CONFIG, nullptr);
}

static void context_freep(EVP_MD_CTX **context) {
    EVP_MD_CTX_free(*context);
}

static void pair_freep(EVP_PKEY **pair) {
    EVP_PKEY_free(*pair);
}

static bool key_prepare(struct ed25519_key *key) {
    EVP_MD_CTX_free(key->next);
    key->next = EVP_MD_CTX_new();
    return key->next != nullptr &&
           EVP_DigestSignInit(key->next, nullptr, nullptr, nullptr, key->pair) == 1;
}

status_t ed25519_key_new(const uint8_t seed[static ED25519_SEED_BYTES],
                         struct ed25519_key **ret_key, struct error *err) {
    library_start();
    CLEANUP(ed25519_key_freep) struct ed25519_key *key = calloc(1, sizeof *key);
    if (key == nullptr) {
        return error_set(err, ERROR_NO_MEMORY, 0, "cannot hold a key");
    }
    key->pair = EVP_PKEY_new_raw_private_key(EVP_PKEY_ED25519, nullptr, seed, ED25519_SEED_BYTES);
    if (key->pair == nullptr || !key_prepare(key)) {
        return error_set(err, ERROR_KEYS_FAILED, 0, "libcrypto cannot use the Ed25519 key");
    }
    *ret_key = TAKE(key);
    return STATUS_OK;
}

void ed25519_key_free(struct ed25519_key *key) {
    if (key != nullptr) {
        EVP_MD_CTX_free(key->next);
        EVP_PKEY_free(key->pair);
        free(key);
    }
}

void ed25519_key_freep(struct ed25519_key **key) {
    ed25519_key_free(*key);
    *key = nullptr;
}

status_t ed25519_key_public(const struct ed25519_key *key,
                            uint8_t ret_public[static ED25519_PUBLIC_BYTES], struct error *err) {
    size_t size = ED25519_PUBLIC_BYTES;
    if (EVP_PKEY_get_raw_public_key(key->pair, ret_public, &size) != 1 ||
        size != ED25519_PUBLIC_BYTES) {
        return error_set(err, ERROR_KEYS_FAILED, 0, "libcrypto cannot tell the public key");
    }
    return STATUS_OK;
}

status_t ed25519_sign(struct ed25519_key *key, struct slice message,
                      uint8_t ret_signature[static ED25519_SIGNATURE_BYTES], struct error *err) {
    size_t size = ED25519_SIGNATURE_BYTES;
    bool signed_now =
        EVP_DigestSign(key->next, ret_signature, &size, message.data, message.size) == 1 &&
        size == ED25519_SIGNATURE_BYTES;
    if (!signed_now || !key_prepare(key)) {
        return error_set(err, ERROR_KEYS_FAILED, 0, "libcrypto cannot sign");
    }
    return STATUS_OK;
}

bool ed25519_verify(const uint8_t public_key[static ED25519_PUBLIC_BYTES], struct slice message,
                    const uint8_t signature[static ED25519_SIGNATURE_BYTES]) {
    library_start();
    CLEANUP(pair_freep)
    EVP_PKEY *pair =
        EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, nullptr, public_key, ED25519_PUBLIC_BYTES);
    CLEANUP(context_freep) EVP_MD_CTX *context = EVP_MD_CTX_new();
    return pair != nullptr && context != nullptr &&
           EVP_DigestVerifyInit(context, nullptr, nullptr, nullptr, pair) == 1 &&
           EVP_DigestVerify(context, signature, ED25519_SIGNATURE_BYTES, message.data,
                            message.size) == 1;
}
