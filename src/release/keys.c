/* SPDX-License-Identifier: Apache-2.0 */
#include "release/keys.h"

#include <limits.h>
#include <openssl/bio.h>
#include <openssl/crypto.h>
#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <stdlib.h>
#include <string.h>

#include "base/assert.h"
#include "base/cleanup.h"
#include "crypto/algorithms.h"
#include "crypto/hash.h"

struct release_key {
    EVP_PKEY *key;
    char id[RELEASE_KEY_ID_BYTES];
};

static const struct {
    enum algorithm algorithm;
    const char *key_name;  /* as EVP_PKEY_is_a() has it */
    const char *group;     /* of elliptic curves */
    size_t signature_size; /* 0: not fixed */
    bool has_digest;
} KINDS[] = {
    [RELEASE_KIND_ED25519] = {ALGORITHM_ED25519, "ED25519", nullptr, 64, false},
    [RELEASE_KIND_MLDSA65] = {ALGORITHM_MLDSA65, "ML-DSA-65", nullptr, 3309, false},
    [RELEASE_KIND_ECDSA] = {ALGORITHM_ECDSA_P256, "EC", SN_X9_62_prime256v1, 0, true},
};
static_assert(sizeof KINDS / sizeof KINDS[0] == RELEASE_KIND_COUNT);

const char *release_kind_name(enum release_kind kind) {
    ASSERT(kind < RELEASE_KIND_COUNT);
    return algorithm_name(KINDS[kind].algorithm);
}

static bool is_of_kind(const EVP_PKEY *key, enum release_kind kind) {
    char group[32];
    size_t size = 0;
    if (EVP_PKEY_is_a(key, KINDS[kind].key_name) != 1) {
        return false;
    }
    return KINDS[kind].group == nullptr ||
           (EVP_PKEY_get_group_name(key, group, sizeof group, &size) == 1 &&
            strcmp(group, KINDS[kind].group) == 0);
}

static bool key_identify(struct release_key *key) {
    static const char DIGITS[] = "0123456789abcdef";
    struct digest digest;
    unsigned char *der = nullptr;
    int size = i2d_PUBKEY(key->key, &der);
    if (size <= 0) {
        return false;
    }
    sha256_of(slice_of(der, (size_t)size), &digest);
    OPENSSL_free(der);
    for (size_t i = 0; i < DIGEST_BYTES; i++) {
        key->id[2 * i] = DIGITS[digest.bytes[i] >> 4];
        key->id[2 * i + 1] = DIGITS[digest.bytes[i] & 15];
    }
    key->id[2 * DIGEST_BYTES] = '\0';
    return true;
}

static status_t refuse(const char *what, const char *why, struct error *err) {
    (void)error_set(err, ERROR_RELEASE_KEY, 0, "%s is no file of release keys", what);
    error_detail(err, "%s", why);
    return (status_t){ERROR_RELEASE_KEY};
}

/* Takes the key over. nullptr, or what is wrong. */
static const char *keep(EVP_PKEY *consumed, struct release_keys *keys) {
    for (uint8_t kind = 0; kind < RELEASE_KIND_COUNT; kind++) {
        if (!is_of_kind(consumed, (enum release_kind)kind)) {
            continue;
        }
        struct release_key *key = keys->keys[kind] == nullptr ? calloc(1, sizeof *key) : nullptr;
        if (key == nullptr) {
            break;
        }
        key->key = consumed;
        keys->keys[kind] = key;
        return key_identify(key) ? nullptr : "libcrypto cannot write a key that it read";
    }
    EVP_PKEY_free(consumed);
    return "it holds a second key of a kind, or one that is not Ed25519, ML-DSA-65 or ECDSA P-256";
}

static const char *read_keys(BIO *text, struct release_keys *keys) {
    for (;;) {
        char *name = nullptr;
        char *header = nullptr;
        unsigned char *data = nullptr;
        long size = 0;
        if (PEM_read_bio(text, &name, &header, &data, &size) != 1) {
            bool is_end = ERR_GET_REASON(ERR_peek_last_error()) == PEM_R_NO_START_LINE;
            ERR_clear_error();
            return is_end ? nullptr : "a block of PEM is broken";
        }
        const unsigned char *at = data;
        bool is_public = strcmp(name, PEM_STRING_PUBLIC) == 0;
        EVP_PKEY *key = is_public ? d2i_PUBKEY(nullptr, &at, size) : nullptr;
        bool is_whole = key != nullptr && at == data + size;
        OPENSSL_free(name);
        OPENSSL_free(header);
        OPENSSL_clear_free(data, (size_t)size); /* it may have been a private key */
        ERR_clear_error();
        if (!is_whole) {
            EVP_PKEY_free(key);
            return is_public ? "a public key cannot be read" : "it holds what is no public key";
        }
        const char *fault = keep(key, keys);
        if (fault != nullptr) {
            return fault;
        }
    }
}

status_t release_keys_parse(struct slice text, const char *what, struct release_keys *ret_keys,
                            struct error *err) {
    *ret_keys = (struct release_keys){};
    ASSERT(OPENSSL_init_crypto(OPENSSL_INIT_NO_LOAD_CONFIG | OPENSSL_INIT_NO_ATEXIT, nullptr) == 1);
    ASSERT(text.size <= INT_MAX);
    BIO *bytes = BIO_new_mem_buf(text.size > 0 ? (const void *)text.data : "", (int)text.size);
    const char *fault =
        bytes != nullptr ? read_keys(bytes, ret_keys) : "libcrypto cannot read it from memory";
    BIO_free(bytes);
    if (fault == nullptr && ret_keys->keys[RELEASE_KIND_ED25519] == nullptr) {
        fault = "it holds no Ed25519 key";
    }
    if (fault == nullptr && ret_keys->keys[RELEASE_KIND_MLDSA65] == nullptr) {
        fault = "it holds no ML-DSA-65 key";
    }
    if (fault == nullptr) {
        return STATUS_OK;
    }
    release_keys_deinit(ret_keys);
    return refuse(what, fault, err);
}

void release_keys_deinit(struct release_keys *keys) {
    for (size_t i = 0; i < RELEASE_KIND_COUNT; i++) {
        if (keys->keys[i] != nullptr) {
            EVP_PKEY_free(keys->keys[i]->key);
            free(keys->keys[i]);
        }
    }
    *keys = (struct release_keys){};
}

const char *release_key_id(const struct release_keys *keys, enum release_kind kind) {
    ASSERT(kind < RELEASE_KIND_COUNT);
    return keys->keys[kind] != nullptr ? keys->keys[kind]->id : nullptr;
}

bool release_key_verify(const struct release_keys *keys, enum release_kind kind,
                        struct slice message, struct slice signature) {
    ASSERT(kind < RELEASE_KIND_COUNT);
    const struct release_key *key = keys->keys[kind];
    size_t fixed = KINDS[kind].signature_size;
    if (key == nullptr || (fixed != 0 && signature.size != fixed)) {
        return false;
    }
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    bool fits =
        context != nullptr &&
        EVP_DigestVerifyInit_ex(context, nullptr,
                                KINDS[kind].has_digest ? algorithm_name(ALGORITHM_SHA256) : nullptr,
                                nullptr, nullptr, key->key, nullptr) == 1 &&
        EVP_DigestVerify(context, signature.data, signature.size, message.data, message.size) == 1;
    EVP_MD_CTX_free(context);
    ERR_clear_error();
    return fits;
}
