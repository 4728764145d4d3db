/* SPDX-License-Identifier: Apache-2.0
 *
 * The 26 normative cases, by their numbers, from the text of a policy file to the decision.
 */
#include "policy_fakes.h"
#include "policy_text.h"

static const struct policy_request write_main = {.operation = "fs.write", .path = "src/main.c"};

static void case_01_nothing_matches_is_denied(void **state) {
    (void)state;
    rule("other", "allow", "operation: fs.read");
    const struct policy_decision *decision = decide(&write_main);
    assert_int_equal(decision->outcome, POLICY_DENY);
    assert_string_equal(decision->rule, "default.deny");
    assert_string_equal(decision->reasons[0], "no rule allows this operation");
    assert_int_equal(decision->reason_count, 1);
}

static void case_02_only_pass_is_denied(void **state) {
    (void)state;
    rule("pass", "pass", "operation: fs.write");
    assert_int_equal(outcome(&write_main), POLICY_DENY);
}

static void case_03_allow_and_deny_is_denied(void **state) {
    (void)state;
    rule("allow", "allow", "operation: fs.write");
    rule("deny", "deny", "path: ['src/**']");
    reason("not the sources");
    const struct policy_decision *decision = decide(&write_main);
    assert_int_equal(decision->outcome, POLICY_DENY);
    assert_string_equal(decision->rule, "deny-2");
    assert_string_equal(decision->reasons[0], "not the sources");
    assert_string_equal(decision->deciders[0].file, "policy.yaml");
    assert_int_equal(decision->deciders[0].line, 6);
}

static void case_04_allow_and_review_is_review(void **state) {
    (void)state;
    rule("review", "require_review", "operation: fs.write");
    rule("allow", "allow", "operation: fs.write");
    assert_int_equal(outcome(&write_main), POLICY_REVIEW);
}

static bool anything(const struct policy_request *request, const struct policy_path *path) {
    (void)request;
    (void)path;
    return true;
}

static void case_05_builtin_allow_and_extension_deny_is_denied(void **state) {
    (void)state;
    static const struct policy_rule allow = {"builtin.allow", POLICY_ALLOW, "yes", anything};
    struct fake_extension fake = {.verdict = POLICY_VERDICT_DENY};
    struct policy_extension extension = extension_of(&fake);
    struct policy_engine engine = {.builtins = &allow, .builtin_count = 1};
    struct policy_decision decision;
    policy_evaluate(&engine, &write_main, &decision);
    assert_int_equal(decision.outcome, POLICY_ALLOW);
    engine.extensions = &extension;
    engine.extension_count = 1;
    policy_evaluate(&engine, &write_main, &decision);
    assert_int_equal(decision.outcome, POLICY_DENY);
    assert_string_equal(decision.rule, "fake");
    assert_string_equal(decision.reasons[0], "the extension says so");
}

static void case_06_review_whose_except_matches_passes(void **state) {
    (void)state;
    rule("review", "require_review", "operation: fs.write");
    except("path: ['src/**']");
    assert_int_equal(outcome(&write_main), POLICY_DENY);
    rule("allow", "allow", "operation: fs.write");
    assert_int_equal(outcome(&write_main), POLICY_ALLOW);
}

static void case_07_valid_token_against_builtin_deny_is_denied(void **state) {
    (void)state;
    struct fake_token token = {2000, "sandbox-1", 1, 0, 0, nullptr};
    struct policy_token_source source = source_of(&token);
    struct policy_request hook = {.operation = "fs.write", .path = ".git/hooks/pre-commit"};
    struct policy_request request = with_token(&hook, &source);
    const struct policy_decision *decision = decide(&request);
    assert_int_equal(decision->outcome, POLICY_DENY);
    assert_string_equal(decision->rule, "builtin.git-control");
    assert_int_equal(token.uses, 0);
    assert_int_equal(token.ops_left, 1);
}

