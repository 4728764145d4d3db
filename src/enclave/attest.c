/* SPDX-License-Identifier: Apache-2.0
 *
 * The request is read strictly, in the one form that a client of this protocol sends: a request
 * line, fields, and a body whose length a single Content-Length gives. Whatever could be read in
 * two ways (folded lines, a bare line feed, two lengths, chunks) is answered with 400.
 */
#include "enclave/attest.h"

#include <string.h>
#include <strings.h>

#include "base/cleanup.h"
#include "base/limits.h"
#include "codec/json.h"
#include "codec/text.h"

enum { LENGTH_DIGITS_MAX = 6 };

enum route : uint8_t { ROUTE_UNKNOWN, ROUTE_METHOD, ROUTE_QUOTE, ROUTE_VERIFY };

struct request {
    enum route route;
    uint8_t nonce[EVIDENCE_NONCE_BYTES_MAX];
    size_t nonce_size; /* 0: none, or no good one */
    struct slice body;
    bool has_length;
    size_t length;
};

enum head_result : uint8_t { HEAD_MORE, HEAD_BAD, HEAD_WHOLE };

static bool is_token_byte(uint8_t byte) {
    return byte > 0x20 && byte < 0x7f && strchr("\"(),/:;<=>?@[\\]{}", byte) == nullptr;
}

static bool slice_is_text(struct slice bytes, const char *text) {
    return slice_equal(bytes, slice_of_string(text));
}

/* The line up to CR LF, which is consumed; false when there is none or a control character. */
static bool line_read(struct cursor *cursor, struct slice *ret_line) {
    struct slice line = cursor_until(cursor, '\n');
    if (!cursor_is_ok(cursor) || line.size == 0 || line.data[line.size - 1] != '\r') {
        return false;
    }
    *ret_line = slice_of(line.data, line.size - 1);
    for (size_t i = 0; i < ret_line->size; i++) {
        uint8_t byte = ret_line->data[i];
        if ((byte < 0x20 && byte != '\t') || byte == 0x7f) {
            return false;
        }
    }
    return true;
}

static void nonce_read(struct slice query, struct request *request) {
    struct slice name = SLICE_LITERAL("nonce=");
    if (!slice_starts_with(query, name)) {
        return;
    }
    struct slice hex = slice_of(query.data + name.size, query.size - name.size);
    size_t size = hex.size / 2;
    if (size >= EVIDENCE_NONCE_BYTES_MIN && size <= EVIDENCE_NONCE_BYTES_MAX &&
        text_unhex(hex, request->nonce, size)) {
        request->nonce_size = size;
    }
}

static bool request_line_read(struct slice line, struct request *request) {
    struct cursor cursor = cursor_of(line);
    struct slice method = cursor_until(&cursor, ' ');
    struct slice target = cursor_until(&cursor, ' ');
    struct slice version = cursor_bytes(&cursor, cursor_remaining(&cursor));
    if (!cursor_is_ok(&cursor) || !slice_is_text(version, "HTTP/1.1") || target.size == 0) {
        return false;
    }
    const uint8_t *mark = memchr(target.data, '?', target.size);
    size_t path_size = mark == nullptr ? target.size : (size_t)(mark - target.data);
    struct slice path = slice_of(target.data, path_size);
    if (mark != nullptr) {
        nonce_read(slice_of(mark + 1, target.size - path_size - 1), request);
    }
    bool is_quote = slice_is_text(path, "/attestation/quote");
    if (is_quote || slice_is_text(path, "/attestation/verify")) {
        const char *wanted = is_quote ? "GET" : "POST";
        enum route route = is_quote ? ROUTE_QUOTE : ROUTE_VERIFY;
        request->route = slice_is_text(method, wanted) ? route : ROUTE_METHOD;
    }
    return true;
}

static bool name_is(struct slice name, const char *wanted) {
    return name.size == strlen(wanted) &&
           strncasecmp((const char *)name.data, wanted, name.size) == 0;
}

static bool length_read(struct slice value, struct request *request) {
    if (request->has_length || value.size == 0 || value.size > LENGTH_DIGITS_MAX) {
        return false;
    }
    for (size_t i = 0; i < value.size; i++) {
        if (value.data[i] < '0' || value.data[i] > '9') {
            return false;
        }
        request->length = request->length * 10 + (size_t)(value.data[i] - '0');
    }
    request->has_length = true;
    return true;
}

static bool field_read(struct slice line, struct request *request) {
    const uint8_t *colon = memchr(line.data, ':', line.size);
    if (colon == nullptr || colon == line.data) {
        return false;
    }
    struct slice name = slice_of(line.data, (size_t)(colon - line.data));
    struct slice value = slice_of(colon + 1, line.size - name.size - 1);
    for (size_t i = 0; i < name.size; i++) {
        if (!is_token_byte(name.data[i])) {
            return false;
        }
    }
    while (value.size > 0 && (value.data[0] == ' ' || value.data[0] == '\t')) {
        value = slice_of(value.data + 1, value.size - 1);
    }
    while (value.size > 0 && strchr(" \t", value.data[value.size - 1]) != nullptr) {
        value.size--;
    }
    if (name_is(name, "content-length")) {
        return length_read(value, request);
    }
    return !name_is(name, "transfer-encoding");
}

