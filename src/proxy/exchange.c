/* SPDX-License-Identifier: Apache-2.0
 *
 * Both parsers pause at the end of a head and at the end of a message, so that nothing of a second
 * request is looked at before the first is through.
 */
#include "proxy/exchange.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/assert.h"
#include "proxy/head.h"
#include "proxy/server.h"
#include "proxy/session.h"

enum { QUEUE_BYTES_MAX = 524288, ENOUGH = 131072 };

static void head_init(struct exchange_head *head) {
    builder_init(&head->url, LIMIT_EGRESS_HEAD_BYTES);
    builder_init(&head->reason, 256);
    builder_init(&head->fields, LIMIT_EGRESS_HEAD_BYTES);
    builder_init(&head->name, 1024);
    builder_init(&head->value, LIMIT_EGRESS_HEAD_BYTES);
}

static void head_reset(struct exchange_head *head) {
    builder_reset(&head->url);
    builder_reset(&head->reason);
    builder_reset(&head->fields);
    builder_reset(&head->name);
    builder_reset(&head->value);
    head->is_late = head->is_complete = head->is_ended = false;
}

static void head_deinit(struct exchange_head *head) {
    builder_deinit(&head->url);
    builder_deinit(&head->reason);
    builder_deinit(&head->fields);
    builder_deinit(&head->name);
    builder_deinit(&head->value);
}

static struct exchange_head *head_of(llhttp_t *parser, struct exchange **ret_exchange) {
    struct exchange *exchange = parser->data;
    *ret_exchange = exchange;
    return parser == &exchange->request ? &exchange->asked : &exchange->answered;
}

static int fail(struct exchange *exchange, unsigned status, const char *why) {
    if (exchange->failed_status == 0) {
        exchange->failed_status = status;
        exchange->failed_why = why;
    }
    return HPE_USER;
}

static int too_long(struct exchange *exchange, const llhttp_t *parser) {
    limit_hit(LIMIT_ID_EGRESS_HEAD_BYTES);
    return parser == &exchange->request
               ? fail(exchange, 431, "the head of the request is too long")
               : fail(exchange, 502, "the head of the response is too long");
}

/* Parts of a head come in pieces. */
static int add(llhttp_t *parser, size_t offset, const char *at, size_t size) {
    struct exchange *exchange;
    struct exchange_head *head = head_of(parser, &exchange);
    if (head->is_late) {
        return 0;
    }
    struct builder *builder = (struct builder *)((char *)head + offset);
    builder_bytes(builder, slice_of(at, size));
    return builder_is_ok(builder) ? 0 : too_long(exchange, parser);
}

static int on_url(llhttp_t *parser, const char *at, size_t size) {
    return add(parser, offsetof(struct exchange_head, url), at, size);
}

static int on_status(llhttp_t *parser, const char *at, size_t size) {
    return add(parser, offsetof(struct exchange_head, reason), at, size);
}

static int on_name(llhttp_t *parser, const char *at, size_t size) {
    return add(parser, offsetof(struct exchange_head, name), at, size);
}

static int on_value(llhttp_t *parser, const char *at, size_t size) {
    return add(parser, offsetof(struct exchange_head, value), at, size);
}

static int on_field(llhttp_t *parser) {
    struct exchange *exchange;
    struct exchange_head *head = head_of(parser, &exchange);
    if (head->is_late) {
        return 0;
    }
    builder_bytes(&head->fields, builder_slice(&head->name));
    builder_u8(&head->fields, 0);
    builder_bytes(&head->fields, builder_slice(&head->value));
    builder_u8(&head->fields, 0);
    builder_reset(&head->name);
    builder_reset(&head->value);
    return builder_is_ok(&head->fields) ? 0 : too_long(exchange, parser);
}

static int on_request_head(llhttp_t *parser) {
    struct exchange *exchange = parser->data;
    exchange->asked.is_complete = exchange->asked.is_late = true;
    exchange->is_head = parser->method == HTTP_HEAD;
    const char *wrong = head_check_request(exchange);
    return wrong != nullptr ? fail(exchange, 400, wrong) : HPE_PAUSED;
}

static int put_body(struct exchange *exchange, struct queue *queue, bool chunked,
                    struct slice bytes) {
    char size[24];
    int length = snprintf(size, sizeof size, "%zx\r\n", bytes.size);
    bool fits = (!chunked || queue_put(queue, slice_of(size, (size_t)length))) &&
                queue_put(queue, bytes) && (!chunked || queue_put(queue, SLICE_LITERAL("\r\n")));
    return fits ? 0 : fail(exchange, 502, "memory ran out");
}

static int on_request_body(llhttp_t *parser, const char *at, size_t size) {
    struct exchange *exchange = parser->data;
    return put_body(exchange, &exchange->up, exchange->request_chunked, slice_of(at, size));
}

