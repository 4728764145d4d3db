/* SPDX-License-Identifier: Apache-2.0 */
#include "evidence_kit.h"

#include "enclave/attest.h"

#define NONCE "6e6e6e6e6e6e6e6e6e6e6e6e6e6e6e6e6e6e6e6e6e6e6e6e6e6e6e6e6e6e6e6e" /* the kit's */
#define GET "GET /attestation/quote?nonce=" NONCE " HTTP/1.1\r\n"

static struct kit kit;
static struct attest_context context;
static struct builder response;

static int set_up(void **state) {
    (void)state;
    kit_make(&kit);
    context = (struct attest_context){
        .binding = kit.binding,
        .provider = &kit.provider,
        .leaf = kit.leaf,
    };
    context.binding.nonce = slice_of(nullptr, 0);
    builder_init(&response, 2 * LIMIT_ATTEST_BYTES);
    return 0;
}

static int tear_down(void **state) {
    (void)state;
    builder_deinit(&response);
    kit_free(&kit);
    return 0;
}

static enum attest_result ask(const char *text) {
    builder_reset(&response);
    return attest_answer(slice_of_string(text), &context, &response);
}

static void check_status(const char *request, const char *status) {
    enum attest_result result = ask(request);
    if (result != ATTEST_ANSWERED || strncmp(builder_c_string(&response) + 9, status, 3) != 0) {
        print_message("%s\n-> %s\n", request, builder_c_string(&response));
    }
    assert_int_equal(result, ATTEST_ANSWERED);
    assert_memory_equal(builder_c_string(&response), "HTTP/1.1 ", 9);
    assert_memory_equal(builder_c_string(&response) + 9, status, 3);
}

static struct slice body(void) {
    const char *text = builder_c_string(&response);
    const char *end = strstr(text, "\r\n\r\n");
    char length[64];
    assert_non_null(end);
    (void)snprintf(length, sizeof length, "Content-Length: %zu\r\n", strlen(end + 4));
    assert_non_null(strstr(text, length));
    return slice_of_string(end + 4);
}

static void a_quote_is_for_the_connection(void **state) {
    (void)state;
    check_status(GET "Host: x\r\n\r\n", "200");
    builder_bytes(&kit.jwt, body());
    assert_int_equal(kit_verify(&kit), EVIDENCE_VERIFIED);
}

static void the_verdict_lets_no_simulation_through(void **state) {
    (void)state;
    struct builder request;
    builder_init(&request, LIMIT_ATTEST_BYTES);
    kit_token(&kit);
    builder_format(&request,
                   "POST /attestation/verify?nonce=" NONCE
                   " HTTP/1.1\r\nhost: x\r\ncontent-length: %zu\r\n\r\n",
                   kit.jwt.size);
    assert_int_equal(ask(builder_c_string(&request)), ATTEST_MORE);
    builder_bytes(&request, builder_slice(&kit.jwt));
    check_status(builder_c_string(&request), "200");
    assert_non_null(strstr(builder_c_string(&response), "\"result\":\"simulation\""));
    assert_non_null(strstr(builder_c_string(&response), "\"verified\":false"));
    request.data[request.size - 1] ^= 1;
    request.data[request.size - 9] ^= 1;
    check_status(builder_c_string(&request), "200");
    assert_null(strstr(builder_c_string(&response), "\"result\":\"simulation\""));
    builder_u8(&request, 'A'); /* more than was announced */
    check_status(builder_c_string(&request), "400");
    builder_deinit(&request);
}

static void a_request_may_come_in_pieces(void **state) {
    (void)state;
    const char request[] = GET "Host: x\r\nX-Y: \tz \r\n\r\n";
    for (size_t size = 0; size < sizeof request - 1; size++) {
        builder_reset(&response);
        assert_int_equal(attest_answer(slice_of(request, size), &context, &response), ATTEST_MORE);
        assert_int_equal(response.size, 0);
    }
    check_status(request, "200");
}

