/* SPDX-License-Identifier: Apache-2.0
 *
 * One pass over the bytes. Canonical form leaves no choices, so recognising it needs no value: no
 * white space, members in strictly rising order (which rules out doubles too), one spelling of
 * every number and every escape. tests/fuzz/fuzz_entry.c holds it against parser and writer.
 */
#include "codec/json_scan.h"

#include <string.h>

#include "codec/utf8.h"

enum { SCAN_DEPTH_MAX = 128 }; /* as json_parse() */
static const uint64_t SCAN_INTEGER_MAX = (UINT64_C(1) << 53) - 1;

struct scan {
    const uint8_t *at;
    const uint8_t *end;
    unsigned depth;
    json_scan_member *member;
    void *context;
};

static bool take(struct scan *scan, uint8_t byte) {
    if (scan->at == scan->end || *scan->at != byte) {
        return false;
    }
    scan->at++;
    return true;
}

static bool take_word(struct scan *scan, const char *word) {
    size_t size = strlen(word);
    if ((size_t)(scan->end - scan->at) < size || memcmp(scan->at, word, size) != 0) {
        return false;
    }
    scan->at += size;
    return true;
}

/* The control character that two hexadecimal digits name. */
static uint8_t control_of(uint8_t high, uint8_t low) {
    int digit = low <= '9' ? low - '0' : low - 'a' + 10;
    return (uint8_t)((high - '0') * 16 + digit);
}

/* After a backslash: the short form where there is one, else \u00 and two lower-case digits. NUL
 * has neither, because it is refused. */
static bool take_escape(struct scan *scan) {
    if (scan->at == scan->end) {
        return false;
    }
    uint8_t kind = *scan->at++;
    if (kind != 'u') {
        return kind != 0 && strchr("btnfr\"\\", kind) != nullptr;
    }
    if (scan->end - scan->at < 4 || memcmp(scan->at, "00", 2) != 0) {
        return false;
    }
    uint8_t high = scan->at[2];
    uint8_t low = scan->at[3];
    bool is_hex = (low >= '0' && low <= '9') || (low >= 'a' && low <= 'f');
    if ((high != '0' && high != '1') || !is_hex) {
        return false;
    }
    uint8_t point = control_of(high, low);
    scan->at += 4;
    return point != 0 && strchr("\b\t\n\f\r", point) == nullptr;
}

static bool is_plain(uint8_t byte) {
    return byte >= 0x20 && byte < 0x80 && byte != '"' && byte != '\\';
}

/* A string with its quotes; *ret is what stands between them. */
static bool take_string(struct scan *scan, struct slice *ret) {
    if (!take(scan, '"')) {
        return false;
    }
    const uint8_t *start = scan->at;
    for (;;) {
        while (scan->at < scan->end && is_plain(*scan->at)) {
            scan->at++;
        }
        if (scan->at == scan->end || *scan->at < 0x20) {
            return false;
        }
        if (*scan->at == '"') {
            *ret = slice_of(start, (size_t)(scan->at - start));
            scan->at++;
            return true;
        }
        if (*scan->at == '\\') {
            scan->at++;
            if (!take_escape(scan)) {
                return false;
            }
            continue;
        }
        uint32_t point;
        size_t length = utf8_next(slice_of(scan->at, (size_t)(scan->end - scan->at)), 0, &point);
        if (length == 0) {
            return false;
        }
        scan->at += length;
    }
}

static bool take_integer(struct scan *scan) {
    bool is_negative = take(scan, '-');
    const uint8_t *start = scan->at;
    uint64_t value = 0;
    while (scan->at < scan->end && *scan->at >= '0' && *scan->at <= '9') {
        value = value * 10 + (uint64_t)(*scan->at++ - '0');
        if (value > SCAN_INTEGER_MAX) {
            return false;
        }
    }
    size_t digits = (size_t)(scan->at - start);
    return digits > 0 && (*start != '0' || (digits == 1 && !is_negative));
}

/* The bytes a name stands for, one by one; 0 at its end. */
struct name {
    const uint8_t *at;
    const uint8_t *end;
};

