/* SPDX-License-Identifier: Apache-2.0
 *
 * JSON: what parses can be written canonically, and the canonical form is a fixed point.
 */
#include "base/assert.h"
#include "codec/json.h"
#include "fuzz.h"

static const char *const SEEDS[] = {
    "{\"a\":[1,-2,3],\"b\":\"text \\u00e9 \\ud83d\\ude00\",\"c\":{\"d\":null,\"e\":true}}",
    "[\"\\\\ \\\" \\n \\u0001\",9007199254740991,-9007199254740991,[],{}]",
    "{\"\\u20ac\":1,\"\\r\":2,\"\\ufb33\":3,\"1\":4,\"\\ud83d\\ude00\":5,\"\\u0080\":6}",
};

bool fuzz_seed(unsigned number, struct builder *out) {
    if (number >= sizeof SEEDS / sizeof SEEDS[0]) {
        return false;
    }
    builder_text(out, SEEDS[number]);
    return true;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct error err = {};
    struct json *first = nullptr;
    if (!status_is_ok(json_parse(slice_of(data, size), "fuzz", &first, &err))) {
        ASSERT(err.code != ERROR_NONE);
        return 0;
    }
    struct builder once;
    struct builder twice;
    builder_init(&once, 8 * size + 1024);
    builder_init(&twice, 8 * size + 1024);
    json_write_canonical(first, &once);
    if (builder_is_ok(&once)) {
        struct json *second = nullptr;
        ASSERT(status_is_ok(json_parse(builder_slice(&once), "canonical", &second, &err)));
        json_write_canonical(second, &twice);
        ASSERT(slice_equal(builder_slice(&once), builder_slice(&twice)));
        json_free(second);
    }
    builder_deinit(&once);
    builder_deinit(&twice);
    json_free(first);
    return 0;
}
