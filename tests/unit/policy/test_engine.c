/* SPDX-License-Identifier: Apache-2.0
 *
 * What a decision carries besides its outcome: constraints, obligations, facts, explanations.
 */
#include <sys/stat.h>

#include "policy/explain.h"
#include "policy_kit.h"

static struct kit kit;
static const struct policy_request write_main = {.operation = "fs.write", .path = "src/main.c"};

static int setup(void **state) {
    (void)state;
    kit = (struct kit){};
    return 0;
}

static struct policy_constraints *constrain(const char *name, enum policy_action action,
                                            const char *spec) {
    struct policy_constraints *constraints = &kit_rule(&kit, name, action, spec)->constraints;
    constraints->present = true;
    constraints->reviewer = POLICY_REVIEWER_UI;
    return constraints;
}

static enum policy_outcome outcome(const struct policy_request *request) {
    return kit_decide(&kit, request).outcome;
}

static void an_allow_whose_constraint_fails_says_so(void **state) {
    (void)state;
    constrain("small-only", POLICY_ACTION_ALLOW, "operation=fs.write")->file_bytes_max = 100;
    struct policy_request request = write_main;
    request.has_size = true;
    request.size = 101;
    struct policy_decision decision = kit_decide(&kit, &request);
    assert_int_equal(decision.outcome, POLICY_DENY);
    assert_string_equal(decision.rule, "default.deny");
    assert_int_equal(decision.reason_count, 2);
    assert_string_equal(decision.deciders[1].name, "small-only");
    assert_string_equal(decision.reasons[1], "the file is larger than the rule lets it be");
    request.size = 100;
    assert_int_equal(outcome(&request), POLICY_ALLOW);
    request.has_size = false; /* not known yet: the caller is told the limit */
    decision = kit_decide(&kit, &request);
    assert_int_equal(decision.outcome, POLICY_ALLOW);
    assert_int_equal(decision.obligations.file_bytes_max, 100);
}

static void a_review_whose_constraint_fails_is_a_deny(void **state) {
    (void)state;
    (void)kit_rule(&kit, "allow", POLICY_ACTION_ALLOW, "operation=fs.write");
    constrain("review", POLICY_ACTION_REVIEW, "operation=fs.write")->file_bytes_max = 100;
    struct policy_request request = write_main;
    request.has_size = true;
    request.size = 100;
    assert_int_equal(outcome(&request), POLICY_REVIEW);
    request.size = 101; /* were it dropped, the allow would let it through */
    assert_int_equal(outcome(&request), POLICY_DENY);
}

static void a_template_is_enforced_or_chosen(void **state) {
    (void)state;
    constrain("one", POLICY_ACTION_ALLOW, "operation=run.exec")->template_name = "small";
    constrain("two", POLICY_ACTION_ALLOW, "operation=run.exec")->template_name = "large";
    struct policy_request request = {.operation = "run.exec"};
    assert_int_equal(outcome(&request), POLICY_DENY);
    request.template_name = "other";
    assert_int_equal(outcome(&request), POLICY_DENY);
    request.template_name = "small";
    struct policy_decision decision = kit_decide(&kit, &request);
    assert_int_equal(decision.outcome, POLICY_ALLOW);
    assert_string_equal(decision.obligations.template_name, "small");
    request.template_name = nullptr;
    request.template_open = true;
    decision = kit_decide(&kit, &request);
    assert_int_equal(decision.outcome, POLICY_ALLOW);
    assert_string_equal(decision.obligations.template_name, "large");
}

static enum policy_token_state unfit(void *context, const struct policy_request *request) {
    (void)context;
    (void)request;
    return POLICY_TOKEN_UNFIT;
}

