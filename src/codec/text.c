/* SPDX-License-Identifier: Apache-2.0 */
#include "codec/text.h"

#include <string.h>

#include "base/assert.h"
#include "codec/utf8.h"

static const char HEX_DIGITS[] = "0123456789abcdef";
static const char BASE64_ALPHABET[] =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

void text_hex(struct slice bytes, struct builder *out) {
    for (size_t i = 0; i < bytes.size; i++) {
        builder_u8(out, (uint8_t)HEX_DIGITS[bytes.data[i] >> 4]);
        builder_u8(out, (uint8_t)HEX_DIGITS[bytes.data[i] & 15]);
    }
}

static int hex_value(uint8_t digit) {
    if (digit >= '0' && digit <= '9') {
        return digit - '0';
    }
    if (digit >= 'a' && digit <= 'f') {
        return digit - 'a' + 10;
    }
    if (digit >= 'A' && digit <= 'F') {
        return digit - 'A' + 10;
    }
    return -1;
}

bool text_unhex(struct slice text, uint8_t *ret, size_t size) {
    if (text.size % 2 != 0 || text.size / 2 != size) {
        return false;
    }
    for (size_t i = 0; i < text.size; i++) {
        if (hex_value(text.data[i]) < 0) {
            return false;
        }
    }
    for (size_t i = 0; i < size; i++) {
        ret[i] = (uint8_t)(hex_value(text.data[2 * i]) << 4 | hex_value(text.data[2 * i + 1]));
    }
    return true;
}

void text_base64(struct slice bytes, struct builder *out) {
    for (size_t i = 0; i < bytes.size; i += 3) {
        size_t have = bytes.size - i < 3 ? bytes.size - i : 3;
        uint32_t group = (uint32_t)bytes.data[i] << 16;
        group |= have > 1 ? (uint32_t)bytes.data[i + 1] << 8 : 0;
        group |= have > 2 ? bytes.data[i + 2] : 0;
        uint8_t quad[4];
        for (size_t j = 0; j < 4; j++) {
            quad[j] = j <= have ? (uint8_t)BASE64_ALPHABET[group >> (18 - 6 * j) & 63] : '=';
        }
        builder_bytes(out, slice_of(quad, sizeof quad));
    }
}

static int base64_value(uint8_t digit) {
    if (digit >= 'A' && digit <= 'Z') {
        return digit - 'A';
    }
    if (digit >= 'a' && digit <= 'z') {
        return digit - 'a' + 26;
    }
    if (digit >= '0' && digit <= '9') {
        return digit - '0' + 52;
    }
    return digit == '+' ? 62 : digit == '/' ? 63 : -1;
}

/* Decodes one group of four characters, of which the last `padding` are '='. */
static bool base64_group(const uint8_t *quad, size_t padding, struct builder *out) {
    uint32_t group = 0;
    for (size_t i = 0; i < 4; i++) {
        int value = i < 4 - padding ? base64_value(quad[i]) : 0;
        if (value < 0) {
            return false;
        }
        group = group << 6 | (uint32_t)value;
    }
    /* What padding leaves over must be zero, or two texts would stand for the same bytes. */
    if ((group & ((1U << (8 * padding)) - 1)) != 0) {
        return false;
    }
    const uint8_t bytes[3] = {(uint8_t)(group >> 16), (uint8_t)(group >> 8), (uint8_t)group};
    builder_bytes(out, slice_of(bytes, 3 - padding));
    return true;
}

bool text_unbase64(struct slice text, struct builder *out) {
    if (text.size % 4 != 0) {
        return false;
    }
    for (size_t i = 0; i < text.size; i += 4) {
        size_t padding = 0;
        if (i + 4 == text.size && text.data[i + 3] == '=') {
            padding = text.data[i + 2] == '=' ? 2 : 1;
        }
        if (!base64_group(text.data + i, padding, out)) {
            return false;
        }
    }
    return builder_is_ok(out);
}

static uint8_t base64url_digit(uint32_t value) {
    return value == 62 ? '-' : value == 63 ? '_' : (uint8_t)BASE64_ALPHABET[value];
}

