/* SPDX-License-Identifier: Apache-2.0
 *
 * Recursive descent; the depth is bounded. The path of the value at hand is kept as text, so that a
 * want is compared once for each value. A path past PATH_BYTES names nothing that is wanted.
 */
#include "engine/scan.h"

#include <string.h>

#include "codec/text.h"

enum { PATH_BYTES = 256 };

struct scanner {
    struct cursor cursor;
    struct scan_want *wants;
    size_t want_count;
    char path[PATH_BYTES];
    size_t path_size; /* may be past what `path` holds */
    unsigned depth;
};

static uint8_t peek(const struct scanner *scanner) {
    const struct cursor *cursor = &scanner->cursor;
    return cursor->offset < cursor->size ? cursor->data[cursor->offset] : 0;
}

static void skip_space(struct scanner *scanner) {
    uint8_t byte = peek(scanner);
    while (byte == ' ' || byte == '\t' || byte == '\n' || byte == '\r') {
        (void)cursor_u8(&scanner->cursor);
        byte = peek(scanner);
    }
}

static bool take(struct scanner *scanner, uint8_t byte) {
    skip_space(scanner);
    if (cursor_remaining(&scanner->cursor) == 0 || peek(scanner) != byte) {
        return false;
    }
    (void)cursor_u8(&scanner->cursor);
    return true;
}

static struct scan_want *find_want(struct scanner *scanner) {
    for (size_t i = 0; i < scanner->want_count && scanner->path_size < PATH_BYTES; i++) {
        struct slice path = slice_of(scanner->path, scanner->path_size);
        if (slice_equal(path, slice_of_string(scanner->wants[i].path))) {
            return &scanner->wants[i];
        }
    }
    return nullptr;
}

/* Appends "/NAME"; *ret_before is for path_leave(). */
static void path_enter(struct scanner *scanner, struct slice name, size_t *ret_before) {
    *ret_before = scanner->path_size;
    size_t at = scanner->path_size + (scanner->path_size > 0);
    if (name.size == 0 || at + name.size >= PATH_BYTES ||
        memchr(name.data, '/', name.size) != nullptr) {
        scanner->path_size = PATH_BYTES; /* below it nothing is wanted */
        return;
    }
    if (scanner->path_size > 0) {
        scanner->path[scanner->path_size] = '/';
    }
    memcpy(scanner->path + at, name.data, name.size);
    scanner->path_size = at + name.size;
}

static bool hex_read(struct scanner *scanner, uint32_t *ret_unit) {
    uint8_t bytes[2];
    struct slice digits = cursor_bytes(&scanner->cursor, 4);
    if (digits.size != 4 || !text_unhex(digits, bytes, sizeof bytes)) {
        return false;
    }
    *ret_unit = (uint32_t)bytes[0] << 8 | bytes[1];
    return true;
}

static void utf8_write(struct builder *out, uint32_t point) {
    if (point < 0x80) {
        builder_u8(out, (uint8_t)point);
    } else if (point < 0x800) {
        builder_u8(out, (uint8_t)(0xc0 | point >> 6));
        builder_u8(out, (uint8_t)(0x80 | (point & 0x3f)));
    } else if (point < 0x10000) {
        builder_u8(out, (uint8_t)(0xe0 | point >> 12));
        builder_u8(out, (uint8_t)(0x80 | (point >> 6 & 0x3f)));
        builder_u8(out, (uint8_t)(0x80 | (point & 0x3f)));
    } else {
        builder_u8(out, (uint8_t)(0xf0 | point >> 18));
        builder_u8(out, (uint8_t)(0x80 | (point >> 12 & 0x3f)));
        builder_u8(out, (uint8_t)(0x80 | (point >> 6 & 0x3f)));
        builder_u8(out, (uint8_t)(0x80 | (point & 0x3f)));
    }
}