static void case_08_valid_token_skips_files_and_extensions(void **state) {
    (void)state;
    rule("deny", "deny", "operation: fs.write");
    struct fake_extension fake = {.verdict = POLICY_VERDICT_DENY};
    struct policy_extension extension = extension_of(&fake);
    struct fake_token token = {2000, "sandbox-1", 1, 0, 0, nullptr};
    struct policy_token_source source = source_of(&token);
    struct policy_request request = with_token(&write_main, &source);
    const struct policy_decision *decision = decide_with(&request, &extension, 1);
    assert_int_equal(decision->outcome, POLICY_ALLOW);
    assert_string_equal(decision->token_id, "token-1");
    assert_int_equal(decision->deciders[0].layer, POLICY_LAYER_TOKEN);
    assert_int_equal(fake.calls, 0);
    assert_int_equal(token.uses, 1);
    request.path = ".envrc"; /* a built-in review: the token does not answer for a person */
    token.ops_left = 1;
    assert_int_equal(decide_with(&request, &extension, 1)->outcome, POLICY_REVIEW);
    assert_int_equal(token.ops_left, 1);
}

/* The token is no good: everything is evaluated as if it were not there. */
static void expect_full_evaluation(const struct fake_token *facts) {
    struct fake_token token = *facts;
    struct policy_token_source source = source_of(&token);
    struct policy_request request = with_token(&write_main, &source);
    start_again();
    const struct policy_decision *decision = decide(&request);
    assert_int_equal(decision->outcome, POLICY_DENY);
    assert_string_equal(decision->rule, "default.deny");
    assert_int_equal(decision->reason_count, 2); /* and the token is said not to hold */
    assert_int_equal(decision->deciders[1].layer, POLICY_LAYER_TOKEN);
    assert_null(decision->token_id);
    rule("deny", "deny", "operation: fs.write");
    assert_string_equal(decide(&request)->rule, "deny-1");
    start_again();
    rule("allow", "allow", "operation: fs.write");
    assert_string_equal(decide(&request)->rule, "allow-1");
    assert_int_equal(token.checks, 3);
    assert_int_equal(token.ops_left, facts->ops_left);
}

static void case_09_expired_token_is_full_evaluation(void **state) {
    (void)state;
    expect_full_evaluation(&(struct fake_token){1000, "sandbox-1", 1, 0, 0, nullptr});
}

static void case_10_several_reviews_give_all_reasons(void **state) {
    (void)state;
    rule("one", "require_review", "operation: fs.write");
    reason("reason one");
    rule("two", "require_review", "path: ['*.c']");
    reason("reason two");
    rule("three", "require_review", "operation: 'fs.*'");
    reason("reason three");
    const struct policy_decision *decision = decide(&write_main);
    assert_int_equal(decision->outcome, POLICY_REVIEW);
    assert_int_equal(decision->reason_count, 3);
    assert_string_equal(decision->reasons[0], "reason one");
    assert_string_equal(decision->reasons[1], "reason two");
    assert_string_equal(decision->reasons[2], "reason three");
    for (size_t i = 3; i < POLICY_REASON_COUNT_MAX + 5; i++) {
        rule("more", "require_review", "operation: fs.write");
    }
    decision = decide(&write_main);
    assert_int_equal(decision->reason_count, POLICY_REASON_COUNT_MAX);
    assert_int_equal(decision->reasons_dropped, 5);
}

static void case_11_file_deny_never_calls_the_extension(void **state) {
    (void)state;
    rule("deny", "deny", "operation: fs.write");
    struct fake_extension fake = {.verdict = POLICY_VERDICT_ALLOW};
    struct policy_extension extension = extension_of(&fake);
    assert_int_equal(decide_with(&write_main, &extension, 1)->outcome, POLICY_DENY);
    assert_int_equal(fake.calls, 0);
}

static void case_12_operation_matches_but_path_does_not(void **state) {
    (void)state;
    rule("allow", "allow", "operation: fs.write, path: ['tests/**']");
    assert_int_equal(outcome(&write_main), POLICY_DENY);
    rule("allow", "allow", "operation: fs.write, path: ['src/**']");
    rule("deny", "deny", "operation: fs.write, path: ['docs/**']");
    assert_int_equal(outcome(&write_main), POLICY_ALLOW);
}

static void case_13_review_whose_except_misses_is_review(void **state) {
    (void)state;
    rule("allow", "allow", "operation: fs.write");
    rule("review", "require_review", "operation: fs.write");
    except("path: ['tests/**']");
    assert_int_equal(outcome(&write_main), POLICY_REVIEW);
}

