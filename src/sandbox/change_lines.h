/* SPDX-License-Identifier: Apache-2.0
 *
 * How many lines a change is, for who lets small changes through unseen. Stricter than a diff,
 * which shows what it can: whatever somebody who counts lines would not have seen is no matter of
 * lines.
 */
#pragma once

#include "sandbox/merge.h"

struct change_lines {
    uint64_t added, deleted;
    const char *unreadable; /* why it is no matter of lines, a constant; nullptr: it was counted */
};

/* The lines that differ between two texts. Unreadable are NUL bytes anywhere; and in a line that
 * differs more than LIMIT_AUTO_LINE_BYTES, invalid UTF-8, and characters that are not seen. */
status_t change_lines_compare(struct slice before, struct slice after,
                              struct change_lines *ret_lines, struct error *err);

/* The lines of one change. A folder that comes or goes is none. Unreadable are links, other kinds,
 * permissions, attributes and access lists that change, and texts that are not there any more. */
status_t change_lines_count(const struct merge *merge, const struct change *change,
                            struct change_lines *ret_lines, struct error *err);
