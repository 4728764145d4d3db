/* SPDX-License-Identifier: Apache-2.0 */
#include "codec/units.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

enum { UNTOUCHED = 77 };

static void assert_bytes(const char *text, enum units_result result, uint64_t expected) {
    uint64_t bytes = UNTOUCHED;
    enum units_result got = units_parse_bytes(slice_of_string(text), &bytes);
    if (got != result || bytes != (result == UNITS_OK ? expected : UNTOUCHED)) {
        fail_msg("\"%s\" %s, %llu", text, units_result_text(got), (unsigned long long)bytes);
    }
}

static void wrong_sizes_are_refused(void **state) {
    (void)state;
    assert_bytes("", UNITS_NO_NUMBER, 0);
    assert_bytes("KiB", UNITS_NO_NUMBER, 0);
    assert_bytes("-1", UNITS_NO_NUMBER, 0);
    assert_bytes("+1", UNITS_NO_NUMBER, 0);
    assert_bytes(" 1", UNITS_NO_NUMBER, 0);
    assert_bytes("010", UNITS_NO_NUMBER, 0);
    assert_bytes("1.5MiB", UNITS_UNKNOWN_UNIT, 0);
    assert_bytes("0x10", UNITS_UNKNOWN_UNIT, 0);
    assert_bytes("1e3", UNITS_UNKNOWN_UNIT, 0);
    assert_bytes("1_000", UNITS_UNKNOWN_UNIT, 0);
    assert_bytes("1 KiB", UNITS_UNKNOWN_UNIT, 0);
    assert_bytes("1KiB ", UNITS_UNKNOWN_UNIT, 0);
    static const char *const wrong_case[] = {"1kib", "1KIB", "1kB", "1Kb", "1mb", "1K", "1M", "1B"};
    for (size_t i = 0; i < sizeof wrong_case / sizeof wrong_case[0]; i++) {
        assert_bytes(wrong_case[i], UNITS_UNKNOWN_UNIT, 0);
    }
    assert_bytes("18446744073709551616", UNITS_OVERFLOW, 0);
    assert_bytes("99999999999999999999999", UNITS_OVERFLOW, 0);
    assert_bytes("17179869184GiB", UNITS_OVERFLOW, 0);
    assert_bytes("18446744074GB", UNITS_OVERFLOW, 0);
}

static void sizes_are_exact(void **state) {
    (void)state;
    assert_bytes("0", UNITS_OK, 0);
    assert_bytes("1", UNITS_OK, 1);
    assert_bytes("100KiB", UNITS_OK, 102400);
    assert_bytes("1MiB", UNITS_OK, 1048576);
    assert_bytes("3GiB", UNITS_OK, 3221225472);
    assert_bytes("2KB", UNITS_OK, 2000);
    assert_bytes("2MB", UNITS_OK, 2000000);
    assert_bytes("2GB", UNITS_OK, 2000000000);
    assert_bytes("18446744073709551615", UNITS_OK, UINT64_MAX);
    assert_bytes("17179869183GiB", UNITS_OK, UINT64_MAX - 1073741823);
}

static void assert_duration(const char *text, enum units_result result, uint64_t expected) {
    uint64_t ms = UNTOUCHED;
    enum units_result got = units_parse_duration(slice_of_string(text), &ms);
    assert_int_equal(got, result);
    assert_int_equal(ms, result == UNITS_OK ? expected : UNTOUCHED);
}

static void durations_have_a_unit(void **state) {
    (void)state;
    assert_duration("10", UNITS_NO_UNIT, 0);
    assert_duration("1M", UNITS_UNKNOWN_UNIT, 0);
    assert_duration("1min", UNITS_UNKNOWN_UNIT, 0);
    assert_duration("1d", UNITS_UNKNOWN_UNIT, 0);
    assert_duration("1m30s", UNITS_UNKNOWN_UNIT, 0);
    assert_duration("s", UNITS_NO_NUMBER, 0);
    assert_duration("5124095576031h", UNITS_OVERFLOW, 0);
    assert_duration("250ms", UNITS_OK, 250);
    assert_duration("30s", UNITS_OK, 30000);
    assert_duration("5m", UNITS_OK, 300000);
    assert_duration("2h", UNITS_OK, 7200000);
}

static void assert_range(const char *text, enum units_result result, uint64_t low, uint64_t high) {
    uint64_t got_low = UNTOUCHED;
    uint64_t got_high = UNTOUCHED;
    enum units_result got = units_parse_range(slice_of_string(text), &got_low, &got_high);
    if (got != result) {
        fail_msg("\"%s\" %s", text, units_result_text(got));
    }
    assert_int_equal(got_low, result == UNITS_OK ? low : UNTOUCHED);
    assert_int_equal(got_high, result == UNITS_OK ? high : UNTOUCHED);
}

