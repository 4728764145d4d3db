/* SPDX-License-Identifier: Apache-2.0 */
#include "codec/utf8.h"

#include "base/assert.h"

size_t utf8_next(struct slice bytes, size_t offset, uint32_t *ret_point) {
    ASSERT(offset < bytes.size);
    const uint8_t *at = bytes.data + offset;
    uint8_t lead = at[0];
    if (lead < 0x80) {
        *ret_point = lead;
        return 1;
    }
    size_t length = lead >= 0xf0 ? 4 : lead >= 0xe0 ? 3 : 2;
    if (lead < 0xc2 || lead > 0xf4 || bytes.size - offset < length) {
        return 0;
    }
    uint32_t point = lead & (0x7fU >> length);
    for (size_t i = 1; i < length; i++) {
        if ((at[i] & 0xc0) != 0x80) {
            return 0;
        }
        point = point << 6 | (at[i] & 0x3f);
    }
    static const uint32_t SHORTEST[] = {0, 0, 0x80, 0x800, 0x10000};
    if (point < SHORTEST[length] || point > 0x10ffff || (point >= 0xd800 && point <= 0xdfff)) {
        return 0;
    }
    *ret_point = point;
    return length;
}

bool utf8_is_hostile(uint32_t point) {
    return point < 0x20 || (point >= 0x7f && point < 0xa0) || point == 0x61c ||
           (point >= 0x200b && point <= 0x200f) || (point >= 0x2028 && point <= 0x202e) ||
           (point >= 0x2060 && point <= 0x206f) || point == 0xfeff ||
           (point >= 0xfff9 && point <= 0xfffb) || (point >= 0xe0000 && point <= 0xe007f);
}
