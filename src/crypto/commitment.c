/* SPDX-License-Identifier: Apache-2.0 */
#include "crypto/commitment.h"

#include <string.h>

void commitment_make(const char *kind, const uint8_t salt[static COMMITMENT_SALT_BYTES],
                     struct slice data, struct digest *ret_commitment) {
    uint8_t length[8];
    for (size_t i = 0; i < sizeof length; i++) {
        length[i] = (uint8_t)((uint64_t)data.size >> (56 - 8 * i));
    }
    struct sha256 hash;
    sha256_init(&hash);
    sha256_update(&hash, SLICE_LITERAL("airlock/1/"));
    sha256_update(&hash, slice_of(kind, strlen(kind) + 1));
    sha256_update(&hash, slice_of(salt, COMMITMENT_SALT_BYTES));
    sha256_update(&hash, slice_of(length, sizeof length));
    sha256_update(&hash, data);
    sha256_final(&hash, ret_commitment);
}
