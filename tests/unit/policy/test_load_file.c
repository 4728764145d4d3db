/* SPDX-License-Identifier: Apache-2.0
 *
 * Whole files: what a good one becomes, and what huge and hostile ones cost.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "base/limits.h"
#include "policy/compile.h"
#include "policy/default.h"
#include "policy/load.h"

static struct policy_diagnostics diagnostics;

static struct policy_document *load(struct slice text) {
    struct error err = {};
    struct policy_document *document = nullptr;
    if (!status_is_ok(policy_load(text, "p.yaml", &diagnostics, &document, &err))) {
        fail_msg("%s", err.message);
    }
    return document;
}

static void refuses(struct slice text, enum error_code code, const char *message) {
    struct error err = {};
    struct policy_document *document = nullptr;
    assert_false(status_is_ok(policy_load(text, "p.yaml", &diagnostics, &document, &err)));
    assert_null(document);
    assert_int_equal(err.code, code);
    assert_string_equal(err.message, message);
    assert_true(diagnostics.error_count > 0);
}

static void what_yaml_refuses_has_a_place(void **state) {
    (void)state;
    refuses(SLICE_LITERAL("version: 1\nrules: &a [*a]\n"), ERROR_POLICY_INVALID,
            "p.yaml:2:8: anchors are not read here");
    refuses(SLICE_LITERAL("version: 1\n# \xff\n"), ERROR_POLICY_INVALID,
            "p.yaml:2:3: the byte 0xff is not UTF-8");
    struct builder out;
    builder_init(&out, 4096);
    policy_diagnostics_format(&diagnostics, &out);
    assert_string_equal(builder_c_string(&out), "p.yaml:2:3: error: the byte 0xff is not UTF-8\n"
                                                "    2 | # \\xff\n"
                                                "      |   ^\n"
                                                "  hint: Save the file as UTF-8.\n");
    builder_deinit(&out);
    refuses(SLICE_LITERAL("version: 1\nversion: 1\n"), ERROR_POLICY_INVALID,
            "p.yaml:2:1: the key \"version\" stands here twice");
    /* 100 MiB: there is but one byte, so looking at it would be found. */
    refuses((struct slice){(const uint8_t *)"a", (size_t)100 << 20}, ERROR_LIMIT,
            "p.yaml:1:1: the document has more than 16777216 bytes");
}

static struct slice taken(struct builder *out) {
    assert_true(builder_is_ok(out));
    return builder_slice(out);
}

static void long_texts_are_refused(void **state) {
    (void)state;
    struct builder out;
    builder_init(&out, 4 << 20);
    uint64_t hits = limit_hit_count(LIMIT_ID_POLICY_GLOB_BYTES);
    builder_text(&out, "version: 1\nrules:\n- name: a\n  action: deny\n  match: { path: \"");
    for (int i = 0; i < 1 << 20; i++) {
        builder_u8(&out, "*a/?"[i % 4]);
    }
    builder_text(&out, "\" }\n");
    refuses(taken(&out), ERROR_POLICY_INVALID, "p.yaml:5:18: this glob has more than 4096 bytes");
    assert_true(strlen(diagnostics.errors[0].excerpt) < 120);
    assert_int_equal(limit_hit_count(LIMIT_ID_POLICY_GLOB_BYTES), hits + 1);
    builder_reset(&out);
    builder_text(&out, "version: 1\nrules:\n- name: ");
    for (int i = 0; i < 129; i++) {
        builder_u8(&out, 'n');
    }
    builder_text(&out, "\n  action: deny\n  match: { operation: x }\n");
    refuses(taken(&out), ERROR_POLICY_INVALID, "p.yaml:3:9: this name has more than 128 bytes");
    builder_reset(&out);
    builder_text(&out, "version: 1\nrules:\n- name: a\n  action: deny\n  match: { operation: x }\n"
                       "  reason: ");
    for (int i = 0; i < 1025; i++) {
        builder_u8(&out, 'r');
    }
    refuses(taken(&out), ERROR_POLICY_INVALID, "p.yaml:6:11: this text has more than 1024 bytes");
    builder_reset(&out);
    builder_text(&out, "version: 1\nrules:\n- name: a\n  action: deny\n  match: { caller: [");
    for (int i = 0; i <= 10000; i++) {
        builder_format(&out, "c%d,", i);
    }
    builder_text(&out, "] }\n");
    refuses(taken(&out), ERROR_POLICY_INVALID, "p.yaml:5:20: this list has more than 10000 values");
    builder_deinit(&out);
}