static int on_request_end(llhttp_t *parser) {
    struct exchange *exchange = parser->data;
    exchange->asked.is_ended = true;
    if (exchange->request_chunked && !queue_put(&exchange->up, SLICE_LITERAL("0\r\n\r\n"))) {
        return fail(exchange, 502, "memory ran out");
    }
    return HPE_PAUSED;
}

static int on_response_head(llhttp_t *parser) {
    struct exchange *exchange = parser->data;
    const char *wrong = head_check_response(exchange);
    if (wrong != nullptr) {
        return fail(exchange, 502, wrong);
    }
    if (!head_put_response(exchange, &exchange->session->out)) {
        return fail(exchange, 502, "memory ran out");
    }
    exchange->started = true;
    unsigned status = parser->status_code;
    if (status < 200) {
        return 0;
    }
    exchange->answered.is_complete = exchange->answered.is_late = true;
    return exchange->is_head || status == 204 || status == 304 ? 1 : 0;
}

static int on_response_body(llhttp_t *parser, const char *at, size_t size) {
    struct exchange *exchange = parser->data;
    return put_body(exchange, &exchange->session->out, exchange->response_chunked,
                    slice_of(at, size));
}

static int on_response_end(llhttp_t *parser) {
    struct exchange *exchange = parser->data;
    if (!exchange->answered.is_complete) { /* an informational one; the next follows */
        head_reset(&exchange->answered);
        return 0;
    }
    exchange->answered.is_ended = true;
    exchange->upstream_keeps = llhttp_should_keep_alive(parser) != 0;
    bool has_body = !exchange->is_head && parser->status_code != 204 && parser->status_code != 304;
    if (exchange->response_chunked && has_body &&
        !queue_put(&exchange->session->out, SLICE_LITERAL("0\r\n\r\n"))) {
        return fail(exchange, 502, "memory ran out");
    }
    return HPE_PAUSED;
}

static const llhttp_settings_t *request_settings(void) {
    static llhttp_settings_t settings;
    settings.on_url = on_url;
    settings.on_header_field = on_name;
    settings.on_header_value = on_value;
    settings.on_header_value_complete = on_field;
    settings.on_headers_complete = on_request_head;
    settings.on_body = on_request_body;
    settings.on_message_complete = on_request_end;
    return &settings;
}

static const llhttp_settings_t *response_settings(void) {
    static llhttp_settings_t settings;
    settings.on_status = on_status;
    settings.on_header_field = on_name;
    settings.on_header_value = on_value;
    settings.on_header_value_complete = on_field;
    settings.on_headers_complete = on_response_head;
    settings.on_body = on_response_body;
    settings.on_message_complete = on_response_end;
    return &settings;
}

static void start_parsers(struct exchange *exchange) {
    llhttp_init(&exchange->request, HTTP_REQUEST, request_settings());
    llhttp_init(&exchange->response, HTTP_RESPONSE, response_settings());
    exchange->request.data = exchange->response.data = exchange;
}

struct exchange *exchange_new(struct session *session) {
    struct exchange *exchange = calloc(1, sizeof *exchange);
    if (exchange != nullptr) {
        exchange->session = session;
        head_init(&exchange->asked);
        head_init(&exchange->answered);
        queue_init(&exchange->up, QUEUE_BYTES_MAX);
        queue_init(&exchange->down, ENOUGH);
        start_parsers(exchange);
    }
    return exchange;
}

void exchange_free(struct exchange *exchange) {
    if (exchange != nullptr) {
        head_deinit(&exchange->asked);
        head_deinit(&exchange->answered);
        queue_deinit(&exchange->up);
        queue_deinit(&exchange->down);
        free(exchange);
    }
}

/* Ready for the client's next request; the upstream's bytes were used up. */
static void begin_anew(struct exchange *exchange) {
    head_reset(&exchange->asked);
    head_reset(&exchange->answered);
    exchange->is_head = exchange->request_chunked = exchange->response_chunked = false;
    exchange->started = false;
    start_parsers(exchange);
}

/* Feeds a parser and drops what it took. False: the message is bad. */
static bool feed(struct exchange *exchange, llhttp_t *parser, struct queue *queue) {
    struct slice bytes = queue_slice(queue);
    bool resumed = llhttp_get_errno(parser) == HPE_PAUSED;
    if (resumed) {
        llhttp_resume(parser);
    } else if (bytes.size == 0) {
        return true;
    }
    static const char nothing[] = "";
    const char *start = bytes.size > 0 ? (const char *)bytes.data : nothing;
    llhttp_errno_t result = llhttp_execute(parser, start, bytes.size);
    size_t taken = bytes.size;
    if (result != HPE_OK) {
        const char *end = llhttp_get_error_pos(parser);
        taken = end != nullptr ? (size_t)(end - start) : 0;
    }
    ASSERT(taken <= bytes.size);
    queue_drop(queue, taken);
    if (result == HPE_OK || result == HPE_PAUSED) {
        return true;
    }
    bool is_request = parser == &exchange->request;
    (void)fail(exchange, is_request ? 400 : 502,
               is_request ? "the request is no well-formed HTTP/1.1 message"
                          : "the response is no well-formed HTTP/1.1 message");
    return false;
}