static void a_required_token_has_to_come(void **state) {
    (void)state;
    constrain("token", POLICY_ACTION_ALLOW, "operation=fs.write")->token_required = true;
    assert_int_equal(outcome(&write_main), POLICY_DENY);
    struct policy_request request = write_main;
    const struct policy_token_source source = {.check = unfit, .id = "token"};
    request.token = &source; /* valid, but not for this request: as good as none */
    struct policy_decision decision = kit_decide(&kit, &request);
    assert_int_equal(decision.outcome, POLICY_DENY);
    assert_int_equal(decision.reason_count, 3);
    request = write_main;
    request.issuing_token = true; /* this is how one comes to be */
    decision = kit_decide(&kit, &request);
    assert_int_equal(decision.outcome, POLICY_ALLOW);
    assert_true(decision.obligations.token_required);
}

/* Unix time of a minute of the week that began on Monday 2026-07-06. */
static uint64_t minute_of_week(unsigned day, unsigned hour, unsigned minute) {
    return (UINT64_C(1783296000) + (day * 24 + hour) * UINT64_C(3600) + minute * UINT64_C(60)) *
           1000;
}

static bool open_at(uint64_t now_ms) {
    struct policy_request request = write_main;
    request.now_ms = now_ms;
    return outcome(&request) == POLICY_ALLOW;
}

static void a_window_opens_and_closes(void **state) {
    (void)state;
    struct policy_constraints *hours =
        constrain("office", POLICY_ACTION_ALLOW, "operation=fs.write");
    hours->window_from_minute = 9 * 60;
    hours->window_to_minute = 17 * 60 + 30;
    hours->window_days = 0x1f; /* Monday to Friday */
    assert_false(open_at(minute_of_week(0, 8, 59)));
    assert_true(open_at(minute_of_week(0, 9, 0)));
    assert_true(open_at(minute_of_week(4, 17, 29)));
    assert_false(open_at(minute_of_week(4, 17, 30)));
    assert_false(open_at(minute_of_week(5, 12, 0)));
    hours->window_from_minute = 22 * 60; /* over midnight: of the day it begins on */
    hours->window_to_minute = 6 * 60;
    assert_true(open_at(minute_of_week(4, 23, 0)));
    assert_true(open_at(minute_of_week(5, 5, 59)));
    assert_false(open_at(minute_of_week(5, 6, 0)));
    assert_false(open_at(minute_of_week(5, 23, 0)));
    assert_false(open_at(minute_of_week(0, 3, 0))); /* began on Sunday */
    hours->window_from_minute = hours->window_to_minute = 0;
    assert_true(open_at(minute_of_week(0, 0, 0)));
    assert_false(open_at(minute_of_week(6, 23, 59)));
}

static void obligations_are_the_strictest(void **state) {
    (void)state;
    struct policy_constraints *one = constrain("one", POLICY_ACTION_ALLOW, "operation=fs.write");
    struct policy_constraints *two = constrain("two", POLICY_ACTION_ALLOW, "operation=fs.*");
    one->file_bytes_max = 100;
    one->files_max = 7;
    one->rate_count = 10;
    one->rate_window_ms = 60000;
    two->file_bytes_max = 200;
    two->total_bytes_max = 1000;
    two->rate_count = 5;
    two->rate_window_ms = 60000;
    struct policy_obligations merged = kit_decide(&kit, &write_main).obligations;
    assert_int_equal(merged.file_bytes_max, 100);
    assert_int_equal(merged.total_bytes_max, 1000);
    assert_int_equal(merged.files_max, 7);
    assert_int_equal(merged.rate_count, 1);
    assert_int_equal(merged.rates[0].count, 5);
    assert_string_equal(merged.rates[0].rule, "two");
    assert_int_equal(merged.reviewers_min, 0);
}

