/* SPDX-License-Identifier: Apache-2.0 */
#include "base/bytes.h"

#include <stdarg.h>
#include <stdckdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/assert.h"

struct slice slice_of(const void *data, size_t size) {
    return (struct slice){data, size};
}

struct slice slice_of_string(const char *text) {
    return (struct slice){(const uint8_t *)text, strlen(text)};
}

bool slice_equal(struct slice a, struct slice b) {
    return a.size == b.size && (a.size == 0 || memcmp(a.data, b.data, a.size) == 0);
}

int slice_compare(struct slice a, struct slice b) {
    size_t common = a.size < b.size ? a.size : b.size;
    int order = common == 0 ? 0 : memcmp(a.data, b.data, common);
    if (order != 0) {
        return order;
    }
    return (a.size > b.size) - (a.size < b.size);
}

bool slice_starts_with(struct slice whole, struct slice prefix) {
    return whole.size >= prefix.size &&
           (prefix.size == 0 || memcmp(whole.data, prefix.data, prefix.size) == 0);
}

bool slice_is_printable(struct slice text) {
    for (size_t i = 0; i < text.size; i++) {
        if (text.data[i] < ' ' || text.data[i] > '~') {
            return false;
        }
    }
    return true;
}

struct cursor cursor_of(struct slice bytes) {
    return (struct cursor){.data = bytes.data, .size = bytes.size};
}

bool cursor_is_ok(const struct cursor *cursor) {
    return !cursor->failed;
}

bool cursor_is_finished(const struct cursor *cursor) {
    return !cursor->failed && cursor->offset == cursor->size;
}

size_t cursor_remaining(const struct cursor *cursor) {
    ASSERT(cursor->offset <= cursor->size);
    return cursor->size - cursor->offset;
}

void cursor_fail(struct cursor *cursor) {
    cursor->failed = true;
    cursor->offset = cursor->size;
}

struct slice cursor_bytes(struct cursor *cursor, size_t size) {
    if (cursor->failed || size > cursor_remaining(cursor)) {
        cursor_fail(cursor);
        return (struct slice){nullptr, 0};
    }
    struct slice bytes = {cursor->data + cursor->offset, size};
    cursor->offset += size;
    return bytes;
}

static uint64_t cursor_number(struct cursor *cursor, size_t size, bool big_endian) {
    struct slice bytes = cursor_bytes(cursor, size);
    uint64_t value = 0;
    for (size_t i = 0; i < bytes.size; i++) {
        size_t place = big_endian ? bytes.size - 1 - i : i;
        value |= (uint64_t)bytes.data[i] << (8 * place);
    }
    return value;
}

uint8_t cursor_u8(struct cursor *cursor) {
    return (uint8_t)cursor_number(cursor, 1, false);
}

uint16_t cursor_u16(struct cursor *cursor) {
    return (uint16_t)cursor_number(cursor, 2, false);
}

uint16_t cursor_u16_be(struct cursor *cursor) {
    return (uint16_t)cursor_number(cursor, 2, true);
}

uint32_t cursor_u32(struct cursor *cursor) {
    return (uint32_t)cursor_number(cursor, 4, false);
}

uint64_t cursor_u64(struct cursor *cursor) {
    return cursor_number(cursor, 8, false);
}

uint64_t cursor_u64_be(struct cursor *cursor) {
    return cursor_number(cursor, 8, true);
}

struct slice cursor_block(struct cursor *cursor) {
    return cursor_bytes(cursor, cursor_u32(cursor));
}

const char *cursor_string(struct cursor *cursor) {
    struct slice block = cursor_block(cursor);
    if (cursor->failed || block.size == 0 ||
        memchr(block.data, 0, block.size) != block.data + block.size - 1) {
        cursor_fail(cursor);
        return "";
    }
    return (const char *)block.data;
}

struct slice cursor_until(struct cursor *cursor, uint8_t end) {
    const uint8_t *found = nullptr;
    if (!cursor->failed && cursor_remaining(cursor) > 0) {
        found = memchr(cursor->data + cursor->offset, end, cursor_remaining(cursor));
    }
    if (found == nullptr) {
        cursor_fail(cursor);
        return (struct slice){nullptr, 0};
    }
    struct slice bytes = cursor_bytes(cursor, (size_t)(found - (cursor->data + cursor->offset)));
    cursor->offset++;
    return bytes;
}

