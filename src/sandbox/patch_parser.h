/* SPDX-License-Identifier: Apache-2.0
 *
 * What the files of the patch reader share: a position in the text, and how its words are read.
 */
#pragma once

#include "sandbox/patch.h"

struct patch_parser {
    struct slice text;
    size_t offset; /* of the current line */
    unsigned line; /* its number, from 1 */
    struct patch *patch;
    enum patch_form form;
};

/* ERROR_PATCH_MALFORMED: "line N of the patch" and what is wrong with it. */
[[gnu::format(printf, 3, 4)]]
status_t patch_malformed(const struct patch_parser *parser, struct error *err, const char *format,
                         ...);

bool patch_at_end(const struct patch_parser *parser);
/* The current line, with its newline and without. */
struct slice patch_whole_line(const struct patch_parser *parser);
struct slice patch_line_now(const struct patch_parser *parser);
void patch_advance(struct patch_parser *parser);
/* Whether the current line begins so, and what comes behind. */
bool patch_line_has(const struct patch_parser *parser, const char *prefix, struct slice *ret_rest);
/* Makes room for one more item. */
status_t patch_grow(void **items, size_t size, size_t count, size_t *capacity, struct error *err);

/* A name as --- and +++ give it: quoted, or up to a tab (a time may follow). Replaces *ret_name. */
status_t patch_read_name(const struct patch_parser *parser, struct slice text, bool cut_at_tab,
                         char **ret_name, struct error *err);
/* "a/X b/X", or both in quotes: appends the one name that it says twice, with its "a/". */
bool patch_same_names(struct slice text, struct builder *out);
status_t patch_read_mode(const struct patch_parser *parser, struct slice text, uint32_t *ret_mode,
                         struct error *err);

/* Reads the hunk that begins at the current line. */
status_t patch_read_hunk(struct patch_parser *parser, struct patch_file *file, struct error *err);
