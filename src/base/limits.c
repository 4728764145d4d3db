/* SPDX-License-Identifier: Apache-2.0 */
#include "base/limits.h"

#include <stdatomic.h>

#include "base/assert.h"

static const struct limit_row limit_rows[LIMIT_ID_COUNT] = {
#define LIMIT(name, value, unit, reason) [LIMIT_ID_##name] = {#name, unit, reason, value},
#include "limits.def"
#undef LIMIT
};

static _Atomic uint64_t limit_hits[LIMIT_ID_COUNT];

const struct limit_row *limit_row(enum limit_id id) {
    ASSERT(id < LIMIT_ID_COUNT);
    return &limit_rows[id];
}

void limit_hit(enum limit_id id) {
    ASSERT(id < LIMIT_ID_COUNT);
    atomic_fetch_add_explicit(&limit_hits[id], 1, memory_order_relaxed);
}

bool limit_past(bool is_past, enum limit_id id) {
    if (is_past) {
        limit_hit(id);
    }
    return is_past;
}

uint64_t limit_hit_count(enum limit_id id) {
    ASSERT(id < LIMIT_ID_COUNT);
    return atomic_load_explicit(&limit_hits[id], memory_order_relaxed);
}
