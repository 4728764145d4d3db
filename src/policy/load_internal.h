/* SPDX-License-Identifier: Apache-2.0
 *
 * Shared by load*.c only. Every reader goes on after an error, so that one look at a file shows all
 * of them; what it leaves behind is thrown away by policy_load() when there was one.
 */
#pragma once

#include "base/arena.h"
#include "base/limits.h"
#include "codec/yaml.h"
#include "policy/load.h"

struct policy_loader {
    const char *file; /* in the arena */
    struct arena *arena;
    struct policy_diagnostics *diagnostics;
    bool starved; /* memory or the arena's maximum ran out; nothing more is said */
};

/* A key of a mapping and who reads its value into `target`. */
struct load_key {
    const char *name;
    void (*read)(struct policy_loader *loader, const struct yaml_node *value, void *target);
};

/* A user's text as it may stand in a message. */
struct load_shown {
    char text[96];
};
struct load_shown load_show(const struct yaml_node *scalar);

[[gnu::format(printf, 4, 5)]]
void load_error(struct policy_loader *loader, const struct yaml_node *at, const char *hint,
                const char *format, ...);
[[gnu::format(printf, 4, 5)]]
void load_warning(struct policy_loader *loader, struct policy_place at, const char *hint,
                  const char *format, ...);
/* An error that also counts the limit. */
void load_limit(struct policy_loader *loader, const struct yaml_node *at, enum limit_id id,
                const char *what);

/* Zeroed memory of the document; nullptr, with `starved` set, when there is none. */
void *load_alloc(struct policy_loader *loader, size_t count, size_t size);
const char *load_copy(struct policy_loader *loader, const struct yaml_node *scalar);
struct policy_position load_position(const struct policy_loader *loader,
                                     const struct yaml_node *node);

/* Reads every key of a mapping, by its row; another key is an error that names the nearest. `what`
 * stands in messages: "match". false when `node` is no mapping. */
bool load_mapping(struct policy_loader *loader, const struct yaml_node *node, const char *what,
                  const struct load_key *keys, void *target);
/* A scalar that is a text, not empty, not null, and within LIMIT_POLICY_TEXT_BYTES. */
bool load_is_text(struct policy_loader *loader, const struct yaml_node *node, const char *what);
/* A name: letters, digits, dot, dash, underscore. nullptr after an error. */
const char *load_name(struct policy_loader *loader, const struct yaml_node *node, const char *what);
/* The number of the word that the scalar is; -1 after an error. */
int load_word(struct policy_loader *loader, const struct yaml_node *node, const char *what,
              const char *const *words, size_t count);

/* How many values: 1 for a scalar or mapping, the items of a sequence; and the first of them. */
size_t load_item_count(const struct yaml_node *node);
const struct yaml_node *load_first_item(const struct yaml_node *node);

/* One value or a list of values of a field. */
void load_values(struct policy_loader *loader, const struct yaml_node *node,
                 enum policy_field field, struct policy_values *ret_values);
void load_match(struct policy_loader *loader, const struct yaml_node *node, const char *what,
                struct policy_match *ret_match);
void load_constraints(struct policy_loader *loader, const struct yaml_node *node,
                      struct policy_constraints *ret_constraints);
void load_targets(struct policy_loader *loader, const struct yaml_node *node,
                  struct policy_network_targets *ret_targets);
void load_rules(struct policy_loader *loader, const struct yaml_node *node,
                struct policy_document *document);
void load_extensions(struct policy_loader *loader, const struct yaml_node *node,
                     struct policy_document *document);

/* What a document without errors does not mean: shadowed and unreachable rules. */
void load_warn(struct policy_loader *loader, const struct policy_document *document);
