/* SPDX-License-Identifier: Apache-2.0
 *
 * Limits by name. Each has a value, a reason and a counter; see schema/limits.def.
 */
#pragma once

#include <stdint.h>

enum limit : int64_t {
#define LIMIT(name, value, unit, reason) LIMIT_##name = (value),
#include "limits.def"
#undef LIMIT
};

enum limit_id : uint8_t {
#define LIMIT(name, value, unit, reason) LIMIT_ID_##name,
#include "limits.def"
#undef LIMIT
    LIMIT_ID_COUNT,
};

struct limit_row {
    const char *name; /* as in the table */
    const char *unit;
    const char *reason;
    int64_t value;
};

const struct limit_row *limit_row(enum limit_id id);
/* Counts that a limit refused something. Counters are per process. */
void limit_hit(enum limit_id id);
/* The same when `is_past`, and returns it: if (limit_past(size > LIMIT_X, LIMIT_ID_X)) refuse. */
bool limit_past(bool is_past, enum limit_id id);
uint64_t limit_hit_count(enum limit_id id);
