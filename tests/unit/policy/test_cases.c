/* SPDX-License-Identifier: Apache-2.0
 *
 * The 26 normative cases, by their numbers.
 */
#include "policy_kit.h"

static struct kit kit;
static const struct policy_request write_main = {.operation = "fs.write", .path = "src/main.c"};

static int setup(void **state) {
    (void)state;
    kit = (struct kit){};
    return 0;
}

static void rule(const char *name, enum policy_action action, const char *spec) {
    (void)kit_rule(&kit, name, action, spec);
}

static void reason(const char *text) {
    kit.rules[kit.rule_count - 1].reason = text;
}

static enum policy_outcome outcome(const struct policy_request *request) {
    return kit_decide(&kit, request).outcome;
}

/* Engine with everything: the rules so far, extensions, and the built-ins unless told otherwise. */
static struct policy_decision decide_with(const struct policy_request *request,
                                          const struct policy_extension *extensions, size_t count) {
    struct policy_document document = kit_document(&kit);
    struct policy_rules *rules = kit_compile(&document);
    struct policy_engine engine = {.builtins = policy_builtin_rules,
                                   .builtin_count = policy_builtin_count,
                                   .rules = rules,
                                   .extensions = extensions,
                                   .extension_count = count};
    static struct policy_decision decision;
    policy_evaluate(&engine, request, &decision);
    policy_rules_free(rules);
    return decision;
}

/* An extension that counts how it is used. */
struct fake_extension {
    enum policy_verdict verdict;
    unsigned calls, restarts;
};

static enum policy_verdict fake_decide(void *context, const struct policy_request *request,
                                       const char **ret_reason) {
    struct fake_extension *fake = context;
    assert_non_null(request->operation);
    fake->calls++;
    *ret_reason = "the extension says so";
    return fake->verdict;
}

static void fake_restart(void *context) {
    ((struct fake_extension *)context)->restarts++;
}

static struct policy_extension extension_of(struct fake_extension *fake) {
    return (struct policy_extension){"fake", fake_decide, fake_restart, fake};
}

/* A token with the facts the cases turn on; the real one has its own tests. */
struct fake_token {
    uint64_t expires_ms;
    const char *sandbox_id;
    unsigned ops_left;
    unsigned checks, uses;
    uint64_t *clock_ms; /* moves on while it is checked; nullptr: stands still */
};

static enum policy_token_state fake_check(void *context, const struct policy_request *request) {
    struct fake_token *token = context;
    token->checks++;
    if (token->clock_ms != nullptr) {
        *token->clock_ms += 1000;
    }
    bool sandbox = request->sandbox_id != nullptr && token->sandbox_id != nullptr &&
                   strcmp(request->sandbox_id, token->sandbox_id) == 0;
    bool valid = request->now_ms < token->expires_ms && sandbox && token->ops_left > 0;
    return valid ? POLICY_TOKEN_VALID : POLICY_TOKEN_INVALID;
}

static bool fake_use(void *context) {
    struct fake_token *token = context;
    token->uses++;
    if (token->ops_left == 0) {
        return false;
    }
    token->ops_left--;
    return true;
}

static struct policy_token_source source_of(struct fake_token *token) {
    return (struct policy_token_source){fake_check, fake_use, token, "token-1"};
}

static struct policy_request with_token(const struct policy_request *request,
                                        const struct policy_token_source *source) {
    struct policy_request with = *request;
    with.sandbox_id = "sandbox-1";
    with.now_ms = 1000;
    with.token = source;
    return with;
}

static void case_01_nothing_matches_is_denied(void **state) {
    (void)state;
    rule("other", POLICY_ACTION_ALLOW, "operation=fs.read");
    struct policy_decision decision = kit_decide(&kit, &write_main);
    assert_int_equal(decision.outcome, POLICY_DENY);
    assert_string_equal(decision.rule, "default.deny");
    assert_string_equal(decision.reasons[0], "no rule allows this operation");
    assert_int_equal(decision.reason_count, 1);
}

static void case_02_only_pass_is_denied(void **state) {
    (void)state;
    rule("pass", POLICY_ACTION_PASS, "operation=fs.write");
    assert_int_equal(outcome(&write_main), POLICY_DENY);
}

