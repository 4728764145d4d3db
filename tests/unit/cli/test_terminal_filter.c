/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/terminal_filter.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { TEXT_MAX = 4096 };

/* Feeds `input` in pieces of `piece` bytes and compares what came out. */
static void assert_filtered(const char *input, size_t piece, const char *expected) {
    struct terminal_filter filter;
    terminal_filter_init(&filter);
    static uint8_t out[2 * TEXT_MAX + 1024];
    size_t size = strlen(input);
    size_t length = 0;
    for (size_t i = 0; i < size; i += piece) {
        size_t now = size - i < piece ? size - i : piece;
        length += terminal_filter_feed(&filter, (const uint8_t *)input + i, now, out + length);
    }
    out[length] = '\0';
    assert_string_equal((const char *)out, expected);
}

static void assert_all_splits(const char *input, const char *expected) {
    for (size_t piece = 1; piece <= strlen(input); piece++) {
        assert_filtered(input, piece, expected);
    }
}

static void honest_output_passes_unchanged(void **state) {
    (void)state;
    static const char *const same[] = {
        "plain text\r\n",
        "\033[1;31mred\033[0m",
        "\033[2J\033[H\033[?1049h\033[?25l",
        "\033]0;a title\007after",
        "\033]8;;https://example.com\033\\link\033]8;;\033\\",
        "\033(B\033)0\0337\0338\033=",
        "\033[4 q\033[!p\033[3;4r\033[2;5$x",
        "\033[22;0t\033[8;24;80t",
        "\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80", /* continuation bytes look like 8-bit controls */
        "\xc3\x9d\xc2\xa0",
        "\xe0\xa4\x85\xef\xbf\xbd\xf4\x8f\xbf\xbf\xc2\xb0",
    };
    for (size_t i = 0; i < sizeof same / sizeof same[0]; i++) {
        assert_all_splits(same[i], same[i]);
    }
}

