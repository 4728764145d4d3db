/* SPDX-License-Identifier: Apache-2.0
 *
 * ML-KEM-768 and ML-KEM-1024 (FIPS 203) by libcrypto's EVP, with the checks of its sections 7.2 and
 * 7.3 made here as well, so that they do not rest on a library's version. Random bytes are handed
 * in. A private key is given in either form: the seed d || z (64 bytes), or the decapsulation key.
 *
 * ERROR_KEY_EXCHANGE: what came from outside is no key or no ciphertext of this set.
 * ERROR_KEYS_FAILED: libcrypto cannot. A `ret_secret` is written in place, so that it is nowhere
 * else: it lies in a struct secret, and is zero or untouched after a failure.
 */
#pragma once

#include "base/bytes.h"
#include "base/error.h"

enum mlkem_set : uint8_t { MLKEM_768, MLKEM_1024, MLKEM_SET_COUNT };

enum {
    MLKEM_SEED_BYTES = 64,
    MLKEM_RANDOM_BYTES = 32, /* m of FIPS 203 */
    MLKEM_SECRET_BYTES = 32,
    MLKEM_768_PUBLIC_BYTES = 1184,
    MLKEM_768_PRIVATE_BYTES = 2400,
    MLKEM_768_CIPHERTEXT_BYTES = 1088,
    MLKEM_1024_PUBLIC_BYTES = 1568,
    MLKEM_1024_PRIVATE_BYTES = 3168,
    MLKEM_1024_CIPHERTEXT_BYTES = 1568,
    MLKEM_PUBLIC_BYTES_MAX = MLKEM_1024_PUBLIC_BYTES,
    MLKEM_PRIVATE_BYTES_MAX = MLKEM_1024_PRIVATE_BYTES,
    MLKEM_CIPHERTEXT_BYTES_MAX = MLKEM_1024_CIPHERTEXT_BYTES,
};

struct mlkem_sizes {
    const char *name; /* as FIPS 203 and libcrypto have it */
    uint16_t public_bytes;
    uint16_t private_bytes;
    uint16_t ciphertext_bytes;
};

const struct mlkem_sizes *mlkem_sizes(enum mlkem_set set);

/* Its length, and that every coefficient is below the modulus (FIPS 203, section 7.2). Takes a time
 * that depends on the key, which is public. */
status_t mlkem_check_public(enum mlkem_set set, struct slice public_key, struct error *err);
/* Either form: its length; of a decapsulation key the hash of the public key in it (section 7.3)
 * and that public key as above. */
status_t mlkem_check_private(enum mlkem_set set, struct slice private_key, struct error *err);

/* ret_public: public_bytes. */
status_t mlkem_public(enum mlkem_set set, struct slice private_key, uint8_t *ret_public,
                      struct error *err);
/* ret_ciphertext: ciphertext_bytes. Whoever uses one `random` twice gives both secrets away. */
status_t mlkem_encapsulate(enum mlkem_set set, struct slice public_key,
                           const uint8_t random[static MLKEM_RANDOM_BYTES], uint8_t *ret_ciphertext,
                           uint8_t ret_secret[static MLKEM_SECRET_BYTES], struct error *err);
/* A ciphertext of the right length that was not made for this key is no error: the secret is then
 * one that nobody else has (implicit rejection). */
status_t mlkem_decapsulate(enum mlkem_set set, struct slice private_key, struct slice ciphertext,
                           uint8_t ret_secret[static MLKEM_SECRET_BYTES], struct error *err);
