/* SPDX-License-Identifier: Apache-2.0
 *
 * Bytes, three ways. A slice borrows. A cursor reads and cannot overrun. A builder writes and
 * cannot grow past the maximum it was made with.
 *
 * The cursor and the builder are sticky: after the first failure every call does nothing and the
 * failure shows in cursor_is_ok() / builder_is_ok(), so a decoder is written straight down and
 * checked once at its end.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

struct slice {
    const uint8_t *data;
    size_t size;
};

/* A slice over a string constant or any array of char, without its final NUL. */
#define SLICE_LITERAL(text) ((struct slice){(const uint8_t *)(text), sizeof(text) - 1})

struct slice slice_of(const void *data, size_t size);
struct slice slice_of_string(const char *text);
bool slice_equal(struct slice a, struct slice b);
/* Byte order, shorter first on a common prefix: as memcmp. */
int slice_compare(struct slice a, struct slice b);
bool slice_starts_with(struct slice whole, struct slice prefix);
/* Nothing but ASCII from space to tilde. */
bool slice_is_printable(struct slice text);

struct cursor {
    const uint8_t *data;
    size_t size;
    size_t offset;
    bool failed;
};

struct cursor cursor_of(struct slice bytes);
bool cursor_is_ok(const struct cursor *cursor);
/* Everything was read and nothing failed. */
bool cursor_is_finished(const struct cursor *cursor);
size_t cursor_remaining(const struct cursor *cursor);
/* Numbers are little-endian unless the name says otherwise; 0 after a failure. */
uint8_t cursor_u8(struct cursor *cursor);
uint16_t cursor_u16(struct cursor *cursor);
uint16_t cursor_u16_be(struct cursor *cursor);
uint32_t cursor_u32(struct cursor *cursor);
uint64_t cursor_u64(struct cursor *cursor);
uint64_t cursor_u64_be(struct cursor *cursor);
/* `size` bytes, borrowed from the cursor's data; empty after a failure. */
struct slice cursor_bytes(struct cursor *cursor, size_t size);
/* A u32 length, then that many bytes. */
struct slice cursor_block(struct cursor *cursor);
/* A NUL-terminated string that the data holds as a block whose last byte is NUL and that has no
 * other NUL. Borrowed. "" after a failure. */
const char *cursor_string(struct cursor *cursor);
/* Bytes up to and without `end`, which is consumed. Fails when `end` does not come. */
struct slice cursor_until(struct cursor *cursor, uint8_t end);
void cursor_fail(struct cursor *cursor);

struct builder {
    uint8_t *data; /* owned */
    size_t size;
    size_t capacity;
    size_t size_max;
    bool failed;
};

/* An empty builder that will never hold more than size_max bytes. Allocates nothing yet. */
void builder_init(struct builder *builder, size_t size_max);
void builder_deinit(struct builder *builder);
bool builder_is_ok(const struct builder *builder);
/* Empties the builder, forgets a failure, keeps its memory. */
void builder_reset(struct builder *builder);
/* Borrowed until the next write. */
struct slice builder_slice(const struct builder *builder);
void builder_u8(struct builder *builder, uint8_t value);
void builder_u16(struct builder *builder, uint16_t value);
void builder_u16_be(struct builder *builder, uint16_t value);
void builder_u32(struct builder *builder, uint32_t value);
void builder_u64(struct builder *builder, uint64_t value);
void builder_u64_be(struct builder *builder, uint64_t value);
void builder_bytes(struct builder *builder, struct slice bytes);
void builder_block(struct builder *builder, struct slice bytes);
/* The block form that cursor_string() reads. */
void builder_string(struct builder *builder, const char *text);
/* The characters of a text, without length or NUL. */
void builder_text(struct builder *builder, const char *text);
/* The number in decimal digits, for where builder_format() is called too often. */
void builder_decimal(struct builder *builder, uint64_t value);
[[gnu::format(printf, 2, 3)]]
void builder_format(struct builder *builder, const char *format, ...);
/* Adds a NUL that is not counted, and returns the whole as a C string; "" after a failure. */
const char *builder_c_string(struct builder *builder);
/* Hands the bytes over to the caller, who frees them; nullptr when empty or failed. */
uint8_t *builder_take(struct builder *builder, size_t *ret_size);
