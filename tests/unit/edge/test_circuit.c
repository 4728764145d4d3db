/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "edge/circuit.h"

enum { START_MS = 1000000 };

/* Fails until it opens. */
static uint32_t fail_until_open(struct circuit *circuit, uint64_t now_ms) {
    uint32_t failures = 1;
    while (!circuit_failed(circuit, now_ms, 0)) {
        assert_true(++failures < 100);
    }
    return failures;
}

static void four_failures_are_bad_luck(void **state) {
    (void)state;
    struct circuit circuit = {};
    for (int round = 0; round < 4; round++) {
        for (int i = 0; i < 4; i++) {
            assert_false(circuit_failed(&circuit, START_MS + (uint64_t)round * 20000, 0));
        }
        circuit_succeeded(&circuit, START_MS + (uint64_t)round * 20000);
        assert_int_equal(circuit_ask(&circuit, START_MS), CIRCUIT_YES);
    }
}

static void five_in_a_row_open_it_for_a_second(void **state) {
    (void)state;
    struct circuit circuit = {};
    assert_int_equal(fail_until_open(&circuit, START_MS), 5);
    assert_int_equal(circuit_ask(&circuit, START_MS), CIRCUIT_NO);
    assert_int_equal(circuit_ask(&circuit, START_MS + 999), CIRCUIT_NO);
    assert_int_equal(circuit_ask(&circuit, START_MS + 1000), CIRCUIT_PROBE);
}

static void half_of_many_open_it_although_never_five_in_a_row(void **state) {
    (void)state;
    struct circuit circuit = {};
    bool opened = false;
    uint32_t count = 0;
    while (!opened && count < 100) {
        circuit_succeeded(&circuit, START_MS);
        opened = circuit_failed(&circuit, START_MS, 0);
        count += 2;
    }
    assert_int_equal(count, 20);
}

static void a_third_of_many_does_not(void **state) {
    (void)state;
    struct circuit circuit = {};
    for (uint64_t i = 0; i < 1000; i++) {
        circuit_succeeded(&circuit, START_MS + i);
        circuit_succeeded(&circuit, START_MS + i);
        assert_false(circuit_failed(&circuit, START_MS + i, 0));
    }
}

static void failures_of_long_ago_are_forgotten(void **state) {
    (void)state;
    struct circuit circuit = {};
    for (uint64_t i = 0; i < 100; i++) { /* one in two, but only 10 in ten seconds */
        circuit_succeeded(&circuit, START_MS + i * 2000);
        assert_false(circuit_failed(&circuit, START_MS + i * 2000, 0));
    }
}

static void one_probe_at_a_time(void **state) {
    (void)state;
    struct circuit circuit = {};
    (void)fail_until_open(&circuit, START_MS);
    assert_true(circuit_is_usable(&circuit, START_MS + 1000));
    assert_int_equal(circuit_ask(&circuit, START_MS + 1000), CIRCUIT_PROBE);
    assert_false(circuit_is_usable(&circuit, START_MS + 1000));
    assert_int_equal(circuit_ask(&circuit, START_MS + 1000), CIRCUIT_NO);
    assert_int_equal(circuit_ask(&circuit, START_MS + 1999), CIRCUIT_NO);
    /* Nobody said how the probe went. */
    assert_int_equal(circuit_ask(&circuit, START_MS + 2000), CIRCUIT_PROBE);
}

static void a_probe_that_fails_doubles_the_time_up_to_a_minute(void **state) {
    (void)state;
    struct circuit circuit = {};
    (void)fail_until_open(&circuit, START_MS);
    uint64_t now = START_MS;
    static const uint32_t SECONDS[] = {1, 2, 4, 8, 16, 32, 60, 60, 60};
    for (size_t i = 0; i < sizeof SECONDS / sizeof SECONDS[0]; i++) {
        now += SECONDS[i] * UINT64_C(1000);
        assert_int_equal(circuit_ask(&circuit, now - 1), CIRCUIT_NO);
        assert_int_equal(circuit_ask(&circuit, now), CIRCUIT_PROBE);
        assert_true(circuit_failed(&circuit, now, 0));
    }
}

static void a_probe_that_succeeds_closes_it_and_forgets(void **state) {
    (void)state;
    struct circuit circuit = {};
    (void)fail_until_open(&circuit, START_MS);
    assert_int_equal(circuit_ask(&circuit, START_MS + 1000), CIRCUIT_PROBE);
    circuit_succeeded(&circuit, START_MS + 1001);
    assert_int_equal(circuit_ask(&circuit, START_MS + 1001), CIRCUIT_YES);
    assert_int_equal(fail_until_open(&circuit, START_MS + 1001), 5);
    assert_int_equal(circuit_ask(&circuit, START_MS + 2001), CIRCUIT_PROBE);
}

static void what_was_begun_before_it_opened_changes_nothing(void **state) {
    (void)state;
    struct circuit circuit = {};
    (void)fail_until_open(&circuit, START_MS);
    assert_false(circuit_failed(&circuit, START_MS, 0));
    circuit_succeeded(&circuit, START_MS);
    assert_int_equal(circuit_ask(&circuit, START_MS + 999), CIRCUIT_NO);
    assert_int_equal(circuit_ask(&circuit, START_MS + 1000), CIRCUIT_PROBE);
}

static void chance_takes_off_a_quarter_at_most(void **state) {
    (void)state;
    for (uint32_t random = 0; random < 5000; random++) {
        struct circuit circuit = {};
        for (int i = 0; i < 5; i++) {
            (void)circuit_failed(&circuit, START_MS, random);
        }
        assert_false(circuit_is_usable(&circuit, START_MS + 750));
        assert_true(circuit_is_usable(&circuit, START_MS + 1000));
        assert_int_equal(circuit.until_ms, START_MS + 1000 - random % 250);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(four_failures_are_bad_luck),
        cmocka_unit_test(five_in_a_row_open_it_for_a_second),
        cmocka_unit_test(half_of_many_open_it_although_never_five_in_a_row),
        cmocka_unit_test(a_third_of_many_does_not),
        cmocka_unit_test(failures_of_long_ago_are_forgotten),
        cmocka_unit_test(one_probe_at_a_time),
        cmocka_unit_test(a_probe_that_fails_doubles_the_time_up_to_a_minute),
        cmocka_unit_test(a_probe_that_succeeds_closes_it_and_forgets),
        cmocka_unit_test(what_was_begun_before_it_opened_changes_nothing),
        cmocka_unit_test(chance_takes_off_a_quarter_at_most),
    };
    return cmocka_run_group_tests(tests, nullptr, nullptr);
}
