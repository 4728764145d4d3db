/* SPDX-License-Identifier: Apache-2.0
 *
 * Line comparison: E. W. Myers, "An O(ND) Difference Algorithm and Its Variations" (1986), in its
 * linear-space form. Pure.
 */
#pragma once

#include "base/bytes.h"
#include "base/error.h"

struct diff_lines {
    struct slice
        *lines; /* owned; each with its newline, the last one maybe without; borrowed bytes */
    size_t count;
    uint8_t *changed; /* owned; 1: deleted from the old side, or added on the new side */
};

/* Splits a text. More than LIMIT_DIFF_LINES lines: *ret_fits is false and nothing is allocated; use
 * diff_lines_replace() then. */
status_t diff_lines_split(struct slice text, struct diff_lines *ret, bool *ret_fits,
                          struct error *err);
void diff_lines_deinit(struct diff_lines *lines);

/* Marks the lines that differ. Two texts with very little in common are marked whole. */
status_t diff_lines_compare(struct diff_lines *before, struct diff_lines *after, struct error *err);

/* Appends the hunks in unified format with three lines of context. `color`: in ANSI colours. */
void diff_lines_hunks(const struct diff_lines *before, const struct diff_lines *after, bool color,
                      struct builder *out);

/* Lines of both sides that are shown together, the ends excluded. */
struct diff_hunk {
    size_t a_start, a_end, b_start, b_end;
};
/* Appends one hunk of a comparison that was made. */
void diff_lines_hunk(const struct diff_lines *before, const struct diff_lines *after,
                     const struct diff_hunk *hunk, bool color, struct builder *out);

/* Appends text for a terminal: control characters and those that reorder a line are shown, not
 * obeyed. Newlines and tabs stay. */
void diff_escape(struct slice text, struct builder *out);

/* Appends one hunk that takes all of one text away and puts the other in its place. */
void diff_lines_replace(struct slice before, struct slice after, bool color, struct builder *out);
