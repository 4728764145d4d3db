/* SPDX-License-Identifier: Apache-2.0
 *
 * Documents made by hand, as the loader would make them. A match is written
 * "operation=fs.write path=*.c,*.h size=0..100": fields with a space between, values with a
 * comma; "path=" is a field without values.
 */
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "policy/builtin.h"
#include "policy/compile.h"

enum { KIT_RULES = 64, KIT_MATCHES = 512, KIT_VALUES = 4096, KIT_TEXT = 65536, KIT_EXCEPTS = 4 };

struct kit {
    struct policy_rule_source rules[KIT_RULES];
    struct policy_match excepts[KIT_RULES][KIT_EXCEPTS];
    struct policy_value values[KIT_VALUES];
    char text[KIT_TEXT];
    size_t rule_count, value_count, text_size;
};

static inline const char *kit_text(struct kit *kit, const char *text, size_t size) {
    assert_true(kit->text_size + size + 1 <= KIT_TEXT);
    char *out = kit->text + kit->text_size;
    memcpy(out, text, size);
    out[size] = '\0';
    kit->text_size += size + 1;
    return out;
}

static inline enum policy_field kit_field(const char *name, size_t size) {
    static const char *const names[] = {
#define POLICY_FIELD(name, text, kind, meaning) text,
#include "policy_fields.def"
#undef POLICY_FIELD
    };
    for (unsigned i = 0; i < POLICY_FIELD_COUNT; i++) {
        if (strlen(names[i]) == size && memcmp(names[i], name, size) == 0) {
            return (enum policy_field)i;
        }
    }
    fail_msg("no field %.*s", (int)size, name);
    return POLICY_FIELD_COUNT;
}

static inline void kit_value(struct kit *kit, const char *text, size_t size) {
    assert_true(kit->value_count < KIT_VALUES);
    struct policy_value *value = &kit->values[kit->value_count++];
    *value = (struct policy_value){
        .text = kit_text(kit, text, size),
        .high = UINT64_MAX,
        .at = {"test.yaml", (uint32_t)kit->rule_count + 1, 9},
    };
    char *end = nullptr;
    unsigned long long low = strtoull(value->text, &end, 10);
    if (end != value->text && end[0] == '.' && end[1] == '.') {
        value->low = low;
        value->high = strtoull(end + 2, nullptr, 10);
    }
}

static inline void kit_values(struct kit *kit, const char *list, size_t size,
                              struct policy_values *ret_values) {
    ret_values->values = kit->values + kit->value_count;
    ret_values->count = 0;
    for (size_t at = 0; at < size;) {
        const char *comma = memchr(list + at, ',', size - at);
        size_t length = comma != nullptr ? (size_t)(comma - list) - at : size - at;
        kit_value(kit, list + at, length);
        ret_values->count++;
        at += length + 1;
    }
}

static inline struct policy_match kit_match(struct kit *kit, const char *spec) {
    struct policy_match match = {};
    while (*spec != '\0') {
        size_t size = strcspn(spec, " ");
        const char *equals = memchr(spec, '=', size);
        assert_non_null(equals);
        size_t name = (size_t)(equals - spec);
        enum policy_field field = kit_field(spec, name);
        match.present |= UINT32_C(1) << field;
        kit_values(kit, equals + 1, size - name - 1, &match.fields[field]);
        spec += size;
        spec += *spec == ' ' ? 1 : 0;
    }
    return match;
}

/* Adds a rule; the caller may set reason and constraints of what comes back. Its line is its
 * number, from 1. */
static inline struct policy_rule_source *kit_rule(struct kit *kit, const char *name,
                                                  enum policy_action action, const char *spec) {
    assert_true(kit->rule_count < KIT_RULES);
    struct policy_rule_source *rule = &kit->rules[kit->rule_count];
    *rule = (struct policy_rule_source){
        .name = kit_text(kit, name, strlen(name)),
        .action = action,
        .match = kit_match(kit, spec),
        .excepts = kit->excepts[kit->rule_count],
        .constraints = {.file_bytes_max = UINT64_MAX,
                        .total_bytes_max = UINT64_MAX,
                        .files_max = UINT32_MAX},
        .at = {"test.yaml", (uint32_t)kit->rule_count + 1, 5},
    };
    kit->rule_count++;
    return rule;
}

static inline void kit_except(struct kit *kit, const char *spec) {
    struct policy_rule_source *rule = &kit->rules[kit->rule_count - 1];
    assert_true(rule->except_count < KIT_EXCEPTS);
    kit->excepts[kit->rule_count - 1][rule->except_count++] = kit_match(kit, spec);
}

static inline struct policy_document kit_document(const struct kit *kit) {
    return (struct policy_document){.rules = kit->rules, .rule_count = kit->rule_count};
}

/* The rules of one document as the user's file. */
static inline struct policy_rules *kit_compile(const struct policy_document *document) {
    struct policy_rules *rules = nullptr;
    struct error err;
    const struct policy_layer_source layer = {document, POLICY_LAYER_USER, POLICY_LAYER_FULL};
    if (!status_is_ok(policy_compile(&layer, 1, &rules, &err))) {
        fail_msg("%s: %s", err.message, err.detail);
    }
    return rules;
}

/* What the built-in rules and this document say. */
static inline struct policy_decision kit_decide(const struct kit *kit,
                                                const struct policy_request *request) {
    struct policy_document document = kit_document(kit);
    struct policy_rules *rules = kit_compile(&document);
    struct policy_engine engine = {
        .builtins = policy_builtin_rules, .builtin_count = policy_builtin_count, .rules = rules};
    static struct policy_decision decision;
    policy_evaluate(&engine, request, &decision);
    policy_rules_free(rules);
    return decision;
}
