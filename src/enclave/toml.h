/* SPDX-License-Identifier: Apache-2.0
 *
 * TOML 1.0 as manifests use it: a bounded tree of tables, arrays, texts, whole numbers and yes/no,
 * each with its place. Refused, with its place, is what no key of a manifest takes: floats, dates,
 * texts over several lines. Refused as TOML wants it: a key or table that stands twice, a table
 * that is added to where it is closed, a comma behind the last member of an inline table.
 *
 * Debian has no TOML parser for C, and what reads a manifest here decides what runs and what is
 * complained about: it has to know the line of everything (docs/dependencies.md).
 */
#pragma once

#include "base/bytes.h"
#include "base/error.h"

enum toml_kind : uint8_t { TOML_TABLE, TOML_ARRAY, TOML_TEXT, TOML_INTEGER, TOML_BOOL };

struct toml_value {
    enum toml_kind kind;
    uint8_t origin;        /* inside of toml.c: how a table or array came to be */
    uint32_t line, column; /* from 1, in bytes: of the key, or of an item */
    uint32_t count;        /* members or items */
    const char *key;       /* of a member; nullptr of an item */
    const char *text;      /* of a text: NUL-terminated UTF-8 without another NUL */
    int64_t integer;       /* 0 or 1 of a TOML_BOOL */
    struct toml_value *first, *last, *next;
};

struct toml_fault {
    uint32_t line, column;
    char message[256];
};

struct toml_tree; /* owns the values */

/* Errors begin FILE:LINE:COLUMN: ERROR_MANIFEST, ERROR_LIMIT, ERROR_NO_MEMORY. *ret_fault says the
 * same in parts; it may be nullptr. */
status_t toml_parse(struct slice text, const char *file, struct toml_fault *ret_fault,
                    struct toml_tree **ret_tree, struct error *err);
void toml_tree_free(struct toml_tree *tree); /* nullptr is fine */
void toml_tree_freep(struct toml_tree **tree);

/* The outermost table. Borrowed, as all that is found in it. */
const struct toml_value *toml_root(const struct toml_tree *tree);
/* The member; nullptr when there is none or `table` is none or nullptr. */
const struct toml_value *toml_get(const struct toml_value *table, const char *key);
/* The same along a path: "sgx.max_threads". */
const struct toml_value *toml_find(const struct toml_value *root, const char *path);
/* The text behind a path; nullptr when there is none or it is no text. */
const char *toml_find_text(const struct toml_value *root, const char *path);
/* False, too, when there is none or it is no TOML_BOOL. */
bool toml_find_true(const struct toml_value *root, const char *path);
const char *toml_kind_text(enum toml_kind kind);
