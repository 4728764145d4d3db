/* SPDX-License-Identifier: Apache-2.0
 *
 * The writers of codec/json.h. Canonical is RFC 8785: no white space, members sorted by the UTF-16
 * code units of their names, the shortest escapes. Numbers are integers, so its hardest part, the
 * shortest form of a double, never comes up. Recursion is bounded: parsed values by json_parse(),
 * built ones by whoever builds them.
 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/assert.h"
#include "base/cleanup.h"
#include "codec/json.h"
#include "codec/utf8.h"

struct member {
    const char *key;
    const struct json *value;
};

struct members {
    struct member *rows;
    size_t count;
};

struct writer {
    struct builder *out;
    bool pretty;
    unsigned depth;
};

/* The order of UTF-16 code units. It is the order of UTF-8 bytes but for one case: code points
 * past U+FFFF become surrogates (D800..DFFF), which sort before U+E000..U+FFFF. */
static int member_compare(const void *left, const void *right) {
    const uint8_t *a = (const uint8_t *)((const struct member *)left)->key;
    const uint8_t *b = (const uint8_t *)((const struct member *)right)->key;
    while (*a != 0 && *a == *b) {
        a++;
        b++;
    }
    bool surrogate_a = *a >= 0xf0;
    bool surrogate_b = *b >= 0xf0;
    if (surrogate_a != surrogate_b && *a >= 0xee && *b >= 0xee) {
        return surrogate_a ? -1 : 1;
    }
    return *a - *b;
}

static bool member_collect(void *context, const char *key, const struct json *value) {
    struct members *members = context;
    members->rows[members->count++] = (struct member){key, value};
    return true;
}

static void write_escape(uint32_t point, struct builder *out) {
    static const char SHORT[] = "\bb\tt\nn\ff\rr\"\"\\\\";
    const char *row = point == 0 || point > 0x7f ? nullptr : strchr(SHORT, (int)point);
    if (row != nullptr && (row - SHORT) % 2 == 0) {
        builder_u8(out, '\\');
        builder_u8(out, (uint8_t)row[1]);
    } else if (point < 0x10000) {
        builder_format(out, "\\u%04" PRIx32, point);
    } else {
        builder_format(out, "\\u%04" PRIx32 "\\u%04" PRIx32, 0xd800 + ((point - 0x10000) >> 10),
                       0xdc00 + (point & 0x3ff));
    }
}

static void write_text(const struct writer *writer, const char *text) {
    struct slice bytes = slice_of_string(text);
    builder_u8(writer->out, '"');
    size_t plain = 0; /* start of what needs no escape */
    size_t offset = 0;
    while (offset < bytes.size) {
        uint8_t byte = bytes.data[offset];
        if (byte >= 0x20 && byte < 0x7f && byte != '"' && byte != '\\') {
            offset++; /* nearly all there is */
            continue;
        }
        uint32_t point = 0;
        size_t length = utf8_next(bytes, offset, &point);
        ASSERT(length > 0);
        bool hostile = writer->pretty && utf8_is_hostile(point);
        if (point < 0x20 || point == '"' || point == '\\' || hostile) {
            builder_bytes(writer->out, slice_of(bytes.data + plain, offset - plain));
            write_escape(point, writer->out);
            plain = offset + length;
        }
        offset += length;
    }
    builder_bytes(writer->out, slice_of(bytes.data + plain, bytes.size - plain));
    builder_u8(writer->out, '"');
}

static void write_integer(int64_t value, struct builder *out) {
    uint8_t digits[24];
    size_t at = sizeof digits;
    uint64_t rest = value < 0 ? 0 - (uint64_t)value : (uint64_t)value;
    do {
        digits[--at] = (uint8_t)('0' + rest % 10);
        rest /= 10;
    } while (rest > 0);
    if (value < 0) {
        digits[--at] = '-';
    }
    builder_bytes(out, slice_of(digits + at, sizeof digits - at));
}

static void write_value(struct writer *writer, const struct json *value);

static void write_break(const struct writer *writer) {
    if (writer->pretty) {
        builder_format(writer->out, "\n%*s", (int)(2 * writer->depth), "");
    }
}

static void write_array(struct writer *writer, const struct json *array) {
    size_t count = json_array_count(array);
    builder_u8(writer->out, '[');
    writer->depth++;
    for (size_t i = 0; i < count; i++) {
        builder_text(writer->out, i > 0 ? "," : "");
        write_break(writer);
        write_value(writer, json_array_at(array, i));
    }
    writer->depth--;
    if (count > 0) {
        write_break(writer);
    }
    builder_u8(writer->out, ']');
}

static void write_object(struct writer *writer, const struct json *object) {
    size_t count = json_object_count(object);
    CLEANUP(memory_freep) struct member *rows = calloc(count + 1, sizeof *rows);
    ASSERT(rows != nullptr);
    struct members members = {rows, 0};
    (void)json_each(object, member_collect, &members);
    qsort(rows, count, sizeof *rows, member_compare);
    builder_u8(writer->out, '{');
    writer->depth++;
    for (size_t i = 0; i < count; i++) {
        builder_text(writer->out, i > 0 ? "," : "");
        write_break(writer);
        write_text(writer, rows[i].key);
        builder_text(writer->out, writer->pretty ? ": " : ":");
        write_value(writer, rows[i].value);
    }
    writer->depth--;
    if (count > 0) {
        write_break(writer);
    }
    builder_u8(writer->out, '}');
}

static void write_value(struct writer *writer, const struct json *value) {
    switch (json_kind_of(value)) {
    case JSON_KIND_NULL:
        builder_text(writer->out, "null");
        break;
    case JSON_KIND_BOOL:
        builder_text(writer->out, json_as_bool(value) ? "true" : "false");
        break;
    case JSON_KIND_INTEGER:
        write_integer(json_as_integer(value), writer->out);
        break;
    case JSON_KIND_TEXT:
        write_text(writer, json_as_text(value));
        break;
    case JSON_KIND_ARRAY:
        write_array(writer, value);
        break;
    case JSON_KIND_OBJECT:
        write_object(writer, value);
        break;
    }
}

void json_write_canonical(const struct json *value, struct builder *out) {
    struct writer writer = {.out = out};
    write_value(&writer, value);
}

void json_write_pretty(const struct json *value, struct builder *out) {
    struct writer writer = {.out = out, .pretty = true};
    write_value(&writer, value);
    builder_u8(out, '\n');
}
