/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "sandbox/merge.h"

/* What one change does, for lists. */
struct diff_counts {
    uint32_t added, deleted; /* lines */
    bool binary;
};

/* Both sides of a file that changed, appended; a side that is no file is empty. *ret_is_text is
 * false, and nothing is certain about the builders, when one of them cannot be had or is no text.
 */
status_t diff_read_texts(const struct merge *merge, const struct change *change,
                         struct builder *before, struct builder *after, bool *ret_is_text,
                         struct error *err);

/* Appends one change in git's diff format. Nothing for folders that git does not know either, but a
 * comment line that says what happens to them. `ret_counts` may be nullptr. */
status_t diff_file(const struct merge *merge, const struct change *change, bool color,
                   struct builder *out, struct diff_counts *ret_counts, struct error *err);