static void what_acts_on_the_terminal_is_dropped(void **state) {
    (void)state;
    static const struct {
        const char *input, *expected;
    } rows[] = {
        {"a\033]52;c;c2VjcmV0\007b", "ab"},
        {"a\033]52;c;c2VjcmV0\033\\b", "ab"},
        {"a\033]052;c;?\007b", "ab"},
        {"a\033]10;?\007b", "ab"},
        {"a\033]4;1;?\033\\b", "ab"},
        {"a\033]1337;File=x\007b", "ab"},
        {"a\033]\007b", "ab"},
        {"a\033]x;y\007b", "ab"},
        {"a\033]0\005"
         "52;c;x\007b",
         "ab"}, /* digits must not join once a control is gone */
        {"a\033Pqsixel\033\\b", "ab"},
        {"a\033P$qm\033\\b", "ab"},
        {"a\033_apc\033\\b\033^pm\033\\c\033Xsos\033\\d", "abcd"},
        {"a\033[cb\033[>cb\033[=cb", "abbb"},
        {"a\033[6nb\033[?6nb\033[5nb", "abbb"},
        {"a\033[?1$pb\033[4$pb", "abb"},
        {"a\033[>qb\033[?ub\033[21tb\033[18tb", "abbbb"},
        {"a\033Zb\005c", "abc"},
        {"a\x9d"
         "52;c;x\007b",
         "a52;c;x\007b"}, /* the introducer is gone, so it is only text */
        {"a\x9b"
         "6nb",
         "a6nb"},
        {"a\033\033]52;c;x\007b", "ab"},
        {"a\033]0;t\033]52;c;x\007b", "a\033]0;t\007b"},
        {"a\033]0;t\x9c\x9d"
         "52;c;x\007b",
         "a\033]0;t52;c;x\007b"},
        {"a\033P\033]52;c;x\007b", "ab"},
        {"a\033[\005"
         "6nb",
         "ab"},
        {"a\033]52;c;\030b", "a\030b"},
        /* The eight-bit forms again, encoded in UTF-8, also in a long form. */
        {"a\xc2\x9d"
         "52;c;x\007b",
         "a52;c;x\007b"},
        {"a\xc2\x9b"
         "6nb",
         "a6nb"},
        {"a\xc2\xc2\x9b"
         "6nb",
         "a6nb"},
        {"a\xe0\x82\x9b"
         "6nb",
         "a\xe0"
         "6nb"},
        {"a\xf0\x80\x82\x9b"
         "6nb",
         "a\xf0"
         "6nb"},
        {"a\033]0;t\xc2\x9c\007b", "a\033]0;t\007b"},
        /* Terminals ignore DEL inside of a sequence. */
        {"a\033\177]52;c;x\007b", "ab"},
        {"a\033[?1$\177pb", "ab"},
        {"a\033[\177>qb", "ab"},
        {"a\033(\177\177Bb", "a\033(Bb"},
        /* Out of UTF-8, where the second byte of a character is a control. */
        {"a\033%@b\033%Gc", "abc"},
        /* Printing, and the rarer questions. */
        {"a\033[5ib\033[?4ic", "abc"},
        {"a\033[&ub\033[2$uc\033[?4md", "abcd"},
        {"a\033[#Rb\033[1#|c\033['|d\033[\"ve", "abcde"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        assert_all_splits(rows[i].input, rows[i].expected);
    }
}

static void long_sequences_are_swallowed(void **state) {
    (void)state;
    char input[TEXT_MAX] = "a\033[";
    memset(input + 3, '1', 1000);
    strcpy(input + 1003, "6nb");
    assert_filtered(input, 7, "ab");
    assert_filtered(input, TEXT_MAX, "ab");
}

/* Whatever comes in, no request for an answer and no clipboard write comes out, and the room that
 * is promised is enough. A fixed seed: the same bytes every time. */
static void noise_never_gets_a_query_through(void **state) {
    (void)state;
    static const char alphabet[] =
        "\033\033\033]][[P52;;c?cn6x$p\007\\\x9b\x9d\x9c\x18q>0;t18 \xc3\xa4\005";
    unsigned seed = 20260101;
    for (int round = 0; round < 20000; round++) {
        struct terminal_filter filter;
        terminal_filter_init(&filter);
        uint8_t input[64];
        uint8_t out[1024];
        size_t length = 0;
        for (size_t i = 0; i < sizeof input; i++) {
            seed = seed * 1664525 + 1013904223;
            input[i] = (uint8_t)alphabet[(seed >> 16) % (sizeof alphabet - 1)];
        }
        for (size_t i = 0; i < sizeof input; i += 16) {
            size_t got = terminal_filter_feed(&filter, input + i, 16, out + length);
            assert_true(got <= terminal_filter_room(16));
            length += got;
        }
        assert_null(memmem(out, length, "\033]52", 4));
        assert_null(memmem(out, length, "\033[6n", 4));
        assert_null(memmem(out, length, "\033[c", 3));
        assert_null(memmem(out, length, "\033P", 2));
        assert_null(memchr(out, 5, length));
        /* What came out is a fixed point: a second filter finds nothing more to take. */
        struct terminal_filter second;
        uint8_t again[4096];
        terminal_filter_init(&second);
        (void)terminal_filter_feed(&second, out, length, again);
        assert_int_equal(second.dropped_count, 0);
    }
}

/* Without UTF-8 a byte from 0x80 to 0x9f acts wherever it stands. */
static void without_utf8_no_eight_bit_control_passes(void **state) {
    (void)state;
    static const struct {
        const char *input, *expected;
    } rows[] = {
        {"\xc3\x9b"
         "6n",
         "\xc3"
         "6n"},
        {"\xe2\x82\xac\xf0\x9f\x98\x80", "\xe2\xac\xf0"},
        {"\xe4\xf6\xfc\xa0\xff", "\xe4\xf6\xfc\xa0\xff"},
        {"\xc2\x9d"
         "52;c;x\x9c",
         "\xc2"
         "52;c;x"},
        {"\033]0;\xc3\x9cx\007", "\033]0;\xc3x\007"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct terminal_filter filter;
        uint8_t out[1024];
        size_t length = 0;
        terminal_filter_init(&filter);
        filter.single_bytes = true;
        for (size_t k = 0; k < strlen(rows[i].input); k++) {
            length +=
                terminal_filter_feed(&filter, (const uint8_t *)rows[i].input + k, 1, out + length);
        }
        out[length] = '\0';
        assert_string_equal((const char *)out, rows[i].expected);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(honest_output_passes_unchanged),
        cmocka_unit_test(what_acts_on_the_terminal_is_dropped),
        cmocka_unit_test(long_sequences_are_swallowed),
        cmocka_unit_test(noise_never_gets_a_query_through),
        cmocka_unit_test(without_utf8_no_eight_bit_control_passes),
    };
    return cmocka_run_group_tests(tests, nullptr, nullptr);
}
