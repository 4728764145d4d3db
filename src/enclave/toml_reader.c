/* SPDX-License-Identifier: Apache-2.0 */
#include "enclave/toml_reader.h"

#include <stdarg.h>
#include <stdckdint.h>
#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/limits.h"
#include "codec/text.h"

enum { WORD_BYTES_MAX = 32 };

bool toml_fail(struct toml_reader *reader, const char *format, ...) {
    va_list arguments;
    if (reader->failed) {
        return false;
    }
    reader->failed = true;
    reader->fault->line = reader->line;
    reader->fault->column = toml_column(reader);
    va_start(arguments, format);
    (void)vsnprintf(reader->fault->message, sizeof reader->fault->message, format, arguments);
    va_end(arguments);
    return false;
}

uint32_t toml_column(const struct toml_reader *reader) {
    return (uint32_t)(reader->at - reader->line_start + 1);
}

char toml_peek(const struct toml_reader *reader) {
    return (char)(reader->at < reader->size ? reader->text[reader->at] : '\0');
}

bool toml_take(struct toml_reader *reader, char byte) {
    bool is_there = !reader->failed && reader->at < reader->size && toml_peek(reader) == byte;
    reader->at += is_there ? 1 : 0;
    return is_there;
}

void toml_skip_blanks(struct toml_reader *reader) {
    while (toml_take(reader, ' ') || toml_take(reader, '\t')) {
    }
}

static bool is_control(char byte) {
    return ((unsigned char)byte < 0x20 && byte != '\t') || byte == 0x7f;
}

static bool at_line_end(const struct toml_reader *reader) {
    char byte = toml_peek(reader);
    return byte == '\n' ||
           (byte == '\r' && reader->at + 1 < reader->size && reader->text[reader->at + 1] == '\n');
}

static void take_line_end(struct toml_reader *reader) {
    (void)toml_take(reader, '\r');
    (void)toml_take(reader, '\n');
    reader->line++;
    reader->line_start = reader->at;
}

static bool skip_comment(struct toml_reader *reader) {
    if (!toml_take(reader, '#')) {
        return true;
    }
    while (reader->at < reader->size && !at_line_end(reader)) {
        if (is_control(toml_peek(reader))) {
            return toml_fail(reader, "a control character in a comment");
        }
        reader->at++;
    }
    return true;
}

bool toml_skip_lines(struct toml_reader *reader) {
    while (!reader->failed) {
        toml_skip_blanks(reader);
        if (!skip_comment(reader)) {
            return false;
        }
        if (!at_line_end(reader)) {
            return true;
        }
        take_line_end(reader);
    }
    return false;
}

bool toml_end_line(struct toml_reader *reader) {
    toml_skip_blanks(reader);
    if (!skip_comment(reader)) {
        return false;
    }
    if (reader->at >= reader->size) {
        return !reader->failed;
    }
    if (!at_line_end(reader)) {
        return toml_fail(reader, "something stands behind the value");
    }
    take_line_end(reader);
    return true;
}

static bool keep(struct toml_reader *reader, struct slice text, const char **ret_text) {
    *ret_text = arena_text(reader->arena, text);
    if (*ret_text == nullptr) {
        return toml_fail(reader, "there is more in it than a manifest may hold");
    }
    return true;
}

static bool is_bare(char byte) {
    return (byte >= 'a' && byte <= 'z') || (byte >= 'A' && byte <= 'Z') ||
           (byte >= '0' && byte <= '9') || byte == '_' || byte == '-';
}

bool toml_read_key(struct toml_reader *reader, const char **ret_key) {
    size_t start = reader->at;
    char first = toml_peek(reader);
    if (first == '"' || first == '\'') {
        return toml_read_text(reader, ret_key);
    }
    while (reader->at < reader->size && is_bare(toml_peek(reader))) {
        reader->at++;
    }
    if (reader->at == start) {
        return toml_fail(reader, "a key is expected here");
    }
    return keep(reader, slice_of(reader->text + start, reader->at - start), ret_key);
}

/* A code point in UTF-8; false when it is none or NUL. */
static bool add_point(struct builder *out, uint32_t point) {
    if (point == 0 || point > 0x10ffff || (point >= 0xd800 && point <= 0xdfff)) {
        return false;
    }
    if (point < 0x80) {
        builder_u8(out, (uint8_t)point);
        return true;
    }
    unsigned tail = point < 0x800 ? 1 : point < 0x10000 ? 2 : 3;
    static const uint8_t LEADS[] = {0, 0xc0, 0xe0, 0xf0};
    builder_u8(out, (uint8_t)(LEADS[tail] | point >> 6 * tail));
    while (tail-- > 0) {
        builder_u8(out, (uint8_t)(0x80 | (point >> 6 * tail & 0x3f)));
    }
    return true;
}