static uint8_t name_next(struct name *name) {
    if (name->at == name->end) {
        return 0;
    }
    uint8_t byte = *name->at++;
    if (byte != '\\') {
        return byte;
    }
    static const char SHORT[] = "b\bt\tn\nf\fr\r\"\"\\\\";
    uint8_t kind = *name->at++;
    if (kind != 'u') {
        return (uint8_t)strchr(SHORT, kind)[1];
    }
    uint8_t high = name->at[2];
    uint8_t low = name->at[3];
    name->at += 4;
    return control_of(high, low);
}

/* Whether `a` sorts before `b` by UTF-16 code units: as bytes, but surrogates (from 0xf0 on) come
 * before U+E000 (from 0xee on); see member_compare() in json_write.c. */
static bool name_is_before(struct slice a, struct slice b) {
    struct name left = {a.data, a.data + a.size};
    struct name right = {b.data, b.data + b.size};
    uint8_t left_byte;
    uint8_t right_byte;
    do {
        left_byte = name_next(&left);
        right_byte = name_next(&right);
    } while (left_byte != 0 && left_byte == right_byte);
    bool left_surrogate = left_byte >= 0xf0;
    bool right_surrogate = right_byte >= 0xf0;
    if (left_surrogate != right_surrogate && left_byte >= 0xee && right_byte >= 0xee) {
        return left_surrogate;
    }
    return left_byte < right_byte;
}

static bool take_value(struct scan *scan);

static bool take_array(struct scan *scan) {
    if (take(scan, ']')) {
        return true;
    }
    do {
        if (!take_value(scan)) {
            return false;
        }
    } while (take(scan, ','));
    return take(scan, ']');
}

static bool take_object(struct scan *scan) {
    struct slice before = {nullptr, 0};
    bool is_outermost = scan->depth == 1;
    if (take(scan, '}')) {
        return true;
    }
    for (bool is_first = true; is_first || take(scan, ','); is_first = false) {
        struct slice name;
        if (!take_string(scan, &name) || !take(scan, ':') ||
            (!is_first && !name_is_before(before, name))) {
            return false;
        }
        const uint8_t *start = scan->at;
        if (!take_value(scan)) {
            return false;
        }
        if (is_outermost && scan->member != nullptr) {
            scan->member(scan->context, name, slice_of(start, (size_t)(scan->at - start)));
        }
        before = name;
    }
    return take(scan, '}');
}

/* Recursion is bounded by SCAN_DEPTH_MAX. */
static bool take_nested(struct scan *scan, bool (*inside)(struct scan *scan)) {
    scan->at++;
    scan->depth++;
    bool taken = scan->depth <= SCAN_DEPTH_MAX && inside(scan);
    scan->depth--;
    return taken;
}

static bool take_value(struct scan *scan) {
    struct slice ignored;
    if (scan->at == scan->end) {
        return false;
    }
    switch (*scan->at) {
    case '"':
        return take_string(scan, &ignored);
    case '{':
        return take_nested(scan, take_object);
    case '[':
        return take_nested(scan, take_array);
    case 't':
        return take_word(scan, "true");
    case 'f':
        return take_word(scan, "false");
    case 'n':
        return take_word(scan, "null");
    default:
        return take_integer(scan);
    }
}

bool json_scan_object(struct slice text, json_scan_member *member, void *context) {
    struct scan scan = {
        .at = text.data, .end = text.data + text.size, .member = member, .context = context};
    return text.size > 0 && text.data[0] == '{' && take_value(&scan) && scan.at == scan.end;
}

bool json_scan_natural(struct slice value, uint64_t *ret) {
    uint64_t number = 0;
    for (size_t i = 0; i < value.size; i++) {
        if (value.data[i] < '0' || value.data[i] > '9') {
            return false;
        }
        number = number * 10 + (uint64_t)(value.data[i] - '0');
    }
    *ret = number;
    return value.size > 0 && value.size <= 16;
}

bool json_scan_text(struct slice value, struct slice *ret) {
    if (value.size < 2 || value.data[0] != '"' || memchr(value.data, '\\', value.size) != nullptr) {
        return false;
    }
    *ret = slice_of(value.data + 1, value.size - 2);
    return true;
}
