/* SPDX-License-Identifier: Apache-2.0 */
#include "store/config.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static struct error failure;

static void a_path_needs_an_absolute_folder(void **state) {
    (void)state;
    char path[LIMIT_PATH_BYTES] = "untouched";
    assert_int_equal(unsetenv("HOME"), 0);
    assert_int_equal(unsetenv("XDG_CONFIG_HOME"), 0);
    assert_int_equal(config_path("a.yaml", path, &failure).code, ERROR_STATE_UNUSABLE);
    assert_int_equal(setenv("XDG_CONFIG_HOME", "relative", 1), 0);
    assert_int_equal(setenv("HOME", "", 1), 0);
    assert_int_equal(config_path("a.yaml", path, &failure).code, ERROR_STATE_UNUSABLE);
    assert_string_equal(path, "untouched");
}

static void xdg_comes_first_and_relative_ones_are_ignored(void **state) {
    (void)state;
    char path[LIMIT_PATH_BYTES];
    assert_int_equal(setenv("HOME", "/home/somebody", 1), 0);
    assert_int_equal(setenv("XDG_CONFIG_HOME", "relative", 1), 0);
    assert_int_equal(config_path("a.yaml", path, &failure).code, 0);
    assert_string_equal(path, "/home/somebody/.config/airlock/a.yaml");
    assert_int_equal(setenv("XDG_CONFIG_HOME", "/etc/xdg", 1), 0);
    assert_int_equal(config_path("a.yaml", path, &failure).code, 0);
    assert_string_equal(path, "/etc/xdg/airlock/a.yaml");
}

static void a_path_that_is_too_long_is_none(void **state) {
    (void)state;
    char path[LIMIT_PATH_BYTES];
    char long_path[LIMIT_PATH_BYTES];
    memset(long_path, 'x', sizeof long_path - 1);
    long_path[0] = '/';
    long_path[sizeof long_path - 1] = '\0';
    assert_int_equal(setenv("XDG_CONFIG_HOME", long_path, 1), 0);
    assert_int_equal(config_path("a.yaml", path, &failure).code, ERROR_STATE_UNUSABLE);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_path_needs_an_absolute_folder),
        cmocka_unit_test(xdg_comes_first_and_relative_ones_are_ignored),
        cmocka_unit_test(a_path_that_is_too_long_is_none),
    };
    return cmocka_run_group_tests_name("store/config", tests, nullptr, nullptr);
}
