/* SPDX-License-Identifier: Apache-2.0 */
#include "kernel/environment.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static const char *value(const struct environment *environment, const char *name) {
    size_t length = strlen(name);
    const char *found = nullptr;
    for (size_t i = 0; i < environment->count; i++) {
        if (strncmp(environment->entries[i], name, length) == 0 &&
            environment->entries[i][length] == '=') {
            assert_null(found); /* every name once */
            found = environment->entries[i] + length + 1;
        }
    }
    assert_null(environment->entries[environment->count]);
    return found;
}

static struct environment build(const char *const *caller, const char *const *added) {
    struct environment environment;
    struct error err;
    status_t status = environment_build(
        &(struct environment_options){.caller = caller, .added = added, .run_id = "id"},
        &environment, &err);
    assert_true(status_is_ok(status));
    return environment;
}

static void only_allowed_names_come_along(void **state) {
    (void)state;
    static const char *const caller[] = {"PATH=/bin",   "HOME=/home/x",  "LC_ALL=C", "LC_=no",
                                         "LC_A\xff=no", "AWS_SECRET=no", "LANGX=no", "LAN=no",
                                         "TERM=dumb",   "LD_PRELOAD=no", "PATH",     nullptr};
    struct environment environment = build(caller, nullptr);
    assert_string_equal(value(&environment, "PATH"), "/bin");
    assert_string_equal(value(&environment, "LC_ALL"), "C");
    assert_string_equal(value(&environment, "AIRLOCK_RUN"), "id");
    assert_string_equal(environment.home, "/home/x");
    assert_string_equal(environment.path, "/bin");
    assert_int_equal(environment.count, 5); /* PATH HOME LC_ALL TERM AIRLOCK_RUN */
    environment_wipe(&environment);
    assert_null(environment.entries);
}

static void path_and_home_are_always_there(void **state) {
    (void)state;
    static const char *const none[] = {nullptr};
    struct environment environment = build(none, nullptr);
    assert_string_equal(environment.home, "/home/user");
    assert_non_null(strstr(environment.path, "/usr/bin"));
    environment_wipe(&environment);
    static const char *const relative[] = {"HOME=somewhere", "PATH=", nullptr};
    environment = build(relative, nullptr);
    assert_string_equal(environment.home, "/home/user");
    assert_non_null(strstr(environment.path, "/usr/bin"));
    environment_wipe(&environment);
}

static void home_has_one_spelling(void **state) {
    (void)state;
    static const char *const rows[][2] = {
        {"HOME=/home/x/", "/home/x"}, {"HOME=/home/x///", "/home/x"}, {"HOME=//home//x", "/home/x"},
        {"HOME=/home/x", "/home/x"},  {"HOME=/", "/home/user"},       {"HOME=///", "/home/user"},
        {"HOME=", "/home/user"},      {"HOME=x/", "/home/user"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        const char *const caller[] = {rows[i][0], nullptr};
        struct environment environment = build(caller, nullptr);
        assert_string_equal(environment.home, rows[i][1]);
        assert_string_equal(value(&environment, "HOME"), rows[i][1]);
        environment_wipe(&environment);
    }
}

static void additions_win_and_pass_through(void **state) {
    (void)state;
    static const char *const caller[] = {"PATH=/bin", "SECRET=s", nullptr};
    static const char *const added[] = {"PATH=/opt/bin", "SECRET", "X=", "X=2=3", nullptr};
    struct environment environment = build(caller, added);
    assert_string_equal(value(&environment, "PATH"), "/opt/bin");
    assert_string_equal(value(&environment, "SECRET"), "s");
    assert_string_equal(value(&environment, "X"), "2=3");
    environment_wipe(&environment);
}

static void nobody_forges_the_run(void **state) {
    (void)state;
    static const char *const none[] = {nullptr};
    static const char *const added[] = {"AIRLOCK_RUN=other", nullptr};
    struct environment environment = build(none, added);
    assert_string_equal(value(&environment, "AIRLOCK_RUN"), "id");
    environment_wipe(&environment);
}

static void names_that_are_none_are_usage_errors(void **state) {
    (void)state;
    static const char *const none[] = {nullptr};
    static const char *const bad[] = {"", "=x", "9A=x", "A-B=x", "A B=x", "NOT_SET", "\xff=x"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        const char *const added[] = {bad[i], nullptr};
        struct environment environment;
        struct error err;
        status_t status = environment_build(
            &(struct environment_options){.caller = none, .added = added, .run_id = "id"},
            &environment, &err);
        assert_false(status_is_ok(status));
        assert_int_equal(err.code, ERROR_USAGE);
        assert_null(strstr(err.message, "=x")); /* a value could be a secret */
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(only_allowed_names_come_along),
        cmocka_unit_test(path_and_home_are_always_there),
        cmocka_unit_test(home_has_one_spelling),
        cmocka_unit_test(additions_win_and_pass_through),
        cmocka_unit_test(nobody_forges_the_run),
        cmocka_unit_test(names_that_are_none_are_usage_errors),
    };
    return cmocka_run_group_tests(tests, nullptr, nullptr);
}
