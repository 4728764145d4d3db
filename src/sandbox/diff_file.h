/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "sandbox/merge.h"

/* What one change does, for lists. */
struct diff_counts {
    uint32_t added, deleted; /* lines */
    bool binary;
};

/* Appends one change in git's diff format. Nothing for folders that git does not know either, but a
 * comment line that says what happens to them. `ret_counts` may be nullptr. */
status_t diff_file(const struct merge *merge, const struct change *change, bool color,
                   struct builder *out, struct diff_counts *ret_counts, struct error *err);
