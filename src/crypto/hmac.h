/* SPDX-License-Identifier: Apache-2.0
 *
 * HMAC-SHA-256 (RFC 2104, FIPS 198-1) on crypto/hash.h. A key is prepared once, which is half of
 * the work of a short message, and used often.
 */
#pragma once

#include "crypto/hash.h"

/* As secret as the key it was made of: whoever holds one keeps it in a struct secret, or wipes it.
 * Only read by hmac_sha256(), so several threads may share one. */
struct hmac_key {
    struct sha256 inner;
    struct sha256 outer;
};

/* `key` may have any length; longer than 64 bytes it is hashed first, as the standard says. */
void hmac_key_init(struct hmac_key *key, struct slice bytes);
void hmac_key_wipe(struct hmac_key *key);
void hmac_sha256(const struct hmac_key *key, struct slice message, struct digest *ret_tag);

/* In a time that does not depend on what the digests hold. */
bool digest_equal_constant(const struct digest *a, const struct digest *b);