static void ranges_are_inclusive(void **state) {
    (void)state;
    assert_range("", UNITS_NO_NUMBER, 0, 0);
    assert_range("..", UNITS_FORM, 0, 0);
    assert_range("1-2", UNITS_UNKNOWN_UNIT, 0, 0);
    assert_range("1...2", UNITS_NO_NUMBER, 0, 0);
    assert_range("1..2..3", UNITS_UNKNOWN_UNIT, 0, 0);
    assert_range("2..1", UNITS_BACKWARDS, 0, 0);
    assert_range("1MiB..1MB", UNITS_BACKWARDS, 0, 0);
    assert_range("..99999999999GiB", UNITS_OVERFLOW, 0, 0);
    assert_range("a..2", UNITS_NO_NUMBER, 0, 0);
    assert_range("80", UNITS_OK, 80, 80);
    assert_range("8000..8099", UNITS_OK, 8000, 8099);
    assert_range("5..5", UNITS_OK, 5, 5);
    assert_range("..100KiB", UNITS_OK, 0, 102400);
    assert_range("1MiB..", UNITS_OK, 1048576, UINT64_MAX);
}

static void assert_rate(const char *text, enum units_result result, uint32_t count, uint64_t ms) {
    uint32_t got_count = UNTOUCHED;
    uint64_t got_ms = UNTOUCHED;
    assert_int_equal(units_parse_rate(slice_of_string(text), &got_count, &got_ms), result);
    assert_int_equal(got_count, result == UNITS_OK ? count : UNTOUCHED);
    assert_int_equal(got_ms, result == UNITS_OK ? ms : UNTOUCHED);
}

static void rates_are_so_many_in_a_time(void **state) {
    (void)state;
    assert_rate("10", UNITS_FORM, 0, 0);
    assert_rate("/1m", UNITS_NO_NUMBER, 0, 0);
    assert_rate("10/", UNITS_NO_NUMBER, 0, 0);
    assert_rate("10/1", UNITS_NO_UNIT, 0, 0);
    assert_rate("10/m", UNITS_NO_NUMBER, 0, 0);
    assert_rate("10/1m/2", UNITS_UNKNOWN_UNIT, 0, 0);
    assert_rate("1KB/1m", UNITS_UNKNOWN_UNIT, 0, 0);
    assert_rate("0/1m", UNITS_ZERO, 0, 0);
    assert_rate("1/0s", UNITS_ZERO, 0, 0);
    assert_rate("4294967296/1s", UNITS_OVERFLOW, 0, 0);
    assert_rate("10/1m", UNITS_OK, 10, 60000);
    assert_rate("4294967295/500ms", UNITS_OK, UINT32_MAX, 500);
}

static void assert_window(const char *text, enum units_result result, uint16_t from, uint16_t to) {
    uint16_t got_from = UNTOUCHED;
    uint16_t got_to = UNTOUCHED;
    assert_int_equal(units_parse_window(slice_of_string(text), &got_from, &got_to), result);
    assert_int_equal(got_from, result == UNITS_OK ? from : UNTOUCHED);
    assert_int_equal(got_to, result == UNITS_OK ? to : UNTOUCHED);
}

static void windows_are_hours_of_a_day(void **state) {
    (void)state;
    assert_window("", UNITS_FORM, 0, 0);
    assert_window("9:00-17:30", UNITS_FORM, 0, 0);
    assert_window("09:00", UNITS_FORM, 0, 0);
    assert_window("09:00-17:60", UNITS_FORM, 0, 0);
    assert_window("09:00-24:01", UNITS_FORM, 0, 0);
    assert_window("24:00-01:00", UNITS_FORM, 0, 0);
    assert_window("09:00 17:30", UNITS_FORM, 0, 0);
    assert_window("09:00-17:3x", UNITS_FORM, 0, 0);
    assert_window("09:00-17:300", UNITS_FORM, 0, 0);
    assert_window("09:00-09:00", UNITS_ZERO, 0, 0);
    assert_window("09:00-17:30", UNITS_OK, 540, 1050);
    assert_window("00:00-24:00", UNITS_OK, 0, 1440);
    assert_window("22:00-06:00", UNITS_OK, 1320, 360);
}

static void counts_have_no_unit(void **state) {
    (void)state;
    uint32_t count = UNTOUCHED;
    assert_int_equal(units_parse_count(SLICE_LITERAL("1KiB"), &count), UNITS_UNKNOWN_UNIT);
    assert_int_equal(units_parse_count(SLICE_LITERAL("4294967296"), &count), UNITS_OVERFLOW);
    assert_int_equal(units_parse_count(SLICE_LITERAL("many"), &count), UNITS_NO_NUMBER);
    assert_int_equal(count, UNTOUCHED);
    assert_int_equal(units_parse_count(SLICE_LITERAL("4294967295"), &count), UNITS_OK);
    assert_int_equal(count, UINT32_MAX);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(wrong_sizes_are_refused),     cmocka_unit_test(sizes_are_exact),
        cmocka_unit_test(durations_have_a_unit),       cmocka_unit_test(ranges_are_inclusive),
        cmocka_unit_test(rates_are_so_many_in_a_time), cmocka_unit_test(windows_are_hours_of_a_day),
        cmocka_unit_test(counts_have_no_unit),
    };
    return cmocka_run_group_tests_name("policy/units", tests, nullptr, nullptr);
}
