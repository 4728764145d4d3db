/* SPDX-License-Identifier: Apache-2.0 */
#include "codec/text.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

static void assert_builds(void (*write)(struct slice, struct builder *), struct slice in,
                          const char *expected) {
    struct builder out;
    builder_init(&out, 4096);
    write(in, &out);
    assert_string_equal(builder_c_string(&out), expected);
    builder_deinit(&out);
}

static bool unbase64(const char *text) {
    struct builder out;
    builder_init(&out, 4096);
    bool fits = text_unbase64(slice_of_string(text), &out);
    builder_deinit(&out);
    return fits;
}

/* RFC 4648, section 10. */
static void base64_vectors(void **state) {
    (void)state;
    assert_builds(text_base64, SLICE_LITERAL(""), "");
    assert_builds(text_base64, SLICE_LITERAL("f"), "Zg==");
    assert_builds(text_base64, SLICE_LITERAL("fo"), "Zm8=");
    assert_builds(text_base64, SLICE_LITERAL("foo"), "Zm9v");
    assert_builds(text_base64, SLICE_LITERAL("foobar"), "Zm9vYmFy");
    assert_builds(text_base64, SLICE_LITERAL("\xff\xfe\xfd"), "//79");
}

static void only_canonical_base64_is_read(void **state) {
    (void)state;
    assert_true(unbase64(""));
    assert_true(unbase64("Zg=="));
    static const char *const BAD[] = {"Z",    "Zg",     "Zg=",   "Zh==", "Zm9=", "====", "Zg==Zg==",
                                      "Z===", "Zm9v\n", " Zm9v", "Zm-v", "Zm_v", "=m9v", "Zg=A"};
    for (size_t i = 0; i < sizeof BAD / sizeof BAD[0]; i++) {
        assert_false(unbase64(BAD[i]));
    }
}

static void what_base64_writes_it_reads(void **state) {
    (void)state;
    uint8_t bytes[256];
    for (size_t i = 0; i < sizeof bytes; i++) {
        bytes[i] = (uint8_t)(255 - i);
    }
    for (size_t size = 0; size <= sizeof bytes; size++) {
        struct builder text;
        struct builder back;
        builder_init(&text, 1024);
        builder_init(&back, 1024);
        text_base64(slice_of(bytes, size), &text);
        assert_true(text_unbase64(builder_slice(&text), &back));
        assert_true(slice_equal(builder_slice(&back), slice_of(bytes, size)));
        builder_deinit(&text);
        builder_deinit(&back);
    }
}

static bool unbase64url(const char *text) {
    uint8_t bytes[64];
    size_t size;
    return text_unbase64url(slice_of_string(text), bytes, sizeof bytes, &size);
}

static void only_canonical_base64url_is_read(void **state) {
    (void)state;
    assert_builds(text_base64url, SLICE_LITERAL("f"), "Zg");
    assert_builds(text_base64url, SLICE_LITERAL("fo"), "Zm8");
    assert_builds(text_base64url, SLICE_LITERAL("\xff\xfe\xfd\xfb\xf0"), "__79-_A");
    assert_true(unbase64url(""));
    assert_true(unbase64url("Zg"));
    assert_true(unbase64url("Zm-_"));
    static const char *const BAD[] = {
        "Z",    "Zh",    "Zm9",    "Zg==",  "Zm8=", "Zm9vZ", "Zm+v",
        "Zm/v", " Zm9v", "Zm9v\n", "Zm9v ", "====", "Zgh",   "Zm9vZh"};
    for (size_t i = 0; i < sizeof BAD / sizeof BAD[0]; i++) {
        assert_false(unbase64url(BAD[i]));
    }
}

static void base64url_reads_what_it_writes_and_no_more_than_fits(void **state) {
    (void)state;
    uint8_t bytes[256];
    uint8_t back[256];
    for (size_t i = 0; i < sizeof bytes; i++) {
        bytes[i] = (uint8_t)(255 - i);
    }
    for (size_t size = 0; size <= sizeof bytes; size++) {
        struct builder text;
        size_t decoded = SIZE_MAX;
        builder_init(&text, 1024);
        text_base64url(slice_of(bytes, size), &text);
        assert_true(text_unbase64url(builder_slice(&text), back, size, &decoded));
        assert_true(slice_equal(slice_of(back, decoded), slice_of(bytes, size)));
        assert_true(size == 0 || !text_unbase64url(builder_slice(&text), back, size - 1, &decoded));
        builder_deinit(&text);
    }
}

static void hex_is_exact(void **state) {
    (void)state;
    uint8_t two[2];
    assert_builds(text_hex, SLICE_LITERAL("\x00\xab\xff"), "00abff");
    assert_true(text_unhex(SLICE_LITERAL("aBfF"), two, 2));
    assert_int_equal(two[0] << 8 | two[1], 0xabff);
    assert_false(text_unhex(SLICE_LITERAL("abf"), two, 2));
    assert_false(text_unhex(SLICE_LITERAL("abffa"), two, 2));
    assert_false(text_unhex(SLICE_LITERAL("abff00"), two, 2));
    assert_false(text_unhex(SLICE_LITERAL("abfg"), two, 2));
}

