/* SPDX-License-Identifier: Apache-2.0 */
#include "codec/frame.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static void what_is_cut_short_needs_more(void **state) {
    (void)state;
    const uint8_t frame[] = {0, 0, 0, 3, 'a', 'b', 'c', 'd'};
    struct slice body = {};
    for (size_t size = 0; size < 7; size++) {
        assert_int_equal(frame_decode(slice_of(frame, size), 3, &body), FRAME_PARTIAL);
    }
    assert_int_equal(frame_decode(slice_of(frame, 7), 3, &body), FRAME_WHOLE);
    assert_true(slice_equal(body, SLICE_LITERAL("abc")));
    assert_int_equal(frame_decode(slice_of(frame, 8), 3, &body), FRAME_WHOLE);
    assert_int_equal(body.size, 3); /* what lies behind is not part of it */
}

static void what_is_too_long_is_refused_by_its_length_alone(void **state) {
    (void)state;
    struct slice body = {};
    assert_int_equal(frame_decode(SLICE_LITERAL("\0\0\0\4"), 3, &body), FRAME_TOO_LONG);
    assert_int_equal(frame_decode(SLICE_LITERAL("\xff\xff\xff\xff"), 1 << 24, &body),
                     FRAME_TOO_LONG);
    assert_int_equal(frame_decode(SLICE_LITERAL("\0\1\0\0"), 65535, &body), FRAME_TOO_LONG);
    assert_int_equal(frame_decode(SLICE_LITERAL("\0\1\0\0"), 65536, &body), FRAME_PARTIAL);
    assert_int_equal(frame_decode(SLICE_LITERAL("\0\0\0\0"), 0, &body), FRAME_WHOLE);
    assert_int_equal(body.size, 0);
}

static void a_request_is_a_frame_of_canonical_json(void **state) {
    (void)state;
    struct builder out;
    struct slice body = {};
    struct json *params = json_object_new();
    json_set_integer(params, "n", 1);
    builder_init(&out, 1024);
    frame_encode_request(
        &(struct frame_request){.id = "7", .method = "a.b", .body_bytes_max = 1000}, params, &out);
    assert_int_equal(frame_decode(builder_slice(&out), 1000, &body), FRAME_WHOLE);
    assert_int_equal(builder_slice(&out).size, body.size + FRAME_HEADER_BYTES);
    assert_true(
        slice_equal(body, SLICE_LITERAL("{\"id\":\"7\",\"method\":\"a.b\",\"params\":{\"n\":1},"
                                        "\"type\":\"request\"}")));
    builder_reset(&out);
    frame_encode_request(&(struct frame_request){.id = "7", .method = "a.b", .body_bytes_max = 20},
                         json_object_new(), &out);
    assert_false(builder_is_ok(&out));
    builder_deinit(&out);
}

static void refused(const char *text, const char *why) {
    struct error err = {};
    struct json *message = nullptr;
    const struct json *result = nullptr;
    assert_int_equal(frame_parse_response(slice_of_string(text), "7", &message, &result, &err).code,
                     ERROR_BAD_ENCODING);
    assert_null(message);
    assert_null(result);
    if (strstr(err.message, why) == nullptr) {
        fail_msg("\"%s\" does not say \"%s\"", err.message, why);
    }
}

static void only_the_answer_to_the_question_is_one(void **state) {
    (void)state;
    refused("", "response");
    refused("nonsense", "response");
    refused("[]", "type");
    refused("{\"id\":\"7\",\"result\":{}}", "type");
    refused("{\"id\":\"7\",\"type\":\"request\",\"result\":{}}", "type");
    refused("{\"id\":\"7\",\"type\":7,\"result\":{}}", "type");
    refused("{\"type\":\"response\",\"result\":{}}", "id");
    refused("{\"id\":\"8\",\"type\":\"response\",\"result\":{}}", "id");
    refused("{\"id\":7,\"type\":\"response\",\"result\":{}}", "id");
    refused("{\"id\":\"7\",\"type\":\"response\"}", "result");
    refused("{\"id\":\"7\",\"type\":\"response\",\"result\":\"allow\"}", "result");
    refused("{\"id\":\"7\",\"type\":\"response\",\"result\":{},\"x\":1}", "key");
    refused("{\"id\":\"7\",\"id\":\"7\",\"type\":\"response\",\"result\":{}}", "");
}

static void an_answer_gives_its_result(void **state) {
    (void)state;
    struct error err = {};
    struct json *message = nullptr;
    const struct json *result = nullptr;
    assert_int_equal(
        frame_parse_response(
            SLICE_LITERAL("{\"type\":\"response\",\"result\":{\"a\":\"b\"},\"id\":\"7\"}"), "7",
            &message, &result, &err)
            .code,
        0);
    assert_string_equal(json_get_text(result, "a"), "b");
    json_free(message);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_cut_short_needs_more),
        cmocka_unit_test(what_is_too_long_is_refused_by_its_length_alone),
        cmocka_unit_test(a_request_is_a_frame_of_canonical_json),
        cmocka_unit_test(only_the_answer_to_the_question_is_one),
        cmocka_unit_test(an_answer_gives_its_result),
    };
    return cmocka_run_group_tests(tests, nullptr, nullptr);
}
