/* SPDX-License-Identifier: Apache-2.0 */
#include <arpa/inet.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "witness/url.h"

static void refused(void **state) {
    (void)state;
    static const char *const TEXTS[] = {
        "",
        "witness.example",
        "ftp://witness.example/",
        "HTTP://witness.example/",
        "https://",
        "https:///path",
        "https://a b/",
        "https://a/b c",
        "https://me@witness.example/",
        "https://witness.example/?a=b",
        "https://witness.example/#a",
        "https://witness.example:/",
        "https://witness.example:0/",
        "https://witness.example:65536/",
        "https://witness.example:443443/",
        "https://witness.example:+1/",
        "https://[::1/",
        "https://[::1]x/",
        "https://::1/",
        "https://[127.0.0.1]/",
        "https://[witness]/",
        "https://wit\r\nness/",
        "https://w\xc3\xa4/",
    };
    for (size_t i = 0; i < sizeof TEXTS / sizeof TEXTS[0]; i++) {
        struct url url;
        if (url_parse(TEXTS[i], &url)) {
            fail_msg("taken for an address: %s", TEXTS[i]);
        }
    }
    char longest[URL_BYTES_MAX + 1] = "http://";
    struct url url;
    memset(longest + 7, 'a', URL_BYTES_MAX - 7);
    assert_false(url_parse(longest, &url));
    longest[URL_BYTES_MAX - 1] = '\0';
    assert_true(url_parse(longest, &url));
}

static void taken_apart(void **state) {
    (void)state;
    struct url url;
    assert_true(url_parse("https://Witness.Example/base//", &url));
    assert_true(url.is_tls && !url.is_literal);
    assert_int_equal(url.port, 443);
    assert_string_equal(url.host, "witness.example");
    assert_string_equal(url.path, "/base");
    assert_true(url_parse("http://[::1]:8080", &url));
    assert_true(!url.is_tls && url.is_literal);
    assert_int_equal(url.port, 8080);
    assert_string_equal(url.host, "::1");
    assert_string_equal(url.authority, "[::1]:8080");
    assert_string_equal(url.path, "");
}

static const char HOSTS[] = "# 10.0.0.9 witness.example\n"
                            "\n"
                            "nonsense witness.example\n"
                            "10.0.0.1 other # witness.example\n"
                            "\t10.0.0.2\tx  Witness.Example y\n"
                            "10.0.0.3 witness.example\n"
                            "::2 six";

static void resolves_as(const char *text, struct slice hosts, const char *expected) {
    struct url url;
    struct url_address address;
    char got[INET6_ADDRSTRLEN] = "";
    assert_true(url_parse(text, &url));
    bool is_known = url_resolve(&url, hosts, &address);
    if (is_known && address.any.sa_family == AF_INET) {
        assert_non_null(inet_ntop(AF_INET, &address.v4.sin_addr, got, sizeof got));
        assert_int_equal(ntohs(address.v4.sin_port), url.port);
    } else if (is_known) {
        assert_non_null(inet_ntop(AF_INET6, &address.v6.sin6_addr, got, sizeof got));
        assert_int_equal(ntohs(address.v6.sin6_port), url.port);
    }
    assert_string_equal(got, expected);
}

static void resolved(void **state) {
    (void)state;
    struct slice hosts = SLICE_LITERAL(HOSTS);
    resolves_as("http://unknown.example/", hosts, "");
    resolves_as("http://witness.exampl/", hosts, "");
    resolves_as("http://witness.example/", slice_of(nullptr, 0), "");
    resolves_as("http://witness.example:81/", hosts, "10.0.0.2");
    resolves_as("http://six/", hosts, "::2");
    resolves_as("http://localhost/", hosts, "127.0.0.1");
    resolves_as("http://192.0.2.1/", hosts, "192.0.2.1");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(refused),
        cmocka_unit_test(taken_apart),
        cmocka_unit_test(resolved),
    };
    return cmocka_run_group_tests(tests, nullptr, nullptr);
}
