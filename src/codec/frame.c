/* SPDX-License-Identifier: Apache-2.0 */
#include "codec/frame.h"

#include <string.h>

#include "base/assert.h"
#include "base/cleanup.h"

enum frame_result frame_decode(struct slice bytes, size_t body_bytes_max, struct slice *ret_body) {
    struct cursor cursor = cursor_of(bytes);
    uint32_t high = cursor_u16_be(&cursor);
    uint32_t size = high << 16 | cursor_u16_be(&cursor);
    if (!cursor_is_ok(&cursor)) {
        return FRAME_PARTIAL;
    }
    if (size > body_bytes_max) {
        return FRAME_TOO_LONG;
    }
    struct slice body = cursor_bytes(&cursor, size);
    if (!cursor_is_ok(&cursor)) {
        return FRAME_PARTIAL;
    }
    *ret_body = body;
    return FRAME_WHOLE;
}

void frame_encode(struct slice body, struct builder *out) {
    ASSERT(body.size <= UINT32_MAX);
    builder_u16_be(out, (uint16_t)(body.size >> 16));
    builder_u16_be(out, (uint16_t)body.size);
    builder_bytes(out, body);
}

void frame_encode_request(const struct frame_request *request, struct json *consumed_params,
                          struct builder *out) {
    CLEANUP(json_freep) struct json *message = json_object_new();
    CLEANUP(builder_deinit) struct builder body;
    builder_init(&body, request->body_bytes_max);
    json_set_text(message, "id", request->id);
    json_set_text(message, "type", "request");
    json_set_text(message, "method", request->method);
    json_set(message, "params", consumed_params);
    json_write_canonical(message, &body);
    if (!builder_is_ok(&body)) {
        out->failed = true;
        return;
    }
    frame_encode(builder_slice(&body), out);
}

static status_t refuse(const char *what, struct error *err) {
    return error_set(err, ERROR_BAD_ENCODING, 0, "a response %s", what);
}

status_t frame_parse_response(struct slice body, const char *id, struct json **ret_message,
                              const struct json **ret_result, struct error *err) {
    CLEANUP(json_freep) struct json *message = nullptr;
    TRY(json_parse(body, "a response", &message, err));
    const char *type = json_get_text(message, "type");
    const char *answered = json_get_text(message, "id");
    const struct json *result = json_get(message, "result");
    if (type == nullptr || strcmp(type, "response") != 0) {
        return refuse("must have the type \"response\"", err);
    }
    if (answered == nullptr || strcmp(answered, id) != 0) {
        return refuse("must have the id of its request", err);
    }
    if (result == nullptr || json_kind_of(result) != JSON_KIND_OBJECT) {
        return refuse("must have a result that is an object", err);
    }
    if (json_object_count(message) != 3) {
        return refuse("has a key that does not belong there", err);
    }
    *ret_message = TAKE(message);
    *ret_result = result;
    return STATUS_OK;
}
