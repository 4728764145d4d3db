/* SPDX-License-Identifier: Apache-2.0 */
#include "enclave/es256.h"

#include <openssl/bn.h>
#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/x509.h>
#include <string.h>

enum { HALF_BYTES = ES256_SIGNATURE_BYTES / 2, DER_BYTES_MAX = 80 };

bool es256_is_key(const EVP_PKEY *key) {
    char group[32] = "";
    size_t size = 0;
    return key != nullptr && EVP_PKEY_is_a(key, "EC") == 1 &&
           EVP_PKEY_get_group_name(key, group, sizeof group, &size) == 1 &&
           strcmp(group, "prime256v1") == 0;
}

/* libcrypto signs in DER; a JWT has the two numbers side by side. */
static bool halves_of_der(const uint8_t *der, size_t size, uint8_t *ret_signature) {
    ECDSA_SIG *parts = d2i_ECDSA_SIG(nullptr, &der, (long)size);
    bool is_good =
        parts != nullptr &&
        BN_bn2binpad(ECDSA_SIG_get0_r(parts), ret_signature, HALF_BYTES) == HALF_BYTES &&
        BN_bn2binpad(ECDSA_SIG_get0_s(parts), ret_signature + HALF_BYTES, HALF_BYTES) == HALF_BYTES;
    ECDSA_SIG_free(parts);
    return is_good;
}

/* Bytes of DER written into `ret`, of DER_BYTES_MAX; 0 on failure. */
static size_t der_of_halves(const uint8_t *signature, uint8_t *ret) {
    BIGNUM *r = BN_bin2bn(signature, HALF_BYTES, nullptr);
    BIGNUM *s = BN_bin2bn(signature + HALF_BYTES, HALF_BYTES, nullptr);
    ECDSA_SIG *parts = ECDSA_SIG_new();
    size_t size = 0;
    if (r != nullptr && s != nullptr && parts != nullptr && ECDSA_SIG_set0(parts, r, s) == 1) {
        r = nullptr; /* both belong to parts now */
        s = nullptr;
        int length = i2d_ECDSA_SIG(parts, nullptr);
        if (length > 0 && length <= DER_BYTES_MAX) {
            size = (size_t)i2d_ECDSA_SIG(parts, &ret);
        }
    }
    ECDSA_SIG_free(parts);
    BN_free(r);
    BN_free(s);
    return size;
}

status_t es256_sign(EVP_PKEY *key, struct slice message,
                    uint8_t ret_signature[static ES256_SIGNATURE_BYTES], struct error *err) {
    uint8_t der[DER_BYTES_MAX];
    size_t size = sizeof der;
    if (!es256_is_key(key)) {
        return error_set(err, ERROR_ENCLAVE_QUOTE, 0,
                         "evidence is signed with an ECDSA key on P-256, and this is another kind");
    }
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    bool is_signed = context != nullptr &&
                     EVP_DigestSignInit(context, nullptr, EVP_sha256(), nullptr, key) == 1 &&
                     EVP_DigestSign(context, der, &size, message.data, message.size) == 1 &&
                     halves_of_der(der, size, ret_signature);
    EVP_MD_CTX_free(context);
    return is_signed ? STATUS_OK
                     : error_set(err, ERROR_ENCLAVE_QUOTE, 0, "libcrypto could not sign evidence");
}

bool es256_verify(EVP_PKEY *key, struct slice message,
                  const uint8_t signature[static ES256_SIGNATURE_BYTES]) {
    uint8_t der[DER_BYTES_MAX];
    size_t size = es256_is_key(key) ? der_of_halves(signature, der) : 0;
    if (size == 0) {
        return false;
    }
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    bool is_right = context != nullptr &&
                    EVP_DigestVerifyInit(context, nullptr, EVP_sha256(), nullptr, key) == 1 &&
                    EVP_DigestVerify(context, der, size, message.data, message.size) == 1;
    EVP_MD_CTX_free(context);
    return is_right;
}

bool es256_spki(const EVP_PKEY *key, struct builder *ret_der) {
    uint8_t *der = nullptr;
    int size = i2d_PUBKEY(key, &der);
    if (size <= 0) {
        return false;
    }
    builder_bytes(ret_der, slice_of(der, (size_t)size));
    OPENSSL_free(der);
    return builder_is_ok(ret_der);
}
