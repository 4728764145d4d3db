/* SPDX-License-Identifier: Apache-2.0
 *
 * The policy of a user who has none: the built-in rules and the shipped file. Loaded once.
 */
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "policy/builtin.h"
#include "policy/compile.h"
#include "policy/default.h"
#include "policy/load.h"

static struct policy_document *default_document;
static struct policy_rules *default_rules;

static inline int default_setup(void **state) {
    static struct policy_diagnostics diagnostics;
    struct error err;
    (void)state;
    if (!status_is_ok(policy_load(policy_default_text(), POLICY_DEFAULT_FILE, &diagnostics,
                                  &default_document, &err)) ||
        diagnostics.warning_count > 0) {
        return -1;
    }
    struct policy_layer_source layer = {default_document, POLICY_LAYER_USER, POLICY_LAYER_FULL};
    return status_is_ok(policy_compile(&layer, 1, &default_rules, &err)) ? 0 : -1;
}

static inline int default_teardown(void **state) {
    (void)state;
    policy_rules_free(default_rules);
    policy_document_free(default_document);
    return 0;
}

static inline void default_decide(const struct policy_request *request,
                                  struct policy_decision *ret_decision) {
    const struct policy_engine engine = {
        .builtins = policy_builtin_rules,
        .builtin_count = policy_builtin_count,
        .rules = default_rules,
    };
    policy_evaluate(&engine, request, ret_decision);
}
