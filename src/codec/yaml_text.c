/* SPDX-License-Identifier: Apache-2.0 */
#include "codec/yaml_text.h"

#include <stdio.h>

#include "codec/utf8.h"

struct yaml_place yaml_place_first(void) {
    return (struct yaml_place){.line = 1, .column = 1};
}

/* One character on; false at the end of the text. */
static bool step(struct yaml_place *place, struct slice text) {
    if (place->offset >= text.size) {
        return false;
    }
    uint32_t point = text.data[place->offset];
    size_t size = point < 0x80 ? 1 : utf8_next(text, place->offset, &point);
    size = size > 0 ? size : 1;
    place->offset += size;
    if (point == '\n') {
        place->line++;
        place->column = 1;
        place->characters = 0;
    } else {
        place->column += (uint32_t)size;
        place->characters++;
    }
    return true;
}

void yaml_place_advance(struct yaml_place *place, struct slice text, size_t line, size_t column) {
    while (place->line < line + 1 && step(place, text)) {
    }
    while (place->line == line + 1 && place->characters < column && step(place, text)) {
    }
}

void yaml_fault_set(struct yaml_fault *fault, const struct yaml_place *place, const char *hint,
                    const char *format, va_list arguments) {
    fault->line = place->line;
    fault->column = place->column;
    (void)vsnprintf(fault->message, sizeof fault->message, format, arguments);
    (void)snprintf(fault->hint, sizeof fault->hint, "%s", hint);
}

[[gnu::format(printf, 4, 5)]]
static bool refuse(struct yaml_fault *fault, const struct yaml_place *place, const char *hint,
                   const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    yaml_fault_set(fault, place, hint, format, arguments);
    va_end(arguments);
    return false;
}

static bool check_point(uint32_t point, const struct yaml_place *place, struct yaml_fault *fault) {
    if (point == 0) {
        return refuse(fault, place, "Save it as plain text.", "a NUL byte stands here");
    }
    if (point == 0xfeff && place->offset == 0) {
        return refuse(fault, place, "Save the file as UTF-8 without a byte order mark.",
                      "the file begins with a byte order mark");
    }
    if (point != '\n' && point != '\t' && utf8_is_hostile(point)) {
        return refuse(fault, place, "Remove it; a text in double quotes may hold it as an escape.",
                      "the invisible character U+%04X stands here", point);
    }
    return true;
}

/* Over printable ASCII, which most of a file is. */
static void skip_plain(struct yaml_place *place, struct slice text) {
    size_t start = place->offset;
    while (place->offset < text.size && text.data[place->offset] >= 0x20 &&
           text.data[place->offset] < 0x7f) {
        place->offset++;
    }
    place->column += (uint32_t)(place->offset - start);
    place->characters += place->offset - start;
}

bool yaml_text_check(struct slice text, struct yaml_fault *ret_fault) {
    struct yaml_place place = yaml_place_first();
    while (place.offset < text.size) {
        uint32_t point;
        if (utf8_next(text, place.offset, &point) == 0) {
            return refuse(ret_fault, &place, "Save the file as UTF-8.",
                          "the byte 0x%02x is not UTF-8", text.data[place.offset]);
        }
        bool ends_line =
            point == '\r' && place.offset + 1 < text.size && text.data[place.offset + 1] == '\n';
        if (point == '\r' && !ends_line) {
            return refuse(ret_fault, &place, "End every line with a line feed.",
                          "a carriage return stands alone");
        }
        if (!ends_line && !check_point(point, &place, ret_fault)) {
            return false;
        }
        (void)step(&place, text);
        skip_plain(&place, text);
    }
    return true;
}

const char *yaml_syntax_hint(struct slice text, const struct yaml_place *place) {
    int here = place->offset < text.size ? text.data[place->offset] : 0;
    /* The place is the end of what was begun; a glob that begins with * fails one byte later. */
    int before = place->offset > 0 && place->offset <= text.size ? text.data[place->offset - 1] : 0;
    if (here == '*' || before == '*' || here == '!' || before == '!') {
        return "Put a text that begins with * or ! into quotes: \"*.md\".";
    }
    if (here == '\t') {
        return "Indent with spaces; YAML takes no tabs there.";
    }
    if (here == '@' || here == '`' || here == '%') {
        return "Put a text that begins with @, ` or % into quotes.";
    }
    return "Check the indent, brackets and quotes of this line and the one above.";
}
