/* SPDX-License-Identifier: Apache-2.0
 *
 * What the tests of replay share: a log of their own, entries of the past, what a replay told.
 */
#pragma once

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
    unsigned auto_lines, auto_files; /* both 0: somebody asked */
    enum audit_event event;          /* DECISION or APPLY_STARTED */
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
    if (past->auto_lines + past->auto_files > 0) {
        json_set_bool(fields, "automatic", true);
        json_set_text(fields, "auto_rule", past->rule);
        json_set_integer(fields, "changed_lines", past->auto_lines);
        json_set_integer(fields, "changed_files", past->auto_files);
    }
    facts_record(fields, past->without_facts ? nullptr : request, &policy);
    struct audit_append entry = {past->event, fields};
    assert_int_equal(audit_log_append(kernel.log, &entry, 1, nullptr, &failure).code, 0);
}

#define DECIDED(was, by) \
    ((struct past){.event = AUDIT_EVENT_DECISION, .outcome = (was), .rule = (by)})

#define TEST(function) cmocka_unit_test_setup_teardown(function, open_kernel, close_kernel)
