/* SPDX-License-Identifier: Apache-2.0
 *
 * How fields are compared, and what the engine refuses to judge.
 */
#include "policy_kit.h"

static struct kit kit;

static int setup(void **state) {
    (void)state;
    kit = (struct kit){};
    return 0;
}

static enum policy_outcome outcome(const struct policy_request *request) {
    return kit_decide(&kit, request).outcome;
}

static void hosts_match_by_name(void **state) {
    (void)state;
    (void)kit_rule(&kit, "exact", POLICY_ACTION_ALLOW, "host=Example.org");
    (void)kit_rule(&kit, "below", POLICY_ACTION_ALLOW, "host=*.sample.net port=443..443");
    static const struct {
        const char *host;
        uint16_t port;
        enum policy_outcome outcome;
    } rows[] = {
        {"example.ORG", 1, POLICY_ALLOW},       {"example.org.", 1, POLICY_ALLOW},
        {"a.example.org", 1, POLICY_DENY},      {"example.orgs", 1, POLICY_DENY},
        {"deb.sample.net", 443, POLICY_ALLOW},  {"a.b.sample.net.", 443, POLICY_ALLOW},
        {"sample.net", 443, POLICY_DENY},       {".sample.net", 443, POLICY_DENY},
        {"notsample.net", 443, POLICY_DENY},    {"deb.sample.net", 80, POLICY_DENY},
        {"deb.sample.net.x", 443, POLICY_DENY}, {"", 443, POLICY_DENY},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct policy_request request = {
            .operation = "net", .host = rows[i].host, .has_port = true, .port = rows[i].port};
        if (outcome(&request) != rows[i].outcome) {
            fail_msg("%s: %s", rows[i].host, policy_outcome_text(outcome(&request)));
        }
    }
}

static void what_is_not_resolved_is_denied(void **state) {
    (void)state;
    (void)kit_rule(&kit, "allow", POLICY_ACTION_ALLOW, "operation=*");
    static const char *const paths[] = {"",     "/a",   "a/",    "a//b", "./a",
                                        "a/..", "../a", "a/./b", "/",    "."};
    for (size_t i = 0; i < sizeof paths / sizeof paths[0]; i++) {
        struct policy_request request = {.operation = "fs.read", .path = paths[i]};
        struct policy_decision decision = kit_decide(&kit, &request);
        assert_int_equal(decision.outcome, POLICY_DENY);
        assert_string_equal(decision.rule, "builtin.unfit");
    }
    static char text[POLICY_PATH_BYTES_MAX + 2];
    memset(text, 'a', sizeof text - 1);
    assert_int_equal(outcome(&(struct policy_request){.operation = "fs.read", .path = text}),
                     POLICY_DENY);
    assert_int_equal(outcome(&(struct policy_request){.operation = "net", .host = text}),
                     POLICY_DENY);
    assert_int_equal(outcome(&(struct policy_request){.operation = "fs.read", .path = "a"}),
                     POLICY_ALLOW);
}

static void case_of_a_path_only_narrows(void **state) {
    (void)state;
    (void)kit_rule(&kit, "deny", POLICY_ACTION_DENY, "path=secrets/**,!secrets/open");
    (void)kit_rule(&kit, "allow", POLICY_ACTION_ALLOW, "path=secrets/**,docs/**,!docs/Draft");
    kit_except(&kit, "path=docs/old/**");
    static const struct {
        const char *path;
        enum policy_outcome outcome;
    } rows[] = {
        {"secrets/a", POLICY_DENY},    {"Secrets/a", POLICY_DENY},  {"secrets/open", POLICY_ALLOW},
        {"secrets/Open", POLICY_DENY}, /* an exclusion from a deny widens: bytes only */
        {"docs/a", POLICY_ALLOW},      {"Docs/a", POLICY_DENY}, /* an allow: bytes only */
        {"docs/Draft", POLICY_DENY},   {"docs/draft", POLICY_DENY}, {"docs/OLD/a", POLICY_DENY},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct policy_request request = {.operation = "fs.read", .path = rows[i].path};
        if (outcome(&request) != rows[i].outcome) {
            fail_msg("%s: %s", rows[i].path, policy_outcome_text(outcome(&request)));
        }
    }
}