static void all_errors_up_to_twenty_are_shown(void **state) {
    (void)state;
    struct builder out;
    builder_init(&out, 1 << 16);
    builder_text(&out, "version: 1\nrules:\n");
    for (int i = 0; i < 50; i++) {
        builder_format(&out, "- { name: r%d, match: { operation: x%d }, action: allov }\n", i, i);
    }
    refuses(taken(&out), ERROR_POLICY_INVALID, "p.yaml:3:49: there is no action \"allov\"");
    assert_int_equal(diagnostics.error_count, 50);
    assert_int_equal(diagnostics.errors_kept, POLICY_DIAGNOSTIC_COUNT_MAX);
    assert_int_equal(diagnostics.errors[19].line, 22);
    builder_reset(&out);
    policy_diagnostics_format(&diagnostics, &out);
    const char *shown = builder_c_string(&out);
    assert_non_null(strstr(shown, "p.yaml:22:51: error: there is no action \"allov\"\n"));
    assert_non_null(strstr(shown, "\nand 30 more errors\n"));
    builder_deinit(&out);
}

static void a_whole_file_becomes_a_document(void **state) {
    (void)state;
    struct policy_document *document = load(SLICE_LITERAL(
        "version: 1\n"
        "rules:\n"
        "  - name: write-sources\n"
        "    match: { operation: fs.write, path: [\"src/**\", \"tests/**\"] }\n"
        "    action: allow\n"
        "    constraints: { sandbox: code-executor, token: required, max_file_size: 100KiB }\n"
        "  - name: newcomers-are-reviewed\n"
        "    match: { operation: fs.write, caller_tag: [third_party], port: 8000..8099 }\n"
        "    action: require_review\n"
        "    except: [ { path: [\"tests/**\"] }, { caller_tag: [trusted_write] } ]\n"
        "    reason: \"changes by third-party plugins are read by a person\"\n"
        "    constraints: { rate: 10/1m, window: \"22:00-06:00\", days: [mon, sun], reviewers: 2,\n"
        "                   reviewer: client, max_files: 7, max_total_size: 2MB }\n"
        "network: { whitelist: { default: [\"api.anthropic.com:443\", \"*.example.org:443\"] } }\n"
        "tdd_exemptions: { documentation: { path: [\"*.md\"] } }\n"));
    assert_int_equal(diagnostics.warning_count, 0);
    assert_int_equal(document->rule_count, 2);
    const struct policy_rule_source *rule = &document->rules[0];
    assert_string_equal(rule->name, "write-sources");
    assert_string_equal(rule->at.file, "p.yaml");
    assert_int_equal(rule->at.line, 3);
    assert_int_equal(rule->at.column, 11);
    assert_int_equal(rule->action, POLICY_ACTION_ALLOW);
    assert_null(rule->reason);
    assert_int_equal(rule->match.present, 1U << POLICY_FIELD_OPERATION | 1U << POLICY_FIELD_PATH);
    assert_string_equal(rule->match.fields[POLICY_FIELD_OPERATION].values[0].text, "fs.write");
    const struct policy_values *paths = &rule->match.fields[POLICY_FIELD_PATH];
    assert_int_equal(paths->count, 2);
    assert_string_equal(paths->values[1].text, "tests/**");
    assert_int_equal(paths->values[1].at.line, 4);
    assert_int_equal(paths->values[1].at.column, 52);
    assert_int_equal(paths->values[1].high, UINT64_MAX);
    const struct policy_constraints *constraints = &rule->constraints;
    assert_true(constraints->present && constraints->token_required);
    assert_string_equal(constraints->template_name, "code-executor");
    assert_int_equal(constraints->file_bytes_max, 102400);
    assert_int_equal(constraints->total_bytes_max, UINT64_MAX);
    assert_int_equal(constraints->files_max, UINT32_MAX);
    rule = &document->rules[1];
    assert_int_equal(rule->action, POLICY_ACTION_REVIEW);
    assert_int_equal(rule->match.fields[POLICY_FIELD_PORT].values[0].low, 8000);
    assert_int_equal(rule->match.fields[POLICY_FIELD_PORT].values[0].high, 8099);
    assert_int_equal(rule->except_count, 2);
    assert_int_equal(rule->excepts[1].present, 1U << POLICY_FIELD_CALLER_TAG);
    assert_string_equal(rule->reason, "changes by third-party plugins are read by a person");
    constraints = &rule->constraints;
    assert_int_equal(constraints->rate_count, 10);
    assert_int_equal(constraints->rate_window_ms, 60000);
    assert_int_equal(constraints->window_from_minute, 1320);
    assert_int_equal(constraints->window_to_minute, 360);
    assert_int_equal(constraints->window_days, 1 | 64);
    assert_int_equal(constraints->reviewers_min, 2);
    assert_int_equal(constraints->reviewer, POLICY_REVIEWER_CLIENT);
    assert_int_equal(constraints->files_max, 7);
    assert_int_equal(constraints->total_bytes_max, 2000000);
    assert_null(constraints->template_name);
    assert_int_equal(document->group_count, 1);
    assert_string_equal(document->groups[0].name, "default");
    assert_string_equal(document->groups[0].targets.values[1].text, "*.example.org:443");
    assert_int_equal(document->exemption_count, 1);
    assert_string_equal(document->exemptions[0].name, "documentation");
    assert_string_equal(document->exemptions[0].paths.values[0].text, "*.md");
    policy_document_free(document);
}