static void more_rates_than_fit_are_joined_strictly(void **state) {
    (void)state;
    for (uint32_t i = 1; i <= POLICY_RATE_COUNT_MAX + 2; i++) {
        struct policy_constraints *rate =
            constrain("rate", POLICY_ACTION_ALLOW, "operation=fs.write");
        rate->rate_count = 100 - i;
        rate->rate_window_ms = i * UINT64_C(1000);
    }
    struct policy_obligations merged = kit_decide(&kit, &write_main).obligations;
    assert_int_equal(merged.rate_count, POLICY_RATE_COUNT_MAX);
    const struct policy_rate *last = &merged.rates[POLICY_RATE_COUNT_MAX - 1];
    assert_int_equal(last->count, 100 - (POLICY_RATE_COUNT_MAX + 2));
    assert_int_equal(last->window_ms, (POLICY_RATE_COUNT_MAX + 2) * 1000);
}

static void reviewers_are_the_strongest_class(void **state) {
    (void)state;
    struct policy_constraints *one = constrain("one", POLICY_ACTION_REVIEW, "operation=fs.write");
    one->reviewer = POLICY_REVIEWER_CLIENT;
    struct policy_obligations merged = kit_decide(&kit, &write_main).obligations;
    assert_int_equal(merged.reviewer, POLICY_REVIEWER_CLIENT);
    assert_int_equal(merged.reviewers_min, 1);
    (void)kit_rule(&kit, "plain", POLICY_ACTION_REVIEW, "operation=fs.write");
    assert_int_equal(kit_decide(&kit, &write_main).obligations.reviewer, POLICY_REVIEWER_UI);
    struct policy_constraints *two = constrain("two", POLICY_ACTION_REVIEW, "operation=fs.write");
    two->reviewer = POLICY_REVIEWER_TERMINAL;
    two->reviewers_min = 2;
    merged = kit_decide(&kit, &write_main).obligations;
    assert_int_equal(merged.reviewer, POLICY_REVIEWER_TERMINAL);
    assert_int_equal(merged.reviewers_min, 2);
    struct policy_request built = {.operation = "fs.write", .path = ".envrc"};
    kit = (struct kit){};
    constrain("one", POLICY_ACTION_REVIEW, "operation=fs.write")->reviewer =
        POLICY_REVIEWER_CLIENT; /* not for what a built-in rule wants looked at */
    assert_int_equal(kit_decide(&kit, &built).obligations.reviewer, POLICY_REVIEWER_UI);
}

static enum policy_verdict passing(void *context, const struct policy_request *request,
                                   const char **ret_reason) {
    (void)context;
    (void)request;
    *ret_reason = "out of use";
    return POLICY_VERDICT_PASS;
}

static void why_an_extension_passes_is_said_when_nothing_allows(void **state) {
    (void)state;
    const struct policy_extension extension = {.name = "judge", .decide = passing};
    const struct policy_engine engine = {.extensions = &extension, .extension_count = 1};
    struct policy_decision decision;
    policy_evaluate(&engine, &write_main, &decision);
    assert_int_equal(decision.outcome, POLICY_DENY);
    assert_string_equal(decision.rule, "default.deny");
    assert_int_equal(decision.reason_count, 2);
    assert_string_equal(decision.deciders[1].name, "judge");
    assert_string_equal(decision.reasons[1], "out of use");
}

static void facts_name_field_value_and_pattern(void **state) {
    (void)state;
    (void)kit_rule(&kit, "allow", POLICY_ACTION_ALLOW,
                   "operation=fs.* path=docs/**,src/** caller_tag=trusted* size=0..100");
    static const char *const tags[] = {"other", "trusted_write"};
    struct policy_request request = write_main;
    request.caller_tags = tags;
    request.caller_tag_count = 2;
    request.has_size = true;
    request.size = 42;
    struct policy_decision decision = kit_decide(&kit, &request);
    assert_int_equal(decision.outcome, POLICY_ALLOW);
    assert_int_equal(decision.fact_count, 4);
    static const enum policy_field fields[] = {POLICY_FIELD_OPERATION, POLICY_FIELD_PATH,
                                               POLICY_FIELD_CALLER_TAG, POLICY_FIELD_SIZE};
    static const char *const values[] = {"fs.write", "src/main.c", "trusted_write", nullptr};
    static const char *const patterns[] = {"fs.*", "src/**", "trusted*", "0..100"};
    for (size_t i = 0; i < 4; i++) {
        assert_int_equal(decision.facts[i].field, fields[i]);
        assert_string_equal(decision.facts[i].pattern, patterns[i]);
        if (values[i] != nullptr) {
            assert_string_equal(decision.facts[i].value, values[i]);
        }
    }
    assert_int_equal(decision.facts[3].number, 42);
}

