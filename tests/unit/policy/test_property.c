/* SPDX-License-Identifier: Apache-2.0
 *
 * Random documents and requests from a fixed seed: the engine beside the reference, and what must
 * hold for any policy whatever it says. The words are few, so that rules and requests meet often.
 */
#include <sys/stat.h>

#include "base/assert.h"
#include "policy/explain.h"
#include "policy_kit.h"
#include "reference.h"

enum { DOCUMENTS = 1500, REQUESTS = 16, SPEC_BYTES = 512 };

static uint64_t seed = 20260711;

static unsigned pick(unsigned below) {
    seed ^= seed << 13;
    seed ^= seed >> 7;
    seed ^= seed << 17;
    return (unsigned)(seed >> 33) % below;
}

#define PICK(array) ((array)[pick(sizeof(array) / sizeof((array)[0]))])

static const char *const OPERATIONS[] = {"fs.write", "fs.read", "run.exec", "stage.apply", "net"};
static const char *const OPERATION_WORDS[] = {"fs.write", "fs.read",     "run.exec", "fs.*",
                                              "*",        "stage.apply", "net",      "f*"};
static const char *const GLOBS[] = {
    "src/**",   "*.c",       "**",     "tests",       "Secrets/**", "src/*.c", "**/a",     "a/**/b",
    "docs/",    "/src",      "[a-c]*", "[!s]*",       "SRC/*.C",    "?",       "src/A/**", "*.C",
    "sec*/key", "*s/**/*.c", "a",      "[[:alpha:]]", "b/",         "**/b/*",  "\\a",      "*E*",
    "a*b*c",    "secrets",   "KEY",    "[A-C]",       "/*",         "/**"};
static const char *const EXCLUSIONS[] = {"!*.c", "!src/a", "!Secrets/open", "!secrets/a",
                                         "!a/",  "![a-c]", "!**/B",         "!KEY"};
static const char *const NAMES[] = {"src", "SRC", "tests", "secrets", "Secrets", "a",   "A",
                                    "b",   "B",   "c",     "key",     "x.c",     "x.C", "docs",
                                    "a.",  ".a",  "KEY",   "open",    ".git",    "abc", "a:b.c"};
static const char *const WORDS[] = {"one", "two", "o*", "*", "three", "one.two"};
static const char *const TEXTS[] = {"one", "two", "three", "one.two", "One"};
static const char *const HOST_WORDS[] = {"example.org", "*.example.org", "*", "A.example.org",
                                         "*.Org"};
static const char *const HOSTS[] = {"example.org", "a.example.org", "b.A.EXAMPLE.org",
                                    "org",         "example.org.",  "notexample.org"};
static const char *const RANGES[] = {"0..100", "50..5000", "80..80", "443..443", "0..0"};

static size_t add(char *spec, size_t used, const char *text) {
    int written = snprintf(spec + used, SPEC_BYTES - used, "%s", text);
    ASSERT(written >= 0 && used + (size_t)written < SPEC_BYTES);
    return used + (size_t)written;
}

#define ADD_VALUES(spec, used, words)                            \
    do {                                                         \
        for (unsigned n_ = 1 + pick(3), v_ = 0; v_ < n_; v_++) { \
            (used) = add((spec), (used), v_ > 0 ? "," : "");     \
            (used) = add((spec), (used), PICK(words));           \
        }                                                        \
    } while (0)

static size_t add_paths(char *spec, size_t used) {
    used = add(spec, used, " path=");
    if (pick(20) == 0) {
        return used; /* names nothing */
    }
    ADD_VALUES(spec, used, GLOBS);
    if (pick(3) == 0) {
        used = add(spec, used, ",");
        used = add(spec, used, PICK(EXCLUSIONS));
    }
    return used;
}

/* A match or an except of up to four fields. */
static void make_spec(char *spec, bool with_operation) {
    size_t used = 0;
    spec[0] = '\0';
    if (with_operation) {
        used = add(spec, used, "operation=");
        ADD_VALUES(spec, used, OPERATION_WORDS);
    }
    if (pick(3) > 0) {
        used = add_paths(spec, used);
    }
    static const char *const fields[] = {
        " caller=", " caller_tag=", " session_mode=", " workflow_state=",
        " method=", " template=",   " transport=",    " argument_digest="};
    if (pick(4) == 0) {
        used = add(spec, used, PICK(fields));
        ADD_VALUES(spec, used, WORDS);
    }
    if (pick(8) == 0) {
        used = add(spec, used, " host=");
        ADD_VALUES(spec, used, HOST_WORDS);
    }
    if (pick(8) == 0) {
        used = add(spec, used, pick(2) == 0 ? " size=" : " port=");
        ADD_VALUES(spec, used, RANGES);
    }
}

static void make_constraints(struct policy_constraints *constraints) {
    constraints->present = true;
    switch (pick(5)) {
    case 0:
        constraints->template_name = PICK(TEXTS);
        break;
    case 1:
        constraints->token_required = true;
        break;
    case 2:
        constraints->file_bytes_max = pick(200);
        break;
    case 3:
        constraints->total_bytes_max = pick(200);
        break;
    default:
        constraints->window_from_minute = (uint16_t)pick(1440);
        constraints->window_to_minute = (uint16_t)pick(1440);
        constraints->window_days = (uint8_t)pick(128);
        break;
    }
}