static void case_03_allow_and_deny_is_denied(void **state) {
    (void)state;
    rule("allow", POLICY_ACTION_ALLOW, "operation=fs.write");
    rule("deny", POLICY_ACTION_DENY, "path=src/**");
    reason("not the sources");
    struct policy_decision decision = kit_decide(&kit, &write_main);
    assert_int_equal(decision.outcome, POLICY_DENY);
    assert_string_equal(decision.rule, "deny");
    assert_string_equal(decision.reasons[0], "not the sources");
    assert_string_equal(decision.deciders[0].file, "test.yaml");
    assert_int_equal(decision.deciders[0].line, 2);
}

static void case_04_allow_and_review_is_review(void **state) {
    (void)state;
    rule("review", POLICY_ACTION_REVIEW, "operation=fs.write");
    rule("allow", POLICY_ACTION_ALLOW, "operation=fs.write");
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
    rule("review", POLICY_ACTION_REVIEW, "operation=fs.write");
    kit_except(&kit, "path=src/**");
    assert_int_equal(outcome(&write_main), POLICY_DENY);
    rule("allow", POLICY_ACTION_ALLOW, "operation=fs.write");
    assert_int_equal(outcome(&write_main), POLICY_ALLOW);
}

static void case_07_valid_token_against_builtin_deny_is_denied(void **state) {
    (void)state;
    struct fake_token token = {2000, "sandbox-1", 1, 0, 0, nullptr};
    struct policy_token_source source = source_of(&token);
    struct policy_request hook = {.operation = "fs.write", .path = ".git/hooks/pre-commit"};
    struct policy_request request = with_token(&hook, &source);
    struct policy_decision decision = kit_decide(&kit, &request);
    assert_int_equal(decision.outcome, POLICY_DENY);
    assert_string_equal(decision.rule, "builtin.git-control");
    assert_int_equal(token.uses, 0);
    assert_int_equal(token.ops_left, 1);
}

static void case_08_valid_token_skips_files_and_extensions(void **state) {
    (void)state;
    rule("deny", POLICY_ACTION_DENY, "operation=fs.write");
    struct fake_extension fake = {.verdict = POLICY_VERDICT_DENY};
    struct policy_extension extension = extension_of(&fake);
    struct fake_token token = {2000, "sandbox-1", 1, 0, 0, nullptr};
    struct policy_token_source source = source_of(&token);
    struct policy_request request = with_token(&write_main, &source);
    struct policy_decision decision = decide_with(&request, &extension, 1);
    assert_int_equal(decision.outcome, POLICY_ALLOW);
    assert_string_equal(decision.token_id, "token-1");
    assert_int_equal(decision.deciders[0].layer, POLICY_LAYER_TOKEN);
    assert_int_equal(fake.calls, 0);
    assert_int_equal(token.uses, 1);
    request.path = ".envrc"; /* a built-in review: the token does not answer for a person */
    token.ops_left = 1;
    assert_int_equal(decide_with(&request, &extension, 1).outcome, POLICY_REVIEW);
    assert_int_equal(token.ops_left, 1);
}

/* The token is no good: everything is evaluated as if it were not there. */
static void expect_full_evaluation(const struct fake_token *facts) {
    struct fake_token token = *facts;
    struct policy_token_source source = source_of(&token);
    struct policy_request request = with_token(&write_main, &source);
    kit = (struct kit){};
    struct policy_decision decision = kit_decide(&kit, &request);
    assert_int_equal(decision.outcome, POLICY_DENY);
    assert_string_equal(decision.rule, "default.deny");
    assert_int_equal(decision.reason_count, 2); /* and the token is said not to hold */
    assert_int_equal(decision.deciders[1].layer, POLICY_LAYER_TOKEN);
    assert_null(decision.token_id);
    rule("deny", POLICY_ACTION_DENY, "operation=fs.write");
    assert_string_equal(kit_decide(&kit, &request).rule, "deny");
    kit = (struct kit){};
    rule("allow", POLICY_ACTION_ALLOW, "operation=fs.write");
    assert_string_equal(kit_decide(&kit, &request).rule, "allow");
    assert_int_equal(token.checks, 3);
    assert_int_equal(token.ops_left, facts->ops_left);
}

static void case_09_expired_token_is_full_evaluation(void **state) {
    (void)state;
    expect_full_evaluation(&(struct fake_token){1000, "sandbox-1", 1, 0, 0, nullptr});
}

