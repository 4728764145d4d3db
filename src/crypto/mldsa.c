/* SPDX-License-Identifier: Apache-2.0 */
#include "crypto/mldsa.h"

#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/params.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "crypto/libcrypto.h"

static const char NAME[] = "ML-DSA-44";

struct mldsa44_key {
    uint8_t public_key[MLDSA44_PUBLIC_BYTES];
    EVP_PKEY *pair;
};

/* A key from its seed (selection KEYPAIR) or its public half; nullptr when it is none. */
static EVP_PKEY *key_make(const char *part, int selection, const uint8_t *bytes, size_t size) {
    libcrypto_start();
    uint8_t *data = (uint8_t *)(uintptr_t)bytes; /* OSSL_PARAM is not const; it is only read */
    OSSL_PARAM params[] = {OSSL_PARAM_construct_octet_string(part, data, size),
                           OSSL_PARAM_construct_end()};
    EVP_PKEY *key = nullptr;
    EVP_PKEY_CTX *context = EVP_PKEY_CTX_new_from_name(nullptr, NAME, nullptr);
    if (context == nullptr || EVP_PKEY_fromdata_init(context) != 1 ||
        EVP_PKEY_fromdata(context, &key, selection, params) != 1) {
        key = nullptr;
    }
    EVP_PKEY_CTX_free(context);
    return key;
}

status_t mldsa44_key_new(const uint8_t seed[static MLDSA44_SEED_BYTES],
                         struct mldsa44_key **ret_key, struct error *err) {
    CLEANUP(mldsa44_key_freep) struct mldsa44_key *key = calloc(1, sizeof *key);
    if (key == nullptr) {
        return error_set(err, ERROR_NO_MEMORY, 0, "cannot hold a key");
    }
    size_t size = 0;
    key->pair = key_make(OSSL_PKEY_PARAM_ML_DSA_SEED, EVP_PKEY_KEYPAIR, seed, MLDSA44_SEED_BYTES);
    if (key->pair == nullptr ||
        EVP_PKEY_get_octet_string_param(key->pair, OSSL_PKEY_PARAM_PUB_KEY, key->public_key,
                                        sizeof key->public_key, &size) != 1 ||
        size != sizeof key->public_key) {
        return error_set(err, ERROR_KEYS_FAILED, 0, "libcrypto cannot use the %s key", NAME);
    }
    *ret_key = TAKE(key);
    return STATUS_OK;
}

void mldsa44_key_free(struct mldsa44_key *key) {
    if (key != nullptr) {
        EVP_PKEY_free(key->pair); /* wipes what is private */
        free(key);
    }
}

void mldsa44_key_freep(struct mldsa44_key **key) {
    mldsa44_key_free(*key);
    *key = nullptr;
}

void mldsa44_key_public(const struct mldsa44_key *key,
                        uint8_t ret_public[static MLDSA44_PUBLIC_BYTES]) {
    memcpy(ret_public, key->public_key, MLDSA44_PUBLIC_BYTES);
}

status_t mldsa44_sign(const struct mldsa44_key *key, struct slice message,
                      uint8_t ret_signature[static MLDSA44_SIGNATURE_BYTES], struct error *err) {
    size_t size = MLDSA44_SIGNATURE_BYTES;
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    bool is_signed =
        context != nullptr &&
        EVP_DigestSignInit_ex(context, nullptr, nullptr, nullptr, nullptr, key->pair, nullptr) ==
            1 &&
        EVP_DigestSign(context, ret_signature, &size, message.data, message.size) == 1 &&
        size == MLDSA44_SIGNATURE_BYTES;
    EVP_MD_CTX_free(context);
    return is_signed ? STATUS_OK
                     : error_set(err, ERROR_KEYS_FAILED, 0, "libcrypto cannot sign by %s", NAME);
}

bool mldsa44_verify(const uint8_t public_key[static MLDSA44_PUBLIC_BYTES], struct slice message,
                    const uint8_t signature[static MLDSA44_SIGNATURE_BYTES]) {
    EVP_PKEY *key =
        key_make(OSSL_PKEY_PARAM_PUB_KEY, EVP_PKEY_PUBLIC_KEY, public_key, MLDSA44_PUBLIC_BYTES);
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    bool fits =
        key != nullptr && context != nullptr &&
        EVP_DigestVerifyInit_ex(context, nullptr, nullptr, nullptr, nullptr, key, nullptr) == 1 &&
        EVP_DigestVerify(context, signature, MLDSA44_SIGNATURE_BYTES, message.data, message.size) ==
            1;
    EVP_MD_CTX_free(context);
    EVP_PKEY_free(key);
    return fits;
}
