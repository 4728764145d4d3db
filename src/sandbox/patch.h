/* SPDX-License-Identifier: Apache-2.0
 *
 * Unified diffs as tools hand them over, in git's form or with plain ---/+++ headers. Pure: text
 * in, a list of files and hunks out, and a file's new content from its old one.
 *
 * Strict where patch(1) guesses. What a line cannot be is an error that names the line; the numbers
 * of a hunk must be those of its lines and of the place it says; context and deleted lines must
 * stand exactly there, byte for byte. Nothing is searched for, nothing is passed over but empty
 * lines and lines with '#' between files (what `airlock diff` writes where git has no word).
 */
#pragma once

#include "base/bytes.h"
#include "base/error.h"
#include "base/limits.h"

enum patch_kind : uint8_t {
    PATCH_MODIFY,
    PATCH_ADD,
    PATCH_DELETE,
    PATCH_RENAME, /* old_path goes, new_path comes, maybe with changes */
    PATCH_COPY,   /* old_path stays */
};

struct patch_line {
    char mark;         /* ' ', '-' or '+' */
    struct slice text; /* with its newline, but for a last line that has none; borrowed */
};

struct patch_hunk {
    size_t old_start, old_count; /* lines, from 0: where the hunk begins in the old file */
    size_t new_start, new_count;
    size_t first_line, line_count; /* in patch.lines */
};

struct patch_file {
    char *old_path; /* owned; nullptr for an added file */
    char *new_path; /* owned; nullptr for a deleted one */
    enum patch_kind kind;
    uint32_t old_mode, new_mode; /* st_mode; 0: not said */
    size_t first_hunk, hunk_count;
    unsigned line; /* of the patch, from 1 */
};

struct patch {
    struct patch_file *files; /* owned, as the others */
    struct patch_hunk *hunks;
    struct patch_line *lines;
    size_t file_count, hunk_count, line_count;
    size_t file_capacity, hunk_capacity, line_capacity;
};

enum patch_form : uint8_t {
    PATCH_WHOLE, /* as a tool made it */
    PATCH_PART,  /* hunks were taken out: the new side's line numbers need not add up */
};
/* `text` must outlive the patch. ERROR_PATCH_MALFORMED with the line, ERROR_PATCH_REFUSED for what
 * is never taken (binary, a path that leaves the workspace or leads into .git or .airlock, a mode
 * that is not a plain file's), ERROR_LIMIT. */
status_t patch_parse(struct slice text, enum patch_form form, struct patch *ret_patch,
                     struct error *err);
void patch_deinit(struct patch *patch);

/* The path a file of the patch is about: the new one, or the one that goes. */
const char *patch_file_path(const struct patch_file *file);

/* Appends what `old` becomes. ERROR_PATCH_MISMATCH names the first line that is not as the patch
 * says. */
status_t patch_apply_file(const struct patch *patch, const struct patch_file *file,
                          struct slice old, struct builder *out, struct error *err);

/* Why a path is not taken, as a constant; nullptr when it is. Not policy, but what no patch needs.
 */
const char *patch_path_refusal(const char *path);
