/* SPDX-License-Identifier: Apache-2.0 */
#include "crypto/sha3.h"

#include <openssl/evp.h>

#include "base/assert.h"
#include "crypto/libcrypto.h"

status_t sha3_256_of(struct slice bytes, struct digest *ret_digest, struct error *err) {
    libcrypto_start();
    unsigned size = DIGEST_BYTES;
    if (EVP_Digest(bytes.data, bytes.size, ret_digest->bytes, &size, EVP_sha3_256(), nullptr) !=
            1 ||
        size != DIGEST_BYTES) {
        return error_set(err, ERROR_KEYS_FAILED, 0, "libcrypto cannot compute SHA3-256");
    }
    return STATUS_OK;
}

status_t shake256_of(struct slice bytes, uint8_t *ret_bytes, size_t size, struct error *err) {
    ASSERT(size >= 1);
    libcrypto_start();
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    bool done = context != nullptr && EVP_DigestInit_ex(context, EVP_shake256(), nullptr) == 1 &&
                EVP_DigestUpdate(context, bytes.data, bytes.size) == 1 &&
                EVP_DigestFinalXOF(context, ret_bytes, size) == 1;
    EVP_MD_CTX_free(context); /* wipes what it absorbed */
    return done ? STATUS_OK
                : error_set(err, ERROR_KEYS_FAILED, 0, "libcrypto cannot compute SHAKE-256");
}
