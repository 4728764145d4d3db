/* SPDX-License-Identifier: Apache-2.0 */
#include "replay_kit.h"

static void nothing_has_happened_yet(void **unused) {
    (void)unused;
    replay("  - { name: a, match: { operation: x }, action: allow }\n");
    assert_int_equal(result.entries, 0);
    assert_int_equal(result.decisions, 0);
}

static void outcomes_that_change_are_told(void **unused) {
    (void)unused;
    struct policy_request request = {.operation = "fs.write", .path = "src/a.c", .caller = "uid:1"};
    append(&DECIDED(POLICY_ALLOW, "old"), &request);
    request.path = "docs/b";
    append(&DECIDED(POLICY_ALLOW, "old"), &request);
    request.path = "src/c.c";
    append(&DECIDED(POLICY_DENY, "default.deny"), &request);
    request.path = "other";
    append(&DECIDED(POLICY_REVIEW, "old"), &request);
    replay("  - { name: src, match: { operation: fs.write, path: 'src/**' }, action: allow }\n"
           "  - { name: no-docs, match: { path: 'docs/**' }, action: deny }\n");
    assert_int_equal(result.entries, 4);
    assert_int_equal(result.decisions, 4);
    assert_int_equal(result.breaking_count, 1);
    assert_int_equal(seen_count, 3);
    assert_string_equal(seen[0].path, "other"); /* the newest first */
    assert_int_equal(seen[0].was, POLICY_REVIEW);
    assert_int_equal(seen[0].now, POLICY_DENY);
    assert_string_equal(seen[0].rule, "default.deny");
    assert_false(seen[0].is_breaking);
    assert_int_equal(seen[1].now, POLICY_ALLOW);
    assert_string_equal(seen[1].was_rule, "default.deny");
    assert_string_equal(seen[2].rule, "no-docs");
    assert_int_equal(seen[2].line, 4);
    assert_int_equal(seen[2].seq, 1);
    assert_true(seen[2].is_breaking);
    assert_int_equal(result.changed[POLICY_ALLOW][POLICY_DENY], 1);
    assert_int_equal(result.changed[POLICY_REVIEW][POLICY_DENY], 1);
    assert_int_equal(result.changed[POLICY_DENY][POLICY_ALLOW], 1);
}

#define DIGEST(last) "sha256:000000000000000000000000000000000000000000000000000000000000000" last

static void every_fact_comes_back(void **unused) {
    (void)unused;
    static const char *const tags[] = {"third_party", "x"};
    const struct policy_request request = {
        .operation = "net.connect",
        .caller = "uid:1000",
        .host = "example.org",
        .has_port = true,
        .port = 443,
        .method = "GET",
        .template_name = "small",
        .session_mode = "plan",
        .workflow_state = "red",
        .argument_digest = DIGEST("0"),
        .transport = "http",
        .has_size = true,
        .size = 70000,
        .caller_tags = tags,
        .caller_tag_count = 2,
    };
    append(&DECIDED(POLICY_ALLOW, "old"), &request);
    static const char *const wrong[] = {"host: other.org",
                                        "port: 80",
                                        "method: PUT",
                                        "template: big",
                                        "session_mode: act",
                                        "workflow_state: green",
                                        "argument_digest: '" DIGEST("1") "'",
                                        "transport: cli",
                                        "size: ..1KiB",
                                        "caller_tag: y",
                                        "caller: 'uid:0'",
                                        "path: '*'"};
    char rules[512];
    replay(
        "  - { name: a, match: { operation: net.connect, host: example.org, port: 443, method: "
        "GET, template: small, session_mode: plan, workflow_state: red, argument_digest: '" DIGEST(
            "0") "', transport: http, size: 1KiB.., caller_tag: x, caller: 'uid:1000' }, "
                 "action: allow }\n");
    assert_int_equal(seen_count, 0);
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        (void)snprintf(rules, sizeof rules, "  - { name: a, match: { %s }, action: allow }\n",
                       wrong[i]);
        replay(rules);
        assert_int_equal(seen_count, 1);
    }
}

