/* SPDX-License-Identifier: Apache-2.0
 *
 * The whole response is parsed again whenever more of it arrived: at most 64 KiB, in pieces of 16
 * KiB, so that there is no state between two reads that could be wrong.
 *
 * Stricter than RFC 9112 allows: lines end in CR LF and nothing else, no folded fields, no space
 * before a colon, Content-Length and Transfer-Encoding at most once each and never both, chunks
 * without extensions, no trailers.
 */
#include "witness/response.h"

#include <string.h>

enum { STATUS_LINE_MIN = 12, FIELDS_MAX = 64 };

enum line_result : uint8_t { LINE_READ, LINE_MORE, LINE_WRONG };

/* Up to CR LF, which is consumed. A CR or LF elsewhere, a NUL or another control character but a
 * tab is wrong. */
static enum line_result line_read(struct cursor *cursor, struct slice *ret_line) {
    const uint8_t *start = cursor->data + cursor->offset;
    size_t left = cursor_remaining(cursor);
    for (size_t i = 0; i < left; i++) {
        if (start[i] == '\r') {
            if (i + 1 == left) {
                return LINE_MORE;
            }
            *ret_line = slice_of(start, i);
            (void)cursor_bytes(cursor, i + 2);
            return start[i + 1] == '\n' ? LINE_READ : LINE_WRONG;
        }
        if ((start[i] < ' ' && start[i] != '\t') || start[i] == 0x7f) {
            return LINE_WRONG;
        }
    }
    return LINE_MORE;
}

static bool is_digit(uint8_t byte) {
    return byte >= '0' && byte <= '9';
}

static bool status_parse(struct slice line, unsigned *ret_status) {
    const uint8_t *at = line.data;
    if (line.size < STATUS_LINE_MIN || memcmp(at, "HTTP/1.", 7) != 0 ||
        (at[7] != '0' && at[7] != '1') || at[8] != ' ' || !is_digit(at[9]) || !is_digit(at[10]) ||
        !is_digit(at[11]) || (line.size > STATUS_LINE_MIN && at[12] != ' ')) {
        return false;
    }
    *ret_status = (unsigned)((at[9] - '0') * 100 + (at[10] - '0') * 10 + (at[11] - '0'));
    return *ret_status >= 200 && *ret_status <= 599;
}

static uint8_t lower(uint8_t byte) {
    return byte >= 'A' && byte <= 'Z' ? (uint8_t)(byte + ('a' - 'A')) : byte;
}

