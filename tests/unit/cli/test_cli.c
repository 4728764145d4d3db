/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/cli.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

/* What cli_error() prints, caught from stderr. */
static char *printed(const struct cli *cli, const struct error *err, int *ret_status) {
    FILE *file = tmpfile();
    assert_non_null(file);
    int saved = dup(STDERR_FILENO);
    (void)fflush(stderr);
    assert_true(dup2(fileno(file), STDERR_FILENO) >= 0);
    *ret_status = cli_error(cli, err);
    (void)fflush(stderr);
    assert_true(dup2(saved, STDERR_FILENO) >= 0);
    (void)close(saved);
    static char text[8192];
    rewind(file);
    text[fread(text, 1, sizeof text - 1, file)] = '\0';
    (void)fclose(file);
    return text;
}

static struct error example(void) {
    struct error err;
    (void)error_set(&err, ERROR_STATE_READ_ONLY, 30, "cannot write x");
    (void)error_context(&err, "while opening");
    return err;
}

static void four_lines_say_what_why_fix_where(void **state) {
    (void)state;
    struct error err = example();
    struct cli cli = {};
    int status;
    assert_string_equal(printed(&cli, &err, &status),
                        "airlock: cannot write x [state.read-only]\n"
                        "  why: Read-only file system\n"
                        "  fix: Set AIRLOCK_STATE_DIR to a folder of yours that is writable.\n"
                        "   in: while opening\n");
    assert_int_equal(status, 73);
}

static void json_is_one_object_on_one_line(void **state) {
    (void)state;
    struct error err = example();
    (void)snprintf(err.message, sizeof err.message, "bad \xff byte"); /* never breaks the JSON */
    struct cli cli = {.json = true};
    int status;
    const char *text = printed(&cli, &err, &status);
    assert_non_null(strstr(text, "\"slug\":\"state.read-only\""));
    assert_non_null(strstr(text, "\"exit_status\":73"));
    assert_non_null(strstr(text, "xff byte"));
    assert_ptr_equal(strchr(text, '\n'), text + strlen(text) - 1);
}

static void colour_is_nothing_when_it_is_off(void **state) {
    (void)state;
    assert_string_equal(cli_color(false, CLI_RED), "");
    assert_string_not_equal(cli_color(true, CLI_RED), "");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(four_lines_say_what_why_fix_where),
        cmocka_unit_test(json_is_one_object_on_one_line),
        cmocka_unit_test(colour_is_nothing_when_it_is_off),
    };
    return cmocka_run_group_tests(tests, nullptr, nullptr);
}
