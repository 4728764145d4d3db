/* SPDX-License-Identifier: Apache-2.0 */
#include "base/limits.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "base/clock.h"

static void every_limit_has_a_value_a_unit_and_a_reason(void **state) {
    (void)state;
    for (unsigned id = 0; id < LIMIT_ID_COUNT; id++) {
        const struct limit_row *row = limit_row((enum limit_id)id);
        assert_true(row->value >= 0); /* 0: a deadline that is off unless asked for */
        assert_true(strlen(row->name) > 0 && strlen(row->unit) > 0);
        assert_true(strlen(row->reason) > 10);
    }
}

static void a_hit_counts_for_its_own_limit_only(void **state) {
    (void)state;
    uint64_t before = limit_hit_count(LIMIT_ID_ENTRY_BYTES);
    uint64_t other = limit_hit_count(LIMIT_ID_PLAN_BYTES);
    limit_hit(LIMIT_ID_ENTRY_BYTES);
    limit_hit(LIMIT_ID_ENTRY_BYTES);
    assert_int_equal(limit_hit_count(LIMIT_ID_ENTRY_BYTES), before + 2);
    assert_int_equal(limit_hit_count(LIMIT_ID_PLAN_BYTES), other);
}

static void only_what_is_past_is_counted(void **state) {
    (void)state;
    uint64_t before = limit_hit_count(LIMIT_ID_PATCH_FILES);
    assert_false(limit_past(false, LIMIT_ID_PATCH_FILES));
    assert_int_equal(limit_hit_count(LIMIT_ID_PATCH_FILES), before);
    assert_true(limit_past(true, LIMIT_ID_PATCH_FILES));
    assert_int_equal(limit_hit_count(LIMIT_ID_PATCH_FILES), before + 1);
}

static void the_system_clock_is_sane(void **state) {
    (void)state;
    struct clock clock = clock_system();
    assert_true(clock_wall_ms(&clock) > 1700000000000ULL);
    uint64_t first = clock_monotonic_ns(&clock);
    assert_true(clock_monotonic_ns(&clock) >= first);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_limit_has_a_value_a_unit_and_a_reason),
        cmocka_unit_test(a_hit_counts_for_its_own_limit_only),
        cmocka_unit_test(only_what_is_past_is_counted),
        cmocka_unit_test(the_system_clock_is_sane),
    };
    return cmocka_run_group_tests_name("limits", tests, nullptr, nullptr);
}
