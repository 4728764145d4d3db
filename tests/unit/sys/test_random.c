/* SPDX-License-Identifier: Apache-2.0 */
#include "sys/random.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

static void other_forms_are_no_ids(void **state) {
    (void)state;
    assert_false(id_is_valid(""));
    assert_false(id_is_valid("019abcde-0000-7000-8000-00000000000"));
    assert_false(id_is_valid("019abcde-0000-7000-8000-0000000000000"));
    assert_false(id_is_valid("019ABCDE-0000-7000-8000-000000000000"));
    assert_false(id_is_valid("019abcde/0000-7000-8000-000000000000"));
    assert_false(id_is_valid("../../../../../../../../../../../etc"));
}

static void ids_hold_their_time_and_version_and_differ(void **state) {
    (void)state;
    char first[ID_TEXT_BYTES];
    char second[ID_TEXT_BYTES];
    id_generate(0x0123456789abULL, first);
    id_generate(0x0123456789abULL, second);
    assert_memory_equal(first, "01234567-89ab-7", 15);
    assert_non_null(strchr("89ab", first[19]));
    assert_true(id_is_valid(first));
    assert_string_not_equal(first, second);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(other_forms_are_no_ids),
        cmocka_unit_test(ids_hold_their_time_and_version_and_differ),
    };
    return cmocka_run_group_tests_name("random", tests, nullptr, nullptr);
}
