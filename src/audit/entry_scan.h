/* SPDX-License-Identifier: Apache-2.0
 *
 * What ties an entry to its place, read from its bytes without a JSON value. Inside audit only.
 */
#pragma once

#include <stdint.h>

#include "base/bytes.h"

/* Slices are borrowed from the entry's bytes; empty when the field is not there or no plain text.
 * The has_ members say which numbers are there. */
struct entry_place {
    uint64_t v;
    uint64_t seq;
    uint64_t time_ms;
    bool has_v;
    bool has_seq;
    bool has_time_ms;
    struct slice type;
    struct slice prev_hash;
};

/* false unless the bytes are one canonical JSON object. */
bool entry_scan(struct slice bytes, struct entry_place *ret_place);