/* `text` is in lower case. */
static bool equal_fold(struct slice bytes, const char *text) {
    struct slice other = slice_of_string(text);
    if (bytes.size != other.size) {
        return false;
    }
    for (size_t i = 0; i < bytes.size; i++) {
        if (lower(bytes.data[i]) != other.data[i]) {
            return false;
        }
    }
    return true;
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

static struct slice trim(struct slice text) {
    while (text.size > 0 && (text.data[0] == ' ' || text.data[0] == '\t')) {
        text = slice_of(text.data + 1, text.size - 1);
    }
    while (text.size > 0 && (text.data[text.size - 1] == ' ' || text.data[text.size - 1] == '\t')) {
        text.size--;
    }
    return text;
}

struct head {
    bool has_length;
    bool has_encoding; /* which is then "chunked" */
    bool has_type;
    bool is_size;
    bool is_too_long;
    size_t length;
};

/* Decimal digits only; a number past the limit is no error of form. */
static bool length_parse(struct slice text, struct head *head) {
    size_t length = 0;
    for (size_t i = 0; i < text.size; i++) {
        if (!is_digit(text.data[i])) {
            return false;
        }
        length = length * 10 + (size_t)(text.data[i] - '0');
        if (length > (size_t)LIMIT_WITNESS_BYTES) {
            head->is_too_long = true;
            length = (size_t)LIMIT_WITNESS_BYTES;
        }
    }
    head->length = length;
    return text.size > 0;
}

static bool field_parse(struct slice line, struct head *head) {
    struct cursor cursor = cursor_of(line);
    struct slice name = cursor_until(&cursor, ':');
    struct slice value = trim(cursor_bytes(&cursor, cursor_remaining(&cursor)));
    if (!cursor_is_ok(&cursor) || !is_token(name)) {
        return false;
    }
    if (equal_fold(name, "content-length")) {
        bool first = !head->has_length;
        head->has_length = true;
        return first && length_parse(value, head);
    }
    if (equal_fold(name, "transfer-encoding")) {
        bool first = !head->has_encoding;
        head->has_encoding = true;
        return first && equal_fold(value, "chunked");
    }
    if (equal_fold(name, "content-encoding")) {
        return equal_fold(value, "identity"); /* none was offered */
    }
    if (equal_fold(name, "content-type")) {
        bool first = !head->has_type;
        head->has_type = true;
        head->is_size = equal_fold(value, "text/x.tlog.size");
        return first;
    }
    return true;
}

static enum line_result head_parse(struct cursor *cursor, unsigned *ret_status,
                                   struct head *ret_head) {
    struct slice line;
    enum line_result result = line_read(cursor, &line);
    if (result != LINE_READ) {
        return result;
    }
    if (!status_parse(line, ret_status)) {
        return LINE_WRONG;
    }
    for (unsigned count = 0; count <= FIELDS_MAX; count++) {
        result = line_read(cursor, &line);
        if (result != LINE_READ) {
            return result;
        }
        if (line.size == 0) {
            return ret_head->has_length && ret_head->has_encoding ? LINE_WRONG : LINE_READ;
        }
        if (!field_parse(line, ret_head)) {
            return LINE_WRONG;
        }
    }
    return LINE_WRONG;
}

static bool chunk_size_parse(struct slice line, size_t *ret_size) {
    static const char DIGITS[] = "0123456789abcdef";
    size_t size = 0;
    for (size_t i = 0; i < line.size; i++) {
        const char *digit = memchr(DIGITS, lower(line.data[i]), sizeof DIGITS - 1);
        if (digit == nullptr) {
            return false;
        }
        size = size * 16 + (size_t)(digit - DIGITS);
    }
    *ret_size = size;
    return line.size > 0 && line.size <= 8;
}

static enum response_result chunks_parse(struct cursor *cursor, struct builder *body) {
    for (;;) {
        struct slice line;
        size_t size;
        enum line_result result = line_read(cursor, &line);
        if (result != LINE_READ) {
            return result == LINE_MORE ? RESPONSE_MORE : RESPONSE_MALFORMED;
        }
        if (!chunk_size_parse(line, &size)) {
            return RESPONSE_MALFORMED;
        }
        if (size > (size_t)LIMIT_WITNESS_BYTES - body->size) {
            return RESPONSE_TOO_LONG;
        }
        if (cursor_remaining(cursor) < size) {
            return RESPONSE_MORE;
        }
        builder_bytes(body, cursor_bytes(cursor, size));
        result = line_read(cursor, &line);
        if (result != LINE_READ || line.size != 0) {
            return result == LINE_MORE ? RESPONSE_MORE : RESPONSE_MALFORMED;
        }
        if (size == 0) {
            return cursor_remaining(cursor) == 0 ? RESPONSE_WHOLE : RESPONSE_MALFORMED;
        }
    }
}

static enum response_result body_parse(struct cursor *cursor, const struct head *head, bool at_end,
                                       struct builder *body) {
    size_t left = cursor_remaining(cursor);
    if (head->is_too_long) {
        return RESPONSE_TOO_LONG;
    }
    if (head->has_encoding) {
        return chunks_parse(cursor, body);
    }
    if (!head->has_length && !at_end) {
        return RESPONSE_MORE; /* it ends with the connection */
    }
    if (head->has_length && left != head->length) {
        return left < head->length ? RESPONSE_MORE : RESPONSE_MALFORMED;
    }
    builder_bytes(body, cursor_bytes(cursor, left));
    return RESPONSE_WHOLE;
}

enum response_result response_parse(struct slice bytes, bool at_end,
                                    struct response *ret_response) {
    struct cursor cursor = cursor_of(bytes);
    struct head head = {0};
    enum response_result result = RESPONSE_MALFORMED;
    builder_reset(&ret_response->body);
    if (bytes.size > (size_t)LIMIT_WITNESS_BYTES) {
        return RESPONSE_TOO_LONG;
    }
    switch (head_parse(&cursor, &ret_response->status, &head)) {
    case LINE_READ:
        result = body_parse(&cursor, &head, at_end, &ret_response->body);
        break;
    case LINE_MORE:
        result = RESPONSE_MORE;
        break;
    case LINE_WRONG:
        break;
    }
    ret_response->is_size = head.is_size;
    if (result == RESPONSE_MORE && at_end) {
        return RESPONSE_MALFORMED; /* cut short */
    }
    return result == RESPONSE_WHOLE && !builder_is_ok(&ret_response->body) ? RESPONSE_TOO_LONG
                                                                           : result;
}
