/* SPDX-License-Identifier: Apache-2.0
 *
 * Real tokens in front of the engine, which otherwise has no rule but the built-in ones: what a
 * token does not allow is denied here.
 */
#include "policy/token_source.h"

#include <sys/stat.h>

#include "policy/builtin.h"
#include "token_kit.h"

static struct policy_decision decide(struct kit *kit, struct policy_request request,
                                     struct token_presented *presented) {
    struct token_facts facts = kit_facts();
    struct policy_decision decision;
    const struct token_bearer bearer = {
        .authority = kit->authority,
        .text = builder_slice(&kit->text),
        .now_ms = facts.now_ms,
        .peer = facts.peer,
        .policy_digest = facts.policy_digest,
    };
    const struct policy_engine engine = {
        .builtins = policy_builtin_rules,
        .builtin_count = policy_builtin_count,
    };
    token_presented_init(presented, &bearer);
    request.token = &presented->source;
    policy_evaluate(&engine, &request, &decision);
    return decision;
}

static struct policy_request fitting_request(void) {
    return (struct policy_request){
        .operation = "fs.write",
        .caller = "uid:1000",
        .path = "src/main.c",
        .mode = S_IFREG | 0644,
        .sandbox_id = "box-1",
        .template_name = "code-executor",
        .has_size = true,
        .size = 100,
    };
}

static enum policy_outcome outcome_of(struct kit *kit, const struct policy_request *request,
                                      enum token_result *ret_result) {
    struct token_presented presented;
    struct policy_decision decision = decide(kit, *request, &presented);
    *ret_result = presented.verdict.result;
    return decision.outcome;
}

static void case_8_a_valid_token_allows_and_is_counted(void **state) {
    (void)state;
    struct kit kit;
    struct token_presented presented;
    struct token_grant grant = kit_grant();
    grant.max_ops = 2;
    kit_init(&kit);
    kit_issue(&kit, &grant);
    struct policy_decision decision = decide(&kit, fitting_request(), &presented);
    assert_int_equal(decision.outcome, POLICY_ALLOW);
    assert_int_equal(strlen(decision.token_id), 32);
    assert_string_equal(decision.token_id, presented.id);
    enum token_result result;
    struct policy_request request = fitting_request();
    assert_int_equal(outcome_of(&kit, &request, &result), POLICY_ALLOW);
    assert_int_equal(outcome_of(&kit, &request, &result), POLICY_DENY); /* case 21 */
    assert_int_equal(result, TOKEN_USED_UP);
    kit_deinit(&kit);
}

static void case_7_a_built_in_deny_beats_it_and_uses_nothing(void **state) {
    (void)state;
    struct kit kit;
    enum token_result result;
    struct token_grant grant = kit_grant();
    grant.max_ops = 1;
    grant.paths = (struct token_globs){.globs = {"**"}, .count = 1};
    kit_init(&kit);
    kit_issue(&kit, &grant);
    struct policy_request request = fitting_request();
    request.operation = "fs.write";
    request.path = ".git/hooks/post-checkout";
    assert_int_equal(outcome_of(&kit, &request, &result), POLICY_DENY);
    request.path = "src/main.c";
    assert_int_equal(outcome_of(&kit, &request, &result), POLICY_ALLOW);
    kit_deinit(&kit);
}

static void what_the_token_is_not_for_is_denied(void **state) {
    (void)state;
    struct kit kit;
    enum token_result result;
    struct token_grant grant = kit_grant();
    kit_init(&kit);
    kit_issue(&kit, &grant);
    struct policy_request request = fitting_request();
    request.sandbox_id = "box-2"; /* case 23 */
    assert_int_equal(outcome_of(&kit, &request, &result), POLICY_DENY);
    assert_int_equal(result, TOKEN_WRONG_SANDBOX);
    request = fitting_request();
    request.sandbox_id = nullptr;
    assert_int_equal(outcome_of(&kit, &request, &result), POLICY_DENY);
    assert_int_equal(result, TOKEN_WRONG_SANDBOX);
    request = fitting_request();
    request.path = "lib/x";
    assert_int_equal(outcome_of(&kit, &request, &result), POLICY_DENY);
    assert_int_equal(result, TOKEN_WRONG_PATH);
    request = fitting_request();
    request.operation = "run.exec";
    assert_int_equal(outcome_of(&kit, &request, &result), POLICY_DENY);
    assert_int_equal(result, TOKEN_WRONG_OPERATION);
    request = fitting_request(); /* a token says nothing of engines */
    request.engine = "podman";
    assert_int_equal(outcome_of(&kit, &request, &result), POLICY_DENY);
    assert_int_equal(result, TOKEN_WRONG_OPERATION);
    builder_reset(&kit.text);
    builder_text(&kit.text, "alc_AAAA");
    request = fitting_request();
    assert_int_equal(outcome_of(&kit, &request, &result), POLICY_DENY);
    assert_int_equal(result, TOKEN_MALFORMED);
    kit_deinit(&kit);
}