static void add_review_with_three_excepts(void) {
    rule("allow", "allow", "operation: fs.write");
    rule("review", "require_review", "operation: fs.write");
    except("path: ['tests/**']");
    except("caller_tag: trusted_write");
    except("path: ['src/**'], session_mode: maintenance");
}

static void case_14_several_excepts_of_which_one_hits_passes(void **state) {
    (void)state;
    add_review_with_three_excepts();
    static const char *const tags[] = {"third_party", "trusted_write"};
    struct policy_request request = write_main;
    request.caller_tags = tags;
    request.caller_tag_count = 2;
    assert_int_equal(outcome(&request), POLICY_ALLOW);
    request = write_main;
    request.session_mode = "maintenance";
    assert_int_equal(outcome(&request), POLICY_ALLOW);
}

static void case_15_several_excepts_of_which_none_hits_is_review(void **state) {
    (void)state;
    add_review_with_three_excepts();
    static const char *const tags[] = {"third_party"};
    struct policy_request request = write_main;
    request.caller_tags = tags;
    request.caller_tag_count = 1;
    request.session_mode = "normal"; /* half of the third except */
    assert_int_equal(outcome(&request), POLICY_REVIEW);
}

static void case_16_several_allows_is_allowed(void **state) {
    (void)state;
    rule("one", "allow", "operation: fs.write");
    rule("two", "allow", "path: ['src/**']");
    const struct policy_decision *decision = decide(&write_main);
    assert_int_equal(decision->outcome, POLICY_ALLOW);
    assert_int_equal(decision->reason_count, 2);
}

static void case_17_allow_in_file_and_extension_is_allowed(void **state) {
    (void)state;
    rule("allow", "allow", "operation: fs.write");
    struct fake_extension fake = {.verdict = POLICY_VERDICT_ALLOW};
    struct policy_extension extension = extension_of(&fake);
    assert_int_equal(decide_with(&write_main, &extension, 1)->outcome, POLICY_ALLOW);
    assert_int_equal(fake.calls, 1);
}

static void case_18_no_builtins_at_all_still_works(void **state) {
    (void)state;
    builtins = false;
    assert_int_equal(outcome(&write_main), POLICY_DENY);
    rule("allow", "allow", "operation: fs.write, path: ['src/**', '.git/**']");
    assert_int_equal(outcome(&write_main), POLICY_ALLOW);
    assert_int_equal(outcome(&(struct policy_request){.operation = "fs.read"}), POLICY_DENY);
    struct policy_request hook = {.operation = "fs.write", .path = ".git/hooks/pre-commit"};
    assert_int_equal(outcome(&hook), POLICY_ALLOW);
    builtins = true;
    assert_int_equal(outcome(&hook), POLICY_DENY);
}

static void case_19_empty_file_is_denied(void **state) {
    (void)state;
    assert_int_equal(outcome(&write_main), POLICY_DENY);
}

static void case_20_extension_crash_is_denied_and_restarted(void **state) {
    (void)state;
    rule("allow", "allow", "operation: fs.write");
    for (int late = 0; late < 2; late++) {
        struct fake_extension fakes[] = {
            {.verdict = late != 0 ? POLICY_VERDICT_LATE : POLICY_VERDICT_CRASHED},
            {.verdict = POLICY_VERDICT_ALLOW}};
        struct policy_extension extensions[] = {extension_of(&fakes[0]), extension_of(&fakes[1])};
        const struct policy_decision *decision = decide_with(&write_main, extensions, 2);
        assert_int_equal(decision->outcome, POLICY_DENY);
        assert_string_equal(decision->extension_failed, "fake");
        assert_int_equal(fakes[0].restarts, 1);
        assert_int_equal(fakes[1].calls, 0); /* it is denied already */
    }
}

static void case_21_token_that_is_used_up_is_full_evaluation(void **state) {
    (void)state;
    expect_full_evaluation(&(struct fake_token){2000, "sandbox-1", 0, 0, 0, nullptr});
}

