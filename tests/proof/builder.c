/* SPDX-License-Identifier: Apache-2.0
 *
 * The builder of base/bytes.h: from any sound state, any one call leaves a sound state, writes
 * nothing past the memory it has, keeps what was there, and never holds more than its maximum.
 * builder_format() is left out: it is vsnprintf's word that counts there.
 */
#include "proof.h"

enum { CAPACITY_MAX_HERE = 10, APPENDED_MAX_HERE = 10 };

static bool is_sound(const struct builder *builder) {
    return builder->size <= builder->capacity && builder->size <= builder->size_max &&
           (builder->capacity == 0) == (builder->data == nullptr);
}

static struct builder any_builder(void) {
    struct builder builder = {0};
    builder.capacity = nondet_size();
    builder.size = nondet_size();
    builder.size_max = nondet_size();
    builder.failed = nondet_bool();
    suppose(builder.capacity <= CAPACITY_MAX_HERE);
    suppose(builder.size_max <= CAPACITY_MAX_HERE + APPENDED_MAX_HERE);
    builder.data = builder.capacity == 0 ? nullptr : any_block(builder.capacity);
    suppose(is_sound(&builder));
    return builder;
}

void proof_builder(void) {
    struct builder builder = any_builder();
    const struct builder before = builder;
    size_t kept = nondet_size();
    uint8_t kept_byte = 0;
    suppose(kept < before.size || before.size == 0);
    if (before.size > 0) {
        kept_byte = before.data[kept];
    }
    struct slice more = any_bytes(APPENDED_MAX_HERE);
    size_t added = more.size;
    switch (nondet_u8()) {
    case 0:
        builder_bytes(&builder, more);
        break;
    case 1:
        builder_block(&builder, more);
        added += 4;
        break;
    case 2:
        builder_u64(&builder, nondet_u64());
        added = 8;
        break;
    case 3:
        builder_u16_be(&builder, (uint16_t)nondet_u32());
        added = 2;
        break;
    default:
        (void)builder_c_string(&builder);
        added = 0;
        break;
    }
    prove(is_sound(&builder));
    prove(builder.size_max == before.size_max);
    prove(!before.failed || (builder.failed && builder.size == before.size));
    prove(builder.failed || builder.size == before.size + added);
    if (before.size > 0) {
        prove(builder.size >= before.size && builder.data[kept] == kept_byte);
    }
}