enum exchange_result exchange_request(struct exchange *exchange) {
    if (exchange->asked.is_ended) {
        begin_anew(exchange);
    }
    if (!feed(exchange, &exchange->request, &exchange->session->in)) {
        return EXCHANGE_BAD;
    }
    return exchange->asked.is_complete ? EXCHANGE_HEAD : EXCHANGE_MORE;
}

bool exchange_is_connect(const struct exchange *exchange) {
    return exchange->request.method == HTTP_CONNECT;
}

bool exchange_begin(struct exchange *exchange) {
    exchange->upstream_ended = false;
    return head_put_request(exchange, &exchange->up) &&
           feed(exchange, &exchange->request, &exchange->session->in);
}

/* The client's body, as far as there is room for it. */
static enum stream_result drive_up(struct exchange *exchange) {
    struct session *session = exchange->session;
    enum stream_result result = stream_write(&session->upstream, &exchange->up);
    for (int i = 0; i < 8 && result == STREAM_MOVED && !exchange->asked.is_ended; i++) {
        size_t size;
        result = stream_read(&session->client, &session->in, &size);
        if (result == STREAM_MOVED && !feed(exchange, &exchange->request, &session->in)) {
            return STREAM_BROKEN;
        }
        result = result == STREAM_MOVED ? stream_write(&session->upstream, &exchange->up) : result;
    }
    return result;
}

static bool end_of_response(struct exchange *exchange) {
    exchange->upstream_ended = true;
    if (!exchange->answered.is_complete || llhttp_finish(&exchange->response) != HPE_OK) {
        /* llhttp_finish() passes on the pause of the message's end. */
        if (!exchange->answered.is_ended) {
            (void)fail(exchange, 502, "the server ended the connection within its response");
            return false;
        }
    }
    if (!exchange->answered.is_ended) {
        (void)fail(exchange, 502, "the server ended the connection within its response");
    }
    return exchange->answered.is_ended;
}

static enum stream_result drive_down(struct exchange *exchange) {
    struct session *session = exchange->session;
    enum stream_result result = stream_write(&session->client, &session->out);
    for (int i = 0; i < 8 && result == STREAM_MOVED && !exchange->answered.is_ended; i++) {
        size_t size;
        result = stream_read(&session->upstream, &exchange->down, &size);
        if (result == STREAM_MOVED && !feed(exchange, &exchange->response, &exchange->down)) {
            return STREAM_BROKEN;
        }
        if (result == STREAM_END && !end_of_response(exchange)) {
            return STREAM_BROKEN;
        }
        result = result == STREAM_MOVED || result == STREAM_END
                     ? stream_write(&session->client, &session->out)
                     : result;
    }
    return result;
}

enum exchange_result exchange_drive(struct exchange *exchange) {
    struct session *session = exchange->session;
    enum stream_result up = drive_up(exchange);
    /* A server may answer and stop reading before it has the whole request. */
    if (up == STREAM_END || (up == STREAM_BROKEN && exchange->failed_status != 0)) {
        (void)fail(exchange, 400, "the request ended too early");
        return EXCHANGE_BAD;
    }
    enum stream_result down = drive_down(exchange);
    if (down == STREAM_BROKEN) {
        (void)fail(exchange, 502, "the server broke the connection");
        return EXCHANGE_BAD;
    }
    if (!exchange->answered.is_ended || queue_size(&session->out) > 0) {
        return EXCHANGE_MORE;
    }
    exchange->upstream_keeps = exchange->upstream_keeps && !exchange->upstream_ended &&
                               exchange->asked.is_ended && queue_size(&exchange->down) == 0;
    return exchange->client_keeps && exchange->asked.is_ended ? EXCHANGE_NEXT : EXCHANGE_LAST;
}

void exchange_interest(const struct exchange *exchange, uint32_t *ret_client,
                       uint32_t *ret_upstream) {
    const struct session *session = exchange->session;
    *ret_client = *ret_upstream = 0;
    if (queue_size(&exchange->up) > 0) {
        *ret_upstream |= LOOP_WRITE;
    } else if (!exchange->asked.is_ended) {
        *ret_client |= LOOP_READ;
    }
    if (queue_size(&session->out) > 0) {
        *ret_client |= LOOP_WRITE;
    } else if (!exchange->answered.is_ended) {
        *ret_upstream |= LOOP_READ;
    }
}