static void a_review_that_may_not_grant_holds_back_only(void **state) {
    (void)state;
    static struct kit cloned;
    cloned = (struct kit){};
    (void)kit_rule(&cloned, "ask", POLICY_ACTION_REVIEW, "operation=*");
    (void)kit_rule(&cloned, "allow", POLICY_ACTION_ALLOW, "operation=*");
    (void)kit_rule(&kit, "allow", POLICY_ACTION_ALLOW, "operation=fs.write");
    struct policy_document documents[] = {kit_document(&kit), kit_document(&cloned)};
    const struct policy_layer_source layers[] = {
        {&documents[0], POLICY_LAYER_USER, POLICY_LAYER_FULL},
        {&documents[1], POLICY_LAYER_WORKSPACE, POLICY_LAYER_RESTRICT}};
    struct policy_rules *rules = nullptr;
    struct error err;
    assert_true(status_is_ok(policy_compile(layers, 2, &rules, &err)));
    struct policy_engine engine = {
        .builtins = policy_builtin_rules, .builtin_count = policy_builtin_count, .rules = rules};
    struct policy_decision decision;
    policy_evaluate(&engine, &write_main, &decision);
    assert_int_equal(decision.outcome, POLICY_REVIEW);
    assert_int_equal(decision.deciders[0].layer, POLICY_LAYER_WORKSPACE);
    policy_evaluate(&engine, &(struct policy_request){.operation = "fs.erase"}, &decision);
    assert_int_equal(decision.outcome, POLICY_DENY);
    assert_string_equal(decision.rule, "default.deny");
    policy_rules_free(rules);
    kit = (struct kit){}; /* a built-in review and an empty file */
    assert_int_equal(outcome(&(struct policy_request){.operation = "fs.write", .path = ".envrc"}),
                     POLICY_DENY);
}

static void only_exclusions_are_an_error_with_its_place(void **state) {
    (void)state;
    (void)kit_rule(&kit, "deny", POLICY_ACTION_DENY, "path=!secrets/open,!b");
    struct policy_document document = kit_document(&kit);
    const struct policy_layer_source layer = {&document, POLICY_LAYER_USER, POLICY_LAYER_FULL};
    struct policy_rules *rules = nullptr;
    struct error err = {};
    assert_int_equal(policy_compile(&layer, 1, &rules, &err).code, ERROR_POLICY_INVALID);
    assert_null(rules);
    assert_non_null(strstr(err.message, "test.yaml:1:9: "));
    kit = (struct kit){};
    (void)kit_rule(&kit, "deny", POLICY_ACTION_DENY, "path=a,[b");
    document = kit_document(&kit);
    assert_int_equal(policy_compile(&layer, 1, &rules, &err).code, ERROR_POLICY_INVALID);
    assert_non_null(strstr(err.detail, "class"));
}

struct heard {
    struct policy_trace traces[8];
    size_t count;
};

static void hear(void *context, const struct policy_trace *trace) {
    struct heard *heard = context;
    assert_true(heard->count < 8);
    heard->traces[heard->count++] = *trace;
}

static bool never_used(void *context) {
    (void)context;
    fail();
    return false;
}

