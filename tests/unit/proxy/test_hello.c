/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <openssl/ssl.h>

#include "proxy/hello.h"

/* What OpenSSL's client says first; the name may be nullptr. */
static size_t client_hello(const char *name, uint8_t *ret, size_t size) {
    SSL_CTX *context = SSL_CTX_new(TLS_client_method());
    SSL *tls = SSL_new(context);
    BIO *out = BIO_new(BIO_s_mem());
    SSL_set_bio(tls, BIO_new(BIO_s_mem()), out);
    SSL_set_connect_state(tls);
    if (name != nullptr) {
        assert_int_equal(SSL_set_tlsext_host_name(tls, name), 1);
    }
    assert_int_equal(SSL_do_handshake(tls), -1);
    int got = BIO_read(out, ret, (int)size);
    assert_true(got > 100);
    SSL_free(tls);
    SSL_CTX_free(context);
    return (size_t)got;
}

static enum hello_result parse(const uint8_t *data, size_t size, struct slice *ret_name) {
    static uint8_t scratch[HELLO_BYTES_MAX];
    return hello_parse(slice_of(data, size), scratch, ret_name);
}

static void the_name_is_found_when_all_is_there(void **state) {
    (void)state;
    uint8_t bytes[8192];
    struct slice name;
    size_t size = client_hello("api.example.com", bytes, sizeof bytes);
    for (size_t i = 0; i < size; i++) {
        assert_int_equal(parse(bytes, i, &name), HELLO_MORE);
    }
    assert_int_equal(parse(bytes, size, &name), HELLO_NAME);
    assert_true(slice_equal(name, SLICE_LITERAL("api.example.com")));
    size = client_hello(nullptr, bytes, sizeof bytes);
    assert_int_equal(parse(bytes, size, &name), HELLO_NO_NAME);
}

/* The same bytes in records of one to a hundred bytes. */
static void it_may_come_in_many_records(void **state) {
    (void)state;
    uint8_t bytes[8192];
    uint8_t split[65536];
    size_t size = client_hello("a.example", bytes, sizeof bytes);
    for (size_t step = 1; step <= 100; step += 33) {
        size_t used = 0;
        for (size_t at = 5; at < size; at += step) {
            size_t part = size - at < step ? size - at : step;
            const uint8_t header[] = {22, 3, 1, 0, (uint8_t)part};
            memcpy(split + used, header, sizeof header);
            memcpy(split + used + sizeof header, bytes + at, part);
            used += sizeof header + part;
        }
        struct slice name;
        assert_int_equal(parse(split, used - 1, &name), HELLO_MORE);
        assert_int_equal(parse(split, used, &name), HELLO_NAME);
        assert_true(slice_equal(name, SLICE_LITERAL("a.example")));
    }
}

static void what_is_no_tls_is_said_so(void **state) {
    (void)state;
    static const char *const TEXTS[] = {"GET / HTTP/1.1\r\n", "SSH-2.0-x\r\n", "\x16\x02\x01\x01"};
    struct slice name;
    for (size_t i = 0; i < sizeof TEXTS / sizeof TEXTS[0]; i++) {
        assert_int_equal(parse((const uint8_t *)TEXTS[i], strlen(TEXTS[i]), &name), HELLO_NONE);
    }
    assert_int_equal(parse((const uint8_t *)"", 0, &name), HELLO_MORE);
}

static void no_flipped_bit_gives_another_whole_name(void **state) {
    (void)state;
    uint8_t bytes[8192];
    struct slice name;
    size_t size = client_hello("a.example", bytes, sizeof bytes);
    for (size_t bit = 0; bit < 8 * size; bit++) {
        bytes[bit / 8] ^= (uint8_t)(1u << bit % 8);
        if (parse(bytes, size, &name) == HELLO_NAME) {
            assert_true(name.size > 0 && name.size < size);
        }
        bytes[bit / 8] ^= (uint8_t)(1u << bit % 8);
    }
}

static void two_names_are_malformed(void **state) {
    (void)state;
    /* record, handshake, version, random, no session, one suite, one compression */
    uint8_t hello[128] = {22, 3, 1, 0, 0, 1, 0, 0, 0, 3, 3};
    const uint8_t rest[] = {0, 0,   2,   0x13, 1, 1, 0, 0, 24, 0, 0, 0, 8, 0,   6,   0,  0,
                            3, 'a', '.', 'b',  0, 0, 0, 8, 0,  6, 0, 0, 3, 'c', '.', 'd'};
    size_t size = 11 + 32 + sizeof rest;
    memcpy(hello + 43, rest, sizeof rest);
    hello[4] = (uint8_t)(size - 5);
    hello[8] = (uint8_t)(size - 9);
    struct slice name;
    assert_int_equal(parse(hello, size, &name), HELLO_MALFORMED);
    hello[43 + 8] = 12; /* only the first one */
    hello[4] -= 12;
    hello[8] -= 12;
    assert_int_equal(parse(hello, size - 12, &name), HELLO_NAME);
    assert_true(slice_equal(name, SLICE_LITERAL("a.b")));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_name_is_found_when_all_is_there),
        cmocka_unit_test(it_may_come_in_many_records),
        cmocka_unit_test(what_is_no_tls_is_said_so),
        cmocka_unit_test(no_flipped_bit_gives_another_whole_name),
        cmocka_unit_test(two_names_are_malformed),
    };
    return cmocka_run_group_tests(tests, nullptr, nullptr);
}
