/* SPDX-License-Identifier: Apache-2.0 */
#include "crypto/x25519.h"

#include <openssl/err.h>
#include <openssl/evp.h>
#include <string.h>

#include "crypto/libcrypto.h"

static status_t failed(struct error *err) {
    ERR_clear_error();
    return error_set(err, ERROR_KEYS_FAILED, 0, "libcrypto cannot use an X25519 key");
}

status_t x25519_public(const uint8_t private_key[static X25519_BYTES],
                       uint8_t ret_public[static X25519_BYTES], struct error *err) {
    libcrypto_start();
    size_t size = X25519_BYTES;
    EVP_PKEY *key =
        EVP_PKEY_new_raw_private_key(EVP_PKEY_X25519, nullptr, private_key, X25519_BYTES);
    bool done = key != nullptr && EVP_PKEY_get_raw_public_key(key, ret_public, &size) == 1 &&
                size == X25519_BYTES;
    EVP_PKEY_free(key); /* wipes what is private */
    return done ? STATUS_OK : failed(err);
}

/* In a time that does not depend on the bytes. */
static bool is_zero(const uint8_t bytes[static X25519_BYTES]) {
    uint8_t all = 0;
    for (size_t i = 0; i < X25519_BYTES; i++) {
        all |= bytes[i];
    }
    return all == 0;
}

/* libcrypto refuses an all-zero result of its own accord, with an error like any other; the caller
 * tells it by what is left in `shared`. False when it came to no multiplication. */
static bool multiply(EVP_PKEY *key, EVP_PKEY *peer, uint8_t shared[static X25519_BYTES]) {
    size_t size = X25519_BYTES;
    EVP_PKEY_CTX *context = EVP_PKEY_CTX_new_from_pkey(nullptr, key, nullptr);
    bool is_set = context != nullptr && EVP_PKEY_derive_init(context) == 1 &&
                  EVP_PKEY_derive_set_peer_ex(context, peer, 0) == 1;
    explicit_bzero(shared, X25519_BYTES);
    if (is_set && (EVP_PKEY_derive(context, shared, &size) != 1 || size != X25519_BYTES)) {
        explicit_bzero(shared, X25519_BYTES);
    }
    EVP_PKEY_CTX_free(context);
    return is_set;
}

status_t x25519_derive(const uint8_t private_key[static X25519_BYTES],
                       const uint8_t public_key[static X25519_BYTES],
                       uint8_t ret_secret[static X25519_BYTES], struct error *err) {
    libcrypto_start();
    EVP_PKEY *key =
        EVP_PKEY_new_raw_private_key(EVP_PKEY_X25519, nullptr, private_key, X25519_BYTES);
    EVP_PKEY *peer =
        EVP_PKEY_new_raw_public_key(EVP_PKEY_X25519, nullptr, public_key, X25519_BYTES);
    bool done = key != nullptr && peer != nullptr && multiply(key, peer, ret_secret);
    EVP_PKEY_free(peer);
    EVP_PKEY_free(key);
    if (!done) {
        return failed(err);
    }
    if (is_zero(ret_secret)) {
        ERR_clear_error();
        return error_set(err, ERROR_KEY_EXCHANGE, 0, "an X25519 public key has small order");
    }
    return STATUS_OK;
}
