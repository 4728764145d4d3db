/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "codec/json.h"
#include "codec/json_scan.h"

static void only_the_one_spelling_passes(void **state) {
    (void)state;
    static const struct {
        const char *text;
        bool passes;
    } CASES[] = {
        {"{}", true},
        {"{\"a\":1,\"b\":[{},[]]}", true},
        {"{\"\\u0001\":1,\" \":2}", true},
        {"{\"\\n\":1,\"\\u000e\":2}", true},
        {"{\"\xf0\x9f\x98\x80\":1,\"\xee\x80\x80\":2}", true},
        {"{\"\xee\x80\x80\":1,\"\xf0\x9f\x98\x80\":2}", false}, /* UTF-16 order, not UTF-8 */
        {"", false},
        {"[]", false},
        {"1", false},
        {" {}", false},
        {"{} ", false},
        {"{\"a\": 1}", false},
        {"{\"a\":1,}", false},
        {"{\"b\":1,\"a\":2}", false},
        {"{\"a\":1,\"a\":2}", false},
        {"{\"a\":01}", false},
        {"{\"a\":-0}", false},
        {"{\"a\":1.0}", false},
        {"{\"a\":1e3}", false},
        {"{\"a\":9007199254740992}", false},
        {"{\"a\":18446744073709551617}", false},
        {"{\"a\":\"\\/\"}", false},
        {"{\"a\":\"\\u0041\"}", false},
        {"{\"a\":\"\\u001F\"}", false},
        {"{\"a\":\"\\u000a\"}", false},
        {"{\"a\":\"\\u0000\"}", false},
        {"{\"a\":\"\n\"}", false},
        {"{\"a\":\"\x80\"}", false},
        {"{\"a\":\"\xc0\xaf\"}", false},
        {"{\"a\":\"\xed\xa0\x80\"}", false},
        {"{\"a\":tru}", false},
        {"{\"a\"}", false},
        {"{\"a\":}", false},
        {"{\"a\":1", false},
        {"{\"a\":\"", false},
        {"{\"a\":\"\\", false},
        {"{\"a\":\"\\u00", false},
    };
    for (size_t i = 0; i < sizeof CASES / sizeof CASES[0]; i++) {
        if (json_scan_object(slice_of_string(CASES[i].text), nullptr, nullptr) != CASES[i].passes) {
            fail_msg("judged wrongly: %s", CASES[i].text);
        }
    }
}

static bool parser_agrees(struct slice text) {
    struct error err = {0};
    struct json *value = nullptr;
    bool canonical = false;
    if (status_is_ok(json_parse(text, "mutation", &value, &err))) {
        struct builder again;
        builder_init(&again, 65536);
        json_write_canonical(value, &again);
        canonical =
            json_kind_of(value) == JSON_KIND_OBJECT && slice_equal(builder_slice(&again), text);
        builder_deinit(&again);
        json_free(value);
    }
    return json_scan_object(text, nullptr, nullptr) == canonical;
}

/* Texts made of pieces that matter, so that many of them are nearly or wholly canonical. */
static void parser_and_writer_always_agree(void **state) {
    (void)state;
    static const char *const PIECES[] = {
        "{",
        "}",
        "[",
        "]",
        ",",
        ":",
        "\"a\"",
        "\"b\"",
        "\"\\n\"",
        "\"\\u0001\"",
        "\"\\u000a\"",
        "1",
        "-1",
        "0",
        "-",
        "9007199254740991",
        "9007199254740992",
        "true",
        "false",
        "null",
        "\"\xc3\xa9\"",
        "\"\xee\x80\x80\"",
        "\"\xf0\x9f\x98\x80\"",
        "\"\\\"\"",
        "\"\\\\\"",
        " ",
        "\"a\":1",
        "\"b\":{}",
        "\"c\":[",
        "\\",
        "\"",
        "u00",
        "\x80",
    };
    uint64_t random = 0x9e3779b97f4a7c15U;
    unsigned canonical = 0;
    for (unsigned i = 0; i < 300000; i++) {
        char text[256] = "{";
        size_t size = 1;
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        uint64_t digits = random;
        for (unsigned k = 0; k < digits % 9; k++) {
            random = random * 6364136223846793005U + 1442695040888963407U;
            const char *piece = PIECES[(random >> 33) % (sizeof PIECES / sizeof PIECES[0])];
            size += (size_t)snprintf(text + size, sizeof text - size, "%s", piece);
        }
        if ((random >> 60) != 0) {
            size += (size_t)snprintf(text + size, sizeof text - size, "}");
        }
        canonical += json_scan_object(slice_of(text, size), nullptr, nullptr);
        if (!parser_agrees(slice_of(text, size))) {
            fail_msg("judged apart: %s", text);
        }
    }
    assert_in_range(canonical, 100, 300000); /* the agreement is about both answers */
}

static void depth_is_bounded_as_in_the_parser(void **state) {
    (void)state;
    for (size_t depth = 100; depth < 140; depth++) {
        char text[1024];
        size_t size = 0;
        for (size_t i = 1; i < depth; i++) {
            memcpy(text + size, "{\"\":", 4);
            size += 4;
        }
        memcpy(text + size, "{}", 2);
        size += 2;
        memset(text + size, '}', depth - 1);
        size += depth - 1;
        assert_true(parser_agrees(slice_of(text, size)));
        assert_int_equal(json_scan_object(slice_of(text, size), nullptr, nullptr), depth <= 128);
    }
}

static void values_are_read(void **state) {
    (void)state;
    uint64_t number = 0;
    struct slice text;
    assert_true(json_scan_natural(SLICE_LITERAL("9007199254740991"), &number));
    assert_int_equal(number, 9007199254740991);
    assert_false(json_scan_natural(SLICE_LITERAL("-1"), &number));
    assert_false(json_scan_natural(SLICE_LITERAL(""), &number));
    assert_false(json_scan_natural(SLICE_LITERAL("true"), &number));
    assert_true(json_scan_text(SLICE_LITERAL("\"abc\""), &text));
    assert_int_equal(text.size, 3);
    assert_false(json_scan_text(SLICE_LITERAL("\"a\\n\""), &text));
    assert_false(json_scan_text(SLICE_LITERAL("17"), &text));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(only_the_one_spelling_passes),
        cmocka_unit_test(parser_and_writer_always_agree),
        cmocka_unit_test(depth_is_bounded_as_in_the_parser),
        cmocka_unit_test(values_are_read),
    };
    return cmocka_run_group_tests_name("json scan", tests, nullptr, nullptr);
}
