/* SPDX-License-Identifier: Apache-2.0 */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "kernel/facts.h"
#include "kernel/policy_replay.h"
#include "kernel/records.h"
#include "sys/file.h"
#include "sys/random.h"

enum { CHANGE_COUNT_MAX = 64 };
static const uint64_t FRIDAY_NOON_MS = UINT64_C(1783684800000); /* 2026-07-10 12:00 UTC */

struct seen {
    char operation[32], path[64], was_rule[64], rule[64], run[ID_TEXT_BYTES];
    enum policy_outcome was, now;
    uint64_t seq;
    uint32_t line;
    bool is_breaking;
};

static char folder[64];
static struct kernel kernel;
static struct error failure;
static struct seen seen[CHANGE_COUNT_MAX];
static size_t seen_count;
static struct policy_replay_result result;
static uint64_t wall_ms, step_ns, monotonic_ns;

static uint64_t fixed_wall(void *context) {
    (void)context;
    return wall_ms;
}

static uint64_t stepping(void *context) {
    (void)context;
    return monotonic_ns += step_ns;
}

static int open_kernel(void **unused) {
    (void)unused;
    (void)snprintf(folder, sizeof folder, "/tmp/airlock-test-XXXXXX");
    assert_non_null(mkdtemp(folder));
    assert_int_equal(setenv("AIRLOCK_STATE_DIR", folder, 1), 0);
    assert_int_equal(kernel_open(&kernel, &failure).code, 0);
    wall_ms = FRIDAY_NOON_MS;
    step_ns = monotonic_ns = 0;
    kernel.clock.wall_ms = fixed_wall;
    kernel.clock.monotonic_ns = stepping;
    return 0;
}

static int close_kernel(void **unused) {
    (void)unused;
    kernel_close(&kernel);
    assert_int_equal(file_remove_tree(AT_FDCWD, folder, &failure).code, 0);
    return 0;
}

static void note(void *context, const struct policy_replay_change *change) {
    (void)context;
    assert_true(seen_count < CHANGE_COUNT_MAX);
    struct seen *one = &seen[seen_count++];
    *one = (struct seen){
        .was = change->was,
        .now = change->now,
        .seq = change->seq,
        .line = change->decision->deciders[0].line,
        .is_breaking = change->is_breaking,
    };
    (void)snprintf(one->operation, sizeof one->operation, "%s", change->operation);
    (void)snprintf(one->path, sizeof one->path, "%s", change->path != nullptr ? change->path : "-");
    (void)snprintf(one->was_rule, sizeof one->was_rule, "%s", change->was_rule);
    (void)snprintf(one->rule, sizeof one->rule, "%s", change->decision->rule);
    (void)snprintf(one->run, sizeof one->run, "%s", change->run);
}

static void replay_with(const char *rules, struct policy_replay_options options) {
    struct builder text;
    builder_init(&text, 1 << 16);
    builder_format(&text, "version: 1\nrules:\n%s", rules);
    struct slice bytes = builder_slice(&text);
    options.state = &kernel.state;
    options.log = kernel.log;
    options.clock = &kernel.clock;
    options.text = &bytes;
    options.name = "new.yaml";
    options.changed = note;
    seen_count = 0;
    status_t status = policy_replay(&options, &result, &failure);
    if (!status_is_ok(status)) {
        fail_msg("%s", failure.message);
    }
    builder_deinit(&text);
    assert_int_equal(result.changed_count, seen_count);
}

static void replay(const char *rules) {
    replay_with(rules, (struct policy_replay_options){});
}

/* What an entry says of a decision. */
struct past {
    enum policy_outcome outcome;
    const char *rule;
    const char *workspace; /* nullptr: /nowhere */
    const char *run;
    const char *token;
    bool without_facts;
    const struct digest *facts_digest;
    enum audit_event event; /* DECISION or APPLY_STARTED */
};

static void append(const struct past *past, const struct policy_request *request) {
    struct policy_in_force policy = {};
    struct json *fields = json_object_new();
    struct json *decision = json_object_new();
    json_set_text(decision, "outcome", policy_outcome_text(past->outcome));
    json_set_text(decision, "rule", past->rule);
    json_set_text(fields, "caller", "uid:1000");
    json_set_text(fields, "operation", request->operation);
    json_set_text(fields, "request", "r");
    json_set(fields, "decision", decision);
    json_set_text(fields, "workspace", past->workspace != nullptr ? past->workspace : "/nowhere");
    if (past->run != nullptr) {
        json_set_text(fields, "run", past->run);
    }
    if (past->token != nullptr) {
        json_set_text(fields, "token", past->token);
    }
    if (past->facts_digest != nullptr) {
        record_digest(fields, "facts_digest", past->facts_digest);
    }
    if (past->event == AUDIT_EVENT_APPLY_STARTED) {
        json_set_integer(fields, "steps", 1);
        json_set_text(fields, "steps_digest", "00");
    }
    facts_record(fields, past->without_facts ? nullptr : request, &policy);
    struct audit_append entry = {past->event, fields};
    assert_int_equal(audit_log_append(kernel.log, &entry, 1, nullptr, &failure).code, 0);
}

