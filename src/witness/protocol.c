/* SPDX-License-Identifier: Apache-2.0 */
#include "witness/protocol.h"

#include <string.h>

static const uint32_t MAGIC = 0x31746977; /* "wit1" */

bool witness_request_encode(const struct witness_request *request, struct builder *out) {
    if (strlen(request->url) >= WITNESS_URL_BYTES ||
        strlen(request->ca) >= (size_t)LIMIT_PATH_BYTES ||
        request->body.size > WITNESS_BODY_BYTES) {
        return false;
    }
    builder_u32(out, MAGIC);
    builder_string(out, request->url);
    builder_string(out, request->ca);
    builder_block(out, request->body);
    return builder_is_ok(out);
}

bool witness_request_decode(struct slice bytes, struct witness_request *ret_request) {
    struct cursor cursor = cursor_of(bytes);
    bool magic = cursor_u32(&cursor) == MAGIC;
    struct witness_request request = {0};
    request.url = cursor_string(&cursor);
    request.ca = cursor_string(&cursor);
    request.body = cursor_block(&cursor);
    if (!magic || !cursor_is_finished(&cursor) || strlen(request.url) >= WITNESS_URL_BYTES ||
        strlen(request.ca) >= (size_t)LIMIT_PATH_BYTES || request.body.size > WITNESS_BODY_BYTES) {
        return false;
    }
    *ret_request = request;
    return true;
}

bool witness_reply_encode(const struct witness_reply *reply, struct builder *out) {
    if (strlen(reply->text) >= WITNESS_TEXT_BYTES ||
        reply->body.size > (size_t)LIMIT_WITNESS_BYTES) {
        return false;
    }
    builder_u32(out, reply->outcome);
    builder_u32(out, reply->os_errno);
    builder_u32(out, reply->status);
    builder_u32(out, reply->is_size);
    builder_string(out, reply->text);
    builder_block(out, reply->body);
    return builder_is_ok(out);
}

bool witness_reply_decode(struct slice bytes, struct witness_reply *ret_reply) {
    struct cursor cursor = cursor_of(bytes);
    uint32_t outcome = cursor_u32(&cursor);
    struct witness_reply reply = {.os_errno = cursor_u32(&cursor)};
    reply.status = cursor_u32(&cursor);
    uint32_t is_size = cursor_u32(&cursor);
    reply.text = cursor_string(&cursor);
    reply.body = cursor_block(&cursor);
    if (!cursor_is_finished(&cursor) || outcome == 0 || outcome >= WITNESS_OUTCOME_COUNT ||
        is_size > 1 || strlen(reply.text) >= WITNESS_TEXT_BYTES ||
        !slice_is_printable(slice_of_string(reply.text)) ||
        reply.body.size > (size_t)LIMIT_WITNESS_BYTES) {
        return false;
    }
    reply.outcome = (enum witness_outcome)outcome;
    reply.is_size = is_size == 1;
    *ret_reply = reply;
    return true;
}