static void paths_of_any_bytes_come_back(void **unused) {
    (void)unused;
    struct policy_request request = {.operation = "fs.write", .path = "src/\xff\n\"\\x41"};
    append(&DECIDED(POLICY_ALLOW, "old"), &request);
    replay("  - { name: a, match: { path: 'src/**' }, action: deny }\n");
    assert_int_equal(seen_count, 1);
    assert_string_equal(seen[0].path, "src/\xff\n\"\\x41");
    replay("  - { name: a, match: { path: 'src/A*' }, action: deny }\n");
    assert_string_equal(seen[0].rule, "default.deny");
}

static void what_has_no_facts_is_counted(void **unused) {
    (void)unused;
    const struct policy_request request = {.operation = "fs.write", .path = "a"};
    struct past past = DECIDED(POLICY_ALLOW, "old");
    past.without_facts = true;
    append(&past, &request);
    replay("  - { name: a, match: { path: 'x' }, action: deny }\n");
    assert_int_equal(result.without_facts, 1);
    assert_int_equal(result.decisions, 0);
    assert_int_equal(seen_count, 0);
}

/* The log does not say what stood at a path, nor how often something had happened. */
static void refusals_that_cannot_be_judged_again_stand(void **unused) {
    (void)unused;
    const struct policy_request request = {.operation = "stage.apply", .path = "link"};
    append(&DECIDED(POLICY_DENY, "builtin.link"), &request);
    append(&DECIDED(POLICY_DENY, "slow"), &request);
    replay(
        "  - { name: slow, match: { operation: '*' }, action: allow, constraints: { rate: 1/1m } "
        "}\n");
    assert_int_equal(result.decisions, 2);
    assert_int_equal(seen_count, 0);
    replay("  - { name: slow, match: { operation: '*' }, action: allow }\n");
    assert_int_equal(seen_count, 1);
    assert_string_equal(seen[0].was_rule, "slow");
}

static void built_in_rules_still_deny(void **unused) {
    (void)unused;
    const struct policy_request request = {.operation = "fs.write", .path = ".git/config"};
    append(&DECIDED(POLICY_ALLOW, "old"), &request);
    replay("  - { name: all, match: { operation: '*' }, action: allow }\n");
    assert_int_equal(seen_count, 1);
    assert_string_equal(seen[0].rule, "builtin.git-control");
}

static void time_windows_are_of_then(void **unused) {
    (void)unused;
    const struct policy_request request = {.operation = "x"};
    static const char rules[] = "  - { name: a, match: { operation: x }, action: allow, "
                                "constraints: { window: \"11:00-13:00\", days: [fri] } }\n";
    append(&DECIDED(POLICY_ALLOW, "old"), &request);
    wall_ms += UINT64_C(3) * 3600000;
    append(&DECIDED(POLICY_ALLOW, "old"), &request);
    replay(rules);
    assert_int_equal(seen_count, 1);
    assert_int_equal(seen[0].seq, 1);
}

static void a_token_stands_for_its_grant(void **unused) {
    (void)unused;
    const struct policy_request request = {.operation = "x"};
    static const char rules[] = "  - { name: a, match: { operation: x }, action: allow, "
                                "constraints: { token: required } }\n";
    struct past past = DECIDED(POLICY_ALLOW, "token");
    past.token = "0123";
    append(&past, &request);
    replay(rules);
    assert_int_equal(seen_count, 0);
    append(&DECIDED(POLICY_ALLOW, "old"), &request);
    replay(rules);
    assert_int_equal(seen_count, 1);
}

static void each_workspace_has_its_own_file(void **unused) {
    (void)unused;
    char here[128];
    char there[128];
    char broken[128];
    const struct file_write_options options = {.mode = 0600};
    const struct policy_request request = {.operation = "x"};
    char *const workspaces[] = {here, there, broken};
    static const char *const texts[] = {
        "version: 1\nrules:\n  - { name: theirs, match: { operation: x }, action: deny }\n",
        nullptr, "version: 2\n"};
    for (int i = 0; i < 3; i++) {
        char path[192];
        (void)snprintf(workspaces[i], 128, "%s/ws%d", folder, i);
        assert_int_equal(mkdir(workspaces[i], 0700), 0);
        (void)snprintf(path, sizeof path, "%s/.airlock", workspaces[i]);
        assert_int_equal(mkdir(path, 0700), 0);
        (void)snprintf(path, sizeof path, "ws%d/.airlock/policy.yaml", i);
        if (texts[i] != nullptr) {
            assert_int_equal(file_write_atomic(kernel.state.fd, path, slice_of_string(texts[i]),
                                               &options, &failure)
                                 .code,
                             0);
        }
        struct past past = DECIDED(POLICY_ALLOW, "old");
        past.workspace = workspaces[i];
        append(&past, &request);
    }
    append(&DECIDED(POLICY_ALLOW, "old"), &request);
    replay("  - { name: a, match: { operation: x }, action: allow }\n");
    assert_int_equal(seen_count, 1);
    assert_int_equal(seen[0].seq, 0);
    assert_string_equal(seen[0].rule, "theirs");
    assert_int_equal(result.unreadable, 1);
    assert_int_equal(result.decisions, 3);
}