static void make_document(struct kit *kit) {
    static const enum policy_action actions[] = {POLICY_ACTION_ALLOW,  POLICY_ACTION_ALLOW,
                                                 POLICY_ACTION_ALLOW,  POLICY_ACTION_DENY,
                                                 POLICY_ACTION_REVIEW, POLICY_ACTION_PASS};
    static char spec[SPEC_BYTES];
    kit->rule_count = kit->value_count = kit->text_size = 0;
    unsigned count = pick(8);
    for (unsigned i = 0; i < count; i++) {
        make_spec(spec, pick(5) > 0);
        struct policy_rule_source *rule =
            kit_rule(kit, "rule", PICK(actions), spec[0] == ' ' ? spec + 1 : spec);
        for (unsigned e = pick(3); e > 0; e--) {
            make_spec(spec, pick(5) == 0);
            kit_except(kit, spec[0] == ' ' ? spec + 1 : spec);
        }
        if (pick(6) == 0) {
            make_constraints(&rule->constraints);
        }
    }
}

struct asked {
    struct policy_request request;
    char path[128];
    const char *tags[2];
};

static const char *maybe(const char *text) {
    return pick(3) == 0 ? nullptr : text;
}

static void make_request(struct asked *asked) {
    size_t used = 0;
    for (unsigned depth = 1 + pick(4), i = 0; i < depth; i++) {
        used += (size_t)snprintf(asked->path + used, sizeof asked->path - used, "%s%s",
                                 i > 0 ? "/" : "", PICK(NAMES));
    }
    asked->tags[0] = PICK(TEXTS);
    asked->tags[1] = PICK(TEXTS);
    asked->request = (struct policy_request){
        .operation = PICK(OPERATIONS),
        .caller = maybe(PICK(TEXTS)),
        .path = pick(8) == 0 ? nullptr : asked->path,
        .mode = pick(4) == 0 ? S_IFDIR | 0755 : S_IFREG | 0644,
        .template_name = maybe(PICK(TEXTS)),
        .at_command_line = pick(2) == 0,
        .template_open = pick(8) == 0,
        .issuing_token = pick(8) == 0,
        .has_port = pick(2) == 0,
        .has_size = pick(2) == 0,
        .port = pick(2) == 0 ? 443 : (uint16_t)pick(200),
        .size = pick(300),
        .caller_tags = asked->tags,
        .caller_tag_count = pick(3),
        .session_mode = maybe(PICK(TEXTS)),
        .workflow_state = maybe(PICK(TEXTS)),
        .host = maybe(PICK(HOSTS)),
        .method = maybe(PICK(TEXTS)),
        .argument_digest = maybe(PICK(TEXTS)),
        .transport = maybe(PICK(TEXTS)),
        .now_ms = (UINT64_C(1783000000) + pick(14 * 86400)) * 1000,
    };
}

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
    struct asked asked;
    unsigned seen[3] = {};
    for (unsigned i = 0; i < DOCUMENTS; i++) {
        make_document(&user);
        make_document(&workspace);
        struct pair pair;
        make_pair(&pair);
        struct policy_rules *rules = compile(pair.layers, 2);
        for (unsigned r = 0; r < REQUESTS; r++) {
            make_request(&asked);
            struct reference reference = {
                .layers = pair.layers, .layer_count = 2, .without_builtins = pick(2) == 0};
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
        size_t j = pick((unsigned)i);
        struct policy_rule_source moved = kit->rules[i - 1];
        kit->rules[i - 1] = kit->rules[j];
        kit->rules[j] = moved;
    }
}

static void order_changes_nothing(void **state) {
    (void)state;
    struct asked asked;
    for (unsigned i = 0; i < DOCUMENTS; i++) {
        make_document(&user);
        make_document(&workspace);
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
            make_request(&asked);
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
    struct asked asked;
    struct policy_rules *old_rules = kit_compile(before);
    struct policy_rules *new_rules = kit_compile(after);
    for (unsigned r = 0; r < REQUESTS; r++) {
        make_request(&asked);
        assert_true(strictness(outcome(new_rules, &asked.request)) >=
                    strictness(outcome(old_rules, &asked.request)));
    }
    policy_rules_free(old_rules);
    policy_rules_free(new_rules);
}

static void adding_a_deny_never_widens(void **state) {
    (void)state;
    char spec[SPEC_BYTES];
    for (unsigned i = 0; i < DOCUMENTS; i++) {
        make_document(&user);
        struct policy_document before = kit_document(&user);
        make_spec(spec, true);
        (void)kit_rule(&user, "added", POLICY_ACTION_DENY, spec);
        struct policy_document after = kit_document(&user);
        expect_never_wider(&before, &after);
    }
}

static void removing_an_allow_never_widens(void **state) {
    (void)state;
    for (unsigned i = 0; i < DOCUMENTS; i++) {
        make_document(&user);
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
    struct asked asked;
    for (unsigned i = 0; i < DOCUMENTS; i++) {
        make_document(&user);
        make_document(&workspace);
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
            make_request(&asked);
            assert_true(strictness(outcome(both, &asked.request)) >=
                        strictness(outcome(alone, &asked.request)));
        }
        policy_rules_free(alone);
        policy_rules_free(both);
    }
}

static void folding_never_widens(void **state) {
    (void)state;
    struct asked asked;
    unsigned narrower = 0;
    for (unsigned i = 0; i < DOCUMENTS; i++) {
        make_document(&user);
        struct pair pair;
        make_pair(&pair);
        struct policy_rules *rules = compile(pair.layers, 1);
        for (unsigned r = 0; r < REQUESTS; r++) {
            make_request(&asked);
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
    struct asked asked;
    unsigned denied = 0;
    for (unsigned i = 0; i < DOCUMENTS; i++) {
        make_document(&user);
        struct pair pair;
        make_pair(&pair);
        struct policy_rules *rules = compile(pair.layers, 1);
        for (unsigned r = 0; r < REQUESTS; r++) {
            make_request(&asked);
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