static void utf8_is_the_shortest_form_only(void **state) {
    (void)state;
    static const char *const GOOD[] = {"",
                                       "a",
                                       "\xc3\xa9",
                                       "\xe2\x80\x94",
                                       "\xf0\x9f\x8c\xb6",
                                       "\xf4\x8f\xbf\xbf",
                                       "\xed\x9f\xbf",
                                       "\xee\x80\x80"};
    static const char *const BAD[] = {"\x80",         "\xc3",
                                      "\xc0\xaf",     "\xc1\xbf",
                                      "\xe0\x80\xaf", "\xed\xa0\x80",
                                      "\xed\xbf\xbf", "\xf4\x90\x80\x80",
                                      "\xf5\x80\x80", "\xf0\x80\x80\x80",
                                      "\xe2\x80",     "\xfe",
                                      "a\xff"};
    for (size_t i = 0; i < sizeof GOOD / sizeof GOOD[0]; i++) {
        assert_true(text_is_utf8(slice_of_string(GOOD[i])));
    }
    for (size_t i = 0; i < sizeof BAD / sizeof BAD[0]; i++) {
        assert_false(text_is_utf8(slice_of_string(BAD[i])));
    }
}

static void what_is_escaped_cannot_move_a_cursor(void **state) {
    (void)state;
    assert_builds(text_escape, SLICE_LITERAL("plain \xc3\xa9"), "plain \xc3\xa9");
    assert_builds(text_escape, SLICE_LITERAL("a\nb\tc\\d"), "a\\nb\\tc\\\\d");
    assert_builds(text_escape, SLICE_LITERAL("\x1b[2J\x7f\x00"), "\\x1b[2J\\x7f\\x00");
    assert_builds(text_escape, SLICE_LITERAL("\xff\xc3"), "\\xff\\xc3");
    /* U+009B is CSI in one character; U+202E turns the direction of what follows. */
    assert_builds(text_escape, SLICE_LITERAL("\xc2\x9b\xe2\x80\xae"), "\\xc2\\x9b\\xe2\\x80\\xae");
}

static void assert_short(struct slice bytes, size_t size, const char *expected) {
    struct builder out;
    builder_init(&out, 64);
    builder_text(&out, "> ");
    text_escape_short(bytes, size, &out);
    assert_string_equal(builder_c_string(&out) + 2, expected);
    builder_deinit(&out);
}

static void what_is_cut_short_is_still_utf8(void **state) {
    (void)state;
    assert_short(SLICE_LITERAL(""), 3, "");
    assert_short(SLICE_LITERAL("abc"), 3, "abc");
    assert_short(SLICE_LITERAL("abcd"), 3, "abc...");
    assert_short(SLICE_LITERAL("ab\xc3\xa9"), 4, "ab\xc3\xa9");
    assert_short(SLICE_LITERAL("ab\xc3\xa9"), 3, "ab...");
    assert_short(SLICE_LITERAL("a\nb"), 2, "a...");
    assert_short(SLICE_LITERAL("a"), 0, "...");
}

static void what_was_escaped_comes_back(void **state) {
    (void)state;
    static const char bytes[] = "a\\n\n\t\xff\xc3\xa9\x1b\xe2\x80\xae\\x41 end";
    struct builder escaped, back;
    builder_init(&escaped, 256);
    builder_init(&back, 256);
    text_escape(SLICE_LITERAL(bytes), &escaped);
    assert_true(text_unescape(builder_slice(&escaped), &back));
    assert_true(slice_equal(builder_slice(&back), SLICE_LITERAL(bytes)));
    static const char *const wrong[] = {"a\\", "\\x", "\\x4", "\\xg1", "\\q", "ok\\\\\\"};
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        builder_reset(&back);
        assert_false(text_unescape(slice_of_string(wrong[i]), &back));
    }
    builder_deinit(&escaped);
    builder_deinit(&back);
}

static void plain_is_what_shows_as_it_is(void **state) {
    (void)state;
    static const char *const plain[] = {"", "a b\\c", "caf\u00e9 \u4e2d"};
    static const char *const other[] = {"a\n",    "\t",     "\x1b[2J", "\x7f", "\xc2\x9b",
                                        "\u202e", "\u200b", "\u2028",  "\xff", "\xed\xa0\x80"};
    for (size_t i = 0; i < sizeof plain / sizeof plain[0]; i++) {
        assert_true(text_is_plain(slice_of_string(plain[i])));
    }
    for (size_t i = 0; i < sizeof other / sizeof other[0]; i++) {
        assert_false(text_is_plain(slice_of_string(other[i])));
    }
    assert_false(text_is_plain(SLICE_LITERAL("a\0b")));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(plain_is_what_shows_as_it_is),
        cmocka_unit_test(what_is_cut_short_is_still_utf8),
        cmocka_unit_test(base64_vectors),
        cmocka_unit_test(only_canonical_base64_is_read),
        cmocka_unit_test(what_base64_writes_it_reads),
        cmocka_unit_test(only_canonical_base64url_is_read),
        cmocka_unit_test(base64url_reads_what_it_writes_and_no_more_than_fits),
        cmocka_unit_test(hex_is_exact),
        cmocka_unit_test(utf8_is_the_shortest_form_only),
        cmocka_unit_test(what_is_escaped_cannot_move_a_cursor),
        cmocka_unit_test(what_was_escaped_comes_back),
    };
    return cmocka_run_group_tests_name("text", tests, nullptr, nullptr);
}
