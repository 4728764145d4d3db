/* SPDX-License-Identifier: Apache-2.0
 *
 * Templates as YAML: the files of profiles/templates, read while Airlock is built, and those of a
 * user, read when one is named. What a file may say stands in docs/sandbox.md.
 */
#pragma once

#include "base/bytes.h"
#include "sandbox/plan.h"

enum { TEMPLATE_NAME_BYTES = 65, TEMPLATE_SUMMARY_BYTES = 161, TEMPLATE_DIGEST_BYTES = 65 };

/* A template that was read. Its row points into it: it stays where it is. */
struct template_definition {
    struct template_row row;
    char name[TEMPLATE_NAME_BYTES];
    char summary[TEMPLATE_SUMMARY_BYTES];
    char digest[TEMPLATE_DIGEST_BYTES];
};

/* Finds what a template may be based on; nullptr when there is none of the name. */
typedef const struct template_row *template_base(const char *name);

struct template_source {
    const char *file; /* for messages */
    const char *name; /* what the file is named after: the key `name` must say the same */
    template_base *base;
};

/* Letters, digits, dash and underscore; begins with a letter. */
bool template_name_is_valid(const char *name);
/* Reads one. On success the caller frees *ret. TEMPLATE_INVALID with FILE:LINE:COLUMN and, for an
 * unknown word, the nearest known; NO_MEMORY. */
status_t template_parse(struct slice text, const struct template_source *source,
                        struct template_definition **ret, struct error *err);
void template_definition_freep(struct template_definition **definition);
/* The resolved form, every key with its value: what a digest is over and what snapshots show. */
void template_format(const struct template_row *row, struct builder *out);
