/* SPDX-License-Identifier: Apache-2.0
 *
 * The whole response is parsed again whenever more of it arrived: at most 64 KiB, in pieces of 16
 * KiB, so that there is no state between two reads that could be wrong.
 */
#include "witness/response.h"

#include "codec/http.h"

struct fields {
    bool has_type;
    bool is_size;
};

static bool take_field(void *context, struct slice name, struct slice value) {
    struct fields *fields = context;
    if (http_is_word(name, "content-encoding")) {
        return http_is_word(value, "identity"); /* none was offered */
    }
    if (http_is_word(name, "content-type")) {
        bool is_first = !fields->has_type;
        fields->has_type = true;
        fields->is_size = http_is_word(value, "text/x.tlog.size");
        return is_first;
    }
    return true;
}

/* What is announced counts before it comes. */
static bool is_too_long(const struct http_response *http, const struct builder *body) {
    bool is_announced = http->phase == HTTP_PHASE_LENGTH || http->phase == HTTP_PHASE_CHUNK;
    return !builder_is_ok(body) ||
           (is_announced && http->left > (uint64_t)LIMIT_WITNESS_BYTES - body->size);
}

static enum response_result result_of(enum http_result result, bool at_end, size_t left) {
    switch (result) {
    case HTTP_WHOLE:
        return left == 0 ? RESPONSE_WHOLE : RESPONSE_MALFORMED;
    case HTTP_MORE:
        return at_end ? RESPONSE_MALFORMED : RESPONSE_MORE; /* cut short */
    case HTTP_TOO_LONG:
        return RESPONSE_TOO_LONG;
    case HTTP_BODY:
    case HTTP_MALFORMED:
        break;
    }
    return RESPONSE_MALFORMED;
}

enum response_result response_parse(struct slice bytes, bool at_end,
                                    struct response *ret_response) {
    struct http_response http;
    struct slice piece;
    struct fields fields = {};
    const struct http_options options = {
        .head_bytes_max = (size_t)LIMIT_WITNESS_BYTES,
        .takes_old = true,
        .field = take_field,
        .context = &fields,
    };
    builder_reset(&ret_response->body);
    if (bytes.size > (size_t)LIMIT_WITNESS_BYTES) {
        return RESPONSE_TOO_LONG;
    }
    http_init(&http, &options);
    enum http_result result;
    while ((result = http_feed(&http, false, &bytes, &piece)) == HTTP_BODY) {
        builder_bytes(&ret_response->body, piece);
    }
    bool is_long = is_too_long(&http, &ret_response->body);
    if (result == HTTP_MORE && at_end) {
        result = http_end(&http);
    }
    ret_response->status = http.status;
    ret_response->is_size = fields.is_size;
    http_deinit(&http);
    return is_long && result != HTTP_MALFORMED ? RESPONSE_TOO_LONG
                                               : result_of(result, at_end, bytes.size);
}
