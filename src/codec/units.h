/* SPDX-License-Identifier: Apache-2.0
 *
 * Numbers as a policy writes them. Units are case-sensitive: KiB MiB GiB are powers of 1,024, KB MB
 * GB powers of 1,000; a bare number is bytes. Times are ms s m h and never bare. A number is
 * decimal digits without a sign, a leading zero or a fraction; a unit follows at once.
 */
#pragma once

#include "base/bytes.h"

enum units_result : uint8_t {
    UNITS_OK,
    UNITS_NO_NUMBER,    /* no digits, a leading zero, or something behind the unit */
    UNITS_NO_UNIT,      /* a time without one */
    UNITS_UNKNOWN_UNIT, /* also a known one in the wrong case */
    UNITS_OVERFLOW,     /* more than the type holds */
    UNITS_BACKWARDS,    /* a range whose end lies before its start */
    UNITS_ZERO,         /* a rate of nothing, or in no time */
    UNITS_FORM,         /* not of the form at all */
};

/* What is wrong, to stand behind "the size ": a constant. */
const char *units_result_text(enum units_result result);

/* Outputs are written only on UNITS_OK. */
enum units_result units_parse_bytes(struct slice text, uint64_t *ret_bytes);
enum units_result units_parse_duration(struct slice text, uint64_t *ret_ms);
enum units_result units_parse_count(struct slice text, uint32_t *ret_count);
/* "80", "8000..8099", "..100KiB", "1MiB..": both ends are inside. An open end is 0 or UINT64_MAX.
 */
enum units_result units_parse_range(struct slice text, uint64_t *ret_low, uint64_t *ret_high);
/* "10/1m": so many in a window of that length. */
enum units_result units_parse_rate(struct slice text, uint32_t *ret_count, uint64_t *ret_window_ms);
/* "09:00-17:30" in minutes of the day, 24:00 as an end only; one that ends before it begins goes
 * past midnight. */
enum units_result units_parse_window(struct slice text, uint16_t *ret_from, uint16_t *ret_to);
