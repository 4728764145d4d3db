/* SPDX-License-Identifier: Apache-2.0 */
#include "edge/crc32c.h"

/* The remainders of four bits: small enough to be read against the polynomial 0x82f63b78, and fast
 * enough for a few hundred bytes per connection. */
static const uint32_t OF_NIBBLE[16] = {
    0x00000000, 0x105ec76f, 0x20bd8ede, 0x30e349b1, 0x417b1dbc, 0x5125dad3, 0x61c69362, 0x7198540d,
    0x82f63b78, 0x92a8fc17, 0xa24bb5a6, 0xb21572c9, 0xc38d26c4, 0xd3d3e1ab, 0xe330a81a, 0xf36e6f75,
};

uint32_t crc32c(uint32_t before, struct slice bytes) {
    uint32_t remainder = ~before;
    for (size_t i = 0; i < bytes.size; i++) {
        remainder ^= bytes.data[i];
        remainder = remainder >> 4 ^ OF_NIBBLE[remainder & 0x0f];
        remainder = remainder >> 4 ^ OF_NIBBLE[remainder & 0x0f];
    }
    return ~remainder;
}
