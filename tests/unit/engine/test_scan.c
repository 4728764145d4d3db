/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "engine/scan.h"

static bool scan(const char *text, struct scan_want *want) {
    return scan_json(slice_of_string(text), want, 1);
}

static void what_is_no_json(void **state) {
    (void)state;
    static const char *const TEXTS[] = {
        "",
        " ",
        "{",
        "}",
        "{]",
        "[1,]",
        "[,1]",
        "{\"a\"}",
        "{\"a\":}",
        "{a:1}",
        "{\"a\":1,}",
        "01",
        "-",
        "1.",
        "1e",
        "+1",
        ".5",
        "nul",
        "truefalse",
        "\"",
        "\"\x01\"",
        "\"\\x\"",
        "\"\\u12\"",
        "\"\\ud800\"",
        "\"\\ud800\\u0041\"",
        "\"\\udc00\"",
        "\"\xff\"",
        "{} {}",
        "1 2",
        "{\"a\":1 \"b\":2}",
        "[1 2]",
        "'a'",
    };
    struct scan_want want = {.path = "a", .kind = SCAN_INTEGER};
    for (size_t i = 0; i < sizeof TEXTS / sizeof TEXTS[0]; i++) {
        assert_false(scan(TEXTS[i], &want));
    }
    char deep[2 * SCAN_DEPTH_MAX + 5] = "";
    memset(deep, '[', SCAN_DEPTH_MAX + 1);
    memset(deep + SCAN_DEPTH_MAX + 1, ']', SCAN_DEPTH_MAX + 1);
    assert_false(scan(deep, &want));
    assert_true(scan_json(slice_of(deep + 1, (size_t)2 * SCAN_DEPTH_MAX), &want, 1));
}

static void what_is_asked_for_must_be_it(void **state) {
    (void)state;
    struct scan_want want = {.path = "a/b", .kind = SCAN_INTEGER};
    assert_false(scan("{\"a\":{\"b\":1,\"b\":2}}", &want));
    assert_false(scan("{\"a\":{\"b\":\"1\"}}", &want));
    assert_false(scan("{\"a\":{\"b\":{}}}", &want));
    assert_false(scan("{\"a\":{\"b\":1e3}}", &want));
    assert_true(scan("{\"a/b\":1,\"b\":2,\"a\":[{\"b\":3}],\"\":{\"a\":{\"b\":4}}}", &want));
    assert_false(want.is_found);
    assert_true(scan("{\"a\":{\"b\":null}}", &want));
    assert_false(want.is_found);
    struct scan_want text = {.path = "a", .kind = SCAN_TEXT};
    assert_false(scan("{\"a\":\"x\\u0000y\"}", &text));
}

static void values(void **state) {
    (void)state;
    struct scan_want wants[] = {
        {.path = "n/max", .kind = SCAN_INTEGER},  {.path = "n/low", .kind = SCAN_INTEGER},
        {.path = "t", .kind = SCAN_TEXT},         {.path = "list/0/x", .kind = SCAN_BOOL},
        {.path = "n/part", .kind = SCAN_INTEGER},
    };
    static const char TEXT[] =
        " {\"n\": {\"max\": 18446744073709551615, \"low\": -12, \"part\": 7.9, \"e\": 1.5e300},\n"
        "\"t\": \"\\u0041\\n\\ud83d\\ude00\\\"\", \"list\": [{\"x\": true}, {\"x\": false}], "
        "\"z\": []}\r\n";
    assert_true(scan_json(slice_of_string(TEXT), wants, 5));
    assert_true(wants[0].number == INT64_MAX);
    assert_int_equal(wants[1].number, -12);
    assert_string_equal(wants[2].text, "A\n\xf0\x9f\x98\x80\"");
    assert_true(wants[3].is_found && wants[3].flag);
    assert_int_equal(wants[4].number, 7);
    for (size_t size = 0; size < sizeof TEXT - 3; size++) {
        assert_false(scan_json(slice_of(TEXT, size), wants, 5));
    }
}

static void a_long_text_is_cut_between_characters(void **state) {
    (void)state;
    struct scan_want want = {.path = "a", .kind = SCAN_TEXT};
    char text[SCAN_TEXT_BYTES * 2 + 16] = "{\"a\":\"";
    size_t used = strlen(text);
    for (size_t i = 0; i < SCAN_TEXT_BYTES / 2; i++) {
        memcpy(text + used + 2 * i, "\xc3\xa4", 2);
    }
    memcpy(text + used + SCAN_TEXT_BYTES, "\"}", 3);
    assert_true(scan(text, &want));
    assert_int_equal(strlen(want.text), SCAN_TEXT_BYTES - 2);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_no_json),
        cmocka_unit_test(what_is_asked_for_must_be_it),
        cmocka_unit_test(values),
        cmocka_unit_test(a_long_text_is_cut_between_characters),
    };
    return cmocka_run_group_tests(tests, nullptr, nullptr);
}
