/* SPDX-License-Identifier: Apache-2.0
 *
 * SipHash-2-4 (Aumasson and Bernstein, 2012): where something from outside stands in a table, in a
 * way that nobody outside can aim at without the key.
 */
#pragma once

#include "base/bytes.h"

struct siphash_key {
    uint64_t k0, k1;
};

uint64_t siphash(const struct siphash_key *key, struct slice bytes);
