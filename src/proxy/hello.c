/* SPDX-License-Identifier: Apache-2.0 */
#include "proxy/hello.h"

#include <string.h>

enum {
    RECORD_HANDSHAKE = 22,
    HANDSHAKE_CLIENT_HELLO = 1,
    EXTENSION_SERVER_NAME = 0,
    EXTENSION_ALPN = 16
};

static size_t read_u24(struct cursor *cursor) {
    size_t high = cursor_u8(cursor);
    return high << 16 | cursor_u16_be(cursor);
}

/* Joins the handshake bytes of the records; *ret_size is what there is so far. */
static enum hello_result join_records(struct slice bytes, uint8_t *scratch, size_t *ret_size) {
    struct cursor cursor = cursor_of(bytes);
    *ret_size = 0;
    while (cursor_remaining(&cursor) >= 5) {
        uint8_t type = cursor_u8(&cursor);
        uint8_t major = cursor_u8(&cursor);
        (void)cursor_u8(&cursor);
        size_t size = cursor_u16_be(&cursor);
        if (type != RECORD_HANDSHAKE || major != 3 || size == 0 || size > HELLO_BYTES_MAX) {
            return HELLO_MALFORMED;
        }
        size_t there = cursor_remaining(&cursor);
        size_t part = there < size ? there : size;
        if (part > HELLO_BYTES_MAX - *ret_size) {
            return HELLO_MALFORMED;
        }
        struct slice body = cursor_bytes(&cursor, part);
        if (part > 0) {
            memcpy(scratch + *ret_size, body.data, part);
        }
        *ret_size += part;
        if (*ret_size >= 4) {
            size_t whole =
                4 + ((size_t)scratch[1] << 16 | (size_t)scratch[2] << 8 | (size_t)scratch[3]);
            if (*ret_size >= whole) {
                return HELLO_NAME; /* all of it is there */
            }
        }
    }
    return HELLO_MORE;
}

static enum hello_result parse_name(struct slice extension, struct slice *ret_name) {
    struct cursor cursor = cursor_of(extension);
    size_t list = cursor_u16_be(&cursor);
    bool is_whole = list == cursor_remaining(&cursor);
    uint8_t type = cursor_u8(&cursor);
    size_t size = cursor_u16_be(&cursor);
    *ret_name = cursor_bytes(&cursor, size);
    /* One name of the one type there is. */
    return is_whole && type == 0 && size > 0 && cursor_is_finished(&cursor) ? HELLO_NAME
                                                                            : HELLO_MALFORMED;
}

static bool parse_protocols(struct slice extension, struct slice *ret_list) {
    struct cursor cursor = cursor_of(extension);
    *ret_list = cursor_bytes(&cursor, cursor_u16_be(&cursor));
    return cursor_is_finished(&cursor) && ret_list->size > 0;
}

static enum hello_result parse_extensions(struct cursor *cursor, struct hello *hello) {
    enum hello_result result = HELLO_NO_NAME;
    if (cursor_remaining(cursor) == 0) {
        return result;
    }
    if (cursor_u16_be(cursor) != cursor_remaining(cursor)) {
        return HELLO_MALFORMED;
    }
    while (cursor_is_ok(cursor) && cursor_remaining(cursor) > 0) {
        uint16_t type = cursor_u16_be(cursor);
        size_t size = cursor_u16_be(cursor);
        struct slice body = cursor_bytes(cursor, size);
        if (!cursor_is_ok(cursor)) {
            break;
        }
        if (type == EXTENSION_SERVER_NAME) {
            if (result != HELLO_NO_NAME || parse_name(body, &hello->name) != HELLO_NAME) {
                return HELLO_MALFORMED;
            }
            result = HELLO_NAME;
        } else if (type == EXTENSION_ALPN &&
                   (hello->alpn.size > 0 || !parse_protocols(body, &hello->alpn))) {
            return HELLO_MALFORMED;
        }
    }
    return cursor_is_ok(cursor) ? result : HELLO_MALFORMED;
}

static enum hello_result parse_hello(struct slice bytes, struct hello *hello) {
    struct cursor cursor = cursor_of(bytes);
    uint8_t type = cursor_u8(&cursor);
    size_t size = read_u24(&cursor);
    if (type != HANDSHAKE_CLIENT_HELLO || size > cursor_remaining(&cursor)) {
        return HELLO_MALFORMED;
    }
    cursor = cursor_of(cursor_bytes(&cursor, size));
    (void)cursor_u16_be(&cursor);
    (void)cursor_bytes(&cursor, 32);
    (void)cursor_bytes(&cursor, cursor_u8(&cursor));     /* session id */
    (void)cursor_bytes(&cursor, cursor_u16_be(&cursor)); /* cipher suites */
    (void)cursor_bytes(&cursor, cursor_u8(&cursor));     /* compression */
    return cursor_is_ok(&cursor) ? parse_extensions(&cursor, hello) : HELLO_MALFORMED;
}

enum hello_result hello_parse_all(struct slice bytes, uint8_t scratch[static HELLO_BYTES_MAX],
                                  struct hello *ret_hello) {
    *ret_hello = (struct hello){};
    if (bytes.size == 0) {
        return HELLO_MORE;
    }
    if (bytes.data[0] != RECORD_HANDSHAKE || (bytes.size > 1 && bytes.data[1] != 3)) {
        return HELLO_NONE;
    }
    size_t size = 0;
    enum hello_result result = join_records(bytes, scratch, &size);
    return result == HELLO_NAME ? parse_hello(slice_of(scratch, size), ret_hello) : result;
}

enum hello_result hello_parse(struct slice bytes, uint8_t scratch[static HELLO_BYTES_MAX],
                              struct slice *ret_name) {
    struct hello hello;
    enum hello_result result = hello_parse_all(bytes, scratch, &hello);
    *ret_name = hello.name;
    return result;
}
