/* SPDX-License-Identifier: Apache-2.0
 *
 * Documents made ready to decide by: globs compiled, rules found by operation. What comes out never
 * changes and may be shared by threads; to change policy, compile anew and swap.
 */
#pragma once

#include "base/error.h"
#include "policy/rule.h"

struct policy_rules;

enum policy_layer_mode : uint8_t {
    POLICY_LAYER_FULL,
    POLICY_LAYER_RESTRICT, /* not trusted: may deny and demand review; its allows are dropped */
};

struct policy_layer_source {
    const struct policy_document *document; /* borrowed for as long as the rules live */
    enum policy_layer layer;
    enum policy_layer_mode mode;
};

/* Compiles all layers together. The caller owns ret_rules. ERROR_POLICY_INVALID names file, line
 * and column of a glob that cannot be one, or of a path list that only takes out. */
status_t policy_compile(const struct policy_layer_source *layers, size_t layer_count,
                        struct policy_rules **ret_rules, struct error *err);
void policy_rules_free(struct policy_rules *rules);
void policy_rules_freep(struct policy_rules **rules);

/* Rules in force, and allow rules that were dropped because their layer is not trusted. */
size_t policy_rules_count(const struct policy_rules *rules);
size_t policy_rules_dropped(const struct policy_rules *rules);
