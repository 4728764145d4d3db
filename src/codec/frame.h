/* SPDX-License-Identifier: Apache-2.0
 *
 * The frames that programs and plugins speak over a byte stream: a u32 length, big-endian, and so
 * many bytes of JSON. The length is judged before anything is allocated for it.
 *
 *   {"id": TEXT, "type": "request", "method": TEXT, "params": {...}}
 *   {"id": TEXT, "type": "response", "result": {...}}
 */
#pragma once

#include "codec/json.h"

enum { FRAME_HEADER_BYTES = 4 };

enum frame_result : uint8_t {
    FRAME_WHOLE,
    FRAME_PARTIAL,  /* more bytes are needed */
    FRAME_TOO_LONG, /* it says it has more than body_bytes_max; nothing of it was taken */
};

/* Looks for one frame at the beginning of `bytes`. On FRAME_WHOLE *ret_body is its body, borrowed,
 * and what lies behind FRAME_HEADER_BYTES + ret_body->size bytes is not part of it. */
enum frame_result frame_decode(struct slice bytes, size_t body_bytes_max, struct slice *ret_body);

/* Appends a frame. `body` has at most UINT32_MAX bytes. */
void frame_encode(struct slice body, struct builder *out);

/* Appends a request as a frame; its body may have body_bytes_max bytes, else `out` fails. */
struct frame_request {
    const char *id;
    const char *method;
    size_t body_bytes_max;
};
void frame_encode_request(const struct frame_request *request, struct json *consumed_params,
                          struct builder *out);

/* Reads the body of the response to the request `id`. *ret_message is owned by the caller,
 * *ret_result borrowed from it and an object. ERROR_BAD_ENCODING for anything else: no JSON, keys
 * missing or too many, another id. */
status_t frame_parse_response(struct slice body, const char *id, struct json **ret_message,
                              const struct json **ret_result, struct error *err);
