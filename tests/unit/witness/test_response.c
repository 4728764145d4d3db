/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "witness/response.h"

static enum response_result parse(const char *text, bool at_end, struct response *ret) {
    builder_init(&ret->body, LIMIT_WITNESS_BYTES);
    return response_parse(slice_of_string(text), at_end, ret);
}

static void malformed(void **state) {
    (void)state;
    static const char *const TEXTS[] = {
        "HTTP/2 200\r\n\r\n",
        "HTTP/1.2 200 OK\r\n\r\n",
        "http/1.1 200 OK\r\n\r\n",
        "HTTP/1.1  200 OK\r\n\r\n",
        "HTTP/1.1 2000 OK\r\n\r\n",
        "HTTP/1.1 20x OK\r\n\r\n",
        "HTTP/1.1 600 OK\r\n\r\n",
        "HTTP/1.1 100 Continue\r\n\r\n",
        "HTTP/1.1 200 OK\n\n",
        "HTTP/1.1 200 OK\r\n\n",
        "HTTP/1.1 200 OK\r\rX",
        "HTTP/1.1 200 OK\r\nContent-Length 1\r\n\r\na",
        "HTTP/1.1 200 OK\r\nContent-Length : 1\r\n\r\na",
        "HTTP/1.1 200 OK\r\n Content-Length: 1\r\n\r\na",
        "HTTP/1.1 200 OK\r\nA: b\r\n folded\r\n\r\n",
        "HTTP/1.1 200 OK\r\n: b\r\n\r\n",
        "HTTP/1.1 200 OK\r\nA: \x01\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: \r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: +1\r\n\r\na",
        "HTTP/1.1 200 OK\r\nContent-Length: 0x1\r\n\r\na",
        "HTTP/1.1 200 OK\r\nContent-Length: 1, 1\r\n\r\na",
        "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\na",
        "HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nab",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 0\r\n\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1;x=y\r\na\r\n0\r\n\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1 \r\na\r\n0\r\n\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nab\r\n0\r\n\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n\r\n0\r\n\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0000000001\r\na\r\n0\r\n\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nTrailer: x\r\n\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nmore",
    };
    for (size_t i = 0; i < sizeof TEXTS / sizeof TEXTS[0]; i++) {
        struct response response = {0};
        if (parse(TEXTS[i], false, &response) != RESPONSE_MALFORMED) {
            fail_msg("taken for a response: %s", TEXTS[i]);
        }
        builder_deinit(&response.body);
    }
}

static void too_long(void **state) {
    (void)state;
    static const char *const TEXTS[] = {
        "HTTP/1.1 200 OK\r\nContent-Length: 65537\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 99999999999999999999999999\r\n\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nffffffff\r\n",
    };
    for (size_t i = 0; i < sizeof TEXTS / sizeof TEXTS[0]; i++) {
        struct response response = {0};
        assert_int_equal(parse(TEXTS[i], false, &response), RESPONSE_TOO_LONG);
        builder_deinit(&response.body);
    }
    static uint8_t bytes[LIMIT_WITNESS_BYTES + 1];
    struct response response = {0};
    builder_init(&response.body, LIMIT_WITNESS_BYTES);
    memset(bytes, 'x', sizeof bytes);
    assert_int_equal(response_parse(slice_of(bytes, sizeof bytes), false, &response),
                     RESPONSE_TOO_LONG);
    builder_deinit(&response.body);
}

/* Every beginning of a response wants more, and is malformed once no more can come. */
static void cut_short(void **state) {
    (void)state;
    static const char *const TEXTS[] = {
        "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello",
        "HTTP/1.0 409\r\nTransfer-Encoding: Chunked\r\n\r\n3\r\nhel\r\n2\r\nlo\r\n0\r\n\r\n",
    };
    for (size_t i = 0; i < sizeof TEXTS / sizeof TEXTS[0]; i++) {
        for (size_t size = 0; size < strlen(TEXTS[i]); size++) {
            struct response response = {0};
            builder_init(&response.body, LIMIT_WITNESS_BYTES);
            struct slice part = slice_of(TEXTS[i], size);
            assert_int_equal(response_parse(part, false, &response), RESPONSE_MORE);
            assert_int_equal(response_parse(part, true, &response), RESPONSE_MALFORMED);
            builder_deinit(&response.body);
        }
    }
}

static void whole(void **state) {
    (void)state;
    static const struct {
        const char *text;
        bool at_end;
        unsigned status;
        bool is_size;
    } ROWS[] = {
        {"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello", false, 200, false},
        {"HTTP/1.1 200\r\ncontent-LENGTH:5\t\r\nX-Any: \xc3\xa4\r\n\r\nhello", false, 200, false},
        {"HTTP/1.0 409 \r\nTransfer-Encoding: chunked\r\nContent-Type: text/x.tlog.size\r\n\r\n"
         "3\r\nhel\r\n2\r\nlo\r\n0\r\n\r\n",
         false, 409, true},
        {"HTTP/1.1 302 Found\r\nContent-Type: text/x.tlog.size2\r\n\r\nhello", true, 302, false},
    };
    for (size_t i = 0; i < sizeof ROWS / sizeof ROWS[0]; i++) {
        struct response response = {0};
        assert_int_equal(parse(ROWS[i].text, ROWS[i].at_end, &response), RESPONSE_WHOLE);
        assert_int_equal(response.status, ROWS[i].status);
        assert_int_equal(response.is_size, ROWS[i].is_size);
        assert_true(slice_equal(builder_slice(&response.body), SLICE_LITERAL("hello")));
        builder_deinit(&response.body);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(malformed),
        cmocka_unit_test(too_long),
        cmocka_unit_test(cut_short),
        cmocka_unit_test(whole),
    };
    return cmocka_run_group_tests(tests, nullptr, nullptr);
}