static void more_workspaces_than_are_kept(void **unused) {
    (void)unused;
    const struct policy_request request = {.operation = "x"};
    char workspace[32];
    for (int i = 0; i < 40; i++) {
        struct past past = DECIDED(POLICY_DENY, "default.deny");
        (void)snprintf(workspace, sizeof workspace, "/nowhere/%d", i % 20);
        past.workspace = workspace;
        append(&past, &request);
    }
    replay("  - { name: a, match: { operation: x }, action: allow }\n");
    assert_int_equal(seen_count, 40);
}

static void it_can_be_less_than_all(void **unused) {
    (void)unused;
    const struct policy_request request = {.operation = "x"};
    static const char rules[] = "  - { name: a, match: { operation: x }, action: allow }\n";
    for (int i = 0; i < 600; i++) {
        append(&DECIDED(POLICY_ALLOW, "old"), &request);
    }
    replay_with(rules, (struct policy_replay_options){.entry_count_max = 5});
    assert_int_equal(result.entries, 5);
    assert_int_equal(result.first_seq, 595);
    assert_false(result.is_cut_short);
    step_ns = 2000000; /* each look at the clock finds 2 ms gone */
    uint64_t before = limit_hit_count(LIMIT_ID_REPLAY_MS);
    replay_with(rules, (struct policy_replay_options){.budget_ms = 1});
    assert_true(result.is_cut_short);
    assert_true(result.entries > 0 && result.entries < 600);
    assert_int_equal(result.first_seq, 600 - result.entries);
    assert_int_equal(limit_hit_count(LIMIT_ID_REPLAY_MS), before + 1);
}

static void a_bad_policy_judges_nothing(void **unused) {
    (void)unused;
    const struct slice text = SLICE_LITERAL("version: 1\nrules: 7\n");
    const struct policy_replay_options options = {.state = &kernel.state,
                                                  .log = kernel.log,
                                                  .clock = &kernel.clock,
                                                  .text = &text,
                                                  .name = "bad.yaml",
                                                  .changed = note};
    assert_int_equal(policy_replay(&options, &result, &failure).code, ERROR_POLICY_INVALID);
    assert_non_null(strstr(failure.message, "bad.yaml:2:8"));
}

static void what_changed_reads_as_an_object(void **unused) {
    (void)unused;
    struct policy_replay_result one = {};
    struct builder text;
    struct json *object = policy_replay_changed(&one);
    builder_init(&text, 256);
    json_write_canonical(object, &text);
    assert_string_equal(builder_c_string(&text), "{}");
    json_free(object);
    one.changed[POLICY_ALLOW][POLICY_DENY] = 3;
    one.changed[POLICY_REVIEW][POLICY_ALLOW] = 1;
    object = policy_replay_changed(&one);
    builder_reset(&text);
    json_write_canonical(object, &text);
    assert_string_equal(builder_c_string(&text), "{\"allow>deny\":3,\"require_review>allow\":1}");
    json_free(object);
    builder_deinit(&text);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(nothing_has_happened_yet),      TEST(outcomes_that_change_are_told),
        TEST(every_fact_comes_back),         TEST(paths_of_any_bytes_come_back),
        TEST(what_has_no_facts_is_counted),  TEST(refusals_that_cannot_be_judged_again_stand),
        TEST(built_in_rules_still_deny),     TEST(time_windows_are_of_then),
        TEST(a_token_stands_for_its_grant),  TEST(each_workspace_has_its_own_file),
        TEST(more_workspaces_than_are_kept), TEST(it_can_be_less_than_all),
        TEST(a_bad_policy_judges_nothing),   TEST(what_changed_reads_as_an_object),
    };
    return cmocka_run_group_tests(tests, nullptr, nullptr);
}
