/* SPDX-License-Identifier: Apache-2.0
 *
 * Stricter than RFC 9112 allows: lines of the head end in CR LF, no folded fields, no space before
 * a colon, Content-Length and Transfer-Encoding at most once each and never both, chunks without
 * extensions, no trailers. Go's server, which all engines use, sends nothing else.
 */
#include "codec/http.h"

#include <stdckdint.h>
#include <string.h>

enum { STATUS_LINE_MIN = 12, FIELDS_MAX = 64, CHUNK_DIGITS_MAX = 8 };

void http_init(struct http_response *response, const struct http_options *options) {
    *response = (struct http_response){.options = options, .phase = HTTP_PHASE_HEAD};
    builder_init(&response->head, options->head_bytes_max);
}

void http_deinit(struct http_response *response) {
    builder_deinit(&response->head);
}

static bool is_digit(uint8_t byte) {
    return byte >= '0' && byte <= '9';
}

static uint8_t lower(uint8_t byte) {
    return byte >= 'A' && byte <= 'Z' ? (uint8_t)(byte + ('a' - 'A')) : byte;
}

bool http_is_word(struct slice bytes, const char *lower_case) {
    bool is_equal = bytes.size == strlen(lower_case);
    for (size_t i = 0; is_equal && i < bytes.size; i++) {
        is_equal = lower(bytes.data[i]) == (uint8_t)lower_case[i];
    }
    return is_equal;
}

static bool status_read(struct slice line, bool takes_old, unsigned *ret_status) {
    const uint8_t *at = line.data;
    if (line.size < STATUS_LINE_MIN || memcmp(at, "HTTP/1.", 7) != 0 ||
        (at[7] != '1' && !(takes_old && at[7] == '0')) || at[8] != ' ' || !is_digit(at[9]) ||
        !is_digit(at[10]) || !is_digit(at[11]) || (line.size > STATUS_LINE_MIN && at[12] != ' ')) {
        return false;
    }
    *ret_status = (unsigned)((at[9] - '0') * 100 + (at[10] - '0') * 10 + (at[11] - '0'));
    return *ret_status == 101 || (*ret_status >= 200 && *ret_status <= 599);
}

struct fields {
    bool has_length, is_chunked;
    uint64_t length;
};

/* Decimal digits only. A number without measure is no error of form. */
static bool length_read(struct slice text, uint64_t *ret_length) {
    uint64_t length = 0;
    for (size_t i = 0; i < text.size; i++) {
        if (!is_digit(text.data[i])) {
            return false;
        }
        bool fits = !ckd_mul(&length, length, 10) && !ckd_add(&length, length, text.data[i] - '0');
        length = fits ? length : UINT64_MAX / 10;
    }
    *ret_length = length;
    return text.size > 0;
}

static struct slice trim(struct slice text) {
    while (text.size > 0 && (text.data[0] == ' ' || text.data[0] == '\t')) {
        text = slice_of(text.data + 1, text.size - 1);
    }
    while (text.size > 0 && (text.data[text.size - 1] == ' ' || text.data[text.size - 1] == '\t')) {
        text.size--;
    }
    return text;
}

static bool is_token(struct slice name) {
    static const char OTHERS[] = "!#$%&'*+-.^_`|~";
    for (size_t i = 0; i < name.size; i++) {
        uint8_t byte = lower(name.data[i]);
        if (!is_digit(byte) && !(byte >= 'a' && byte <= 'z') &&
            memchr(OTHERS, byte, sizeof OTHERS - 1) == nullptr) {
            return false;
        }
    }
    return name.size > 0;
}

static bool field_read(struct slice line, const struct http_options *options,
                       struct fields *fields) {
    struct cursor cursor = cursor_of(line);
    struct slice name = cursor_until(&cursor, ':');
    struct slice value = trim(cursor_bytes(&cursor, cursor_remaining(&cursor)));
    if (!cursor_is_ok(&cursor) || !is_token(name)) {
        return false;
    }
    if (http_is_word(name, "content-length")) {
        bool is_first = !fields->has_length;
        fields->has_length = true;
        return is_first && length_read(value, &fields->length);
    }
    if (http_is_word(name, "transfer-encoding")) {
        bool is_first = !fields->is_chunked;
        fields->is_chunked = true;
        return is_first && http_is_word(value, "chunked");
    }
    return options->field == nullptr || options->field(options->context, name, value);
}

/* One line of a head whose every CR is followed by LF, and LF preceded by CR. */
static struct slice line_read(struct cursor *cursor) {
    struct slice line = cursor_until(cursor, '\r');
    (void)cursor_bytes(cursor, 1);
    return line;
}

static bool head_read(struct http_response *response, struct fields *fields) {
    struct cursor cursor = cursor_of(builder_slice(&response->head));
    if (!status_read(line_read(&cursor), response->options->takes_old, &response->status)) {
        return false;
    }
    for (size_t i = 0; i <= FIELDS_MAX; i++) {
        struct slice line = line_read(&cursor);
        if (line.size == 0) {
            return cursor_is_finished(&cursor) && !(fields->has_length && fields->is_chunked);
        }
        if (!field_read(line, response->options, fields)) {
            return false;
        }
    }
    return false;
}

