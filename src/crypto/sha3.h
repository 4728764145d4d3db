/* SPDX-License-Identifier: Apache-2.0
 *
 * SHA3-256 and SHAKE-256 (FIPS 202) by libcrypto's EVP. ERROR_KEYS_FAILED when libcrypto cannot.
 */
#pragma once

#include "base/error.h"
#include "crypto/hash.h"

status_t sha3_256_of(struct slice bytes, struct digest *ret_digest, struct error *err);
/* `size` bytes of output, at least 1. */
status_t shake256_of(struct slice bytes, uint8_t *ret_bytes, size_t size, struct error *err);
