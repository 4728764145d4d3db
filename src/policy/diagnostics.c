/* SPDX-License-Identifier: Apache-2.0 */
#include "policy/diagnostics.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/assert.h"
#include "codec/text.h"

enum {
    EXCERPT_BYTES_MAX = 88, /* of the file's line */
    EXCERPT_LEAD_BYTES = 44,
};

void policy_diagnostics_start(struct policy_diagnostics *diagnostics, const char *file,
                              struct slice text) {
    diagnostics->file = file;
    diagnostics->text = text;
    diagnostics->error_count = 0;
    diagnostics->warning_count = 0;
    diagnostics->errors_kept = 0;
    diagnostics->warnings_kept = 0;
}

/* The line without its end. `line` counts from 1. */
static struct slice find_line(struct slice text, uint32_t line) {
    size_t start = 0;
    while (--line > 0 && start < text.size) {
        const uint8_t *end = memchr(text.data + start, '\n', text.size - start);
        start = end == nullptr ? text.size : (size_t)(end - text.data) + 1;
    }
    if (start >= text.size) {
        return (struct slice){};
    }
    const uint8_t *end = memchr(text.data + start, '\n', text.size - start);
    size_t size = (end == nullptr ? text.size : (size_t)(end - text.data)) - start;
    if (size > 0 && text.data[start + size - 1] == '\r') {
        size--;
    }
    return slice_of(text.data + start, size);
}

/* Printable, with a backslash as it is and a tab as one space: what is shown is what stands there.
 */
static void add_printable(struct slice bytes, struct builder *out) {
    size_t start = 0;
    for (size_t i = 0; i <= bytes.size; i++) {
        bool ends = i == bytes.size;
        if (!ends && bytes.data[i] != '\\' && bytes.data[i] != '\t') {
            continue;
        }
        if (i > start) {
            text_escape(slice_of(bytes.data + start, i - start), out);
        }
        if (!ends) {
            builder_u8(out, bytes.data[i] == '\t' ? ' ' : '\\');
        }
        start = i + 1;
    }
}

static uint32_t count_characters(struct slice utf8) {
    uint32_t count = 0;
    for (size_t i = 0; i < utf8.size; i++) {
        count += (utf8.data[i] & 0xc0) != 0x80;
    }
    return count;
}

static bool is_inside_character(struct slice line, size_t offset) {
    return offset < line.size && (line.data[offset] & 0xc0) == 0x80;
}

static void set_excerpt(struct policy_diagnostic *diagnostic, struct slice text) {
    struct slice line = find_line(text, diagnostic->line);
    size_t at = diagnostic->column - 1;
    at = at > line.size ? line.size : at;
    size_t from = at > EXCERPT_BYTES_MAX - 20 ? at - EXCERPT_LEAD_BYTES : 0;
    while (from < at && is_inside_character(line, from)) {
        from++;
    }
    size_t to = line.size - from > EXCERPT_BYTES_MAX ? from + EXCERPT_BYTES_MAX : line.size;
    while (to > at && is_inside_character(line, to)) {
        to--;
    }
    struct builder out;
    builder_init(&out, 4 * EXCERPT_BYTES_MAX + 16);
    if (from > 0) {
        builder_text(&out, "...");
    }
    if (at > from) {
        add_printable(slice_of(line.data + from, at - from), &out);
    }
    diagnostic->caret = count_characters(builder_slice(&out));
    if (to > at) {
        add_printable(slice_of(line.data + at, to - at), &out);
    }
    if (to < line.size) {
        builder_text(&out, "...");
    }
    (void)snprintf(diagnostic->excerpt, sizeof diagnostic->excerpt, "%s", builder_c_string(&out));
    builder_deinit(&out);
}

void policy_diagnostics_add(struct policy_diagnostics *diagnostics,
                            const struct policy_finding *finding, const char *format,
                            va_list arguments) {
    bool is_error = finding->severity == POLICY_SEVERITY_ERROR;
    size_t *found = is_error ? &diagnostics->error_count : &diagnostics->warning_count;
    size_t *kept = is_error ? &diagnostics->errors_kept : &diagnostics->warnings_kept;
    (*found)++;
    if (*kept == POLICY_DIAGNOSTIC_COUNT_MAX) {
        return;
    }
    struct policy_diagnostic *all = is_error ? diagnostics->errors : diagnostics->warnings;
    struct policy_diagnostic *diagnostic = &all[(*kept)++];
    ASSERT(finding->place.line > 0 && finding->place.column > 0);
    diagnostic->severity = finding->severity;
    diagnostic->line = finding->place.line;
    diagnostic->column = finding->place.column;
    (void)vsnprintf(diagnostic->message, sizeof diagnostic->message, format, arguments);
    (void)snprintf(diagnostic->hint, sizeof diagnostic->hint, "%s", finding->hint);
    set_excerpt(diagnostic, diagnostics->text);
}

static int compare_places(const void *left, const void *right) {
    const struct policy_diagnostic *a = left;
    const struct policy_diagnostic *b = right;
    if (a->line != b->line) {
        return a->line < b->line ? -1 : 1;
    }
    return (a->column > b->column) - (a->column < b->column);
}

void policy_diagnostics_end(struct policy_diagnostics *diagnostics) {
    diagnostics->text = (struct slice){};
    qsort(diagnostics->errors, diagnostics->errors_kept, sizeof diagnostics->errors[0],
          compare_places);
    qsort(diagnostics->warnings, diagnostics->warnings_kept, sizeof diagnostics->warnings[0],
          compare_places);
}

static void format_one(const struct policy_diagnostic *diagnostic, const char *file,
                       struct builder *out) {
    bool is_error = diagnostic->severity == POLICY_SEVERITY_ERROR;
    text_escape(slice_of_string(file), out);
    builder_format(out, ":%u:%u: %s: %s\n", diagnostic->line, diagnostic->column,
                   is_error ? "error" : "warning", diagnostic->message);
    builder_format(out, "%5u | %s\n", diagnostic->line, diagnostic->excerpt);
    builder_format(out, "      | %*s^\n", (int)diagnostic->caret, "");
    if (diagnostic->hint[0] != '\0') {
        builder_format(out, "  hint: %s\n", diagnostic->hint);
    }
}

static void format_rest(size_t found, size_t kept, const char *what, struct builder *out) {
    if (found > kept) {
        builder_format(out, "and %zu more %s\n", found - kept, what);
    }
}

void policy_diagnostics_format(const struct policy_diagnostics *diagnostics, struct builder *out) {
    for (size_t i = 0; i < diagnostics->errors_kept; i++) {
        format_one(&diagnostics->errors[i], diagnostics->file, out);
    }
    format_rest(diagnostics->error_count, diagnostics->errors_kept, "errors", out);
    for (size_t i = 0; i < diagnostics->warnings_kept; i++) {
        format_one(&diagnostics->warnings[i], diagnostics->file, out);
    }
    format_rest(diagnostics->warning_count, diagnostics->warnings_kept, "warnings", out);
}