static void case_10_several_reviews_give_all_reasons(void **state) {
    (void)state;
    rule("one", POLICY_ACTION_REVIEW, "operation=fs.write");
    reason("reason one");
    rule("two", POLICY_ACTION_REVIEW, "path=*.c");
    reason("reason two");
    rule("three", POLICY_ACTION_REVIEW, "operation=fs.*");
    reason("reason three");
    struct policy_decision decision = kit_decide(&kit, &write_main);
    assert_int_equal(decision.outcome, POLICY_REVIEW);
    assert_int_equal(decision.reason_count, 3);
    assert_string_equal(decision.reasons[0], "reason one");
    assert_string_equal(decision.reasons[1], "reason two");
    assert_string_equal(decision.reasons[2], "reason three");
    for (size_t i = 3; i < POLICY_REASON_COUNT_MAX + 5; i++) {
        rule("more", POLICY_ACTION_REVIEW, "operation=fs.write");
    }
    decision = kit_decide(&kit, &write_main);
    assert_int_equal(decision.reason_count, POLICY_REASON_COUNT_MAX);
    assert_int_equal(decision.reasons_dropped, 5);
}

static void case_11_file_deny_never_calls_the_extension(void **state) {
    (void)state;
    rule("deny", POLICY_ACTION_DENY, "operation=fs.write");
    struct fake_extension fake = {.verdict = POLICY_VERDICT_ALLOW};
    struct policy_extension extension = extension_of(&fake);
    assert_int_equal(decide_with(&write_main, &extension, 1).outcome, POLICY_DENY);
    assert_int_equal(fake.calls, 0);
}

static void case_12_operation_matches_but_path_does_not(void **state) {
    (void)state;
    rule("allow", POLICY_ACTION_ALLOW, "operation=fs.write path=tests/**");
    assert_int_equal(outcome(&write_main), POLICY_DENY);
    rule("allow", POLICY_ACTION_ALLOW, "operation=fs.write path=src/**");
    rule("deny", POLICY_ACTION_DENY, "operation=fs.write path=docs/**");
    assert_int_equal(outcome(&write_main), POLICY_ALLOW);
}

static void case_13_review_whose_except_misses_is_review(void **state) {
    (void)state;
    rule("allow", POLICY_ACTION_ALLOW, "operation=fs.write");
    rule("review", POLICY_ACTION_REVIEW, "operation=fs.write");
    kit_except(&kit, "path=tests/**");
    assert_int_equal(outcome(&write_main), POLICY_REVIEW);
}

static void add_review_with_three_excepts(void) {
    rule("allow", POLICY_ACTION_ALLOW, "operation=fs.write");
    rule("review", POLICY_ACTION_REVIEW, "operation=fs.write");
    kit_except(&kit, "path=tests/**");
    kit_except(&kit, "caller_tag=trusted_write");
    kit_except(&kit, "path=src/** session_mode=maintenance");
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
    rule("one", POLICY_ACTION_ALLOW, "operation=fs.write");
    rule("two", POLICY_ACTION_ALLOW, "path=src/**");
    struct policy_decision decision = kit_decide(&kit, &write_main);
    assert_int_equal(decision.outcome, POLICY_ALLOW);
    assert_int_equal(decision.reason_count, 2);
}

static void case_17_allow_in_file_and_extension_is_allowed(void **state) {
    (void)state;
    rule("allow", POLICY_ACTION_ALLOW, "operation=fs.write");
    struct fake_extension fake = {.verdict = POLICY_VERDICT_ALLOW};
    struct policy_extension extension = extension_of(&fake);
    assert_int_equal(decide_with(&write_main, &extension, 1).outcome, POLICY_ALLOW);
    assert_int_equal(fake.calls, 1);
}

static void case_18_no_builtins_at_all_still_works(void **state) {
    (void)state;
    rule("allow", POLICY_ACTION_ALLOW, "operation=fs.write path=src/**");
    struct policy_document document = kit_document(&kit);
    struct policy_rules *rules = kit_compile(&document);
    struct policy_engine engine = {.rules = rules};
    struct policy_decision decision;
    policy_evaluate(&engine, &write_main, &decision);
    assert_int_equal(decision.outcome, POLICY_ALLOW);
    policy_evaluate(&engine, &(struct policy_request){.operation = "fs.read"}, &decision);
    assert_int_equal(decision.outcome, POLICY_DENY);
    policy_rules_free(rules);
    policy_evaluate(&(struct policy_engine){}, &write_main, &decision);
    assert_int_equal(decision.outcome, POLICY_DENY);
}

static void case_19_empty_file_is_denied(void **state) {
    (void)state;
    assert_int_equal(outcome(&write_main), POLICY_DENY);
}

