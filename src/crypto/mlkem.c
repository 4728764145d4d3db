/* SPDX-License-Identifier: Apache-2.0 */
#include "crypto/mlkem.h"

#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/params.h>
#include <string.h>

#include "base/assert.h"
#include "crypto/hmac.h"
#include "crypto/libcrypto.h"
#include "crypto/sha3.h"

enum {
    MODULUS = 3329,
    MATRIX_SEED_BYTES = 32, /* rho, at the end of a public key */
    HASH_BYTES = 32,        /* H(ek), and after it z, at the end of a decapsulation key */
};

static const struct mlkem_sizes sizes_of_sets[MLKEM_SET_COUNT] = {
    [MLKEM_768] = {"ML-KEM-768", MLKEM_768_PUBLIC_BYTES, MLKEM_768_PRIVATE_BYTES,
                   MLKEM_768_CIPHERTEXT_BYTES},
    [MLKEM_1024] = {"ML-KEM-1024", MLKEM_1024_PUBLIC_BYTES, MLKEM_1024_PRIVATE_BYTES,
                    MLKEM_1024_CIPHERTEXT_BYTES},
};

const struct mlkem_sizes *mlkem_sizes(enum mlkem_set set) {
    ASSERT(set < MLKEM_SET_COUNT);
    return &sizes_of_sets[set];
}

static status_t refused(enum mlkem_set set, const char *what, struct error *err) {
    return error_set(err, ERROR_KEY_EXCHANGE, 0, "this is no %s of %s", what,
                     mlkem_sizes(set)->name);
}

static status_t failed(enum mlkem_set set, const char *what, struct error *err) {
    ERR_clear_error();
    return error_set(err, ERROR_KEYS_FAILED, 0, "libcrypto cannot %s by %s", what,
                     mlkem_sizes(set)->name);
}

status_t mlkem_check_public(enum mlkem_set set, struct slice public_key, struct error *err) {
    if (public_key.size != mlkem_sizes(set)->public_bytes) {
        return refused(set, "public key (its length)", err);
    }
    for (size_t i = 0; i < public_key.size - MATRIX_SEED_BYTES; i += 3) { /* two of 12 bits each */
        const uint8_t *bytes = public_key.data + i;
        unsigned low = bytes[0] | (bytes[1] & 0x0fU) << 8;
        unsigned high = (unsigned)bytes[1] >> 4 | (unsigned)bytes[2] << 4;
        if (low >= MODULUS || high >= MODULUS) {
            return refused(set, "public key (a coefficient past the modulus)", err);
        }
    }
    return STATUS_OK;
}

status_t mlkem_check_private(enum mlkem_set set, struct slice private_key, struct error *err) {
    const struct mlkem_sizes *sizes = mlkem_sizes(set);
    if (private_key.size == MLKEM_SEED_BYTES) {
        return STATUS_OK;
    }
    if (private_key.size != sizes->private_bytes) {
        return refused(set, "private key (its length)", err);
    }
    size_t hash_at = private_key.size - 2 * HASH_BYTES;
    struct slice inside =
        slice_of(private_key.data + hash_at - sizes->public_bytes, sizes->public_bytes);
    struct digest is;
    struct digest said;
    TRY(sha3_256_of(inside, &is, err));
    memcpy(said.bytes, private_key.data + hash_at, HASH_BYTES);
    if (!digest_equal_constant(&is, &said)) {
        return refused(set, "private key (the hash in it)", err);
    }
    return mlkem_check_public(set, inside, err);
}

/* nullptr when libcrypto cannot. */
static EVP_PKEY *key_make(enum mlkem_set set, const char *part, int selection, struct slice bytes) {
    libcrypto_start();
    uint8_t *data = (uint8_t *)(uintptr_t)bytes.data; /* OSSL_PARAM is not const; only read */
    OSSL_PARAM params[] = {OSSL_PARAM_construct_octet_string(part, data, bytes.size),
                           OSSL_PARAM_construct_end()};
    EVP_PKEY *key = nullptr;
    EVP_PKEY_CTX *context = EVP_PKEY_CTX_new_from_name(nullptr, mlkem_sizes(set)->name, nullptr);
    if (context == nullptr || EVP_PKEY_fromdata_init(context) != 1 ||
        EVP_PKEY_fromdata(context, &key, selection, params) != 1) {
        key = nullptr;
    }
    EVP_PKEY_CTX_free(context);
    return key;
}