static bool unicode_read(struct scanner *scanner, struct builder *out) {
    uint32_t point;
    uint32_t second;
    if (!hex_read(scanner, &point) || (point >= 0xdc00 && point <= 0xdfff)) {
        return false;
    }
    if (point >= 0xd800 && point <= 0xdbff) {
        struct slice mark = cursor_bytes(&scanner->cursor, 2);
        if (!slice_equal(mark, SLICE_LITERAL("\\u")) || !hex_read(scanner, &second) ||
            second < 0xdc00 || second > 0xdfff) {
            return false;
        }
        point = 0x10000 + ((point - 0xd800) << 10) + (second - 0xdc00);
    }
    utf8_write(out, point);
    return true;
}

static bool escape_read(struct scanner *scanner, struct builder *out) {
    static const char FROM[] = "\"\\/bfnrt";
    static const char TO[] = "\"\\/\b\f\n\r\t";
    uint8_t byte = cursor_u8(&scanner->cursor);
    if (byte == 'u') {
        return unicode_read(scanner, out);
    }
    const char *at = byte == 0 ? nullptr : strchr(FROM, byte);
    if (at == nullptr) {
        return false;
    }
    builder_u8(out, (uint8_t)TO[at - FROM]);
    return true;
}

/* What does not fit in `out` is left out there, and read all the same. */
static bool string_read(struct scanner *scanner, struct builder *out) {
    if (!take(scanner, '"')) {
        return false;
    }
    for (;;) {
        uint8_t byte = cursor_u8(&scanner->cursor);
        if (!cursor_is_ok(&scanner->cursor) || byte < ' ') {
            return false;
        }
        if (byte == '"') {
            return true;
        }
        if (byte != '\\') {
            builder_u8(out, byte);
        } else if (!escape_read(scanner, out)) {
            return false;
        }
    }
}

/* A builder that is full gives nothing back, so the room is made for all of the text. */
static bool text_read(struct scanner *scanner, struct scan_want *want) {
    struct builder text;
    builder_init(&text, cursor_remaining(&scanner->cursor) + 4);
    bool is_read = string_read(scanner, &text) && builder_is_ok(&text);
    struct slice bytes = builder_slice(&text);
    is_read = is_read && text_is_utf8(bytes);
    if (is_read && want != nullptr) {
        size_t size = bytes.size < SCAN_TEXT_BYTES ? bytes.size : SCAN_TEXT_BYTES - 1;
        while (size < bytes.size && size > 0 && (bytes.data[size] & 0xc0) == 0x80) {
            size--;
        }
        is_read = want->kind == SCAN_TEXT && !want->is_found &&
                  (size == 0 || memchr(bytes.data, 0, size) == nullptr);
        want->is_found = true;
        if (size > 0) {
            memcpy(want->text, bytes.data, size);
        }
        want->text[size] = '\0';
    }
    builder_deinit(&text);
    return is_read;
}

static size_t digits_skip(struct scanner *scanner, int64_t *ret_number) {
    size_t count = 0;
    for (uint8_t byte = peek(scanner); byte >= '0' && byte <= '9'; byte = peek(scanner)) {
        int64_t digit = byte - '0';
        *ret_number = *ret_number > (INT64_MAX - digit) / 10 ? INT64_MAX : *ret_number * 10 + digit;
        (void)cursor_u8(&scanner->cursor);
        count++;
    }
    return count;
}

static bool number_read(struct scanner *scanner, struct scan_want *want) {
    int64_t number = 0;
    int64_t ignored = 0;
    bool has_exponent = false;
    bool is_negative = take(scanner, '-');
    bool is_zero = peek(scanner) == '0';
    size_t digits = digits_skip(scanner, &number);
    if (digits == 0 || (is_zero && digits > 1)) {
        return false;
    }
    if (peek(scanner) == '.') {
        (void)cursor_u8(&scanner->cursor);
        if (digits_skip(scanner, &ignored) == 0) {
            return false;
        }
    }
    if (peek(scanner) == 'e' || peek(scanner) == 'E') {
        has_exponent = true;
        (void)cursor_u8(&scanner->cursor);
        if (peek(scanner) == '+' || peek(scanner) == '-') {
            (void)cursor_u8(&scanner->cursor);
        }
        if (digits_skip(scanner, &ignored) == 0) {
            return false;
        }
    }
    if (want != nullptr) {
        bool is_wanted = want->kind == SCAN_INTEGER && !want->is_found && !has_exponent;
        want->is_found = true;
        want->number = is_negative ? -number : number;
        return is_wanted;
    }
    return true;
}

