/* SPDX-License-Identifier: Apache-2.0 */
#include "base/bytes.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

static void cursor_refuses_to_overrun(void **state) {
    (void)state;
    struct cursor cursor = cursor_of(SLICE_LITERAL("abc"));
    assert_int_equal(cursor_u16(&cursor), 'a' | 'b' << 8);
    assert_int_equal(cursor_u16(&cursor), 0);
    assert_false(cursor_is_ok(&cursor));
    /* Sticky: the byte that is left is not given out after a failure. */
    assert_int_equal(cursor_u8(&cursor), 0);
}

static void cursor_refuses_a_block_longer_than_the_data(void **state) {
    (void)state;
    static const uint8_t bytes[] = {0xff, 0xff, 0xff, 0xff, 1, 2};
    struct cursor cursor = cursor_of(slice_of(bytes, sizeof bytes));
    assert_int_equal(cursor_block(&cursor).size, 0);
    assert_false(cursor_is_ok(&cursor));
}

static void cursor_refuses_a_string_with_a_nul_inside(void **state) {
    (void)state;
    static const uint8_t bytes[] = {4, 0, 0, 0, 'a', 0, 'b', 0};
    struct cursor cursor = cursor_of(slice_of(bytes, sizeof bytes));
    assert_string_equal(cursor_string(&cursor), "");
    assert_false(cursor_is_ok(&cursor));
}

static void builder_stops_at_its_maximum(void **state) {
    (void)state;
    struct builder builder;
    builder_init(&builder, 8);
    builder_u64(&builder, 1);
    assert_true(builder_is_ok(&builder));
    builder_u8(&builder, 1);
    assert_false(builder_is_ok(&builder));
    assert_int_equal(builder.size, 8);
    builder_deinit(&builder);
}

static void what_is_built_is_read_back(void **state) {
    (void)state;
    struct builder builder;
    builder_init(&builder, 1024);
    builder_u16(&builder, 0x1234);
    builder_u16_be(&builder, 0x1234);
    builder_u64_be(&builder, 0x0102030405060708);
    builder_string(&builder, "hello");
    builder_block(&builder, SLICE_LITERAL("a\0b"));
    builder_format(&builder, "%d;", 42);
    builder_decimal(&builder, 0);
    builder_decimal(&builder, UINT64_MAX);
    builder_text(&builder, ";");
    struct cursor cursor = cursor_of(builder_slice(&builder));
    assert_int_equal(cursor_u16(&cursor), 0x1234);
    assert_int_equal(cursor_u16_be(&cursor), 0x1234);
    assert_int_equal(cursor_u64_be(&cursor), 0x0102030405060708);
    assert_string_equal(cursor_string(&cursor), "hello");
    assert_true(slice_equal(cursor_block(&cursor), SLICE_LITERAL("a\0b")));
    assert_true(slice_equal(cursor_until(&cursor, ';'), SLICE_LITERAL("42")));
    assert_true(slice_equal(cursor_until(&cursor, ';'), SLICE_LITERAL("018446744073709551615")));
    assert_true(cursor_is_finished(&cursor));
    builder_deinit(&builder);
}

static void printable_is_ascii_from_space_to_tilde(void **state) {
    (void)state;
    static const char *const others[] = {"\t", "a\n", "\x1b[m", "\x7f", "a\xc3\xa4"};
    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++) {
        assert_false(slice_is_printable(slice_of_string(others[i])));
    }
    assert_false(slice_is_printable(SLICE_LITERAL("a\0b")));
    assert_true(slice_is_printable(SLICE_LITERAL(" ~")));
    assert_true(slice_is_printable(SLICE_LITERAL("")));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(printable_is_ascii_from_space_to_tilde),
        cmocka_unit_test(cursor_refuses_to_overrun),
        cmocka_unit_test(cursor_refuses_a_block_longer_than_the_data),
        cmocka_unit_test(cursor_refuses_a_string_with_a_nul_inside),
        cmocka_unit_test(builder_stops_at_its_maximum),
        cmocka_unit_test(what_is_built_is_read_back),
    };
    return cmocka_run_group_tests_name("bytes", tests, nullptr, nullptr);
}
