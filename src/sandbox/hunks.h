/* SPDX-License-Identifier: Apache-2.0
 *
 * The comparison of two texts as blocks that can be taken one by one. A block is a maximal run of
 * changed lines, the smallest part that can be chosen; a hunk is blocks that are shown together
 * because at most twice the context lies between them. Pure.
 */
#pragma once

#include "sandbox/diff_lines.h"

struct hunk_block {
    size_t old_start, old_end, new_start, new_end; /* lines, the ends excluded */
};

struct hunk_set {
    struct diff_lines before, after; /* owned; their bytes are borrowed */
    struct hunk_block *blocks;       /* owned */
    size_t count;
};

/* *ret_fits is false when a side has more than LIMIT_DIFF_LINES lines; nothing is allocated then.
 */
status_t hunk_set_make(struct slice before, struct slice after, struct hunk_set *ret,
                       bool *ret_fits, struct error *err);
void hunk_set_deinit(struct hunk_set *set);

/* How many blocks from `first` on are one hunk. */
size_t hunk_set_group(const struct hunk_set *set, size_t first);
/* Appends blocks [first, first + count) as one hunk with context. */
void hunk_set_print(const struct hunk_set *set, size_t first, size_t count, bool color,
                    struct builder *out);
/* Appends `before` with the chosen blocks changed; chosen[i] is nonzero for block i. */
void hunk_set_content(const struct hunk_set *set, const uint8_t *chosen, struct builder *out);

struct patch;
struct patch_file;
/* The blocks that the hunks of a patch name: chosen[i] becomes 1. Every block must be there whole
 * or not at all, and nothing else. ERROR_PATCH_NO_SUBSET, ERROR_PATCH_MISMATCH. */
status_t hunk_set_choose(const struct hunk_set *set, const struct patch *patch,
                         const struct patch_file *file, uint8_t *chosen, struct error *err);
