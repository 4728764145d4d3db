/* SPDX-License-Identifier: Apache-2.0
 *
 * The cursor of base/bytes.h: from any sound state, any one call leaves a sound state, and what it
 * hands out lies inside the data. A state that is sound after every call is so after any number.
 */
#include "proof.h"

enum { SIZE_MAX_HERE = 12 };

static bool is_sound(const struct cursor *cursor) {
    return cursor->offset <= cursor->size && (!cursor->failed || cursor->offset == cursor->size);
}

static bool lies_inside(struct slice part, const struct cursor *cursor) {
    return part.size == 0 || (__CPROVER_same_object(part.data, cursor->data) &&
                              part.data >= cursor->data && part.size <= cursor->size &&
                              (size_t)(part.data - cursor->data) <= cursor->size - part.size);
}

static struct cursor any_cursor(void) {
    struct slice bytes = any_bytes(SIZE_MAX_HERE);
    struct cursor cursor = cursor_of(bytes);
    cursor.offset = nondet_size();
    cursor.failed = nondet_bool();
    suppose(is_sound(&cursor));
    return cursor;
}

static void check_numbers(struct cursor *cursor, const struct cursor *before) {
    const uint8_t *at = before->data + before->offset;
    bool fits = !before->failed && cursor_remaining(before) >= 4;
    uint32_t value = cursor_u32(cursor);
    prove(cursor_is_ok(cursor) == fits);
    prove(fits || value == 0);
    if (fits) {
        prove(value == ((uint32_t)at[0] | (uint32_t)at[1] << 8 | (uint32_t)at[2] << 16 |
                        (uint32_t)at[3] << 24));
        prove(cursor->offset == before->offset + 4);
    }
}

static void check_bytes(struct cursor *cursor, const struct cursor *before) {
    size_t size = nondet_size();
    struct slice part = cursor_bytes(cursor, size);
    prove(lies_inside(part, cursor));
    prove(!cursor_is_ok(cursor) || part.size == size);
    prove(cursor_is_ok(cursor) == (!before->failed && size <= before->size - before->offset));
}

static void check_string(struct cursor *cursor) {
    const char *text = cursor_string(cursor);
    if (cursor_is_ok(cursor)) {
        size_t size = strlen(text);
        prove(lies_inside(slice_of(text, size + 1), cursor));
        prove((const uint8_t *)text + size + 1 == cursor->data + cursor->offset);
    } else {
        prove(text[0] == '\0');
    }
}

static void check_until(struct cursor *cursor) {
    uint8_t end = nondet_u8();
    struct slice part = cursor_until(cursor, end);
    prove(lies_inside(part, cursor));
    if (cursor_is_ok(cursor)) {
        prove(cursor->offset > 0 && cursor->data[cursor->offset - 1] == end);
    }
}

void proof_cursor(void) {
    struct cursor cursor = any_cursor();
    const struct cursor before = cursor;
    switch (nondet_u8()) {
    case 0:
        check_numbers(&cursor, &before);
        break;
    case 1:
        check_bytes(&cursor, &before);
        break;
    case 2:
        check_string(&cursor);
        break;
    case 3:
        check_until(&cursor);
        break;
    case 4:
        prove(lies_inside(cursor_block(&cursor), &cursor));
        break;
    case 5:
        (void)cursor_u64_be(&cursor);
        break;
    case 6:
        (void)cursor_u16_be(&cursor);
        break;
    default:
        cursor_fail(&cursor);
        break;
    }
    prove(is_sound(&cursor));
    prove(cursor.data == before.data && cursor.size == before.size);
    prove(cursor.offset >= before.offset);
    prove(!before.failed || cursor.failed);
}