static void explain_says_what_each_rule_made_of_it(void **state) {
    (void)state;
    (void)kit_rule(&kit, "other-operation", POLICY_ACTION_DENY, "operation=fs.read");
    (void)kit_rule(&kit, "other-path", POLICY_ACTION_DENY,
                   "operation=fs.write path=docs/** caller=x");
    (void)kit_rule(&kit, "excepted", POLICY_ACTION_DENY, "operation=fs.write");
    kit_except(&kit, "path=docs/**");
    kit_except(&kit, "path=src/**");
    constrain("too-large", POLICY_ACTION_ALLOW, "operation=fs.write")->file_bytes_max = 1;
    (void)kit_rule(&kit, "allow", POLICY_ACTION_ALLOW, "path=*.c");
    struct policy_document document = kit_document(&kit);
    struct policy_rules *rules = kit_compile(&document);
    struct policy_engine engine = {
        .builtins = policy_builtin_rules, .builtin_count = policy_builtin_count, .rules = rules};
    const struct policy_token_source token = {.check = unfit, .use = never_used, .id = "token"};
    struct policy_request request = write_main;
    request.has_size = true;
    request.size = 2;
    request.token = &token;
    struct heard heard = {};
    struct policy_decision decision;
    policy_explain(&engine, &request, hear, &heard, &decision);
    assert_int_equal(decision.outcome, POLICY_ALLOW);
    assert_string_equal(decision.rule, "allow");
    assert_int_equal(heard.count, 4);
    assert_string_equal(heard.traces[0].rule.name, "other-path");
    assert_int_equal(heard.traces[0].failed_fields,
                     UINT32_C(1) << POLICY_FIELD_PATH | UINT32_C(1) << POLICY_FIELD_CALLER);
    assert_int_equal(heard.traces[1].except_hit, 2);
    assert_non_null(heard.traces[2].unmet);
    assert_true(policy_trace_applies(&heard.traces[3]));
    assert_int_equal(heard.traces[3].rule.line, 5);
    policy_rules_free(rules);
}

static void explain_says_that_a_rule_names_no_engine(void **state) {
    (void)state;
    (void)kit_rule(&kit, "any", POLICY_ACTION_ALLOW, "operation=run.exec");
    (void)kit_rule(&kit, "look", POLICY_ACTION_REVIEW, "operation=run.exec");
    struct policy_document document = kit_document(&kit);
    struct policy_rules *rules = kit_compile(&document);
    struct policy_engine engine = {.rules = rules};
    const struct policy_request request = {
        .operation = "run.exec", .engine = "docker", .image = "x"};
    struct heard heard = {};
    struct policy_decision decision;
    policy_explain(&engine, &request, hear, &heard, &decision);
    assert_int_equal(decision.outcome, POLICY_DENY);
    assert_int_equal(heard.count, 2);
    assert_int_equal(heard.traces[0].failed_fields, UINT32_C(1) << POLICY_FIELD_ENGINE);
    assert_true(policy_trace_applies(&heard.traces[1]));
    policy_rules_free(rules);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(an_allow_whose_constraint_fails_says_so, setup),
        cmocka_unit_test_setup(a_review_whose_constraint_fails_is_a_deny, setup),
        cmocka_unit_test_setup(a_template_is_enforced_or_chosen, setup),
        cmocka_unit_test_setup(a_required_token_has_to_come, setup),
        cmocka_unit_test_setup(a_window_opens_and_closes, setup),
        cmocka_unit_test_setup(obligations_are_the_strictest, setup),
        cmocka_unit_test_setup(more_rates_than_fit_are_joined_strictly, setup),
        cmocka_unit_test_setup(reviewers_are_the_strongest_class, setup),
        cmocka_unit_test_setup(why_an_extension_passes_is_said_when_nothing_allows, setup),
        cmocka_unit_test_setup(facts_name_field_value_and_pattern, setup),
        cmocka_unit_test_setup(a_review_that_may_not_grant_holds_back_only, setup),
        cmocka_unit_test_setup(only_exclusions_are_an_error_with_its_place, setup),
        cmocka_unit_test_setup(explain_says_what_each_rule_made_of_it, setup),
        cmocka_unit_test_setup(explain_says_that_a_rule_names_no_engine, setup),
    };
    return cmocka_run_group_tests(tests, nullptr, nullptr);
}
