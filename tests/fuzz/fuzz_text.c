/* SPDX-License-Identifier: Apache-2.0
 *
 * Base64 has one form per value; escaping makes printable UTF-8 of anything.
 */
#include "base/assert.h"
#include "codec/text.h"
#include "fuzz.h"

static const char *const SEEDS[] = {"QUJD", "QUI=", "QQ==", "name \xe2\x80\xae\x1b[31m \xff \\"};

bool fuzz_seed(unsigned number, struct builder *out) {
    if (number >= sizeof SEEDS / sizeof SEEDS[0]) {
        return false;
    }
    builder_text(out, SEEDS[number]);
    return true;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct slice input = slice_of(data, size);
    struct builder decoded;
    struct builder encoded;
    builder_init(&decoded, size + 16);
    builder_init(&encoded, 8 * size + 16);
    if (text_unbase64(input, &decoded)) {
        text_base64(builder_slice(&decoded), &encoded);
        ASSERT(slice_equal(builder_slice(&encoded), input));
    }
    builder_reset(&encoded);
    text_escape(input, &encoded);
    ASSERT(builder_is_ok(&encoded));
    struct slice escaped = builder_slice(&encoded);
    ASSERT(text_is_utf8(escaped));
    for (size_t i = 0; i < escaped.size; i++) {
        ASSERT(escaped.data[i] >= 0x20 && escaped.data[i] != 0x7f);
    }
    builder_deinit(&decoded);
    builder_deinit(&encoded);
    return 0;
}