static void a_rule_grants_the_groups_it_names_all(void **state) {
    (void)state;
    (void)kit_rule(&kit, "all", POLICY_ACTION_ALLOW, "operation=*");
    (void)kit_rule(&kit, "two", POLICY_ACTION_ALLOW, "operation=run.exec network=a,b");
    kit_except(&kit, "network=b template=small");
    (void)kit_rule(&kit, "c", POLICY_ACTION_ALLOW, "operation=run.exec network=c");
    (void)kit_rule(&kit, "d", POLICY_ACTION_ALLOW, "operation=run.exec network=d*");
    (void)kit_rule(&kit, "no", POLICY_ACTION_DENY, "network=d2");
    static const struct {
        const char *groups[2], *template_name;
        size_t count;
        enum policy_outcome outcome;
    } rows[] = {
        {{}, "small", 0, POLICY_ALLOW},         {{"a"}, "big", 1, POLICY_ALLOW},
        {{"a", "b"}, "big", 2, POLICY_ALLOW},   {{"a"}, "small", 1, POLICY_ALLOW},
        {{"a", "b"}, "small", 2, POLICY_DENY},  {{"a", "c"}, "big", 2, POLICY_DENY},
        {{"c"}, "big", 1, POLICY_ALLOW},        {{"e"}, "big", 1, POLICY_DENY},
        {{"d1", "d3"}, "big", 2, POLICY_ALLOW}, {{"d1", "d2"}, "big", 2, POLICY_DENY},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct policy_request request = {
            .operation = "run.exec",
            .template_name = rows[i].template_name,
            .networks = rows[i].groups,
            .network_count = rows[i].count,
        };
        if (outcome(&request) != rows[i].outcome) {
            fail_msg("row %zu: %s", i, policy_outcome_text(outcome(&request)));
        }
    }
}

static void a_rule_grants_the_engines_it_names(void **state) {
    (void)state;
    (void)kit_rule(&kit, "all", POLICY_ACTION_ALLOW, "operation=*");
    (void)kit_rule(&kit, "images", POLICY_ACTION_ALLOW, "operation=run.exec image=free*");
    (void)kit_rule(&kit, "pod", POLICY_ACTION_ALLOW, "operation=run.exec engine=podman image=a*");
    kit_except(&kit, "engine=podman template=small");
    (void)kit_rule(&kit, "dock", POLICY_ACTION_ALLOW, "operation=run.exec engine=d* template=big");
    (void)kit_rule(&kit, "bad", POLICY_ACTION_DENY, "image=a/bad");
    (void)kit_rule(&kit, "look", POLICY_ACTION_REVIEW, "image=seen");
    (void)kit_rule(&kit, "ask", POLICY_ACTION_REVIEW, "engine=docker template=asked");
    static const struct {
        const char *engine, *image, *template_name;
        enum policy_outcome outcome;
    } rows[] = {
        {"docker", "x", "small", POLICY_DENY}, /* no rule that names docker applies */
        {"podman", "x", "big", POLICY_DENY},
        {"podman", "free", "big", POLICY_DENY}, /* its rule names no engine */
        {"podman", "a/b", "small", POLICY_DENY},
        {"podman", "a/bad", "big", POLICY_DENY}, /* a deny needs no engine */
        {"docker", "a/bad", "big", POLICY_DENY},
        {"lxc", "a/b", "big", POLICY_DENY},
        {"docker", nullptr, "small", POLICY_DENY},
        {"podman", "seen", "big", POLICY_DENY}, /* nor does a review, which then holds back only */
        {"docker", "seen", "big", POLICY_REVIEW},
        {"docker", "x", "asked", POLICY_REVIEW},
        {"podman", "a/b", "big", POLICY_ALLOW},
        {"docker", "x", "big", POLICY_ALLOW},
        {"native", nullptr, "small", POLICY_ALLOW},
        {nullptr, nullptr, "small", POLICY_ALLOW},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct policy_request request = {
            .operation = "run.exec",
            .engine = rows[i].engine,
            .image = rows[i].image,
            .template_name = rows[i].template_name,
        };
        if (outcome(&request) != rows[i].outcome) {
            fail_msg("row %zu: %s", i, policy_outcome_text(outcome(&request)));
        }
    }
}

static void an_engine_and_groups_are_named_by_one_rule(void **state) {
    (void)state;
    (void)kit_rule(&kit, "pod", POLICY_ACTION_ALLOW, "operation=run.exec engine=podman");
    (void)kit_rule(&kit, "net", POLICY_ACTION_ALLOW, "operation=run.exec network=a");
    static const char *const groups[] = {"a"};
    struct policy_request request = {.operation = "run.exec", .engine = "podman"};
    assert_int_equal(outcome(&request), POLICY_ALLOW);
    request.networks = groups;
    request.network_count = 1;
    assert_int_equal(outcome(&request), POLICY_DENY);
    (void)kit_rule(&kit, "both", POLICY_ACTION_ALLOW, "operation=run.exec engine=* network=a");
    assert_int_equal(outcome(&request), POLICY_ALLOW);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(hosts_match_by_name, setup),
        cmocka_unit_test_setup(what_is_not_resolved_is_denied, setup),
        cmocka_unit_test_setup(case_of_a_path_only_narrows, setup),
        cmocka_unit_test_setup(a_rule_grants_the_groups_it_names_all, setup),
        cmocka_unit_test_setup(a_rule_grants_the_engines_it_names, setup),
        cmocka_unit_test_setup(an_engine_and_groups_are_named_by_one_rule, setup),
    };
    return cmocka_run_group_tests(tests, nullptr, nullptr);
}
