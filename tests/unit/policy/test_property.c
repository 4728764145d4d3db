/* SPDX-License-Identifier: Apache-2.0
 *
 * Random documents and requests: the engine beside the reference, and what must hold for any policy
 * whatever it says.
 */
#include "generator.h"
#include "policy/explain.h"
#include "reference.h"

enum { DOCUMENTS = 1500, REQUESTS = 16 };

static struct kit user;
static struct kit workspace;

struct pair {
    struct policy_document documents[2];
    struct policy_layer_source layers[2];
};

static void make_pair(struct pair *pair) {
    pair->documents[0] = kit_document(&user);
    pair->documents[1] = kit_document(&workspace);
    pair->layers[0] =
        (struct policy_layer_source){&pair->documents[0], POLICY_LAYER_USER, POLICY_LAYER_FULL};
    pair->layers[1] = (struct policy_layer_source){&pair->documents[1], POLICY_LAYER_WORKSPACE,
                                                   POLICY_LAYER_RESTRICT};
}

static struct policy_rules *compile(const struct policy_layer_source *layers, size_t count) {
    struct policy_rules *rules = nullptr;
    struct error err;
    if (!status_is_ok(policy_compile(layers, count, &rules, &err))) {
        fail_msg("%s: %s", err.message, err.detail);
    }
    return rules;
}

static struct policy_decision *decide(const struct policy_rules *rules, bool builtins,
                                      const struct policy_request *request) {
    static struct policy_decision decision;
    struct policy_engine engine = {.builtins = policy_builtin_rules,
                                   .builtin_count = builtins ? policy_builtin_count : 0,
                                   .rules = rules};
    policy_evaluate(&engine, request, &decision);
    return &decision;
}

static enum policy_outcome outcome(const struct policy_rules *rules,
                                   const struct policy_request *request) {
    return decide(rules, true, request)->outcome;
}

/* 0 allow, 1 review, 2 deny. */
static int strictness(enum policy_outcome outcome) {
    return outcome == POLICY_DENY ? 2 : outcome == POLICY_REVIEW ? 1 : 0;
}

static void count_trace(void *context, const struct policy_trace *trace) {
    size_t *applied = context;
    *applied += policy_trace_applies(trace) ? 1 : 0;
}

static void engine_and_reference_agree(void **state) {
    (void)state;
    struct generator_request asked;
    unsigned seen[3] = {};
    for (unsigned i = 0; i < DOCUMENTS; i++) {
        generator_document(&user);
        generator_document(&workspace);
        struct pair pair;
        make_pair(&pair);
        struct policy_rules *rules = compile(pair.layers, 2);
        for (unsigned r = 0; r < REQUESTS; r++) {
            generator_request(&asked);
            struct reference reference = {.layers = pair.layers,
                                          .layer_count = 2,
                                          .without_builtins = generator_pick(2) == 0};
            enum policy_outcome expected = reference_decide(&reference, &asked.request);
            struct policy_decision decision =
                *decide(rules, !reference.without_builtins, &asked.request);
            if (decision.outcome != expected) {
                fail_msg("document %u request %u (%s %s): %s, the reference says %s", i, r,
                         asked.request.operation, asked.path, policy_outcome_text(decision.outcome),
                         policy_outcome_text(expected));
            }
            assert_true(decision.reason_count > 0 && decision.rule != nullptr);
            seen[expected]++;
            struct policy_engine engine = {.rules = rules};
            struct policy_decision explained;
            size_t applied = 0;
            policy_explain(&engine, &asked.request, count_trace, &applied, &explained);
            assert_int_equal(explained.outcome, decide(rules, false, &asked.request)->outcome);
            assert_true(applied > 0 || explained.outcome == POLICY_DENY);
        }
        policy_rules_free(rules);
    }
    for (unsigned i = 0; i < 3; i++) {
        assert_true(seen[i] > DOCUMENTS); /* every outcome came up often */
    }
}

static void shuffle(struct kit *kit) {
    for (size_t i = kit->rule_count; i > 1; i--) {
        size_t j = generator_pick((unsigned)i);
        struct policy_rule_source moved = kit->rules[i - 1];
        kit->rules[i - 1] = kit->rules[j];
        kit->rules[j] = moved;
    }
}

static void order_changes_nothing(void **state) {
    (void)state;
    struct generator_request asked;
    for (unsigned i = 0; i < DOCUMENTS; i++) {
        generator_document(&user);
        generator_document(&workspace);
        struct pair pair;
        make_pair(&pair);
        struct policy_rules *before = compile(pair.layers, 2);
        static struct kit copies[2];
        copies[0] = user;
        copies[1] = workspace;
        shuffle(&copies[0]);
        shuffle(&copies[1]);
        struct policy_document documents[2] = {kit_document(&copies[1]), kit_document(&copies[0])};
        const struct policy_layer_source layers[2] = {
            {&documents[0], POLICY_LAYER_WORKSPACE, POLICY_LAYER_RESTRICT},
            {&documents[1], POLICY_LAYER_USER, POLICY_LAYER_FULL}};
        struct policy_rules *after = compile(layers, 2);
        for (unsigned r = 0; r < REQUESTS; r++) {
            generator_request(&asked);
            struct policy_decision first = *decide(before, true, &asked.request);
            struct policy_decision second = *decide(after, true, &asked.request);
            assert_int_equal(first.outcome, second.outcome);
            assert_int_equal(first.reason_count, second.reason_count);
            assert_int_equal(first.obligations.file_bytes_max, second.obligations.file_bytes_max);
            assert_int_equal(first.obligations.reviewer, second.obligations.reviewer);
        }
        policy_rules_free(before);
        policy_rules_free(after);
    }
}

