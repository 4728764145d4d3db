/* SPDX-License-Identifier: Apache-2.0
 *
 * auto_apply: what may stand there, and what several rules come to together.
 */
#include "load_kit.h"

#include "policy/builtin.h"
#include "policy/compile.h"

static void both_limits_have_to_be_there(void **state) {
    (void)state;
    shows("version: 1\n"
          "rules:\n"
          "  - name: a\n"
          "    match: { operation: stage.apply }\n"
          "    action: allow\n"
          "    constraints: { auto_apply: {} }\n"
          "  - name: b\n"
          "    match: { operation: stage.apply }\n"
          "    action: allow\n"
          "    constraints: { auto_apply: { changed_lines_max: 5 } }\n",
          "policy.yaml:6:20: error: auto_apply has no changed_lines_max\n"
          "    6 |     constraints: { auto_apply: {} }\n"
          "      |                    ^\n"
          "  hint: Write both: auto_apply: { changed_lines_max: 500, files_max: 50 }\n"
          "policy.yaml:10:20: error: auto_apply has no files_max\n"
          "   10 |     constraints: { auto_apply: { changed_lines_max: 5 } }\n"
          "      |                    ^\n"
          "  hint: Write both: auto_apply: { changed_lines_max: 500, files_max: 50 }\n");
}

static void keys_and_numbers_are_strict(void **state) {
    (void)state;
    shows("version: 1\n"
          "rules:\n"
          "  - name: a\n"
          "    match: { operation: stage.apply }\n"
          "    action: allow\n"
          "    constraints:\n"
          "      auto_apply:\n"
          "        changed_line_max: 5\n"
          "        changed_lines_max: 5KiB\n"
          "        files_max: -1\n"
          "  - name: b\n"
          "    match: { operation: stage.apply }\n"
          "    action: allow\n"
          "    constraints: { auto_apply: yes }\n"
          "  - name: c\n"
          "    match: { operation: stage.apply }\n"
          "    action: allow\n"
          "    constraints: { auto_aply: { changed_lines_max: 5, files_max: 5 } }\n",
          "policy.yaml:8:9: error: there is no key \"changed_line_max\" in auto_apply\n"
          "    8 |         changed_line_max: 5\n"
          "      |         ^\n"
          "  hint: Did you mean \"changed_lines_max\"?\n"
          "policy.yaml:9:28: error: changed_lines_max \"5KiB\" has an unknown unit\n"
          "    9 |         changed_lines_max: 5KiB\n"
          "      |                            ^\n"
          "  hint: Write a whole number of lines.\n"
          "policy.yaml:10:20: error: files_max \"-1\" does not begin with a decimal number\n"
          "   10 |         files_max: -1\n"
          "      |                    ^\n"
          "  hint: Write a whole number of files.\n"
          "policy.yaml:14:32: error: auto_apply must be a mapping of keys\n"
          "   14 |     constraints: { auto_apply: yes }\n"
          "      |                                ^\n"
          "  hint: Write it as key: value, or { key: value, ... }.\n"
          "policy.yaml:18:20: error: there is no key \"auto_aply\" in constraints\n"
          "   18 |     constraints: { auto_aply: { changed_lines_max: 5, files_max: 5 } }\n"
          "      |                    ^\n"
          "  hint: Did you mean \"auto_apply\"?\n");
}

static void a_rule_that_does_not_allow_an_apply_has_none(void **state) {
    (void)state;
    shows("version: 1\n"
          "rules:\n"
          "  - name: a\n"
          "    match: { operation: stage.apply }\n"
          "    action: require_review\n"
          "    constraints: { auto_apply: { changed_lines_max: 5, files_max: 5 } }\n"
          "  - name: b\n"
          "    match: { operation: [run.exec, \"fs.*\"] }\n"
          "    constraints: { auto_apply: { changed_lines_max: 5, files_max: 5 } }\n"
          "    action: allow\n"
          "  - name: c\n"
          "    match: { operation: \"stage.*\" }\n"
          "    constraints: { auto_apply: { changed_lines_max: 5, files_max: 5 } }\n"
          "    action: allow\n"
          "  - name: d\n"
          "    match: { path: \"src/**\" }\n"
          "    constraints: { auto_apply: { changed_lines_max: 5, files_max: 5 } }\n"
          "    action: allow\n",
          "policy.yaml:6:5: error: auto_apply stands in a rule that wants a person to look\n"
          "    6 |     constraints: { auto_apply: { changed_lines_max: 5, files_max: 5 } }\n"
          "      |     ^\n"
          "  hint: Take auto_apply out, or let the rule allow.\n"
          "policy.yaml:9:5: warning: auto_apply changes nothing in a rule that is not about "
          "stage.apply\n"
          "    9 |     constraints: { auto_apply: { changed_lines_max: 5, files_max: 5 } }\n"
          "      |     ^\n"
          "  hint: Only operation: stage.apply has something to apply.\n");
}

