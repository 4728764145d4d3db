/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "probe/probe.h"

static void names_of_secrets_are_known(void **state) {
    (void)state;
    static const char *const secrets[] = {
        "AWS_SECRET_ACCESS_KEY=x", "GITHUB_TOKEN=x", "github_token=x", "DB_PASSWORD=x",
        "OPENAI_API_KEY=x",        "GH_PAT=x",       "MY_PRIVATE=x",   "DATABASE_URL=postgres://"};
    for (size_t i = 0; i < sizeof secrets / sizeof secrets[0]; i++) {
        assert_true(probe_is_secret_name(secrets[i]));
    }
}

static void other_names_are_not(void **state) {
    (void)state;
    static const char *const others[] = {
        "PATH=/usr/bin",
        "LD_LIBRARY_PATH=/lib",
        "HOME=/root",
        "EMPTY_TOKEN=",
        "=TOKEN",
        "NOT_A_VARIABLE_TOKEN",
        "KEYBOARD=de",
        "PWD=/token",
        "",
        "X=GITHUB_TOKEN",
    };
    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++) {
        assert_false(probe_is_secret_name(others[i]));
    }
}

static void below_is_by_whole_parts(void **state) {
    (void)state;
    static const char *const folders[] = {"/srv/space", "/tmp", ""};
    assert_true(probe_is_below("/srv/space", folders, 3));
    assert_true(probe_is_below("/srv/space/x/y", folders, 3));
    assert_true(probe_is_below("/tmp/x", folders, 3));
    assert_false(probe_is_below("/srv/spaceship", folders, 3));
    assert_false(probe_is_below("/srv", folders, 3));
    assert_false(probe_is_below("/tmpx", folders, 3));
    assert_false(probe_is_below("/tmp", folders, 0));
}

static void a_process_is_its_own_family(void **state) {
    (void)state;
    assert_true(probe_is_family(getpid()));
    assert_true(probe_is_family(getppid()));
    assert_false(probe_is_family(4194303)); /* the last number there can be */
    assert_false(probe_is_family(0));
    assert_false(probe_is_family(-1));
}

static bool answer(const void *context) {
    return *(const bool *)context;
}

static bool die(const void *context) {
    (void)context;
    (void)kill(getpid(), SIGKILL);
    return true;
}

static void a_try_says_what_came_of_it(void **state) {
    (void)state;
    bool yes = true;
    bool no = false;
    assert_true(probe_try(answer, &yes));
    assert_false(probe_try(answer, &no));
    assert_false(probe_try(die, nullptr));
}

static void a_file_is_read_up_to_the_room(void **state) {
    (void)state;
    char text[4];
    assert_int_equal(probe_read("/proc/self/status", text, sizeof text), 3);
    assert_string_equal(text, "Nam");
    assert_int_equal(probe_read("/proc/self/no-such-file", text, sizeof text), -1);
    assert_string_equal(text, "");
}

/* Runs with stdout in a pipe, because it carries the test's own rows. */
static void findings_are_counted_past_what_is_told(void **state) {
    (void)state;
    struct probe probe = {};
    int out[2];
    char text[4096];
    (void)fflush(stdout);
    int kept = dup(STDOUT_FILENO);
    assert_true(kept >= 0 && pipe(out) == 0 && dup2(out[1], STDOUT_FILENO) >= 0);
    for (int i = 0; i < PROBE_FOUND_MAX + 5; i++) {
        probe_found(&probe, "a\nb\033%d", i);
    }
    (void)fflush(stdout);
    (void)dup2(kept, STDOUT_FILENO);
    (void)close(kept);
    (void)close(out[1]);
    ssize_t size = read(out[0], text, sizeof text - 1);
    (void)close(out[0]);
    assert_true(size > 0);
    text[size] = '\0';
    assert_int_equal(probe.found_count, PROBE_FOUND_MAX + 5);
    int lines = 0;
    for (const char *c = text; *c != '\0'; c++) {
        lines += *c == '\n';
    }
    assert_int_equal(lines, PROBE_FOUND_MAX);
    assert_int_equal(strncmp(text, "found a?b?0\n", 12), 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_of_secrets_are_known),
        cmocka_unit_test(other_names_are_not),
        cmocka_unit_test(below_is_by_whole_parts),
        cmocka_unit_test(a_process_is_its_own_family),
        cmocka_unit_test(a_try_says_what_came_of_it),
        cmocka_unit_test(a_file_is_read_up_to_the_room),
        cmocka_unit_test(findings_are_counted_past_what_is_told),
    };
    return cmocka_run_group_tests(tests, nullptr, nullptr);
}
