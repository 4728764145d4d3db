/* SPDX-License-Identifier: Apache-2.0
 *
 * Stands for src/crypto/mlkem.h in the proof about hybrid_kem.c: keys and ciphertexts of a few
 * bytes, because what is proved does not know how long they are. One set has a ciphertext as long
 * as its public key, as ML-KEM-1024 has.
 */
#pragma once

#include "base/bytes.h"
#include "base/error.h"

enum mlkem_set : uint8_t { MLKEM_768, MLKEM_1024, MLKEM_SET_COUNT };

enum {
    MLKEM_SEED_BYTES = 4,
    MLKEM_RANDOM_BYTES = 2,
    MLKEM_SECRET_BYTES = 3,
    MLKEM_768_PUBLIC_BYTES = 5,
    MLKEM_768_PRIVATE_BYTES = 8,
    MLKEM_768_CIPHERTEXT_BYTES = 4,
    MLKEM_1024_PUBLIC_BYTES = 7,
    MLKEM_1024_PRIVATE_BYTES = 10,
    MLKEM_1024_CIPHERTEXT_BYTES = 7,
    MLKEM_PUBLIC_BYTES_MAX = MLKEM_1024_PUBLIC_BYTES,
    MLKEM_CIPHERTEXT_BYTES_MAX = MLKEM_1024_CIPHERTEXT_BYTES,
};

struct mlkem_sizes {
    const char *name;
    uint16_t public_bytes;
    uint16_t private_bytes;
    uint16_t ciphertext_bytes;
};

const struct mlkem_sizes *mlkem_sizes(enum mlkem_set set);
status_t mlkem_public(enum mlkem_set set, struct slice private_key, uint8_t *ret_public,
                      struct error *err);
status_t mlkem_encapsulate(enum mlkem_set set, struct slice public_key,
                           const uint8_t random[static MLKEM_RANDOM_BYTES], uint8_t *ret_ciphertext,
                           uint8_t ret_secret[static MLKEM_SECRET_BYTES], struct error *err);
status_t mlkem_decapsulate(enum mlkem_set set, struct slice private_key, struct slice ciphertext,
                           uint8_t ret_secret[static MLKEM_SECRET_BYTES], struct error *err);