/* What rules of the user's, or of a workspace that is not trusted, say of src/a.c. */
static struct policy_decision decide(const char *rules, enum policy_layer layer,
                                     enum policy_layer_mode mode) {
    static struct policy_diagnostics diagnostics;
    static struct policy_decision decision;
    static char rule[64];
    struct policy_document *document = nullptr;
    struct policy_rules *compiled = nullptr;
    struct error err = {};
    char text[4096];
    (void)snprintf(text, sizeof text, "version: 1\nrules:\n%s", rules);
    if (!status_is_ok(
            policy_load(slice_of_string(text), "policy.yaml", &diagnostics, &document, &err))) {
        fail_msg("%s", err.message);
    }
    const struct policy_layer_source source = {document, layer, mode};
    assert_int_equal(policy_compile(&source, 1, &compiled, &err).code, 0);
    const struct policy_engine engine = {
        .builtins = policy_builtin_rules, .builtin_count = policy_builtin_count, .rules = compiled};
    const struct policy_request request = {.operation = "stage.apply",
                                           .caller = "uid:1000",
                                           .path = "src/a.c",
                                           .mode = 0100644,
                                           .transport = "cli",
                                           .at_command_line = true};
    policy_evaluate(&engine, &request, &decision);
    struct policy_auto_apply *permitted = &decision.obligations.auto_apply;
    if (permitted->is_permitted) {
        (void)snprintf(rule, sizeof rule, "%s", permitted->rule);
        permitted->rule = rule;
    }
    policy_rules_free(compiled);
    policy_document_free(document);
    return decision;
}

#define ALL "  - { name: all, match: { operation: stage.apply }, action: allow }\n"
#define SOURCES                                                                      \
    "  - { name: sources, match: { path: 'src/**' }, action: allow, constraints: { " \
    "auto_apply: { changed_lines_max: 500, files_max: 5 } } }\n"
#define APPLIES                                                                              \
    "  - { name: applies, match: { operation: stage.apply }, action: allow, constraints: { " \
    "auto_apply: { changed_lines_max: 20, files_max: 50 } } }\n"

static void without_a_word_nothing_is_permitted(void **state) {
    (void)state;
    struct policy_decision decision = decide(ALL, POLICY_LAYER_USER, POLICY_LAYER_FULL);
    assert_int_equal(decision.outcome, POLICY_ALLOW);
    assert_false(decision.obligations.auto_apply.is_permitted);
}

static void one_rule_permits_and_several_do_it_strictly(void **state) {
    (void)state;
    struct policy_decision decision = decide(ALL SOURCES, POLICY_LAYER_USER, POLICY_LAYER_FULL);
    assert_true(decision.obligations.auto_apply.is_permitted);
    assert_int_equal(decision.obligations.auto_apply.lines_max, 500);
    assert_string_equal(decision.obligations.auto_apply.rule, "sources");
    const char *const orders[] = {SOURCES APPLIES, APPLIES ALL SOURCES};
    for (size_t i = 0; i < 2; i++) {
        decision = decide(orders[i], POLICY_LAYER_USER, POLICY_LAYER_FULL);
        assert_int_equal(decision.obligations.auto_apply.lines_max, 20);
        assert_int_equal(decision.obligations.auto_apply.files_max, 5);
        assert_string_equal(decision.obligations.auto_apply.rule, "applies");
    }
}

static void a_workspace_permits_nothing_until_it_is_trusted(void **state) {
    (void)state;
    struct policy_decision decision =
        decide(SOURCES, POLICY_LAYER_WORKSPACE, POLICY_LAYER_RESTRICT);
    assert_int_equal(decision.outcome, POLICY_DENY);
    assert_false(decision.obligations.auto_apply.is_permitted);
}

static void a_rule_that_does_not_hold_permits_nothing(void **state) {
    (void)state;
    struct policy_decision decision =
        decide(ALL "  - { name: tokens, match: { path: 'src/**' }, action: allow, constraints: { "
                   "token: required, auto_apply: { changed_lines_max: 1, files_max: 1 } } }\n"
                   "  - { name: others, match: { path: 'docs/**' }, action: allow, constraints: { "
                   "auto_apply: { changed_lines_max: 1, files_max: 1 } } }\n",
               POLICY_LAYER_USER, POLICY_LAYER_FULL);
    assert_int_equal(decision.outcome, POLICY_ALLOW);
    assert_false(decision.obligations.auto_apply.is_permitted);
    decision = decide(SOURCES "  - { name: no, match: { path: 'src/a.c' }, action: deny }\n",
                      POLICY_LAYER_USER, POLICY_LAYER_FULL);
    assert_int_equal(decision.outcome, POLICY_DENY);
    assert_false(decision.obligations.auto_apply.is_permitted);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(both_limits_have_to_be_there),
        cmocka_unit_test(keys_and_numbers_are_strict),
        cmocka_unit_test(a_rule_that_does_not_allow_an_apply_has_none),
        cmocka_unit_test(without_a_word_nothing_is_permitted),
        cmocka_unit_test(one_rule_permits_and_several_do_it_strictly),
        cmocka_unit_test(a_workspace_permits_nothing_until_it_is_trusted),
        cmocka_unit_test(a_rule_that_does_not_hold_permits_nothing),
    };
    return cmocka_run_group_tests_name("policy/auto_apply", tests, nullptr, nullptr);
}