static bool read_point(struct toml_reader *reader, unsigned digits, struct builder *out) {
    uint8_t bytes[4] = {};
    uint32_t point = 0;
    struct slice hex = slice_of(reader->text + reader->at, digits);
    if (reader->size - reader->at < digits || !text_unhex(hex, bytes, digits / 2)) {
        return toml_fail(reader, "\\%c takes %u hex digits", digits == 4 ? 'u' : 'U', digits);
    }
    for (unsigned i = 0; i < digits / 2; i++) {
        point = point << 8 | bytes[i];
    }
    if (!add_point(out, point)) {
        return toml_fail(reader, "this is no character");
    }
    reader->at += digits;
    return true;
}

static bool read_escape(struct toml_reader *reader, struct builder *out) {
    static const char NAMES[] = "btnfr\"\\";
    static const char VALUES[] = "\b\t\n\f\r\"\\";
    char name = toml_peek(reader);
    const char *at = name == '\0' ? nullptr : strchr(NAMES, name);
    if (name != 'u' && name != 'U' && at == nullptr) {
        return toml_fail(reader, "there is no such escape");
    }
    reader->at++;
    if (at == nullptr) {
        return read_point(reader, name == 'u' ? 4 : 8, out);
    }
    builder_u8(out, (uint8_t)VALUES[at - NAMES]);
    return true;
}

static bool read_quoted(struct toml_reader *reader, char quote, struct builder *out) {
    while (!toml_take(reader, quote)) {
        if (reader->at >= reader->size || at_line_end(reader)) {
            return toml_fail(reader, "the text has no end on its line");
        }
        if (is_control(toml_peek(reader))) {
            return toml_fail(reader, "a control character in a text; write it as \\uXXXX");
        }
        if (quote == '"' && toml_take(reader, '\\')) {
            if (!read_escape(reader, out)) {
                return false;
            }
            continue;
        }
        builder_u8(out, (uint8_t)toml_peek(reader));
        reader->at++;
    }
    return true;
}

bool toml_read_text(struct toml_reader *reader, const char **ret_text) {
    CLEANUP(builder_deinit) struct builder text;
    char quote = toml_peek(reader);
    builder_init(&text, LIMIT_MANIFEST_BYTES);
    reader->at++;
    if (reader->size - reader->at >= 2 && reader->text[reader->at] == quote &&
        reader->text[reader->at + 1] == quote) {
        return toml_fail(reader, "no value of a manifest goes over several lines");
    }
    return read_quoted(reader, quote, &text) && keep(reader, builder_slice(&text), ret_text);
}

static int digit_of(char byte) {
    if (byte >= '0' && byte <= '9') {
        return byte - '0';
    }
    char lower = (char)(byte | 0x20);
    return lower >= 'a' && lower <= 'f' ? lower - 'a' + 10 : 99;
}

/* Digits with single underscores between them. */
static bool digits_parse(const char *text, int base, bool is_negative, int64_t *ret) {
    int64_t value = 0;
    bool was_digit = false;
    for (; *text != '\0'; text++) {
        int digit = *text == '_' ? -1 : digit_of(*text);
        if (digit >= base || (digit < 0 && !was_digit)) {
            return false;
        }
        was_digit = digit >= 0;
        if (was_digit && (ckd_mul(&value, value, base) ||
                          ckd_add(&value, value, is_negative ? -digit : digit))) {
            return false;
        }
    }
    *ret = value;
    return was_digit;
}

static bool integer_parse(const char *text, int64_t *ret) {
    static const struct {
        const char *prefix;
        int base;
    } BASES[] = {{"0x", 16}, {"0o", 8}, {"0b", 2}};
    for (size_t i = 0; i < sizeof BASES / sizeof BASES[0]; i++) {
        if (strncmp(text, BASES[i].prefix, 2) == 0) {
            return digits_parse(text + 2, BASES[i].base, false, ret);
        }
    }
    bool is_negative = text[0] == '-';
    text += is_negative || text[0] == '+' ? 1 : 0;
    return (text[0] != '0' || text[1] == '\0') && digits_parse(text, 10, is_negative, ret);
}

bool toml_read_word(struct toml_reader *reader, struct toml_value *ret_value) {
    char word[WORD_BYTES_MAX] = {};
    size_t size = 0;
    while (size + 1 < sizeof word && reader->at + size < reader->size &&
           (is_bare(reader->text[reader->at + size]) ||
            strchr("+.:", reader->text[reader->at + size]) != nullptr)) {
        word[size] = reader->text[reader->at + size];
        size++;
    }
    word[size] = '\0';
    bool is_true = strcmp(word, "true") == 0;
    if (is_true || strcmp(word, "false") == 0) {
        ret_value->kind = TOML_BOOL;
        ret_value->integer = is_true;
    } else if (integer_parse(word, &ret_value->integer)) {
        ret_value->kind = TOML_INTEGER;
    } else if (size == 0) {
        return toml_fail(reader, "a value is expected here");
    } else {
        return toml_fail(reader, "'%s' is no text in quotes, whole number, true or false", word);
    }
    reader->at += size;
    return true;
}
