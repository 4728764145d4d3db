/* SPDX-License-Identifier: Apache-2.0
 *
 * in-toto statements (version 1) with SLSA provenance (version 1): which files were made, by their
 * SHA-256, and out of what.
 */
#pragma once

#include "base/bytes.h"
#include "base/limits.h"
#include "codec/json.h"
#include "crypto/hash.h"

#define STATEMENT_PAYLOAD_TYPE "application/vnd.in-toto+json"

struct statement_subject {
    const char *name; /* of a file, without any folder; plain text; borrowed from the statement */
    struct digest digest;
};

struct statement {
    struct json *tree; /* owned */
    struct statement_subject subjects[LIMIT_RELEASE_FILES];
    size_t count;
    const char *builder; /* who says that it built them; plain text */
    const char *source;  /* the commit they were built of, as "uri"; plain text */
};

/* Errors: ERROR_RELEASE_UNVERIFIED. A name that is no name of a file, or stands twice, is one.
 * statement_deinit() is fine after both. */
status_t statement_parse(struct slice payload, struct statement *ret_statement, struct error *err);
void statement_deinit(struct statement *statement);

/* nullptr when it is about no file of this name. */
const struct statement_subject *statement_find(const struct statement *statement, const char *name);
