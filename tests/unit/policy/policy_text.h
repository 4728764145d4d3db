/* SPDX-License-Identifier: Apache-2.0
 *
 * A policy file written rule by rule, and what is decided by it: through the loader, the compiler
 * and the engine.
 */
#pragma once

#include "policy/load.h"
#include "policy_kit.h"

enum { YAML_BYTES_MAX = 16384 };

static struct builder yaml;
static bool in_except;
static size_t rule_number;
static bool builtins;
static size_t warning_count; /* of the last file that was read */

static inline int setup(void **state) {
    (void)state;
    builder_init(&yaml, YAML_BYTES_MAX);
    in_except = false;
    builtins = true;
    rule_number = 0;
    return 0;
}

static inline int teardown(void **state) {
    (void)state;
    builder_deinit(&yaml);
    return 0;
}

static inline void start_again(void) {
    (void)teardown(nullptr);
    (void)setup(nullptr);
}

static inline void end_excepts(void) {
    builder_text(&yaml, in_except ? " ]\n" : "");
    in_except = false;
}

/* Adds a rule; names get their number behind, because a file has each name once. */
static inline void rule(const char *name, const char *action, const char *match) {
    end_excepts();
    builder_text(&yaml, rule_number++ == 0 ? "version: 1\nrules:\n" : "");
    builder_format(&yaml, "  - name: %s-%zu\n    match: { %s }\n    action: %s\n", name,
                   rule_number, match, action);
}

static inline void except(const char *match) {
    builder_format(&yaml, "%s { %s }", in_except ? "," : "    except: [", match);
    in_except = true;
}

static inline void reason(const char *text) {
    builder_format(&yaml, "    reason: \"%s\"\n", text);
}

/* The file so far, extensions and built-ins. What the decision points at lives until the next. */
static inline struct policy_decision *decide_with(const struct policy_request *request,
                                                  const struct policy_extension *extensions,
                                                  size_t count) {
    static struct policy_document *document;
    static struct policy_rules *rules;
    static struct policy_decision decision;
    static struct policy_diagnostics diagnostics;
    struct error err = {};
    policy_rules_free(rules);
    policy_document_free(document);
    end_excepts();
    status_t status =
        policy_load(builder_slice(&yaml), "policy.yaml", &diagnostics, &document, &err);
    warning_count = diagnostics.warning_count;
    const struct policy_layer_source layer = {document, POLICY_LAYER_USER, POLICY_LAYER_FULL};
    if (!status_is_ok(status) || !status_is_ok(policy_compile(&layer, 1, &rules, &err))) {
        fail_msg("%s: %s\n%s", err.message, err.detail, builder_c_string(&yaml));
    }
    struct policy_engine engine = {.builtins = policy_builtin_rules,
                                   .builtin_count = builtins ? policy_builtin_count : 0,
                                   .rules = rules,
                                   .extensions = extensions,
                                   .extension_count = count};
    policy_evaluate(&engine, request, &decision);
    return &decision;
}

static inline struct policy_decision *decide(const struct policy_request *request) {
    return decide_with(request, nullptr, 0);
}

static inline enum policy_outcome outcome(const struct policy_request *request) {
    return decide(request)->outcome;
}