/* Compares two forms of the user's document on many requests. */
static void expect_never_wider(const struct policy_document *before,
                               const struct policy_document *after) {
    struct generator_request asked;
    struct policy_rules *old_rules = kit_compile(before);
    struct policy_rules *new_rules = kit_compile(after);
    for (unsigned r = 0; r < REQUESTS; r++) {
        generator_request(&asked);
        assert_true(strictness(outcome(new_rules, &asked.request)) >=
                    strictness(outcome(old_rules, &asked.request)));
    }
    policy_rules_free(old_rules);
    policy_rules_free(new_rules);
}

static void adding_a_deny_never_widens(void **state) {
    (void)state;
    char spec[GENERATOR_SPEC_BYTES];
    for (unsigned i = 0; i < DOCUMENTS; i++) {
        generator_document(&user);
        struct policy_document before = kit_document(&user);
        generator_spec(spec, true);
        (void)kit_rule(&user, "added", POLICY_ACTION_DENY, spec);
        struct policy_document after = kit_document(&user);
        expect_never_wider(&before, &after);
    }
}

static void removing_an_allow_never_widens(void **state) {
    (void)state;
    for (unsigned i = 0; i < DOCUMENTS; i++) {
        generator_document(&user);
        struct policy_document before = kit_document(&user);
        static struct policy_rule_source kept[KIT_RULES];
        size_t count = 0;
        bool removed = false;
        for (size_t r = 0; r < user.rule_count; r++) {
            if (!removed && user.rules[r].action == POLICY_ACTION_ALLOW) {
                removed = true;
            } else {
                kept[count++] = user.rules[r];
            }
        }
        struct policy_document after = {.rules = kept, .rule_count = count};
        expect_never_wider(&before, &after);
    }
}

static void an_untrusted_workspace_never_widens(void **state) {
    (void)state;
    struct generator_request asked;
    for (unsigned i = 0; i < DOCUMENTS; i++) {
        generator_document(&user);
        generator_document(&workspace);
        struct pair pair;
        make_pair(&pair);
        struct policy_rules *alone = compile(pair.layers, 1);
        struct policy_rules *both = compile(pair.layers, 2);
        size_t allows = 0;
        for (size_t r = 0; r < workspace.rule_count; r++) {
            allows += workspace.rules[r].action == POLICY_ACTION_ALLOW ? 1 : 0;
        }
        assert_int_equal(policy_rules_dropped(both), allows);
        assert_int_equal(policy_rules_count(both), user.rule_count + workspace.rule_count - allows);
        for (unsigned r = 0; r < REQUESTS; r++) {
            generator_request(&asked);
            assert_true(strictness(outcome(both, &asked.request)) >=
                        strictness(outcome(alone, &asked.request)));
        }
        policy_rules_free(alone);
        policy_rules_free(both);
    }
}

static void folding_never_widens(void **state) {
    (void)state;
    struct generator_request asked;
    unsigned narrower = 0;
    for (unsigned i = 0; i < DOCUMENTS; i++) {
        generator_document(&user);
        struct pair pair;
        make_pair(&pair);
        struct policy_rules *rules = compile(pair.layers, 1);
        for (unsigned r = 0; r < REQUESTS; r++) {
            generator_request(&asked);
            struct reference bytes = {
                .layers = pair.layers, .layer_count = 1, .without_folding = true};
            int with = strictness(outcome(rules, &asked.request));
            int without = strictness(reference_decide(&bytes, &asked.request));
            assert_true(with >= without);
            narrower += with > without ? 1 : 0;
        }
        policy_rules_free(rules);
    }
    assert_true(narrower > 0);
}

static enum policy_token_state valid(void *context, const struct policy_request *request) {
    (void)context;
    (void)request;
    return POLICY_TOKEN_VALID;
}

static void a_token_never_lifts_a_builtin_deny(void **state) {
    (void)state;
    const struct policy_token_source source = {.check = valid, .id = "token"};
    struct generator_request asked;
    unsigned denied = 0;
    for (unsigned i = 0; i < DOCUMENTS; i++) {
        generator_document(&user);
        struct pair pair;
        make_pair(&pair);
        struct policy_rules *rules = compile(pair.layers, 1);
        for (unsigned r = 0; r < REQUESTS; r++) {
            generator_request(&asked);
            struct policy_decision without = *decide(rules, true, &asked.request);
            asked.request.token = &source;
            struct policy_decision with = *decide(rules, true, &asked.request);
            struct reference reference = {
                .layers = pair.layers, .layer_count = 1, .token_presented = true};
            assert_int_equal(with.outcome, reference_decide(&reference, &asked.request));
            if (without.outcome == POLICY_DENY &&
                without.deciders[0].layer == POLICY_LAYER_BUILTIN) {
                assert_int_equal(with.outcome, POLICY_DENY);
                denied++;
            }
        }
        policy_rules_free(rules);
    }
    assert_true(denied > 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(engine_and_reference_agree),
        cmocka_unit_test(order_changes_nothing),
        cmocka_unit_test(adding_a_deny_never_widens),
        cmocka_unit_test(removing_an_allow_never_widens),
        cmocka_unit_test(an_untrusted_workspace_never_widens),
        cmocka_unit_test(folding_never_widens),
        cmocka_unit_test(a_token_never_lifts_a_builtin_deny),
    };
    return cmocka_run_group_tests(tests, nullptr, nullptr);
}
