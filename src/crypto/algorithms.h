/* SPDX-License-Identifier: Apache-2.0
 *
 * The algorithms of schema/algorithms.def, for code that asks libcrypto for one by name: what is
 * used and what the CBOM says then stand in one row.
 */
#pragma once

#include <stdint.h>

#include "base/assert.h"

enum algorithm : uint8_t {
#define ALGORITHM(name, ...) ALGORITHM_##name,
#include "algorithms.def"
    ALGORITHM_COUNT,
};

/* As libcrypto knows it. */
static inline const char *algorithm_name(enum algorithm algorithm) {
    static const char *const NAMES[] = {
#define ALGORITHM(name, text, ...) [ALGORITHM_##name] = (text),
#include "algorithms.def"
    };
    ASSERT(algorithm < ALGORITHM_COUNT);
    return NAMES[algorithm];
}