static void one_value_stands_for_a_list_of_one(void **state) {
    (void)state;
    struct policy_document *document =
        load(SLICE_LITERAL("version: 1\nrules:\n- name: a\n  action: pass\n  match: { port: 80 }\n"
                           "  except: { path: a }\n  constraints: { days: mon }\n"));
    assert_int_equal(document->rules[0].match.fields[POLICY_FIELD_PORT].values[0].high, 80);
    assert_int_equal(document->rules[0].except_count, 1);
    assert_int_equal(document->rules[0].constraints.window_days, 1);
    assert_false(document->rules[0].constraints.token_required);
    policy_document_free(document);
}

static void an_operation_nobody_knows_is_no_error(void **state) {
    (void)state;
    struct policy_document *document = load(SLICE_LITERAL(
        "version: 1\nrules:\n- name: a\n  action: allow\n  match: { operation: no.such }\n"));
    assert_int_equal(diagnostics.warning_count, 0);
    policy_document_free(document);
}

static void empty_files_have_no_rules(void **state) {
    (void)state;
    static const char *const texts[] = {"", "# nothing\n", "---\n", "null\n"};
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        struct policy_document *document = load(slice_of_string(texts[i]));
        assert_int_equal(document->rule_count, 0);
        assert_int_equal(diagnostics.warning_count, 1);
        policy_document_free(document);
    }
    struct policy_document *document = load(SLICE_LITERAL("version: 1\nrules:\n"));
    assert_int_equal(document->rule_count, 0);
    policy_document_free(document);
}

static enum policy_outcome decide(const struct policy_rules *rules, const char *operation,
                                  const char *template_name, const char *transport) {
    struct policy_decision decision;
    policy_evaluate(&(struct policy_engine){.rules = rules},
                    &(struct policy_request){.operation = operation,
                                             .caller = "uid:1000",
                                             .template_name = template_name,
                                             .transport = transport},
                    &decision);
    return decision.outcome;
}