static enum head_result request_read(struct slice received, struct request *request) {
    struct slice end = SLICE_LITERAL("\r\n\r\n");
    const uint8_t *mark =
        received.size == 0 ? nullptr : memmem(received.data, received.size, end.data, end.size);
    if (mark == nullptr) {
        return received.size >= LIMIT_ATTEST_BYTES ? HEAD_BAD : HEAD_MORE;
    }
    size_t head_size = (size_t)(mark - received.data) + end.size;
    struct cursor cursor = cursor_of(slice_of(received.data, head_size));
    struct slice line;
    if (!line_read(&cursor, &line) || !request_line_read(line, request)) {
        return HEAD_BAD;
    }
    while (line_read(&cursor, &line) && line.size > 0) {
        if (!field_read(line, request)) {
            return HEAD_BAD;
        }
    }
    if (!cursor_is_finished(&cursor) || head_size + request->length > LIMIT_ATTEST_BYTES ||
        received.size > head_size + request->length) { /* one request, nothing behind it */
        return HEAD_BAD;
    }
    request->body = slice_of(received.data + head_size, received.size - head_size);
    return request->body.size < request->length ? HEAD_MORE : HEAD_WHOLE;
}

static void respond(struct builder *out, const char *status, const char *type, struct slice body) {
    builder_format(out,
                   "HTTP/1.1 %s\r\nContent-Type: %s\r\nContent-Length: %zu\r\n"
                   "Cache-Control: no-store\r\nConnection: close\r\n\r\n",
                   status, type, body.size);
    builder_bytes(out, body);
}

static void respond_text(struct builder *out, const char *status, const char *text) {
    respond(out, status, "text/plain; charset=utf-8", slice_of_string(text));
}

static void respond_quote(const struct evidence_binding *binding,
                          const struct attest_context *context, struct builder *out) {
    struct builder jwt;
    struct error err = {};
    builder_init(&jwt, LIMIT_EVIDENCE_BYTES);
    if (status_is_ok(evidence_make(binding, context->provider, context->leaf, &jwt, &err))) {
        respond(out, "200 OK", "application/eat+jwt", builder_slice(&jwt));
    } else { /* why is for the operator's log, not for a stranger */
        respond_text(out, "503 Service Unavailable", "no evidence can be made here\n");
    }
    builder_deinit(&jwt);
}

static void respond_verdict(const struct evidence_binding *binding, struct slice jwt,
                            const struct attest_context *context, struct builder *out) {
    struct evidence_facts facts;
    struct builder text;
    const struct evidence_expectation expected = {
        .binding = *binding,
        .leaf = context->leaf,
        .now_s = clock_wall_ms(&context->provider->clock) / 1000,
    };
    enum evidence_result result = evidence_verify(jwt, &expected, &facts);
    CLEANUP(json_freep) struct json *object = json_object_new();
    json_set_bool(object, "verified", result == EVIDENCE_VERIFIED);
    json_set_text(object, "result", evidence_result_slug(result));
    json_set_text(object, "meaning", evidence_result_text(result));
    builder_init(&text, 4096);
    json_write_canonical(object, &text);
    respond(out, "200 OK", "application/json", builder_slice(&text));
    builder_deinit(&text);
}

enum attest_result attest_answer(struct slice received, const struct attest_context *context,
                                 struct builder *ret_response) {
    struct request request = {};
    struct evidence_binding binding = context->binding;
    enum head_result read = request_read(received, &request);
    if (read == HEAD_MORE) {
        return ATTEST_MORE;
    }
    binding.nonce = slice_of(request.nonce, request.nonce_size);
    if (read == HEAD_BAD) {
        if (received.size >= LIMIT_ATTEST_BYTES) {
            limit_hit(LIMIT_ID_ATTEST_BYTES);
        }
        respond_text(ret_response, "400 Bad Request", "this is not one HTTP/1.1 request\n");
    } else if (request.route == ROUTE_UNKNOWN) {
        respond_text(ret_response, "404 Not Found", "there is /attestation/quote\n");
    } else if (request.route == ROUTE_METHOD) {
        respond_text(ret_response, "405 Method Not Allowed", "GET a quote, POST to verify\n");
    } else if (request.nonce_size == 0) {
        respond_text(ret_response, "400 Bad Request", "?nonce= takes 16 to 64 bytes in hex\n");
    } else if (request.route == ROUTE_QUOTE) {
        respond_quote(&binding, context, ret_response);
    } else {
        respond_verdict(&binding, request.body, context, ret_response);
    }
    return ATTEST_ANSWERED;
}