static void the_remembered_constraints_hold(void **state) {
    (void)state;
    struct kit kit;
    enum token_result result;
    struct token_grant grant = kit_grant();
    grant.max_ops = 1;
    kit_init(&kit);
    kit_issue(&kit, &grant);
    struct policy_request request = fitting_request();
    request.size = 102401;
    assert_int_equal(outcome_of(&kit, &request, &result), POLICY_DENY);
    assert_int_equal(result, TOKEN_VALID);
    request = fitting_request();
    request.template_name = "small";
    assert_int_equal(outcome_of(&kit, &request, &result), POLICY_DENY);
    request = fitting_request();
    request.size = 102400; /* the refusals above used nothing up */
    assert_int_equal(outcome_of(&kit, &request, &result), POLICY_ALLOW);
    kit_deinit(&kit);
}

static void argument_digests_are_compared_as_bytes(void **state) {
    (void)state;
    struct kit kit;
    enum token_result result;
    struct token_grant grant = kit_grant();
    grant.has_argument_digest = true;
    memset(grant.argument_digest.bytes, 0xab, DIGEST_BYTES);
    char text[7 + 2 * DIGEST_BYTES + 1] = "sha256:";
    memset(text + 7, 'a', 2 * (size_t)DIGEST_BYTES);
    kit_init(&kit);
    kit_issue(&kit, &grant);
    struct policy_request request = fitting_request();
    assert_int_equal(outcome_of(&kit, &request, &result), POLICY_DENY);
    assert_int_equal(result, TOKEN_WRONG_ARGUMENTS);
    request.argument_digest = text;
    assert_int_equal(outcome_of(&kit, &request, &result), POLICY_DENY);
    for (size_t i = 1; i < 2 * (size_t)DIGEST_BYTES; i += 2) {
        text[7 + i] = 'b';
    }
    assert_int_equal(outcome_of(&kit, &request, &result), POLICY_ALLOW);
    request.argument_digest = text + 7;
    assert_int_equal(outcome_of(&kit, &request, &result), POLICY_DENY);
    assert_int_equal(result, TOKEN_WRONG_ARGUMENTS);
    kit_deinit(&kit);
}

static void obligations_go_in_and_come_out(void **state) {
    (void)state;
    struct kit kit;
    struct token_presented presented;
    struct token_grant grant = kit_grant();
    struct policy_obligations out;
    struct policy_obligations in = {
        .file_bytes_max = 1,
        .total_bytes_max = 2,
        .files_max = 3,
        .rates = {{4, 5, "one"}, {6, 7, "two"}},
        .rate_count = 2,
    };
    token_constraints_of(&in, &grant.constraints);
    kit_init(&kit);
    kit_issue(&kit, &grant);
    struct policy_request request = fitting_request();
    request.size = 1;
    assert_int_equal(decide(&kit, request, &presented).outcome, POLICY_ALLOW);
    token_presented_obligations(&presented, &out);
    assert_null(out.template_name);
    assert_int_equal(out.file_bytes_max, 1);
    assert_int_equal(out.total_bytes_max, 2);
    assert_int_equal(out.files_max, 3);
    assert_int_equal(out.rate_count, 2);
    assert_int_equal(out.rates[1].count, 6);
    assert_int_equal(out.rates[1].window_ms, 7);
    assert_string_equal(out.rates[1].rule, "two");
    kit_deinit(&kit);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(case_8_a_valid_token_allows_and_is_counted),
        cmocka_unit_test(case_7_a_built_in_deny_beats_it_and_uses_nothing),
        cmocka_unit_test(what_the_token_is_not_for_is_denied),
        cmocka_unit_test(the_remembered_constraints_hold),
        cmocka_unit_test(argument_digests_are_compared_as_bytes),
        cmocka_unit_test(obligations_go_in_and_come_out),
    };
    return cmocka_run_group_tests_name("tokens before the engine", tests, nullptr, nullptr);
}
