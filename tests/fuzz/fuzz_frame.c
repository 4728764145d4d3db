/* SPDX-License-Identifier: Apache-2.0
 *
 * Frames of a plugin: a whole one lies inside its input and is written back as it was; a response
 * that is taken has its id and a result.
 */
#include <string.h>

#include "base/assert.h"
#include "codec/frame.h"
#include "fuzz.h"

enum { BODY_BYTES_MAX = 4096 };

static const char *const SEEDS[] = {
    "{\"id\":\"1\",\"type\":\"response\",\"result\":{\"verdict\":\"allow\"}}",
    "{\"id\":\"1\",\"result\":{\"reason\":\"\\u001b\",\"verdict\":\"deny\"},\"type\":\"response\"}",
    "",
};

bool fuzz_seed(unsigned number, struct builder *out) {
    if (number >= sizeof SEEDS / sizeof SEEDS[0]) {
        return false;
    }
    frame_encode(slice_of_string(SEEDS[number]), out);
    return true;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct slice body = {};
    if (frame_decode(slice_of(data, size), BODY_BYTES_MAX, &body) != FRAME_WHOLE) {
        return 0;
    }
    ASSERT(body.size <= BODY_BYTES_MAX && body.size + FRAME_HEADER_BYTES <= size);
    ASSERT(body.data == data + FRAME_HEADER_BYTES);
    struct builder again;
    builder_init(&again, BODY_BYTES_MAX + FRAME_HEADER_BYTES);
    frame_encode(body, &again);
    ASSERT(slice_equal(builder_slice(&again), slice_of(data, body.size + FRAME_HEADER_BYTES)));
    builder_deinit(&again);
    struct error err = {};
    struct json *message = nullptr;
    const struct json *result = nullptr;
    if (status_is_ok(frame_parse_response(body, "1", &message, &result, &err))) {
        ASSERT(json_kind_of(result) == JSON_KIND_OBJECT);
        ASSERT(strcmp(json_get_text(message, "id"), "1") == 0);
        json_free(message);
    } else {
        ASSERT(err.code != ERROR_NONE && message == nullptr);
    }
    return 0;
}