void builder_init(struct builder *builder, size_t size_max) {
    *builder = (struct builder){.size_max = size_max};
}

void builder_deinit(struct builder *builder) {
    free(builder->data);
    *builder = (struct builder){0};
}

bool builder_is_ok(const struct builder *builder) {
    return !builder->failed;
}

void builder_reset(struct builder *builder) {
    builder->size = 0;
    builder->failed = false;
}

struct slice builder_slice(const struct builder *builder) {
    return (struct slice){builder->data, builder->size};
}

/* Makes room for `more` bytes; false, and a sticky failure, past the maximum or without memory. */
static bool builder_reserve(struct builder *builder, size_t more) {
    size_t need;
    if (builder->failed || ckd_add(&need, builder->size, more) || need > builder->size_max) {
        builder->failed = true;
        return false;
    }
    if (need <= builder->capacity) {
        return true;
    }
    size_t capacity = builder->capacity < 64 ? 64 : builder->capacity;
    while (capacity < need) {
        capacity = capacity > builder->size_max / 2 ? need : capacity * 2;
    }
    uint8_t *data = realloc(builder->data, capacity);
    if (data == nullptr) {
        builder->failed = true;
        return false;
    }
    builder->data = data;
    builder->capacity = capacity;
    return true;
}

void builder_bytes(struct builder *builder, struct slice bytes) {
    if (bytes.size > 0 && builder_reserve(builder, bytes.size)) {
        memcpy(builder->data + builder->size, bytes.data, bytes.size);
        builder->size += bytes.size;
    }
}

static void builder_number(struct builder *builder, uint64_t value, size_t size, bool big_endian) {
    uint8_t bytes[8];
    ASSERT(size <= sizeof bytes);
    for (size_t i = 0; i < size; i++) {
        size_t place = big_endian ? size - 1 - i : i;
        bytes[i] = (uint8_t)(value >> (8 * place));
    }
    builder_bytes(builder, slice_of(bytes, size));
}

void builder_u8(struct builder *builder, uint8_t value) {
    builder_number(builder, value, 1, false);
}

void builder_u16(struct builder *builder, uint16_t value) {
    builder_number(builder, value, 2, false);
}

void builder_u16_be(struct builder *builder, uint16_t value) {
    builder_number(builder, value, 2, true);
}

void builder_u32(struct builder *builder, uint32_t value) {
    builder_number(builder, value, 4, false);
}

void builder_u64(struct builder *builder, uint64_t value) {
    builder_number(builder, value, 8, false);
}

void builder_u64_be(struct builder *builder, uint64_t value) {
    builder_number(builder, value, 8, true);
}

void builder_block(struct builder *builder, struct slice bytes) {
    if (bytes.size > UINT32_MAX) {
        builder->failed = true;
        return;
    }
    builder_u32(builder, (uint32_t)bytes.size);
    builder_bytes(builder, bytes);
}

void builder_string(struct builder *builder, const char *text) {
    builder_block(builder, slice_of(text, strlen(text) + 1));
}

void builder_text(struct builder *builder, const char *text) {
    builder_bytes(builder, slice_of_string(text));
}

void builder_decimal(struct builder *builder, uint64_t value) {
    uint8_t digits[20]; /* of 2^64 - 1 */
    size_t at = sizeof digits;
    do {
        digits[--at] = (uint8_t)('0' + value % 10);
        value /= 10;
    } while (value > 0);
    builder_bytes(builder, slice_of(digits + at, sizeof digits - at));
}

void builder_format(struct builder *builder, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    va_list again;
    va_copy(again, arguments);
    int size = vsnprintf(nullptr, 0, format, arguments);
    va_end(arguments);
    if (size < 0) {
        builder->failed = true;
    } else if (builder_reserve(builder, (size_t)size + 1)) {
        (void)vsnprintf((char *)builder->data + builder->size, (size_t)size + 1, format, again);
        builder->size += (size_t)size;
    }
    va_end(again);
}

const char *builder_c_string(struct builder *builder) {
    if (!builder_reserve(builder, 1)) {
        return "";
    }
    builder->data[builder->size] = 0;
    return (const char *)builder->data;
}

uint8_t *builder_take(struct builder *builder, size_t *ret_size) {
    if (builder->failed) {
        return nullptr;
    }
    uint8_t *data = builder->data;
    *ret_size = builder->size;
    size_t size_max = builder->size_max;
    *builder = (struct builder){.size_max = size_max};
    return data;
}
