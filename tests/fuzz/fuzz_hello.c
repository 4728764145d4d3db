/* SPDX-License-Identifier: Apache-2.0
 *
 * First bytes of a tunnel: a name that is found lies in what came, more bytes never change what a
 * whole ClientHello said, and what is no TLS stays so.
 */
#include "base/assert.h"
#include "fuzz.h"
#include "proxy/hello.h"

/* One suite, one compression, a server name "a.b". */
static const uint8_t HELLO[] = {
    1,  0,  0,  57, 3,  3,  0,  1,  2,  3,  4,  5,  6,  7,  8,   9,   10,  11,   12, 13, 14,
    15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29,  30,  31,  0,    0,  2,  0x13,
    1,  1,  0,  0,  14, 0,  0,  0,  8,  0,  6,  0,  0,  3,  'a', '.', 'b', 0xff, 1};

bool fuzz_seed(unsigned number, struct builder *out) {
    if (number > 2) {
        return false;
    }
    if (number == 2) {
        builder_text(out, "SSH-2.0-none\r\n");
        return true;
    }
    size_t step = number == 0 ? sizeof HELLO : 7; /* in one record, and in many */
    for (size_t at = 0; at < sizeof HELLO; at += step) {
        size_t size = sizeof HELLO - at < step ? sizeof HELLO - at : step;
        builder_bytes(out, SLICE_LITERAL("\x16\x03\x01"));
        builder_u16_be(out, (uint16_t)size);
        builder_bytes(out, slice_of(HELLO + at, size));
    }
    return true;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static uint8_t scratch[HELLO_BYTES_MAX];
    static uint8_t again[HELLO_BYTES_MAX];
    struct slice name = {};
    struct slice part = {};
    enum hello_result whole = hello_parse(slice_of(data, size), scratch, &name);
    if (whole == HELLO_NAME) {
        ASSERT(name.size > 0 && name.size < size);
    }
    for (size_t less = size; less > 0 && size - less < 64; less--) {
        enum hello_result now = hello_parse(slice_of(data, less - 1), again, &part);
        if (now == HELLO_NAME) {
            ASSERT(whole == HELLO_NAME && slice_equal(name, part));
        } else if (now != HELLO_MORE && less > 2) {
            ASSERT(whole == now);
        }
    }
    return 0;
}
