/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/terminal.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static void the_locale_names_the_character_set(void **state) {
    (void)state;
    assert_true(terminal_charset_is_utf8(nullptr, nullptr, "en_US.UTF-8", false));
    assert_true(terminal_charset_is_utf8("", "C.utf8", "de_DE", false));
    assert_false(terminal_charset_is_utf8("ru_RU.KOI8-R", "C.UTF-8", "C.UTF-8", true));
    assert_false(terminal_charset_is_utf8(nullptr, nullptr, "de_DE", true));
    assert_false(terminal_charset_is_utf8(nullptr, nullptr, "de_DE.ISO-8859-1", true));
    /* No character set is named: the terminal knows. */
    assert_true(terminal_charset_is_utf8(nullptr, nullptr, nullptr, true));
    assert_true(terminal_charset_is_utf8("C", nullptr, "en_US.UTF-8", true));
    assert_false(terminal_charset_is_utf8(nullptr, "POSIX", nullptr, false));
    assert_false(terminal_charset_is_utf8(nullptr, nullptr, "", false));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_locale_names_the_character_set),
    };
    return cmocka_run_group_tests_name("cli/terminal", tests, nullptr, nullptr);
}
