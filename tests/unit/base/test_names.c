/* SPDX-License-Identifier: Apache-2.0 */
#include "base/names.h"

#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* Number by number as glibc has them. */
static void every_signal_has_the_name_that_the_system_gives_it(void **state) {
    (void)state;
    for (int number = -1; number <= SIGRTMAX; number++) {
        const char *theirs = sigabbrev_np(number);
        const char *ours = names_signal(number);
        assert_int_equal(theirs == nullptr, ours == nullptr);
        if (theirs != nullptr && ours != nullptr) {
            assert_string_equal(ours, theirs);
        }
    }
}

static void every_error_has_the_words_that_the_system_gives_it(void **state) {
    (void)state;
    for (int number = 1; number <= EHWPOISON; number++) {
        const char *theirs = strerrordesc_np(number);
        if (theirs != nullptr) {
            assert_non_null(names_errno(number));
            assert_string_equal(names_errno(number), theirs);
        }
    }
}

static void what_is_no_error_has_no_words(void **state) {
    (void)state;
    assert_null(names_errno(0));
    assert_null(names_errno(-1));
    assert_null(names_errno(EHWPOISON + 1));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_signal_has_the_name_that_the_system_gives_it),
        cmocka_unit_test(every_error_has_the_words_that_the_system_gives_it),
        cmocka_unit_test(what_is_no_error_has_no_words),
    };
    return cmocka_run_group_tests(tests, nullptr, nullptr);
}
