/* SPDX-License-Identifier: Apache-2.0 */
#include "base/error.h"

#include <ctype.h>
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

static void an_unknown_slug_is_none(void **state) {
    (void)state;
    assert_int_equal(error_find_slug("no.such-slug"), ERROR_NONE);
    assert_int_equal(error_find_slug(""), ERROR_NONE);
}

static void a_full_disk_is_named_whoever_reports_it(void **state) {
    (void)state;
    struct error err;
    assert_int_equal(error_set(&err, ERROR_IO, ENOSPC, "cannot write x").code, ERROR_DISK_FULL);
    assert_int_equal(error_set(&err, ERROR_IO, EDQUOT, "cannot write x").code, ERROR_DISK_FULL);
    assert_int_equal(error_set(&err, ERROR_IO, EACCES, "cannot write x").code, ERROR_IO);
    assert_int_equal(err.os_errno, EACCES);
}

static void context_is_bounded_and_keeps_the_origin(void **state) {
    (void)state;
    struct error err;
    (void)error_set(&err, ERROR_USAGE, 0, "at the origin");
    for (int i = 0; i < 10; i++) {
        assert_int_equal(error_context(&err, "level %d", i).code, ERROR_USAGE);
    }
    assert_int_equal(err.context_count, ERROR_CONTEXT_COUNT_MAX);
    assert_string_equal(err.context[0], "level 0");
    assert_string_equal(err.message, "at the origin");
}

static void a_long_message_is_cut_not_overrun(void **state) {
    (void)state;
    struct error err;
    char text[4096];
    memset(text, 'a', sizeof text - 1);
    text[sizeof text - 1] = '\0';
    (void)error_set(&err, ERROR_USAGE, 0, "%s", text);
    error_hint(&err, "%s", text);
    error_detail(&err, "%s", text);
    assert_int_equal(strlen(err.message), ERROR_MESSAGE_BYTES_MAX - 1);
    assert_int_equal(strlen(err.hint), ERROR_HINT_BYTES_MAX - 1);
    assert_int_equal(strlen(err.detail), ERROR_DETAIL_BYTES_MAX - 1);
}

static void the_own_hint_goes_before_the_tables(void **state) {
    (void)state;
    struct error err;
    (void)error_set(&err, ERROR_RUN_UNKNOWN, 0, "x");
    assert_string_equal(error_effective_hint(&err), error_default_hint(ERROR_RUN_UNKNOWN));
    error_hint(&err, "do %s", "this");
    assert_string_equal(error_effective_hint(&err), "do this");
}

/* What people rely on: slugs are unique, exit statuses valid, texts in the house's form. */
static void every_row_of_the_table_is_well_formed(void **state) {
    (void)state;
    for (unsigned code = ERROR_NONE + 1; code < ERROR_CODE_COUNT; code++) {
        const char *slug = error_slug((enum error_code)code);
        assert_int_equal(error_find_slug(slug), code);
        assert_in_range(error_exit_status((enum error_code)code), 1, 125);
        const char *meaning = error_meaning((enum error_code)code);
        assert_true(strlen(meaning) > 0 && meaning[strlen(meaning) - 1] != '.');
        const char *hint = error_default_hint((enum error_code)code);
        assert_true(hint[0] == '\0' || isupper((unsigned char)hint[0]));
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_unknown_slug_is_none),
        cmocka_unit_test(a_full_disk_is_named_whoever_reports_it),
        cmocka_unit_test(context_is_bounded_and_keeps_the_origin),
        cmocka_unit_test(a_long_message_is_cut_not_overrun),
        cmocka_unit_test(the_own_hint_goes_before_the_tables),
        cmocka_unit_test(every_row_of_the_table_is_well_formed),
    };
    return cmocka_run_group_tests_name("error", tests, nullptr, nullptr);
}