static void what_is_not_one_request_is_refused(void **state) {
    (void)state;
    static const char *const BAD[] = {
        "\r\n\r\n",
        "GET /attestation/quote?nonce=" NONCE " HTTP/1.0\r\n\r\n",
        "GET /attestation/quote?nonce=" NONCE "\r\n\r\n",
        "GET  /attestation/quote?nonce=" NONCE " HTTP/1.1\r\n\r\n",
        "GET /attestation/quote?nonce=" NONCE " HTTP/1.1 \r\n\r\n",
        GET "Host: x\nY: z\r\n\r\n",
        GET "Host: x\r\n folded\r\n\r\n",
        GET "Host : x\r\n\r\n",
        GET ": x\r\n\r\n",
        GET "Host\r\n\r\n",
        GET "Host: a\x01z\r\n\r\n",
        GET "Content-Length: 1\r\nContent-Length: 1\r\n\r\nA",
        GET "Content-Length: +1\r\n\r\nA",
        GET "Content-Length: 1 1\r\n\r\nA",
        GET "Content-Length: \r\n\r\n",
        GET "Content-Length: 9999999\r\n\r\n",
        GET "Content-Length: 999999\r\n\r\n",
        GET "Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        GET "\r\n" GET "\r\n", /* two */
        "GET /attestation/quote HTTP/1.1\r\n\r\n",
        "GET /attestation/quote?nonce= HTTP/1.1\r\n\r\n",
        "GET /attestation/quote?nonce=6e6e HTTP/1.1\r\n\r\n",
        "GET /attestation/quote?nonce=" NONCE "6 HTTP/1.1\r\n\r\n",
        "GET /attestation/quote?nonce=" NONCE NONCE "6e HTTP/1.1\r\n\r\n",
        "GET /attestation/quote?nonce=zz" NONCE " HTTP/1.1\r\n\r\n",
        "GET /attestation/quote?x=1&nonce=" NONCE " HTTP/1.1\r\n\r\n",
        "GET /attestation/quote?nonce=" NONCE "&x=1 HTTP/1.1\r\n\r\n",
    };
    for (size_t i = 0; i < sizeof BAD / sizeof BAD[0]; i++) {
        check_status(BAD[i], "400");
    }
    check_status("GET / HTTP/1.1\r\n\r\n", "404");
    check_status("GET /attestation/quotes?nonce=" NONCE " HTTP/1.1\r\n\r\n", "404");
    check_status("POST /attestation/quote?nonce=" NONCE " HTTP/1.1\r\n\r\n", "405");
    check_status("GET /attestation/verify?nonce=" NONCE " HTTP/1.1\r\n\r\n", "405");
}

static void an_endless_head_ends(void **state) {
    (void)state;
    struct builder request;
    uint64_t hits = limit_hit_count(LIMIT_ID_ATTEST_BYTES);
    builder_init(&request, LIMIT_ATTEST_BYTES);
    builder_text(&request, GET "X: ");
    while (request.size < LIMIT_ATTEST_BYTES) {
        assert_int_equal(attest_answer(builder_slice(&request), &context, &response), ATTEST_MORE);
        for (size_t i = 0; i < 1024 && request.size < LIMIT_ATTEST_BYTES; i++) {
            builder_u8(&request, 'a');
        }
    }
    assert_int_equal(attest_answer(builder_slice(&request), &context, &response), ATTEST_ANSWERED);
    assert_memory_equal(builder_c_string(&response), "HTTP/1.1 400", 12);
    assert_int_equal(limit_hit_count(LIMIT_ID_ATTEST_BYTES), hits + 1);
    builder_deinit(&request);
}

static void without_a_key_of_its_kind_there_is_no_evidence(void **state) {
    (void)state;
    context.leaf = EVP_EC_gen("P-384");
    check_status(GET "\r\n", "503");
    EVP_PKEY_free(context.leaf);
}

int main(void) {
#define ROW(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        ROW(a_quote_is_for_the_connection), ROW(the_verdict_lets_no_simulation_through),
        ROW(a_request_may_come_in_pieces),  ROW(what_is_not_one_request_is_refused),
        ROW(an_endless_head_ends),          ROW(without_a_key_of_its_kind_there_is_no_evidence),
    };
    return cmocka_run_group_tests(tests, nullptr, nullptr);
}