#define DECIDED(was, by) \
    ((struct past){.event = AUDIT_EVENT_DECISION, .outcome = (was), .rule = (by)})

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

/* An apply with its list of paths, all of them allowed then. */
static void make_apply(const char *const *paths, const char *spoil, bool by_path) {
    char run_id[ID_TEXT_BYTES];
    struct facts_list list;
    struct digest digest;
    struct run run = {.lock_fd = -1};
    struct policy_decision allowed = {.outcome = POLICY_ALLOW, .rule = "old"};
    struct policy_request request = {.operation = "stage.apply",
                                     .caller = "uid:1000",
                                     .transport = "cli",
                                     .at_command_line = true};
    id_generate(wall_ms, run_id);
    assert_int_equal(
        file_open_folder(kernel.state.runs_fd, run_id, true, 0700, &run.fd, &failure).code, 0);
    facts_list_init(&list);
    for (size_t i = 0; paths[i] != nullptr; i++) {
        struct policy_request path = request;
        path.path = paths[i];
        path.mode = S_IFREG | 0644;
        path.size = 10 * (i + 1);
        facts_list_add(&list, &path, &allowed);
    }
    assert_int_equal(facts_list_save(&list, &run, &digest, &failure).code, 0);
    facts_list_deinit(&list);
    struct past past = DECIDED(POLICY_ALLOW, "old");
    past.event = AUDIT_EVENT_APPLY_STARTED;
    past.run = run_id;
    past.facts_digest = &digest;
    past.without_facts = by_path;
    append(&past, &request);
    if (spoil != nullptr) {
        const struct file_write_options options = {.mode = 0600};
        assert_int_equal(
            file_write_atomic(run.fd, "facts", slice_of_string(spoil), &options, &failure).code, 0);
    }
    assert_int_equal(close(run.fd), 0);
}

static const char *const PATHS[] = {"src/a.c", "src/b.c", "docs/c", nullptr};

static void paths_of_an_apply_are_judged(void **unused) {
    (void)unused;
    make_apply(PATHS, nullptr, false);
    replay("  - { name: all, match: { operation: stage.apply }, action: allow }\n"
           "  - { name: no-docs, match: { path: 'docs/**' }, action: deny }\n"
           "  - { name: small, match: { path: '*', size: 20.. }, action: require_review }\n");
    assert_int_equal(result.decisions, 4);
    assert_int_equal(seen_count, 2);
    assert_string_equal(seen[0].path, "src/b.c");
    assert_int_equal(seen[0].now, POLICY_REVIEW);
    assert_string_equal(seen[1].path, "docs/c");
    assert_true(seen[1].is_breaking);
    assert_int_equal(strlen(seen[1].run), ID_TEXT_BYTES - 1);
}

static void an_apply_may_be_granted_path_by_path(void **unused) {
    (void)unused;
    static const char rules[] =
        "  - { name: src, match: { operation: stage.apply, path: 'src/**' }, action: allow }\n";
    make_apply(PATHS, nullptr, false);
    make_apply(PATHS, nullptr, true);
    replay(rules);
    assert_int_equal(result.decisions, 6); /* nothing is said of the whole */
    assert_int_equal(seen_count, 2);
    assert_string_equal(seen[0].path, "docs/c");
    assert_string_equal(seen[1].path, "docs/c");
    replay("  - { name: no, match: { operation: stage.apply, transport: cli }, action: deny }\n");
    assert_int_equal(seen_count, 2); /* one for each apply, not for each path */
    assert_string_equal(seen[0].path, "-");
    assert_string_equal(seen[1].path, "-");
}

static void lists_that_are_gone_or_anothers_are_counted(void **unused) {
    (void)unused;
    make_apply(PATHS, "{}\n", false);
    make_apply(PATHS, "", true);
    replay("  - { name: src, match: { operation: stage.apply, path: 'src/**' }, action: allow }\n");
    assert_int_equal(result.expired_lists, 2);
    assert_int_equal(seen_count, 2); /* as a whole, which no rule speaks of */
    assert_string_equal(seen[0].path, "-");
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

#define TEST(function) cmocka_unit_test_setup_teardown(function, open_kernel, close_kernel)

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(nothing_has_happened_yet),
        TEST(outcomes_that_change_are_told),
        TEST(every_fact_comes_back),
        TEST(paths_of_any_bytes_come_back),
        TEST(what_has_no_facts_is_counted),
        TEST(refusals_that_cannot_be_judged_again_stand),
        TEST(built_in_rules_still_deny),
        TEST(time_windows_are_of_then),
        TEST(a_token_stands_for_its_grant),
        TEST(paths_of_an_apply_are_judged),
        TEST(an_apply_may_be_granted_path_by_path),
        TEST(lists_that_are_gone_or_anothers_are_counted),
        TEST(each_workspace_has_its_own_file),
        TEST(more_workspaces_than_are_kept),
        TEST(it_can_be_less_than_all),
        TEST(a_bad_policy_judges_nothing),
    };
    return cmocka_run_group_tests(tests, nullptr, nullptr);
}
