/* SPDX-License-Identifier: Apache-2.0
 *
 * YAML as a bounded tree: a thin wall around libyaml's event parser, so that the rest of the tree
 * sees maps, lists and texts with their positions, and none of what makes YAML dangerous.
 *
 * Refused, each with its place: bytes that are not UTF-8, control and invisible characters, a lone
 * carriage return, anchors and aliases (so there is neither a cycle nor a bomb), tags, directives,
 * a second document, a key that is no text, a key that stands twice, more than LIMIT_YAML_DEPTH
 * levels, more than LIMIT_YAML_NODES nodes, more than LIMIT_YAML_BYTES bytes.
 *
 * Every scalar is text: `yes`, `1.0` and `~` are what they look like, and whoever reads the tree
 * decides what they mean.
 */
#pragma once

#include "base/bytes.h"
#include "base/error.h"

enum yaml_kind : uint8_t { YAML_KIND_SCALAR, YAML_KIND_SEQUENCE, YAML_KIND_MAPPING };

struct yaml_node {
    enum yaml_kind kind;
    bool quoted;           /* a scalar in quotes or a block: "1" is a text where 1 is a number */
    uint32_t line, column; /* from 1; the column in bytes */
    uint32_t count;        /* items of a sequence, pairs of a mapping */
    uint32_t size;         /* bytes of text */
    const char *text;      /* of a scalar: NUL-terminated UTF-8 without another NUL */
    const struct yaml_node *key;   /* of a value in a mapping: a scalar; nullptr otherwise */
    const struct yaml_node *first; /* item or value; nullptr when there is none */
    const struct yaml_node *next;  /* beside this one */
};

/* What is wrong and where. */
struct yaml_fault {
    uint32_t line, column;
    char message[256];
    char hint[256];
};

struct yaml_tree; /* owns the nodes */

/* Reads one document. `file` names it in errors, whose message begins FILE:LINE:COLUMN. On failure
 * *ret_fault says the same in parts; it may be nullptr. Errors: ERROR_BAD_ENCODING, ERROR_LIMIT,
 * ERROR_NO_MEMORY. */
status_t yaml_parse(struct slice text, const char *file, struct yaml_fault *ret_fault,
                    struct yaml_tree **ret, struct error *err);
void yaml_tree_free(struct yaml_tree *tree); /* nullptr is fine */
void yaml_tree_freep(struct yaml_tree **tree);

/* nullptr when the document is empty: nothing, blanks and comments. Borrowed from the tree. */
const struct yaml_node *yaml_root(const struct yaml_tree *tree);
/* The value under `key`; nullptr when there is none or `mapping` is none. */
const struct yaml_node *yaml_get(const struct yaml_node *mapping, const char *key);
/* A plain scalar that stands for no value: nothing at all, ~ or null. */
bool yaml_is_null(const struct yaml_node *node);
