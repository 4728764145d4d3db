/* SPDX-License-Identifier: Apache-2.0
 *
 * The parts of a report. What the machine gives is for tests/e2e/doctor.sh, which takes it away.
 */
#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "sandbox/wall_try.h"

static int answer(void *context) {
    return *(int *)context;
}

static int die(void *context) {
    (void)context;
    (void)kill(getpid(), SIGKILL);
    return 0;
}

static int end_the_process(void *context) {
    *(int *)context = 1; /* in the child's memory */
    exit(ENODEV);
}

static void an_attempt_answers_from_a_child(void **state) {
    (void)state;
    int zero = 0;
    int number = EPERM;
    int touched = 0;
    assert_int_equal(wall_run(answer, &zero), 0);
    assert_int_equal(wall_run(answer, &number), EPERM);
    assert_int_equal(wall_run(die, nullptr), EIO);
    assert_int_equal(wall_run(end_the_process, &touched), ENODEV);
    assert_int_equal(touched, 0);
    assert_int_equal(waitpid(-1, nullptr, WNOHANG), -1); /* none is left */
}

static void rows_are_found_by_name(void **state) {
    (void)state;
    struct wall_report report = {};
    assert_null(wall_find(&report, "overlay"));
    wall_level(wall_add(&report, "overlay"), "on %s", "ext4");
    (void)wall_add(&report, "landlock");
    assert_string_equal(wall_find(&report, "overlay")->level, "on ext4");
    assert_string_equal(wall_find(&report, "landlock")->level, "");
    assert_null(wall_find(&report, "over"));
    assert_int_equal(report.count, 2);
}

static void long_texts_are_cut_and_ended(void **state) {
    (void)state;
    struct wall wall;
    char text[2048];
    memset(text, 'x', sizeof text - 1);
    text[sizeof text - 1] = '\0';
    wall_level(&wall, "%s", text);
    wall_how(&wall, "%s", text);
    assert_int_equal(strlen(wall.level), sizeof wall.level - 1);
    assert_int_equal(strlen(wall.how), sizeof wall.how - 1);
}

static void a_failed_row_says_what_and_how(void **state) {
    (void)state;
    struct wall wall = {.name = "x"};
    struct error err = {};
    (void)error_set(&err, ERROR_SANDBOX_NO_OVERLAY, EINVAL, "cannot mount the overlay");
    error_detail(&err, "/srv");
    error_hint(&err, "Use another disk.");
    wall_fail(&wall, &err);
    assert_int_equal(wall.state, WALL_MISSING);
    assert_int_equal(wall.code, ERROR_SANDBOX_NO_OVERLAY);
    assert_string_equal(wall.level, "sandbox.no-overlay");
    assert_string_equal(wall.how, "cannot mount the overlay: /srv. Use another disk.");
}

static void every_state_has_a_text(void **state) {
    (void)state;
    assert_string_equal(wall_state_text(WALL_THERE), "there");
    assert_string_equal(wall_state_text(WALL_LESS), "less");
    assert_string_equal(wall_state_text(WALL_MISSING), "missing");
    assert_string_equal(wall_state_text(WALL_UNTRIED), "untried");
}

static void numbers_are_read_or_missing(void **state) {
    (void)state;
    assert_int_equal(wall_read_number("/proc/sys/no/such/knob", 7), 7);
    assert_true(wall_read_number("/proc/sys/kernel/pid_max", -1) > 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_attempt_answers_from_a_child),
        cmocka_unit_test(rows_are_found_by_name),
        cmocka_unit_test(long_texts_are_cut_and_ended),
        cmocka_unit_test(a_failed_row_says_what_and_how),
        cmocka_unit_test(every_state_has_a_text),
        cmocka_unit_test(numbers_are_read_or_missing),
    };
    return cmocka_run_group_tests(tests, nullptr, nullptr);
}