static void the_shipped_default_decides_as_documented(void **state) {
    (void)state;
    struct policy_document *document = load(policy_default_text());
    assert_int_equal(diagnostics.warning_count, 0);
    struct error err = {};
    struct policy_rules *rules = nullptr;
    const struct policy_layer_source layer = {document, POLICY_LAYER_USER, POLICY_LAYER_FULL};
    assert_true(status_is_ok(policy_compile(&layer, 1, &rules, &err)));
    assert_int_equal(decide(rules, "run.exec", "code-executor", "cli"), POLICY_ALLOW);
    assert_int_equal(decide(rules, "run.exec", "small", "unix"), POLICY_ALLOW);
    assert_int_equal(decide(rules, "run.exec", "host", "cli"), POLICY_DENY);
    assert_int_equal(decide(rules, "run.exec", nullptr, "cli"), POLICY_DENY);
    assert_int_equal(decide(rules, "stage.apply", nullptr, "cli"), POLICY_ALLOW);
    assert_int_equal(decide(rules, "stage.discard", nullptr, "cli"), POLICY_ALLOW);
    assert_int_equal(decide(rules, "stage.apply", nullptr, "mcp"), POLICY_REVIEW);
    assert_int_equal(decide(rules, "stage.apply", nullptr, nullptr), POLICY_REVIEW);
    assert_int_equal(decide(rules, "stage.discard", nullptr, "mcp"), POLICY_DENY);
    assert_int_equal(decide(rules, "policy.update", nullptr, "cli"), POLICY_DENY);
    policy_rules_free(rules);
    policy_document_free(document);
}

enum { MANY = 100000 };

/* 100,000 rules; `same`: all say the same, under one name or many. */
static void write_rules(struct builder *out, bool same_match, bool same_name) {
    builder_text(out, "version: 1\nrules:\n");
    for (int i = 0; i < MANY; i++) {
        builder_format(
            out,
            "  - name: rule-%d\n    match: { operation: fs.write, path: [\"src/%d/**\"] }\n"
            "    action: deny\n",
            same_name ? 1 : i, same_match ? 1 : i);
    }
}

/* The bound is far above what is needed (some 0.5 s): it tells what is linear from what is not. */
static void a_hundred_thousand_rules_load(void **state) {
    (void)state;
    enum { SECONDS_MAX = 60 };
    clock_t start = clock();
    struct builder out;
    builder_init(&out, 16 << 20);
    write_rules(&out, false, false);
    struct policy_document *document = load(taken(&out));
    assert_int_equal(document->rule_count, MANY);
    assert_int_equal(diagnostics.warning_count, 0);
    assert_string_equal(document->rules[MANY - 1].name, "rule-99999");
    policy_document_free(document);
    builder_reset(&out);
    write_rules(&out, true, false);
    document = load(taken(&out));
    assert_int_equal(diagnostics.warning_count, MANY - 1);
    assert_int_equal(diagnostics.warnings_kept, POLICY_DIAGNOSTIC_COUNT_MAX);
    policy_document_free(document);
    builder_reset(&out);
    write_rules(&out, true, true);
    refuses(taken(&out), ERROR_POLICY_INVALID,
            "p.yaml:6:11: the name \"rule-1\" is taken by the rule on line 3");
    assert_int_equal(diagnostics.error_count, MANY - 1);
    builder_deinit(&out);
    assert_true((clock() - start) / CLOCKS_PER_SEC < SECONDS_MAX);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_yaml_refuses_has_a_place),
        cmocka_unit_test(long_texts_are_refused),
        cmocka_unit_test(all_errors_up_to_twenty_are_shown),
        cmocka_unit_test(a_whole_file_becomes_a_document),
        cmocka_unit_test(one_value_stands_for_a_list_of_one),
        cmocka_unit_test(an_operation_nobody_knows_is_no_error),
        cmocka_unit_test(empty_files_have_no_rules),
        cmocka_unit_test(the_shipped_default_decides_as_documented),
        cmocka_unit_test(a_hundred_thousand_rules_load),
    };
    return cmocka_run_group_tests_name("policy/load_file", tests, nullptr, nullptr);
}
