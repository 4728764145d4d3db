/* SPDX-License-Identifier: Apache-2.0 */
#include "kernel/automatic.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static struct automatic automatic;
static struct builder scratch;

static int set_up(void **state) {
    (void)state;
    automatic_init(&automatic);
    builder_init(&scratch, 1 << 16);
    return 0;
}

static int tear_down(void **state) {
    (void)state;
    automatic_deinit(&automatic);
    builder_deinit(&scratch);
    return 0;
}

static struct policy_decision decided(enum policy_outcome outcome, const char *reason) {
    return (struct policy_decision){.outcome = outcome, .reasons = {reason}, .reason_count = 1};
}

static struct policy_decision permitting(const char *rule, uint32_t lines_max, uint32_t files_max) {
    struct policy_decision decision = decided(POLICY_ALLOW, "the rule allows it");
    decision.obligations.auto_apply = (struct policy_auto_apply){
        .is_permitted = true, .lines_max = lines_max, .files_max = files_max, .rule = rule};
    return decision;
}

static void judge(const char *path, struct policy_decision decision) {
    automatic_judge(&automatic, path, &decision);
}

static const char *text(enum automatic_reason reason) {
    return automatic_text(&automatic, reason, &scratch);
}

static void one_path_without_a_rule_is_enough(void **state) {
    (void)state;
    judge(nullptr, decided(POLICY_ALLOW, "the rule allows it")); /* the whole needs none */
    judge("src/a", permitting("sources", 500, 50));
    assert_false(automatic_is_held(&automatic));
    judge("docs/d\n", decided(POLICY_ALLOW, "the rule allows it"));
    assert_true(automatic_is_held(&automatic));
    assert_string_equal(text(AUTOMATIC_UNPERMITTED), "no rule with auto_apply allows docs/d\\n");
    judge("docs/e", decided(POLICY_ALLOW, ""));
    judge("docs/f", decided(POLICY_ALLOW, ""));
    judge("docs/g", decided(POLICY_ALLOW, ""));
    assert_string_equal(text(AUTOMATIC_UNPERMITTED),
                        "no rule with auto_apply allows docs/d\\n, docs/e, docs/f and 1 more");
}

static void reviews_and_denials_are_named(void **state) {
    (void)state;
    struct policy_decision decision = decided(POLICY_REVIEW, "an editor runs what stands there");
    decision.obligations = permitting("all", 1, 1).obligations; /* says nothing about a review */
    judge(".vscode/x", decision);
    judge("k.key", decided(POLICY_DENY, "keys stay"));
    judge(nullptr, decided(POLICY_REVIEW, "all is read"));
    assert_false(automatic.permitted.is_permitted);
    assert_string_equal(text(AUTOMATIC_REVIEW),
                        "a person has to look at .vscode/x (an editor runs what stands there), all "
                        "of it (all is read)");
    assert_string_equal(text(AUTOMATIC_DENIED), "policy denies k.key (keys stay)");
    assert_string_equal(text(AUTOMATIC_LINES), "");
}

static void the_strictest_of_all_paths_counts(void **state) {
    (void)state;
    judge("a", permitting("loose", 500, 1));
    judge("b", permitting("strict", 20, 50));
    judge("c", permitting("large", 5000, 50));
    assert_int_equal(automatic.permitted.lines_max, 20);
    assert_int_equal(automatic.permitted.files_max, 1);
    assert_string_equal(automatic.permitted.rule, "strict");
    automatic.changed_lines = 20;
    automatic.changed_files = 1;
    automatic_weigh_totals(&automatic);
    assert_false(automatic_is_held(&automatic));
    automatic.changed_lines = 21;
    automatic_weigh_totals(&automatic);
    assert_string_equal(text(AUTOMATIC_LINES), "21 lines change, and the rule strict permits 20");
    assert_string_equal(text(AUTOMATIC_FILES), "");
    automatic.changed_files = 2;
    automatic_weigh_totals(&automatic);
    assert_string_equal(text(AUTOMATIC_FILES), "2 files change, and auto_apply permits 1");
}

static void names_are_escaped_and_cut(void **state) {
    (void)state;
    char path[4000];
    memset(path, 'p', sizeof path);
    path[sizeof path - 1] = '\0';
    uint64_t before = limit_hit_count(LIMIT_ID_AUTO_PATHS_NAMED);
    for (size_t i = 0; i < 10; i++) {
        automatic_hold(&automatic, AUTOMATIC_CONFLICT, path, nullptr);
        automatic_hold(&automatic, AUTOMATIC_REFUSED, "\x1b[2K", "a\nb");
    }
    assert_int_equal(limit_hit_count(LIMIT_ID_AUTO_PATHS_NAMED), before + 2 * 7);
    assert_true(strlen(text(AUTOMATIC_CONFLICT)) < 2000);
    assert_null(strchr(text(AUTOMATIC_REFUSED), '\x1b'));
    assert_null(strchr(text(AUTOMATIC_REFUSED), '\n'));
    assert_non_null(strstr(text(AUTOMATIC_REFUSED), " and 7 more"));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(one_path_without_a_rule_is_enough, set_up, tear_down),
        cmocka_unit_test_setup_teardown(reviews_and_denials_are_named, set_up, tear_down),
        cmocka_unit_test_setup_teardown(the_strictest_of_all_paths_counts, set_up, tear_down),
        cmocka_unit_test_setup_teardown(names_are_escaped_and_cut, set_up, tear_down),
    };
    return cmocka_run_group_tests_name("kernel/automatic", tests, nullptr, nullptr);
}