void text_base64url(struct slice bytes, struct builder *out) {
    for (size_t i = 0; i < bytes.size; i += 3) {
        size_t have = bytes.size - i < 3 ? bytes.size - i : 3;
        uint32_t group = (uint32_t)bytes.data[i] << 16;
        group |= have > 1 ? (uint32_t)bytes.data[i + 1] << 8 : 0;
        group |= have > 2 ? bytes.data[i + 2] : 0;
        for (size_t j = 0; j <= have; j++) {
            builder_u8(out, base64url_digit(group >> (18 - 6 * j) & 63));
        }
    }
}

/* One more than the value of a digit; 0 for what is none. A table, because the digits of a token
 * are random and a branch on them is guessed wrong as often as not. */
static const uint8_t BASE64URL_VALUES[256] = {
    ['A'] = 1,  ['B'] = 2,  ['C'] = 3,  ['D'] = 4,  ['E'] = 5,  ['F'] = 6,  ['G'] = 7,  ['H'] = 8,
    ['I'] = 9,  ['J'] = 10, ['K'] = 11, ['L'] = 12, ['M'] = 13, ['N'] = 14, ['O'] = 15, ['P'] = 16,
    ['Q'] = 17, ['R'] = 18, ['S'] = 19, ['T'] = 20, ['U'] = 21, ['V'] = 22, ['W'] = 23, ['X'] = 24,
    ['Y'] = 25, ['Z'] = 26, ['a'] = 27, ['b'] = 28, ['c'] = 29, ['d'] = 30, ['e'] = 31, ['f'] = 32,
    ['g'] = 33, ['h'] = 34, ['i'] = 35, ['j'] = 36, ['k'] = 37, ['l'] = 38, ['m'] = 39, ['n'] = 40,
    ['o'] = 41, ['p'] = 42, ['q'] = 43, ['r'] = 44, ['s'] = 45, ['t'] = 46, ['u'] = 47, ['v'] = 48,
    ['w'] = 49, ['x'] = 50, ['y'] = 51, ['z'] = 52, ['0'] = 53, ['1'] = 54, ['2'] = 55, ['3'] = 56,
    ['4'] = 57, ['5'] = 58, ['6'] = 59, ['7'] = 60, ['8'] = 61, ['9'] = 62, ['-'] = 63, ['_'] = 64};

/* Decodes up to four digits at the front of `text`; returns how many bytes came out, 0 when they
 * are no canonical group. */
static size_t base64url_group(struct slice text, uint8_t ret[static 3]) {
    size_t digits = text.size < 4 ? text.size : 4;
    uint32_t group = 0;
    for (size_t i = 0; i < digits; i++) {
        uint32_t value = BASE64URL_VALUES[text.data[i]];
        if (value == 0) {
            return 0;
        }
        group |= (value - 1) << (18 - 6 * i);
    }
    for (size_t i = 0; i < 3; i++) {
        ret[i] = (uint8_t)(group >> (16 - 8 * i));
    }
    /* The bits that no byte takes must be zero, as in base64_group(). One digit is none. */
    size_t size = digits - 1;
    return size == 0 || (size < 3 && ret[size] != 0) ? 0 : size;
}

/* Four digits, which all but the last group have; false when one of them is none. A token is mostly
 * this: with the loop of base64url_group() it took a third of the time of its check. */
static bool base64url_quad(const uint8_t digits[static 4], uint8_t ret[static 3]) {
    uint32_t a = BASE64URL_VALUES[digits[0]];
    uint32_t b = BASE64URL_VALUES[digits[1]];
    uint32_t c = BASE64URL_VALUES[digits[2]];
    uint32_t d = BASE64URL_VALUES[digits[3]];
    if (a == 0 || b == 0 || c == 0 || d == 0) {
        return false;
    }
    uint32_t group = (a - 1) << 18 | (b - 1) << 12 | (c - 1) << 6 | (d - 1);
    ret[0] = (uint8_t)(group >> 16);
    ret[1] = (uint8_t)(group >> 8);
    ret[2] = (uint8_t)group;
    return true;
}

