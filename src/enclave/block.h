/* SPDX-License-Identifier: Apache-2.0
 *
 * LP(): a u32 length, big-endian, then that many bytes. Everything that is hashed or signed here is
 * made of these, so that no two lists of parts have one spelling.
 */
#pragma once

#include "base/bytes.h"

static inline void block_add(struct builder *out, struct slice bytes) {
    builder_u16_be(out, (uint16_t)(bytes.size >> 16));
    builder_u16_be(out, (uint16_t)bytes.size);
    builder_bytes(out, bytes);
}

/* Empty after a failure, as cursor_bytes(). */
static inline struct slice block_read(struct cursor *cursor) {
    size_t high = cursor_u16_be(cursor);
    size_t low = cursor_u16_be(cursor);
    return cursor_bytes(cursor, high << 16 | low);
}