static void case_20_extension_crash_is_denied_and_restarted(void **state) {
    (void)state;
    rule("allow", POLICY_ACTION_ALLOW, "operation=fs.write");
    for (int late = 0; late < 2; late++) {
        struct fake_extension fakes[] = {
            {.verdict = late != 0 ? POLICY_VERDICT_LATE : POLICY_VERDICT_CRASHED},
            {.verdict = POLICY_VERDICT_ALLOW}};
        struct policy_extension extensions[] = {extension_of(&fakes[0]), extension_of(&fakes[1])};
        struct policy_decision decision = decide_with(&write_main, extensions, 2);
        assert_int_equal(decision.outcome, POLICY_DENY);
        assert_string_equal(decision.extension_failed, "fake");
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
    rule("allow", POLICY_ACTION_ALLOW, "operation=fs.write,fs.read");
    assert_int_equal(outcome(&(struct policy_request){.operation = "fs.format"}), POLICY_DENY);
    assert_int_equal(outcome(&(struct policy_request){.operation = ""}), POLICY_DENY);
    assert_int_equal(outcome(&(struct policy_request){.operation = "fs.writer"}), POLICY_DENY);
}

static void case_25_empty_path_list_matches_nothing(void **state) {
    (void)state;
    rule("allow", POLICY_ACTION_ALLOW, "operation=fs.write path=");
    assert_int_equal(outcome(&write_main), POLICY_DENY);
    assert_int_equal(outcome(&(struct policy_request){.operation = "fs.write"}), POLICY_DENY);
}

static void case_26_match_equal_to_except_never_triggers(void **state) {
    (void)state;
    rule("allow", POLICY_ACTION_ALLOW, "operation=fs.write path=src/**");
    rule("deny", POLICY_ACTION_DENY, "operation=fs.write path=src/**");
    kit_except(&kit, "operation=fs.write path=src/**");
    assert_int_equal(outcome(&write_main), POLICY_ALLOW);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(case_01_nothing_matches_is_denied, setup),
        cmocka_unit_test_setup(case_02_only_pass_is_denied, setup),
        cmocka_unit_test_setup(case_03_allow_and_deny_is_denied, setup),
        cmocka_unit_test_setup(case_04_allow_and_review_is_review, setup),
        cmocka_unit_test_setup(case_05_builtin_allow_and_extension_deny_is_denied, setup),
        cmocka_unit_test_setup(case_06_review_whose_except_matches_passes, setup),
        cmocka_unit_test_setup(case_07_valid_token_against_builtin_deny_is_denied, setup),
        cmocka_unit_test_setup(case_08_valid_token_skips_files_and_extensions, setup),
        cmocka_unit_test_setup(case_09_expired_token_is_full_evaluation, setup),
        cmocka_unit_test_setup(case_10_several_reviews_give_all_reasons, setup),
        cmocka_unit_test_setup(case_11_file_deny_never_calls_the_extension, setup),
        cmocka_unit_test_setup(case_12_operation_matches_but_path_does_not, setup),
        cmocka_unit_test_setup(case_13_review_whose_except_misses_is_review, setup),
        cmocka_unit_test_setup(case_14_several_excepts_of_which_one_hits_passes, setup),
        cmocka_unit_test_setup(case_15_several_excepts_of_which_none_hits_is_review, setup),
        cmocka_unit_test_setup(case_16_several_allows_is_allowed, setup),
        cmocka_unit_test_setup(case_17_allow_in_file_and_extension_is_allowed, setup),
        cmocka_unit_test_setup(case_18_no_builtins_at_all_still_works, setup),
        cmocka_unit_test_setup(case_19_empty_file_is_denied, setup),
        cmocka_unit_test_setup(case_20_extension_crash_is_denied_and_restarted, setup),
        cmocka_unit_test_setup(case_21_token_that_is_used_up_is_full_evaluation, setup),
        cmocka_unit_test_setup(case_22_one_snapshot_of_now_decides, setup),
        cmocka_unit_test_setup(case_23_token_of_another_sandbox_is_full_evaluation, setup),
        cmocka_unit_test_setup(case_24_unknown_operation_is_denied, setup),
        cmocka_unit_test_setup(case_25_empty_path_list_matches_nothing, setup),
        cmocka_unit_test_setup(case_26_match_equal_to_except_never_triggers, setup),
    };
    return cmocka_run_group_tests(tests, nullptr, nullptr);
}
