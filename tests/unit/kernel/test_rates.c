/* SPDX-License-Identifier: Apache-2.0
 *
 * Counting in the log: what counts, how far back, and when there is room again.
 */
#include "kernel/rates.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "kernel/records.h"
#include "sys/fd.h"
#include "sys/file.h"

enum { HOUR_MS = 3600000 };

static struct kernel kernel;
static struct error failure;
static char *top; /* owned */
static uint64_t now_ms;

static int setup(void **unused) {
    (void)unused;
    char name[] = "rates-XXXXXX";
    assert_non_null(mkdtemp(name));
    top = realpath(name, nullptr);
    assert_non_null(top);
    assert_int_equal(setenv("AIRLOCK_STATE_DIR", top, 1), 0);
    assert_int_equal(kernel_open(&kernel, &failure).code, 0);
    now_ms = clock_wall_ms(&kernel.clock);
    return 0;
}

static int teardown(void **unused) {
    (void)unused;
    kernel_close(&kernel);
    assert_int_equal(file_remove_tree(AT_FDCWD, top, &failure).code, 0);
    free(TAKE(top));
    return 0;
}

/* An entry of this type whose decision names two rules, and one more whose rate it counts for. */
static void append(enum audit_event event, const char *rule) {
    struct policy_decision decision = {
        .outcome = POLICY_ALLOW,
        .rule = "first",
        .reasons = {"one", "two"},
        .deciders = {{.name = "first"}, {.name = rule}},
        .reason_count = 2,
    };
    struct json *rates = json_array_new();
    struct json *object = record_decision(&decision);
    struct json *fields = json_object_new();
    json_append_text(rates, "by-path");
    json_set(object, "rates", rates);
    json_set(fields, "decision", object);
    json_set_text(fields, "caller", "uid:1");
    json_set_text(fields, "operation", "stage.discard");
    json_set_text(fields, "request", "r");
    json_set_text(fields, "run", "id");
    json_set_text(fields, "workspace", "/w");
    if (event == AUDIT_EVENT_STAGE_DISCARDED) {
        json_set_text(fields, "stage_digest", "");
    }
    struct audit_append entry = {.event = event, .fields = fields};
    struct audit_position position;
    assert_int_equal(audit_log_append(kernel.log, &entry, 1, &position, &failure).code, 0);
}

static bool is_full_at(const struct policy_rate *rate, uint64_t at_ms,
                       struct rate_refusal *refusal) {
    assert_int_equal(rates_check(&kernel, rate, 1, at_ms, refusal, &failure).code, 0);
    return refusal->is_full;
}

static void only_what_happened_counts(void **unused) {
    (void)unused;
    struct rate_refusal refusal;
    struct policy_rate rate = {2, HOUR_MS, "second"};
    assert_false(is_full_at(&rate, now_ms, &refusal));
    append(AUDIT_EVENT_STAGE_DISCARDED, "second");
    append(AUDIT_EVENT_DECISION, "second");
    append(AUDIT_EVENT_DECISION, "second");
    append(AUDIT_EVENT_STAGE_DISCARDED, "seconds");
    append(AUDIT_EVENT_STAGE_DISCARDED, "other");
    assert_false(is_full_at(&rate, clock_wall_ms(&kernel.clock), &refusal));
    append(AUDIT_EVENT_STAGE_DISCARDED, "second");
    assert_true(is_full_at(&rate, clock_wall_ms(&kernel.clock), &refusal));
    assert_string_equal(refusal.rule, "second");
    assert_non_null(strstr(refusal.reason, "the rule allows 2 in 1h,"));
    struct policy_rate by_path = {5, HOUR_MS, "by-path"};
    assert_false(is_full_at(&by_path, clock_wall_ms(&kernel.clock), &refusal));
    by_path.count = 4;
    assert_true(is_full_at(&by_path, clock_wall_ms(&kernel.clock), &refusal));
}

static void the_window_moves_on(void **unused) {
    (void)unused;
    struct rate_refusal refusal;
    struct policy_rate rate = {1, HOUR_MS, "second"};
    append(AUDIT_EVENT_STAGE_DISCARDED, "second");
    uint64_t after = clock_wall_ms(&kernel.clock);
    assert_true(is_full_at(&rate, now_ms + HOUR_MS - 1, &refusal));
    assert_false(is_full_at(&rate, after + HOUR_MS, &refusal));
    assert_true(is_full_at(&rate, 0, &refusal)); /* a clock that went back makes no room */
}

static void all_rates_hold(void **unused) {
    (void)unused;
    struct rate_refusal refusal;
    const struct policy_rate rates[] = {{9, HOUR_MS, "second"}, {1, 60000, "second"}};
    append(AUDIT_EVENT_STAGE_DISCARDED, "second");
    assert_int_equal(
        rates_check(&kernel, rates, 2, clock_wall_ms(&kernel.clock), &refusal, &failure).code, 0);
    assert_true(refusal.is_full);
    assert_non_null(strstr(refusal.reason, "allows 1 in 1m,"));
}

static void one_counts_at_a_time(void **unused) {
    (void)unused;
    CLEANUP(fd_closep) int held = -1;
    assert_int_equal(rates_lock(&kernel.state, &held, &failure).code, 0);
    CLEANUP(fd_closep) int other = openat(kernel.state.fd, "rates.lock", O_RDWR | O_CLOEXEC);
    assert_true(other >= 0);
    assert_int_equal(flock(other, LOCK_EX | LOCK_NB), -1);
    fd_closep(&held);
    assert_int_equal(flock(other, LOCK_EX | LOCK_NB), 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(only_what_happened_counts),
        TEST(the_window_moves_on),
        TEST(all_rates_hold),
        TEST(one_counts_at_a_time),
    };
    return cmocka_run_group_tests_name("kernel/rates", tests, nullptr, nullptr);
}
