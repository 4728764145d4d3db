/* SPDX-License-Identifier: Apache-2.0
 *
 * Time in pauses counts against no limit, however often a pause begins and ends.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "engine/allowance.h"

enum : uint64_t { MS = 1000000, START = 5000 * MS };

static void test_without_pauses(void **state) {
    (void)state;
    struct allowance a;
    allowance_start(&a, START, 100);
    assert_int_equal(allowance_wake_ns(&a), START + 100 * MS);
    allowance_end(&a, START + 30 * MS);
    assert_int_equal(allowance_wall_ns(&a), 30 * MS);
    assert_int_equal(a.held_ns, 0);
}

static void test_no_limit(void **state) {
    (void)state;
    struct allowance a;
    allowance_start(&a, START, 0);
    assert_true(allowance_wake_ns(&a) == UINT64_MAX);
    allowance_hold(&a, START + MS, true);
    allowance_hold(&a, START + 9 * MS, false);
    assert_true(allowance_wake_ns(&a) == UINT64_MAX);
    allowance_start(&a, START, UINT64_MAX / 2); /* past what can be counted */
    assert_true(allowance_wake_ns(&a) == UINT64_MAX);
}

static void test_pauses(void **state) {
    (void)state;
    struct allowance a;
    allowance_start(&a, START, 100);
    allowance_hold(&a, START + 1 * MS, false); /* none to end */
    allowance_hold(&a, START + 10 * MS, true);
    allowance_hold(&a, START + 20 * MS, true); /* still the same */
    assert_true(allowance_wake_ns(&a) == UINT64_MAX);
    allowance_hold(&a, START + 40 * MS, false);
    allowance_hold(&a, START + 50 * MS, false);
    assert_int_equal(allowance_wake_ns(&a), START + 130 * MS);
    allowance_hold(&a, START + 60 * MS, true);
    allowance_end(&a, START + 75 * MS);
    assert_int_equal(a.held_ns, 45 * MS);
    assert_int_equal(allowance_wall_ns(&a), 30 * MS);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_without_pauses),
        cmocka_unit_test(test_no_limit),
        cmocka_unit_test(test_pauses),
    };
    return cmocka_run_group_tests(tests, nullptr, nullptr);
}
