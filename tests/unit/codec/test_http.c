/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "codec/http.h"

enum { HEAD_BYTES_MAX = 16384 };

/* The field "X-No" is one that is refused. */
static bool take_field(void *context, struct slice name, struct slice value) {
    (void)context;
    return !http_is_word(name, "x-no") && (value.size == 0 || value.data[value.size - 1] != ' ');
}

static struct http_options options = {.head_bytes_max = HEAD_BYTES_MAX, .field = take_field};

/* Feeds `text` in pieces; the body is gathered in `body`. */
static enum http_result feed(const char *text, size_t piece, bool hijacked, struct builder *body) {
    struct http_response response;
    enum http_result result = HTTP_MORE;
    size_t size = strlen(text);
    http_init(&response, &options);
    builder_reset(body);
    for (size_t at = 0; at < size && result != HTTP_WHOLE; at += piece) {
        struct slice bytes = slice_of(text + at, size - at < piece ? size - at : piece);
        struct slice part;
        while ((result = http_feed(&response, hijacked, &bytes, &part)) == HTTP_BODY) {
            builder_bytes(body, part);
        }
        if (result == HTTP_MALFORMED || result == HTTP_TOO_LONG) {
            break;
        }
    }
    result = result == HTTP_MORE ? http_end(&response) : result;
    http_deinit(&response);
    return result;
}

static void expect(const char *text, bool hijacked, enum http_result wanted,
                   const char *wanted_body) {
    struct builder body;
    builder_init(&body, 100000);
    for (size_t piece = 1; piece <= strlen(text); piece++) {
        assert_int_equal(feed(text, piece, hijacked, &body), wanted);
        if (wanted == HTTP_WHOLE) {
            assert_string_equal(builder_c_string(&body), wanted_body);
        }
    }
    builder_deinit(&body);
}

static void what_is_no_response(void **state) {
    (void)state;
    static const char *const TEXTS[] = {
        "HTTP/1.0 200 OK\r\n\r\n",
        "HTTP/2 200 OK\r\n\r\n",
        "HTTP/1.1 20 OK\r\n\r\n",
        "HTTP/1.1 100 Continue\r\n\r\n",
        "HTTP/1.1 101 X\r\n\r\n",
        "HTTP/1.1 600 X\r\n\r\n",
        "HTTP/1.1 200x\r\n\r\n",
        "HTTP/1.1 200 OK\n\n\r\n\r\n",
        "HTTP/1.1 200 OK\r\nA\r\n\r\n",
        "HTTP/1.1 200 OK\r\n: a\r\n\r\n",
        "HTTP/1.1 200 OK\r\nA : a\r\n\r\n",
        "HTTP/1.1 200 OK\r\n A: a\r\n\r\n",
        "HTTP/1.1 200 OK\r\nA: \x01\r\n\r\n",
        "HTTP/1.1 200 OK\r\nA\x7f: a\r\n\r\n",
        "HTTP/1.1 200 OK\r\nA(: a\r\n\r\n",
        "HTTP/1.1 200 OK\r\nA: a\r\n b\r\n\r\n",
        "HTTP/1.1 200 OK\r\nx-NO: a\r\n\r\n",
        "HTTP/1.1 200 OK\rA: a\r\n\r\n",
        "HTTP/1.1 200 OK\nA: a\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\na",
        "HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\na",
        "HTTP/1.1 200 OK\r\nContent-Length: 1 1\r\n\r\na",
        "HTTP/1.1 200 OK\r\nContent-Length:\r\n\r\na",
        "HTTP/1.1 200 OK\r\nContent-Length: 99999999999999999999\r\n\r\na",
        "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\na",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nContent-Length: 1\r\n\r\n0\r\n\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1;a=b\r\nx\r\n0\r\n\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n000000001\r\nx\r\n0\r\n\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nxy\r\n0\r\n\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\nx\r\n0\r\n\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nA: b\r\n\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx\r\n",
    };
    for (size_t i = 0; i < sizeof TEXTS / sizeof TEXTS[0]; i++) {
        expect(TEXTS[i], false, HTTP_MALFORMED, nullptr);
    }
}

static void a_head_has_a_maximum(void **state) {
    (void)state;
    struct http_response response;
    static uint8_t text[HEAD_BYTES_MAX + 1];
    memset(text, 'a', sizeof text);
    struct slice bytes = slice_of(text, sizeof text);
    struct slice part;
    http_init(&response, &options);
    assert_int_equal(http_feed(&response, false, &bytes, &part), HTTP_TOO_LONG);
    http_deinit(&response);
}

static void an_old_one_is_taken_when_asked_for(void **state) {
    (void)state;
    options.takes_old = true;
    expect("HTTP/1.0 200 OK\r\nA: a \t\r\n\r\nold", false, HTTP_WHOLE, "old");
    expect("HTTP/1.2 200 OK\r\n\r\nnew", false, HTTP_MALFORMED, nullptr);
    expect("HTTP/0.9 200 OK\r\n\r\nancient", false, HTTP_MALFORMED, nullptr);
    options.takes_old = false;
}

static void bodies(void **state) {
    (void)state;
    expect("HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabc", false, HTTP_WHOLE, "abc");
    expect("HTTP/1.1 200 OK\r\ncontent-length:  0\t\r\n\r\n", false, HTTP_WHOLE, "");
    expect("HTTP/1.1 204 No Content\r\n\r\n", false, HTTP_WHOLE, "");
    expect("HTTP/1.1 200 OK\r\n\r\nto the end", false, HTTP_WHOLE, "to the end");
    expect("HTTP/1.1 200 OK\r\nTransfer-Encoding: "
           "Chunked\r\n\r\n3\r\nabc\r\nA\r\n0123456789\r\n0\r\n\r\n",
           false, HTTP_WHOLE, "abc0123456789");
    expect("HTTP/1.1 101 UPGRADED\r\nUpgrade: tcp\r\n\r\nraw", true, HTTP_WHOLE, "raw");
    expect("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\nraw", true, HTTP_WHOLE, "raw");
    expect("HTTP/1.1 500 X\r\nContent-Length: 2\r\n\r\nno", true, HTTP_WHOLE, "no");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_no_response),
        cmocka_unit_test(a_head_has_a_maximum),
        cmocka_unit_test(an_old_one_is_taken_when_asked_for),
        cmocka_unit_test(bodies),
    };
    return cmocka_run_group_tests(tests, nullptr, nullptr);
}
