/* SPDX-License-Identifier: Apache-2.0
 *
 * Salted commitments: an entry of the log shows that a value was fixed, and nothing of the value,
 * even when it can be guessed. SHA-256("airlock/1/" || kind || 0x00 || salt || u64be length ||
 * data).
 */
#pragma once

#include "crypto/hash.h"

enum { COMMITMENT_SALT_BYTES = 32 };

/* `kind` says what is committed ("argv"), so that one value never opens two commitments. */
void commitment_make(const char *kind, const uint8_t salt[static COMMITMENT_SALT_BYTES],
                     struct slice data, struct digest *ret_commitment);