static EVP_PKEY *private_make(enum mlkem_set set, struct slice bytes) {
    bool is_seed = bytes.size == MLKEM_SEED_BYTES;
    return key_make(set, is_seed ? OSSL_PKEY_PARAM_ML_KEM_SEED : OSSL_PKEY_PARAM_PRIV_KEY,
                    EVP_PKEY_KEYPAIR, bytes);
}

status_t mlkem_public(enum mlkem_set set, struct slice private_key, uint8_t *ret_public,
                      struct error *err) {
    TRY(mlkem_check_private(set, private_key, err));
    uint8_t bytes[MLKEM_PUBLIC_BYTES_MAX];
    size_t size = 0;
    EVP_PKEY *key = private_make(set, private_key);
    bool done = key != nullptr &&
                EVP_PKEY_get_octet_string_param(key, OSSL_PKEY_PARAM_PUB_KEY, bytes, sizeof bytes,
                                                &size) == 1 &&
                size == mlkem_sizes(set)->public_bytes;
    EVP_PKEY_free(key); /* wipes what is private */
    if (!done) {
        return failed(set, "make a key pair", err);
    }
    memcpy(ret_public, bytes, size);
    return STATUS_OK;
}

status_t mlkem_encapsulate(enum mlkem_set set, struct slice public_key,
                           const uint8_t random[static MLKEM_RANDOM_BYTES], uint8_t *ret_ciphertext,
                           uint8_t ret_secret[static MLKEM_SECRET_BYTES], struct error *err) {
    TRY(mlkem_check_public(set, public_key, err));
    uint8_t ciphertext[MLKEM_CIPHERTEXT_BYTES_MAX];
    size_t ciphertext_size = sizeof ciphertext;
    size_t secret_size = MLKEM_SECRET_BYTES;
    uint8_t *data = (uint8_t *)(uintptr_t)random; /* OSSL_PARAM is not const; it is only read */
    OSSL_PARAM params[] = {
        OSSL_PARAM_construct_octet_string(OSSL_KEM_PARAM_IKME, data, MLKEM_RANDOM_BYTES),
        OSSL_PARAM_construct_end()};
    EVP_PKEY *key = key_make(set, OSSL_PKEY_PARAM_PUB_KEY, EVP_PKEY_PUBLIC_KEY, public_key);
    EVP_PKEY_CTX *context =
        key == nullptr ? nullptr : EVP_PKEY_CTX_new_from_pkey(nullptr, key, nullptr);
    bool done = context != nullptr && EVP_PKEY_encapsulate_init(context, params) == 1 &&
                EVP_PKEY_encapsulate(context, ciphertext, &ciphertext_size, ret_secret,
                                     &secret_size) == 1 &&
                ciphertext_size == mlkem_sizes(set)->ciphertext_bytes &&
                secret_size == MLKEM_SECRET_BYTES;
    EVP_PKEY_CTX_free(context);
    EVP_PKEY_free(key);
    if (!done) {
        explicit_bzero(ret_secret, MLKEM_SECRET_BYTES);
        return failed(set, "encapsulate", err);
    }
    memcpy(ret_ciphertext, ciphertext, ciphertext_size);
    return STATUS_OK;
}

status_t mlkem_decapsulate(enum mlkem_set set, struct slice private_key, struct slice ciphertext,
                           uint8_t ret_secret[static MLKEM_SECRET_BYTES], struct error *err) {
    TRY(mlkem_check_private(set, private_key, err));
    if (ciphertext.size != mlkem_sizes(set)->ciphertext_bytes) {
        return refused(set, "ciphertext (its length)", err);
    }
    size_t size = MLKEM_SECRET_BYTES;
    EVP_PKEY *key = private_make(set, private_key);
    EVP_PKEY_CTX *context =
        key == nullptr ? nullptr : EVP_PKEY_CTX_new_from_pkey(nullptr, key, nullptr);
    bool done =
        context != nullptr && EVP_PKEY_decapsulate_init(context, nullptr) == 1 &&
        EVP_PKEY_decapsulate(context, ret_secret, &size, ciphertext.data, ciphertext.size) == 1 &&
        size == MLKEM_SECRET_BYTES;
    EVP_PKEY_CTX_free(context);
    EVP_PKEY_free(key);
    if (!done) {
        explicit_bzero(ret_secret, MLKEM_SECRET_BYTES);
        return failed(set, "decapsulate", err);
    }
    return STATUS_OK;
}