static void case_22_one_snapshot_of_now_decides(void **state) {
    (void)state;
    uint64_t clock_ms = 1999; /* passes the expiry while the decision is made */
    struct fake_token token = {2000, "sandbox-1", 1, 0, 0, &clock_ms};
    struct policy_token_source source = source_of(&token);
    struct policy_request request = with_token(&write_main, &source);
    request.now_ms = clock_ms;
    assert_int_equal(outcome(&request), POLICY_ALLOW);
    assert_true(clock_ms > token.expires_ms);
    token.ops_left = 1;
    request.now_ms = clock_ms; /* the next request has a snapshot of its own */
    assert_int_equal(outcome(&request), POLICY_DENY);
}

static void case_23_token_of_another_sandbox_is_full_evaluation(void **state) {
    (void)state;
    expect_full_evaluation(&(struct fake_token){2000, "sandbox-2", 1, 0, 0, nullptr});
}

static void case_24_unknown_operation_is_denied(void **state) {
    (void)state;
    rule("allow", "allow", "operation: ['fs.write', 'fs.read']");
    assert_int_equal(outcome(&(struct policy_request){.operation = "fs.format"}), POLICY_DENY);
    assert_int_equal(outcome(&(struct policy_request){.operation = ""}), POLICY_DENY);
    assert_int_equal(outcome(&(struct policy_request){.operation = "fs.writer"}), POLICY_DENY);
}

static void case_25_empty_path_list_matches_nothing(void **state) {
    (void)state;
    rule("allow", "allow", "operation: fs.write, path: []");
    assert_int_equal(outcome(&write_main), POLICY_DENY);
    assert_int_equal(warning_count, 1);
    assert_int_equal(outcome(&(struct policy_request){.operation = "fs.write"}), POLICY_DENY);
}

static void case_26_match_equal_to_except_never_triggers(void **state) {
    (void)state;
    rule("allow", "allow", "operation: fs.write, path: ['src/**']");
    rule("deny", "deny", "operation: fs.write, path: ['src/**']");
    except("operation: fs.write, path: ['src/**']");
    assert_int_equal(outcome(&write_main), POLICY_ALLOW);
    assert_int_equal(warning_count, 1);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(case_01_nothing_matches_is_denied, setup, teardown),
        cmocka_unit_test_setup_teardown(case_02_only_pass_is_denied, setup, teardown),
        cmocka_unit_test_setup_teardown(case_03_allow_and_deny_is_denied, setup, teardown),
        cmocka_unit_test_setup_teardown(case_04_allow_and_review_is_review, setup, teardown),
        cmocka_unit_test_setup_teardown(case_05_builtin_allow_and_extension_deny_is_denied, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(case_06_review_whose_except_matches_passes, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(case_07_valid_token_against_builtin_deny_is_denied, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(case_08_valid_token_skips_files_and_extensions, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(case_09_expired_token_is_full_evaluation, setup, teardown),
        cmocka_unit_test_setup_teardown(case_10_several_reviews_give_all_reasons, setup, teardown),
        cmocka_unit_test_setup_teardown(case_11_file_deny_never_calls_the_extension, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(case_12_operation_matches_but_path_does_not, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(case_13_review_whose_except_misses_is_review, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(case_14_several_excepts_of_which_one_hits_passes, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(case_15_several_excepts_of_which_none_hits_is_review, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(case_16_several_allows_is_allowed, setup, teardown),
        cmocka_unit_test_setup_teardown(case_17_allow_in_file_and_extension_is_allowed, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(case_18_no_builtins_at_all_still_works, setup, teardown),
        cmocka_unit_test_setup_teardown(case_19_empty_file_is_denied, setup, teardown),
        cmocka_unit_test_setup_teardown(case_20_extension_crash_is_denied_and_restarted, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(case_21_token_that_is_used_up_is_full_evaluation, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(case_22_one_snapshot_of_now_decides, setup, teardown),
        cmocka_unit_test_setup_teardown(case_23_token_of_another_sandbox_is_full_evaluation, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(case_24_unknown_operation_is_denied, setup, teardown),
        cmocka_unit_test_setup_teardown(case_25_empty_path_list_matches_nothing, setup, teardown),
        cmocka_unit_test_setup_teardown(case_26_match_equal_to_except_never_triggers, setup,
                                        teardown),
    };
    return cmocka_run_group_tests(tests, nullptr, nullptr);
}
