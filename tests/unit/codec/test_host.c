/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "codec/host.h"

static void spellings_that_are_refused(void **state) {
    (void)state;
    static const char *const TEXTS[] = {
        "",
        "example.com.",
        ".example.com",
        "a..b",
        "-a.b",
        "a-.b",
        "exa mple",
        "a/b",
        "a@b",
        "a:b",
        "ex%61mple",
        "a%2eb",
        "b\xc3\xbc",
        "a\tb",
        "a\rb",
        "a\nb",
        "[::1]",
        "2130706433",
        "0x7f000001",
        "017700000001",
        "0x7f.1",
        "127.1",
        "127.0.1",
        "0177.0.0.1",
        "127.0.0.01",
        "1.2.3.4.5",
        "256.1.1.1",
        "1.2.3.256",
        "a.1",
        "a.0x1f",
        "a.0x",
        "127.0.0.1.",
        "::g",
        "1::2::3",
        "fe80::1%lo",
        "::ffff:1.2.3",
        "*.example",
        "*",
        "a*b",
        "exam\\ple",
        "a,b",
        "http://a",
    };
    struct host host;
    for (size_t i = 0; i < sizeof TEXTS / sizeof TEXTS[0]; i++) {
        if (host_parse(slice_of_string(TEXTS[i]), false, &host) == nullptr) {
            fail_msg("\"%s\" was taken for %s", TEXTS[i], host.text);
        }
    }
    assert_non_null(host_parse(slice_of("a\0b", 3), false, &host));
    assert_non_null(host_parse(slice_of("127.0.0.1\0", 10), false, &host));
    char label[70];
    memset(label, 'a', sizeof label);
    assert_non_null(host_parse(slice_of(label, 64), false, &host));
    assert_null(host_parse(slice_of(label, 63), false, &host));
    char whole[256];
    memset(whole, 'a', sizeof whole);
    for (size_t i = 63; i < sizeof whole; i += 64) {
        whole[i] = '.';
    }
    assert_non_null(host_parse(slice_of(whole, 254), false, &host));
    assert_null(host_parse(slice_of(whole, 253), false, &host));
}

static void one_form_of_each(void **state) {
    (void)state;
    static const struct {
        const char *text, *form;
        bool bracketed, is_address;
    } ROWS[] = {
        {"Example.COM", "example.com", false, false},
        {"a", "a", false, false},
        {"xn--bcher-kva.example", "xn--bcher-kva.example", false, false},
        {"_dmarc.a-b", "_dmarc.a-b", true, false},
        {"127.0.0.1", "127.0.0.1", true, true},
        {"0.0.0.0", "0.0.0.0", false, true},
        {"::1", "::1", false, true},
        {"[::1]", "::1", true, true},
        {"[0:0::0:1]", "::1", true, true},
        {"FE80::A", "fe80::a", false, true},
        {"[::ffff:1.2.3.4]", "::ffff:1.2.3.4", true, true},
        {"a.0xg", "a.0xg", false, false},
        {"1.2.3.a4", "1.2.3.a4", false, false},
    };
    for (size_t i = 0; i < sizeof ROWS / sizeof ROWS[0]; i++) {
        struct host host;
        const char *wrong = host_parse(slice_of_string(ROWS[i].text), ROWS[i].bracketed, &host);
        if (wrong != nullptr) {
            fail_msg("\"%s\": %s", ROWS[i].text, wrong);
        }
        assert_string_equal(host.text, ROWS[i].form);
        assert_int_equal(host.is_address, ROWS[i].is_address);
    }
}

static void authorities(void **state) {
    (void)state;
    static const char *const BAD[] = {
        "a",     "a:",        ":80",           "a:0",       "a:65536", "a:+80",  "a:080",
        "a:8 0", "a:80:80",   "::1:80",        "[::1]",     "[::1]:",  "[a]:80", "[1.2.3.4]:80",
        "a:80 ", "[::1]x:80", "a:99999999999", "user@a:80", ""};
    struct host host;
    uint16_t port;
    for (size_t i = 0; i < sizeof BAD / sizeof BAD[0]; i++) {
        if (host_parse_authority(slice_of_string(BAD[i]), 0, &host, &port) == nullptr) {
            fail_msg("\"%s\" was taken", BAD[i]);
        }
    }
    assert_null(host_parse_authority(SLICE_LITERAL("A.b:443"), 0, &host, &port));
    assert_string_equal(host.text, "a.b");
    assert_int_equal(port, 443);
    assert_null(host_parse_authority(SLICE_LITERAL("[::1]:8080"), 0, &host, &port));
    assert_string_equal(host.text, "::1");
    assert_int_equal(port, 8080);
    assert_null(host_parse_authority(SLICE_LITERAL("[::1]"), 80, &host, &port));
    assert_int_equal(port, 80);
    assert_null(host_parse_authority(SLICE_LITERAL("a.b"), 80, &host, &port));
    assert_int_equal(port, 80);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(spellings_that_are_refused),
        cmocka_unit_test(one_form_of_each),
        cmocka_unit_test(authorities),
    };
    return cmocka_run_group_tests(tests, nullptr, nullptr);
}
