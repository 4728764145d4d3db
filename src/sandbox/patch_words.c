/* SPDX-License-Identifier: Apache-2.0 */
#include "sandbox/patch_parser.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/cleanup.h"

status_t patch_malformed(const struct patch_parser *parser, struct error *err, const char *format,
                         ...) {
    char text[256];
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    return error_set(err, ERROR_PATCH_MALFORMED, 0, "line %u of the patch %s", parser->line, text);
}

/* Lines. */

bool patch_at_end(const struct patch_parser *parser) {
    return parser->offset >= parser->text.size;
}

/* The current line with its newline. */
struct slice patch_whole_line(const struct patch_parser *parser) {
    const uint8_t *at = parser->text.data + parser->offset;
    size_t left = parser->text.size - parser->offset;
    const uint8_t *newline = left == 0 ? nullptr : memchr(at, '\n', left);
    return slice_of(at, newline == nullptr ? left : (size_t)(newline + 1 - at));
}

struct slice patch_line_now(const struct patch_parser *parser) {
    struct slice line = patch_whole_line(parser);
    bool has_newline = line.size > 0 && line.data[line.size - 1] == '\n';
    return slice_of(line.data, line.size - (has_newline ? 1 : 0));
}

void patch_advance(struct patch_parser *parser) {
    parser->offset += patch_whole_line(parser).size;
    parser->line++;
}

bool patch_line_has(const struct patch_parser *parser, const char *prefix, struct slice *ret_rest) {
    struct slice line = patch_line_now(parser);
    struct slice start = slice_of_string(prefix);
    if (patch_at_end(parser) || !slice_starts_with(line, start)) {
        return false;
    }
    *ret_rest = slice_of(line.data + start.size, line.size - start.size);
    return true;
}

/* Growing. */

status_t patch_grow(void **items, size_t size, size_t count, size_t *capacity, struct error *err) {
    if (count < *capacity) {
        return STATUS_OK;
    }
    size_t wanted = *capacity == 0 ? 16 : *capacity * 2;
    void *grown = reallocarray(*items, wanted, size);
    if (grown == nullptr) {
        return error_set(err, ERROR_NO_MEMORY, ENOMEM, "cannot read the patch");
    }
    *items = grown;
    *capacity = wanted;
    return STATUS_OK;
}

/* Names. */

/* One character of a C-quoted name behind its backslash. */
static bool unquote_escape(struct slice text, size_t *at, struct builder *out) {
    static const char from[] = "abtnvfr\"\\";
    static const char to[] = "\a\b\t\n\v\f\r\"\\";
    uint8_t c = *at < text.size ? text.data[*at] : 0;
    const char *found = c == 0 ? nullptr : strchr(from, c);
    if (found != nullptr) {
        builder_u8(out, (uint8_t)to[found - from]);
        (*at)++;
        return true;
    }
    unsigned value = 0;
    for (size_t i = 0; i < 3; i++) {
        if (*at + i >= text.size || text.data[*at + i] < '0' || text.data[*at + i] > '7') {
            return false;
        }
        value = value * 8 + (text.data[*at + i] - '0');
    }
    *at += 3;
    builder_u8(out, (uint8_t)value);
    return value > 0 && value < 256;
}

/* Reads "..." at the start of `text`; *ret_used is its length with the quotes. */
static bool unquote(struct slice text, struct builder *out, size_t *ret_used) {
    size_t at = 1;
    while (at < text.size && text.data[at] != '"') {
        if (text.data[at] != '\\') {
            builder_u8(out, text.data[at++]);
            continue;
        }
        at++;
        if (!unquote_escape(text, &at, out)) {
            return false;
        }
    }
    *ret_used = at + 1;
    return at < text.size;
}

/* A name as --- and +++ give it: quoted, or up to a tab (a time may follow). */
status_t patch_read_name(const struct patch_parser *parser, struct slice text, bool cut_at_tab,
                         char **ret_name, struct error *err) {
    CLEANUP(builder_deinit) struct builder name;
    builder_init(&name, (size_t)LIMIT_PATH_BYTES * 2);
    if (text.size > 0 && text.data[text.size - 1] == '\r') {
        return patch_malformed(parser, err, "ends in CR LF: the headers of a patch do not");
    }
    if (text.size > 0 && text.data[0] == '"') {
        size_t used = 0;
        if (!unquote(text, &name, &used) ||
            (used < text.size && !(cut_at_tab && text.data[used] == '\t'))) {
            return patch_malformed(parser, err, "has a quoted name that is not one");
        }
    } else {
        const uint8_t *tab =
            cut_at_tab && text.size > 0 ? memchr(text.data, '\t', text.size) : nullptr;
        builder_bytes(&name,
                      tab == nullptr ? text : slice_of(text.data, (size_t)(tab - text.data)));
    }
    bool has_nul = name.size > 0 && memchr(name.data, 0, name.size) != nullptr;
    if (!builder_is_ok(&name) || name.size == 0 || has_nul) {
        return patch_malformed(parser, err, "has no name, or one that cannot be");
    }
    free(*ret_name);
    *ret_name = strdup(builder_c_string(&name));
    return *ret_name != nullptr ? STATUS_OK
                                : error_set(err, ERROR_NO_MEMORY, ENOMEM, "cannot read the patch");
}

/* "a/X b/X" or "\"a/X\" \"b/X\"": the one name that it says twice. */
bool patch_same_names(struct slice text, struct builder *out) {
    CLEANUP(builder_deinit) struct builder second;
    builder_init(&second, (size_t)LIMIT_PATH_BYTES * 2);
    size_t used = 0;
    if (text.size > 0 && text.data[0] == '"') {
        size_t more = 0;
        bool ok = unquote(text, out, &used) && used + 1 < text.size && text.data[used] == ' ' &&
                  text.data[used + 1] == '"' &&
                  unquote(slice_of(text.data + used + 1, text.size - used - 1), &second, &more) &&
                  used + 1 + more == text.size;
        if (!ok) {
            return false;
        }
    } else {
        used = text.size / 2;
        if (text.size % 2 == 0 || text.data[used] != ' ') {
            return false;
        }
        builder_bytes(out, slice_of(text.data, used));
        builder_bytes(&second, slice_of(text.data + used + 1, used));
    }
    struct slice a = builder_slice(out);
    struct slice b = builder_slice(&second);
    return slice_starts_with(a, SLICE_LITERAL("a/")) && slice_starts_with(b, SLICE_LITERAL("b/")) &&
           slice_equal(slice_of(a.data + 2, a.size - 2), slice_of(b.data + 2, b.size - 2));
}

status_t patch_read_mode(const struct patch_parser *parser, struct slice text, uint32_t *ret_mode,
                         struct error *err) {
    uint32_t mode = 0;
    bool ok = text.size == 6;
    for (size_t i = 0; i < text.size && ok; i++) {
        ok = text.data[i] >= '0' && text.data[i] <= '7';
        mode = mode * 8 + (uint32_t)(text.data[i] - '0');
    }
    if (!ok) {
        return patch_malformed(parser, err, "has a mode that is not six octal digits");
    }
    bool plain = (S_ISREG(mode) && (mode & 07000) == 0) || mode == S_IFLNK;
    if (!plain) {
        return error_set(err, ERROR_PATCH_REFUSED, 0,
                         "line %u of the patch: mode %06o is no plain file's and no link's",
                         parser->line, mode);
    }
    *ret_mode = mode;
    return STATUS_OK;
}