bool text_unbase64url(struct slice text, uint8_t *ret, size_t size_max, size_t *ret_size) {
    size_t size = 0;
    size_t i = 0;
    for (; text.size - i >= 4 && size_max - size >= 3; i += 4, size += 3) {
        if (!base64url_quad(text.data + i, ret + size)) {
            return false;
        }
    }
    for (; i < text.size; i += 4) {
        uint8_t bytes[3];
        size_t more = base64url_group(slice_of(text.data + i, text.size - i), bytes);
        if (more == 0 || more > size_max - size) {
            return false;
        }
        memcpy(ret + size, bytes, more);
        size += more;
    }
    *ret_size = size;
    return true;
}

bool text_is_plain(struct slice bytes) {
    for (size_t offset = 0; offset < bytes.size;) {
        uint32_t point;
        size_t length = utf8_next(bytes, offset, &point);
        if (length == 0 || utf8_is_hostile(point)) {
            return false;
        }
        offset += length;
    }
    return true;
}

bool text_is_utf8(struct slice bytes) {
    size_t offset = 0;
    while (offset < bytes.size) {
        if (bytes.data[offset] < 0x80) { /* nearly all there is */
            offset++;
            continue;
        }
        uint32_t point;
        size_t length = utf8_next(bytes, offset, &point);
        if (length == 0) {
            return false;
        }
        offset += length;
    }
    return true;
}

static void escape_bytes(struct slice bytes, struct builder *out) {
    for (size_t i = 0; i < bytes.size; i++) {
        builder_text(out, "\\x");
        text_hex(slice_of(bytes.data + i, 1), out);
    }
}

/* One character of `bytes`, escaped. Returns how many bytes it took. */
static size_t escape_one(struct slice bytes, size_t offset, struct builder *out) {
    uint32_t point = 0;
    size_t length = utf8_next(bytes, offset, &point);
    struct slice piece = slice_of(bytes.data + offset, length == 0 ? 1 : length);
    if (length == 0) {
        escape_bytes(piece, out);
    } else if (point == '\n') {
        builder_text(out, "\\n");
    } else if (point == '\t') {
        builder_text(out, "\\t");
    } else if (point == '\\') {
        builder_text(out, "\\\\");
    } else if (utf8_is_hostile(point)) {
        escape_bytes(piece, out);
    } else {
        builder_bytes(out, piece);
    }
    return piece.size;
}

void text_escape(struct slice bytes, struct builder *out) {
    size_t offset = 0;
    while (offset < bytes.size) {
        offset += escape_one(bytes, offset, out);
    }
}

void text_escape_short(struct slice bytes, size_t size, struct builder *out) {
    size_t start = out->size;
    size_t offset = 0;
    while (offset < bytes.size) {
        size_t before = out->size;
        offset += escape_one(bytes, offset, out);
        if (out->size - start > size) {
            out->size = before; /* the character that does not fit goes again */
            builder_text(out, "...");
            return;
        }
    }
}

/* The byte behind a backslash; returns how many characters the escape has, 0 when it is none. */
static size_t unescape_one(struct slice text, uint8_t *ret_byte) {
    if (text.size < 2) {
        return 0;
    }
    switch (text.data[1]) {
    case 'n':
        *ret_byte = '\n';
        return 2;
    case 't':
        *ret_byte = '\t';
        return 2;
    case '\\':
        *ret_byte = '\\';
        return 2;
    case 'x':
        return text.size >= 4 && text_unhex(slice_of(text.data + 2, 2), ret_byte, 1) ? 4 : 0;
    default:
        return 0;
    }
}

bool text_unescape(struct slice text, struct builder *out) {
    size_t offset = 0;
    while (offset < text.size) {
        const uint8_t *from = text.data + offset;
        const uint8_t *end = memchr(from, '\\', text.size - offset);
        size_t plain = end == nullptr ? text.size - offset : (size_t)(end - from);
        builder_bytes(out, slice_of(from, plain));
        offset += plain;
        if (end != nullptr) {
            uint8_t byte;
            size_t length = unescape_one(slice_of(end, text.size - offset), &byte);
            if (length == 0) {
                return false;
            }
            builder_u8(out, byte);
            offset += length;
        }
    }
    return builder_is_ok(out);
}