static bool word_read(struct scanner *scanner, struct scan_want *want) {
    static const char *const WORDS[] = {"null", "false", "true"};
    for (size_t i = 0; i < 3; i++) {
        struct slice word = slice_of_string(WORDS[i]);
        const struct cursor *cursor = &scanner->cursor;
        struct slice rest =
            slice_of(cursor->data + cursor->offset, cursor_remaining(&scanner->cursor));
        if (!slice_starts_with(rest, word)) {
            continue;
        }
        (void)cursor_bytes(&scanner->cursor, word.size);
        if (want == nullptr || i == 0) {
            return true;
        }
        bool is_wanted = want->kind == SCAN_BOOL && !want->is_found;
        want->is_found = true;
        want->flag = i == 2;
        return is_wanted;
    }
    return false;
}

static bool value_read(struct scanner *scanner);

static bool member_read(struct scanner *scanner) {
    struct builder name;
    size_t before = 0;
    builder_init(&name, cursor_remaining(&scanner->cursor) + 4);
    bool is_read = string_read(scanner, &name) && builder_is_ok(&name) &&
                   text_is_utf8(builder_slice(&name)) && take(scanner, ':');
    if (is_read) {
        path_enter(scanner, builder_slice(&name), &before);
        is_read = value_read(scanner);
        scanner->path_size = before;
    }
    builder_deinit(&name);
    return is_read;
}

/* Only the first element of an array can be wanted. */
static bool element_read(struct scanner *scanner, size_t index) {
    size_t before;
    path_enter(scanner, index == 0 ? SLICE_LITERAL("0") : SLICE_LITERAL("/"), &before);
    bool is_read = value_read(scanner);
    scanner->path_size = before;
    return is_read;
}

static bool members_read(struct scanner *scanner, bool is_object) {
    uint8_t end = is_object ? '}' : ']';
    if (take(scanner, end)) {
        return true;
    }
    for (size_t i = 0;; i++) {
        skip_space(scanner);
        if (!(is_object ? member_read(scanner) : element_read(scanner, i))) {
            return false;
        }
        if (take(scanner, end)) {
            return true;
        }
        if (!take(scanner, ',')) {
            return false;
        }
    }
}

static bool value_read(struct scanner *scanner) {
    skip_space(scanner);
    struct scan_want *want = find_want(scanner);
    uint8_t byte = peek(scanner);
    if (byte == '"') {
        return text_read(scanner, want);
    }
    if (byte == '-' || (byte >= '0' && byte <= '9')) {
        return number_read(scanner, want);
    }
    if (byte != '{' && byte != '[') {
        return word_read(scanner, want);
    }
    (void)cursor_u8(&scanner->cursor);
    if (want != nullptr || scanner->depth == SCAN_DEPTH_MAX) {
        return false;
    }
    scanner->depth++;
    bool is_read = members_read(scanner, byte == '{');
    scanner->depth--;
    return is_read;
}

bool scan_json(struct slice text, struct scan_want *wants, size_t count) {
    struct scanner scanner = {.cursor = cursor_of(text), .wants = wants, .want_count = count};
    for (size_t i = 0; i < count; i++) {
        wants[i].is_found = false;
    }
    if (!value_read(&scanner)) {
        return false;
    }
    skip_space(&scanner);
    return cursor_is_finished(&scanner.cursor);
}
