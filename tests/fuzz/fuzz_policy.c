/* SPDX-License-Identifier: Apache-2.0
 *
 * Policy files: what loads is a document that keeps its promises, can be compiled and decided by;
 * what does not says why, in printable UTF-8 at places inside the file.
 */
#include <string.h>

#include "base/assert.h"
#include "codec/text.h"
#include "fuzz.h"
#include "policy/compile.h"
#include "policy/default.h"
#include "policy/load.h"

static const char *const SEEDS[] = {
    "version: 1\nrules:\n- name: a\n  match: { operation: [fs.*, x], path: [\"src/**\", \"!*.md\"] "
    "}\n"
    "  action: allow\n  except: [{ host: \"*.x.org\", port: 80..90 }]\n  reason: \"r\"\n"
    "  constraints: { sandbox: s, token: required, max_file_size: 1KiB, rate: 10/1m }\n",
    "version: 1\nrules:\n- name: b\n  match: { size: ..5MB, caller_tag: t, transport: cli }\n"
    "  action: require_review\n"
    "  constraints: { window: \"22:00-06:00\", days: [mon, fri], reviewers: 2, reviewer: ui,\n"
    "    max_files: 3, max_total_size: 1GiB }\n- name: c\n  match: { path: [] }\n  action: pass\n"
    "- name: d\n  match: { path: a }\n  action: deny\n- name: e\n  match: { path: [a] }\n"
    "  action: allow\n",
    "version: 1\nnetwork: { whitelist: { default: [\"*.example.org:443\", \"[::1]:80\"] } }\n"
    "tdd_exemptions: { documentation: { path: [\"*.md\", docs/] } }\n",
    "version: 2\nrulse: 3\nrules:\n- nam: a\n  match: {pth: [a, {}], operation: 'a*b'}\n"
    "  constraints: { rate: 1/1x, max_files: 010 }\n- name: a\n- name: a\n",
};

bool fuzz_seed(unsigned number, struct builder *out) {
    size_t count = sizeof SEEDS / sizeof SEEDS[0];
    if (number > count) {
        return false;
    }
    if (number == count) {
        builder_bytes(out, policy_default_text());
    } else {
        builder_text(out, SEEDS[number]);
    }
    return true;
}

static void check_diagnostic(const struct policy_diagnostic *diagnostic, size_t size) {
    ASSERT(diagnostic->line >= 1 && diagnostic->line <= size + 1);
    ASSERT(diagnostic->column >= 1 && diagnostic->column <= size + 1);
    ASSERT(diagnostic->message[0] != '\0');
    ASSERT(diagnostic->caret <= strlen(diagnostic->excerpt));
}

static void check_diagnostics(const struct policy_diagnostics *all, size_t size) {
    ASSERT(all->errors_kept <= all->error_count && all->warnings_kept <= all->warning_count);
    for (size_t i = 0; i < all->errors_kept; i++) {
        check_diagnostic(&all->errors[i], size);
    }
    for (size_t i = 0; i < all->warnings_kept; i++) {
        check_diagnostic(&all->warnings[i], size);
    }
    struct builder out;
    builder_init(&out, 1 << 17);
    policy_diagnostics_format(all, &out);
    ASSERT(builder_is_ok(&out) && text_is_utf8(builder_slice(&out)));
    builder_deinit(&out);
}

static void check_match(const struct policy_match *match) {
    ASSERT(match->present != 0 && match->present >> POLICY_FIELD_COUNT == 0);
    for (unsigned field = 0; field < POLICY_FIELD_COUNT; field++) {
        const struct policy_values *values = &match->fields[field];
        ASSERT((match->present >> field & 1) != 0 || values->count == 0);
        for (size_t i = 0; i < values->count; i++) {
            ASSERT(values->values[i].text[0] != '\0' && values->values[i].at.line > 0);
            ASSERT(values->values[i].low <= values->values[i].high);
        }
    }
}

static void check_document(const struct policy_document *document) {
    for (size_t i = 0; i < document->rule_count; i++) {
        const struct policy_rule_source *rule = &document->rules[i];
        ASSERT(rule->name[0] != '\0' && rule->at.line > 0 && rule->action <= POLICY_ACTION_PASS);
        check_match(&rule->match);
        for (size_t k = 0; k < rule->except_count; k++) {
            check_match(&rule->excepts[k]);
        }
        for (size_t k = 0; k < i; k++) {
            ASSERT(strcmp(rule->name, document->rules[k].name) != 0);
        }
    }
    for (size_t i = 0; i < document->group_count; i++) {
        ASSERT(document->groups[i].name != nullptr);
    }
    for (size_t i = 0; i < document->exemption_count; i++) {
        ASSERT(document->exemptions[i].name != nullptr);
    }
}

static void decide_by(const struct policy_document *document) {
    struct error err = {};
    struct policy_rules *rules = nullptr;
    const struct policy_layer_source layer = {document, POLICY_LAYER_USER, POLICY_LAYER_FULL};
    ASSERT(status_is_ok(policy_compile(&layer, 1, &rules, &err)));
    struct policy_decision decision;
    policy_evaluate(&(struct policy_engine){.rules = rules},
                    &(struct policy_request){.operation = "x", .path = "a", .transport = "cli"},
                    &decision);
    ASSERT(decision.reason_count > 0);
    policy_rules_free(rules);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static struct policy_diagnostics diagnostics;
    struct policy_document *document = nullptr;
    struct error err = {};
    status_t status = policy_load(slice_of(data, size), "fuzz.yaml", &diagnostics, &document, &err);
    check_diagnostics(&diagnostics, size);
    if (!status_is_ok(status)) {
        ASSERT(document == nullptr && diagnostics.error_count > 0);
        ASSERT(err.code == ERROR_POLICY_INVALID || err.code == ERROR_LIMIT);
        ASSERT(text_is_utf8(slice_of_string(err.message)));
        return 0;
    }
    ASSERT(diagnostics.error_count == 0 && err.code == ERROR_NONE);
    check_document(document);
    decide_by(document);
    policy_document_free(document);
    return 0;
}