/* The head is whole: what follows it? */
static enum http_result head_end(struct http_response *response, bool hijacked) {
    struct fields fields = {0};
    if (!head_read(response, &fields)) {
        return HTTP_MALFORMED;
    }
    unsigned status = response->status;
    bool is_raw = hijacked && (status == 101 || status == 200);
    if (status == 101 && !hijacked) {
        return HTTP_MALFORMED;
    }
    if (is_raw) {
        response->phase = HTTP_PHASE_REST;
    } else if (status == 204 || status == 304 || (fields.has_length && fields.length == 0)) {
        response->phase = HTTP_PHASE_DONE;
    } else if (fields.has_length) {
        response->left = fields.length;
        response->phase = HTTP_PHASE_LENGTH;
    } else {
        response->phase = fields.is_chunked ? HTTP_PHASE_CHUNK_SIZE : HTTP_PHASE_REST;
    }
    return HTTP_MORE;
}

static uint8_t take(struct slice *bytes) {
    uint8_t byte = bytes->data[0];
    *bytes = slice_of(bytes->data + 1, bytes->size - 1);
    return byte;
}

/* CR LF ends a line and stands nowhere else; no control characters but tabs. */
static bool fits_head(struct slice head, uint8_t byte) {
    bool ends_line = head.size > 0 && head.data[head.size - 1] == '\r';
    return ends_line ? byte == '\n' : byte == '\r' || byte == '\t' || (byte >= ' ' && byte != 0x7f);
}

static enum http_result feed_head(struct http_response *response, bool hijacked,
                                  struct slice *bytes) {
    while (bytes->size > 0) {
        uint8_t byte = take(bytes);
        if (!fits_head(builder_slice(&response->head), byte)) {
            return HTTP_MALFORMED;
        }
        builder_u8(&response->head, byte);
        if (!builder_is_ok(&response->head)) {
            return HTTP_TOO_LONG;
        }
        struct slice head = builder_slice(&response->head);
        if (head.size >= 4 && memcmp(head.data + head.size - 4, "\r\n\r\n", 4) == 0) {
            return head_end(response, hijacked);
        }
    }
    return HTTP_MORE;
}

/* Hex digits and CR LF. */
static enum http_result feed_chunk_size(struct http_response *response, struct slice *bytes) {
    uint8_t byte = take(bytes);
    if (response->line_end == 1) {
        response->line_end = 0;
        response->digit_count = 0;
        response->is_last_chunk = response->left == 0;
        response->phase = response->is_last_chunk ? HTTP_PHASE_CHUNK_END : HTTP_PHASE_CHUNK;
        return byte == '\n' ? HTTP_MORE : HTTP_MALFORMED;
    }
    if (byte == '\r') {
        response->line_end = 1;
        return response->digit_count > 0 ? HTTP_MORE : HTTP_MALFORMED;
    }
    uint8_t small = lower(byte);
    bool is_letter = small >= 'a' && small <= 'f';
    if ((!is_digit(byte) && !is_letter) || response->digit_count == CHUNK_DIGITS_MAX) {
        return HTTP_MALFORMED;
    }
    response->left = response->digit_count == 0 ? 0 : response->left;
    response->digit_count++;
    response->left = response->left * 16 + (uint64_t)(is_letter ? small - 'a' + 10 : byte - '0');
    return HTTP_MORE;
}

static enum http_result feed_chunk_end(struct http_response *response, struct slice *bytes) {
    uint8_t byte = take(bytes);
    if (byte != (response->line_end == 0 ? '\r' : '\n')) {
        return HTTP_MALFORMED;
    }
    response->line_end ^= 1U;
    if (response->line_end == 0) {
        response->phase = response->is_last_chunk ? HTTP_PHASE_DONE : HTTP_PHASE_CHUNK_SIZE;
    }
    return HTTP_MORE;
}

static enum http_result feed_body(struct http_response *response, struct slice *bytes,
                                  struct slice *ret_body) {
    bool is_bounded = response->phase != HTTP_PHASE_REST;
    size_t size = is_bounded && response->left < bytes->size ? (size_t)response->left : bytes->size;
    *ret_body = slice_of(bytes->data, size);
    *bytes = slice_of(bytes->data + size, bytes->size - size);
    if (is_bounded) {
        response->left -= size;
        if (response->left == 0) {
            response->phase =
                response->phase == HTTP_PHASE_CHUNK ? HTTP_PHASE_CHUNK_END : HTTP_PHASE_DONE;
        }
    }
    return HTTP_BODY;
}

enum http_result http_feed(struct http_response *response, bool hijacked, struct slice *bytes,
                           struct slice *ret_body) {
    enum http_result result = HTTP_MORE;
    while (result == HTTP_MORE && response->phase != HTTP_PHASE_DONE && bytes->size > 0) {
        switch (response->phase) {
        case HTTP_PHASE_HEAD:
            result = feed_head(response, hijacked, bytes);
            break;
        case HTTP_PHASE_CHUNK_SIZE:
            result = feed_chunk_size(response, bytes);
            break;
        case HTTP_PHASE_CHUNK_END:
            result = feed_chunk_end(response, bytes);
            break;
        case HTTP_PHASE_LENGTH:
        case HTTP_PHASE_CHUNK:
        case HTTP_PHASE_REST:
        case HTTP_PHASE_DONE:
            result = feed_body(response, bytes, ret_body);
            break;
        }
    }
    return result == HTTP_MORE && response->phase == HTTP_PHASE_DONE ? HTTP_WHOLE : result;
}

enum http_result http_end(const struct http_response *response) {
    bool is_whole = response->phase == HTTP_PHASE_REST || response->phase == HTTP_PHASE_DONE;
    return is_whole ? HTTP_WHOLE : HTTP_MALFORMED;
}
