/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "witness/protocol.h"

static void encode_reply(const char *text, struct builder *out) {
    const struct witness_reply reply = {
        .outcome = WITNESS_ANSWERED,
        .os_errno = 7,
        .status = 409,
        .is_size = true,
        .text = text,
        .body = SLICE_LITERAL("12\n"),
    };
    builder_init(out, WITNESS_REPLY_BYTES);
    assert_true(witness_reply_encode(&reply, out));
}

static void bad_replies(void **state) {
    (void)state;
    struct builder bytes;
    struct witness_reply reply;
    encode_reply("why", &bytes);
    for (size_t size = 0; size < bytes.size; size++) {
        assert_false(witness_reply_decode(slice_of(bytes.data, size), &reply));
    }
    bytes.data[0] = 0;
    assert_false(witness_reply_decode(builder_slice(&bytes), &reply));
    bytes.data[0] = WITNESS_OUTCOME_COUNT;
    assert_false(witness_reply_decode(builder_slice(&bytes), &reply));
    bytes.data[0] = WITNESS_ANSWERED;
    bytes.data[12] = 2;
    assert_false(witness_reply_decode(builder_slice(&bytes), &reply));
    bytes.data[12] = 1;
    assert_true(witness_reply_decode(builder_slice(&bytes), &reply));
    builder_u8(&bytes, 0);
    assert_false(witness_reply_decode(builder_slice(&bytes), &reply));
    builder_deinit(&bytes);
    encode_reply("\x1b[2J", &bytes);
    assert_false(witness_reply_decode(builder_slice(&bytes), &reply));
    builder_deinit(&bytes);
}

static void bad_requests(void **state) {
    (void)state;
    static uint8_t body[WITNESS_BODY_BYTES + 1];
    char url[WITNESS_URL_BYTES + 1] = {0};
    struct builder bytes;
    struct witness_request request = {.url = url, .ca = "", .body = slice_of(body, sizeof body)};
    builder_init(&bytes, WITNESS_REQUEST_BYTES);
    assert_false(witness_request_encode(&request, &bytes));
    request.body.size--;
    memset(url, 'u', WITNESS_URL_BYTES);
    assert_false(witness_request_encode(&request, &bytes));
    url[WITNESS_URL_BYTES - 1] = '\0';
    assert_true(witness_request_encode(&request, &bytes));
    assert_false(witness_request_decode(slice_of(bytes.data, bytes.size - 1), &request));
    bytes.data[0] ^= 1;
    assert_false(witness_request_decode(builder_slice(&bytes), &request));
    builder_deinit(&bytes);
}

static void round_trip(void **state) {
    (void)state;
    struct builder bytes;
    struct witness_reply reply;
    encode_reply("why", &bytes);
    assert_true(witness_reply_decode(builder_slice(&bytes), &reply));
    assert_int_equal(reply.os_errno, 7);
    assert_int_equal(reply.status, 409);
    assert_true(reply.is_size);
    assert_string_equal(reply.text, "why");
    assert_true(slice_equal(reply.body, SLICE_LITERAL("12\n")));
    builder_reset(&bytes);
    struct witness_request request = {"http://a", "/ca", SLICE_LITERAL("old 0\n")};
    assert_true(witness_request_encode(&request, &bytes));
    struct witness_request got;
    assert_true(witness_request_decode(builder_slice(&bytes), &got));
    assert_string_equal(got.url, "http://a");
    assert_string_equal(got.ca, "/ca");
    assert_true(slice_equal(got.body, request.body));
    builder_deinit(&bytes);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bad_replies),
        cmocka_unit_test(bad_requests),
        cmocka_unit_test(round_trip),
    };
    return cmocka_run_group_tests(tests, nullptr, nullptr);
}
