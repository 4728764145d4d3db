/* SPDX-License-Identifier: Apache-2.0 */
#include "codec/units.h"

#include <stdckdint.h>

#include "base/assert.h"

enum { MINUTES_A_DAY = 24 * 60 };

struct unit {
    const char *name;
    uint64_t factor;
};

static const struct unit byte_units[] = {
    {"", 1},
    {"KiB", UINT64_C(1) << 10},
    {"MiB", UINT64_C(1) << 20},
    {"GiB", UINT64_C(1) << 30},
    {"KB", 1000},
    {"MB", 1000 * 1000},
    {"GB", 1000 * 1000 * 1000},
};

static const struct unit time_units[] = {
    {"ms", 1},
    {"s", 1000},
    {"m", 60 * 1000},
    {"h", 60 * 60 * 1000},
};

const char *units_result_text(enum units_result result) {
    switch (result) {
    case UNITS_OK:
        return "is fine";
    case UNITS_NO_NUMBER:
        return "does not begin with a decimal number";
    case UNITS_NO_UNIT:
        return "has no unit";
    case UNITS_UNKNOWN_UNIT:
        return "has an unknown unit";
    case UNITS_OVERFLOW:
        return "is too large";
    case UNITS_BACKWARDS:
        return "ends before it begins";
    case UNITS_ZERO:
        return "is zero";
    case UNITS_FORM:
        return "has the wrong form";
    }
    ASSERT(!"a result of the enum");
    return "";
}

static struct slice rest_of(struct slice text, size_t from) {
    return slice_of(text.data + from, text.size - from);
}

/* Leading digits; *ret_size is how many. */
static enum units_result parse_digits(struct slice text, uint64_t *ret, size_t *ret_size) {
    uint64_t value = 0;
    size_t size = 0;
    bool overflow = false;
    while (size < text.size && text.data[size] >= '0' && text.data[size] <= '9') {
        overflow = overflow || ckd_mul(&value, value, UINT64_C(10)) ||
                   ckd_add(&value, value, (uint64_t)(text.data[size] - '0'));
        size++;
    }
    if (size == 0 || (size > 1 && text.data[0] == '0')) {
        return UNITS_NO_NUMBER; /* 010 is eight to some readers and ten to others */
    }
    if (overflow) {
        return UNITS_OVERFLOW;
    }
    *ret = value;
    *ret_size = size;
    return UNITS_OK;
}

static enum units_result parse_with_unit(struct slice text, const struct unit *units, size_t count,
                                         uint64_t *ret) {
    uint64_t number = 0;
    size_t digits = 0;
    enum units_result result = parse_digits(text, &number, &digits);
    if (result != UNITS_OK) {
        return result;
    }
    struct slice name = rest_of(text, digits);
    for (size_t i = 0; i < count; i++) {
        uint64_t value;
        if (!slice_equal(name, slice_of_string(units[i].name))) {
            continue;
        }
        if (ckd_mul(&value, number, units[i].factor)) {
            return UNITS_OVERFLOW;
        }
        *ret = value;
        return UNITS_OK;
    }
    return name.size == 0 ? UNITS_NO_UNIT : UNITS_UNKNOWN_UNIT;
}

enum units_result units_parse_bytes(struct slice text, uint64_t *ret_bytes) {
    return parse_with_unit(text, byte_units, sizeof byte_units / sizeof byte_units[0], ret_bytes);
}

enum units_result units_parse_duration(struct slice text, uint64_t *ret_ms) {
    return parse_with_unit(text, time_units, sizeof time_units / sizeof time_units[0], ret_ms);
}

enum units_result units_parse_count(struct slice text, uint32_t *ret_count) {
    uint64_t number = 0;
    size_t digits = 0;
    enum units_result result = parse_digits(text, &number, &digits);
    if (result != UNITS_OK) {
        return result;
    }
    if (digits != text.size) {
        return UNITS_UNKNOWN_UNIT; /* a count has none */
    }
    if (number > UINT32_MAX) {
        return UNITS_OVERFLOW;
    }
    *ret_count = (uint32_t)number;
    return UNITS_OK;
}

/* The offset of `mark` in text; text.size when it is not there. */
static size_t find(struct slice text, struct slice mark) {
    for (size_t i = 0; i + mark.size <= text.size; i++) {
        if (slice_starts_with(rest_of(text, i), mark)) {
            return i;
        }
    }
    return text.size;
}

enum units_result units_parse_range(struct slice text, uint64_t *ret_low, uint64_t *ret_high) {
    uint64_t low = 0;
    uint64_t high = UINT64_MAX;
    size_t dots = find(text, SLICE_LITERAL(".."));
    if (dots == text.size) {
        enum units_result result = units_parse_bytes(text, &low);
        if (result == UNITS_OK) {
            *ret_low = low;
            *ret_high = low;
        }
        return result;
    }
    struct slice before = slice_of(text.data, dots);
    struct slice after = rest_of(text, dots + 2);
    if (before.size == 0 && after.size == 0) {
        return UNITS_FORM;
    }
    enum units_result result = before.size == 0 ? UNITS_OK : units_parse_bytes(before, &low);
    if (result == UNITS_OK && after.size > 0) {
        result = units_parse_bytes(after, &high);
    }
    if (result == UNITS_OK && low > high) {
        result = UNITS_BACKWARDS;
    }
    if (result == UNITS_OK) {
        *ret_low = low;
        *ret_high = high;
    }
    return result;
}

enum units_result units_parse_rate(struct slice text, uint32_t *ret_count,
                                   uint64_t *ret_window_ms) {
    size_t slash = find(text, SLICE_LITERAL("/"));
    if (slash == text.size) {
        return UNITS_FORM;
    }
    uint32_t count = 0;
    uint64_t window = 0;
    enum units_result result = units_parse_count(slice_of(text.data, slash), &count);
    if (result == UNITS_OK) {
        result = units_parse_duration(rest_of(text, slash + 1), &window);
    }
    if (result == UNITS_OK && (count == 0 || window == 0)) {
        result = UNITS_ZERO;
    }
    if (result == UNITS_OK) {
        *ret_count = count;
        *ret_window_ms = window;
    }
    return result;
}

/* HH:MM, two digits each. */
static bool parse_minute(const uint8_t *text, uint16_t *ret) {
    static const char form[] = "dd:dd";
    for (size_t i = 0; i < sizeof form - 1; i++) {
        if (form[i] == 'd' ? text[i] < '0' || text[i] > '9' : text[i] != ':') {
            return false;
        }
    }
    int hour = (text[0] - '0') * 10 + (text[1] - '0');
    int minute = (text[3] - '0') * 10 + (text[4] - '0');
    *ret = (uint16_t)(hour * 60 + minute);
    return minute < 60 && *ret <= MINUTES_A_DAY;
}

enum units_result units_parse_window(struct slice text, uint16_t *ret_from, uint16_t *ret_to) {
    uint16_t from = 0;
    uint16_t to = 0;
    if (text.size != sizeof "09:00-17:30" - 1 || text.data[5] != '-' ||
        !parse_minute(text.data, &from) || !parse_minute(text.data + 6, &to) ||
        from == MINUTES_A_DAY) {
        return UNITS_FORM;
    }
    if (from == to) {
        return UNITS_ZERO;
    }
    *ret_from = from;
    *ret_to = to;
    return UNITS_OK;
}
