/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/cli_internal.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static void commands_are_found_by_name(void **state) {
    (void)state;
    assert_string_equal(cli_command_find("run")->name, "run");
    assert_null(cli_command_find("ru"));
    assert_null(cli_command_find(""));
    assert_null(cli_command_find("runs "));
}

static void slips_find_their_neighbour(void **state) {
    (void)state;
    assert_string_equal(cli_command_nearest("rnu")->name, "run");
    assert_string_equal(cli_command_nearest("aply")->name, "apply");
    assert_string_equal(cli_command_nearest("reciept")->name, "receipt");
    assert_null(cli_command_nearest("frobnicate"));
    assert_null(cli_command_nearest("a-name-far-longer-than-any-command-has"));
}

static void every_row_is_complete(void **state) {
    (void)state;
    for (size_t i = 0; i < cli_command_count(); i++) {
        const struct cli_command_row *row = cli_command_at(i);
        assert_non_null(row->function);
        assert_true(strlen(row->name) > 0 && strlen(row->summary) > 0);
        assert_ptr_equal(cli_command_find(row->name), row);
        /* House style of messages: lower case, no full stop. */
        assert_true(row->summary[0] >= 'a' && row->summary[0] <= 'z');
        assert_int_not_equal(row->summary[strlen(row->summary) - 1], '.');
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(commands_are_found_by_name),
        cmocka_unit_test(slips_find_their_neighbour),
        cmocka_unit_test(every_row_is_complete),
    };
    return cmocka_run_group_tests(tests, nullptr, nullptr);
}
