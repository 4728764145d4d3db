/* SPDX-License-Identifier: Apache-2.0
 *
 * An apply that dies at its n-th change of a disk, for every n: afterwards stage_recover() leaves
 * the workspace as it was or as it should be, never in between, and no temporaries.
 */
#include "stage_fixture.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <cmocka.h>

enum { STATUS_DIED = 42, STATUS_DONE = 0, STEP_COUNT_MAX = 200 };

static unsigned steps_left;

static void die_when_due(void) {
    if (steps_left-- == 0) {
        _exit(STATUS_DIED);
    }
}

static char *below(const char *upper, const char *path) {
    static char full[600];
    (void)snprintf(full, sizeof full, "%s/%s", upper, path);
    return full;
}

/* A workspace and a stack of two stages with every kind of change. */
static struct run make_case(struct run *ret_first) {
    char upper[128];
    put_file("work/edit", "old\n", 0644);
    put_file("work/gone", "g\n", 0644);
    put_file("work/tree/a", "a\n", 0644);
    put_file("work/tree/b/c", "c\n", 0644);
    put_file("work/to-folder", "f\n", 0644);
    put_file("work/to-file/x", "x\n", 0644);
    put_folder("work/mode", 0755);
    struct run first = start_run(nullptr, upper);
    put_file(below(upper, "edit"), "middle\n", 0644);
    put_file(below(upper, "from-first"), "1\n", 0644);
    (void)seal_run(&first);
    struct run second = start_run(first.id, upper);
    put_file(below(upper, "edit"), "new\n", 0644);
    put_file(below(upper, "made/deep/file"), "m\n", 0755);
    put_link(below(upper, "made/link"), "deep/file");
    put_file(below(upper, "to-folder/y"), "y\n", 0644);
    put_file(below(upper, "to-file"), "t\n", 0644);
    put_folder(below(upper, "mode"), 0700);
    char attributes[900]; /* where the file system has none, the step is left out */
    (void)snprintf(attributes, sizeof attributes, "%s/%s", fixture_folder, below(upper, "mode"));
    (void)setxattr(attributes, "user.note", "n", 1, 0);
    if (!put_whiteout(below(upper, "gone")) || !put_whiteout(below(upper, "tree"))) {
        skip();
    }
    (void)seal_run(&second);
    *ret_first = first;
    return second;
}

static int apply_in_child(struct run *run, unsigned steps) {
    pid_t child = fork();
    if (child == 0) {
        struct apply_result result;
        struct error err;
        steps_left = steps;
        merge_test_hook = die_when_due;
        status_t status = apply_all(run, &result, &err);
        _exit(status_is_ok(status) ? STATUS_DONE : 1);
    }
    int status = 0;
    assert_true(child > 0);
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    return WEXITSTATUS(status);
}

static int die_once(unsigned steps, char *wanted, bool *ret_was_applied) {
    struct run first;
    struct run run = make_case(&first);
    char *before = tree_text("work");
    int status = apply_in_child(&run, steps);
    struct error err;
    if (!status_is_ok(stage_recover(&fixture_state, nullptr, nullptr, &err))) {
        fail_msg("step %u: %s: %s", steps, err.message, strerror(err.os_errno));
    }
    char *after = tree_text("work");
    bool is_old = strcmp(after, before) == 0;
    bool is_new = wanted[0] != '\0' && strcmp(after, wanted) == 0;
    if (status == STATUS_DONE && wanted[0] == '\0') {
        (void)snprintf(wanted, 4096, "%s", after);
    } else if (!is_old && !is_new) {
        fail_msg("died at step %u and recovered to something in between:\n%s", steps, after);
    }
    struct run again = reopen(&run);
    struct run lower = reopen(&first);
    bool is_applied = again.state == RUN_APPLIED;
    assert_int_equal(is_applied, !is_old || status == STATUS_DONE);
    assert_int_equal(lower.state == RUN_APPLIED, is_applied);
    *ret_was_applied = is_applied;
    free(before);
    free(after);
    run_close(&again);
    run_close(&lower);
    run_close(&run);
    run_close(&first);
    return status;
}

static int one_round(unsigned steps, char *wanted, bool *ret_was_applied) {
    assert_int_equal(fixture_set_up(nullptr), 0);
    int status = die_once(steps, wanted, ret_was_applied);
    assert_int_equal(fixture_tear_down(nullptr), 0);
    return status;
}

static void every_step_may_be_the_last(void **unused) {
    (void)unused;
    static char wanted[4096];
    bool was_applied = false;
    bool seen_old = false;
    bool seen_new = false;
    assert_int_equal(one_round(UINT32_MAX, wanted, &was_applied), STATUS_DONE);
    assert_true(was_applied);
    assert_non_null(strstr(wanted, "edit 0644 new\\n\n"));
    assert_null(strstr(wanted, ".airlock-"));
    unsigned steps = 0;
    while (one_round(steps, wanted, &was_applied) == STATUS_DIED) {
        assert_false(seen_new && !was_applied); /* one commit point */
        seen_old = seen_old || !was_applied;
        seen_new = seen_new || was_applied;
        steps++;
        assert_true(steps < STEP_COUNT_MAX);
    }
    assert_true(seen_old && seen_new);
    assert_true(steps > 15);
}

/* After a crash somebody changes what is not yet replaced: their file stays. */
static void what_came_after_the_crash_is_kept(void **unused) {
    (void)unused;
    for (unsigned steps = 0; steps < STEP_COUNT_MAX; steps++) {
        assert_int_equal(fixture_set_up(nullptr), 0);
        struct run first;
        struct run run = make_case(&first);
        int status = apply_in_child(&run, steps);
        put_file("work/edit", "theirs, later\n", 0644);
        struct error err;
        assert_int_equal(stage_recover(&fixture_state, nullptr, nullptr, &err).code, 0);
        char *after = tree_text("work");
        assert_non_null(strstr(after, "edit 0644 theirs, later\\n\n"));
        assert_null(strstr(after, ".airlock-"));
        free(after);
        run_close(&run);
        run_close(&first);
        assert_int_equal(fixture_tear_down(nullptr), 0);
        if (status != STATUS_DIED) {
            break;
        }
    }
}

/* After a crash somebody cleans up what git does not know: the temporaries go. Then the stage must
 * stay open, with all it holds, unless every step was done. */
static void temporaries_that_vanish_lose_nothing(void **unused) {
    (void)unused;
    bool seen_open = false;
    for (unsigned steps = 0; steps < STEP_COUNT_MAX; steps++) {
        assert_int_equal(fixture_set_up(nullptr), 0);
        char upper[128];
        struct error err;
        put_file("work/edit", "old\n", 0644);
        struct run run = start_run(nullptr, upper);
        put_file(below(upper, "edit"), "new\n", 0644);
        put_file(below(upper, "made"), "m\n", 0644);
        (void)seal_run(&run);
        int status = apply_in_child(&run, steps);
        char command[400];
        (void)snprintf(command, sizeof command, "rm -rf %s/.airlock-*", fixture_workspace);
        assert_int_equal(system(command), 0);
        assert_int_equal(stage_recover(&fixture_state, nullptr, nullptr, &err).code, 0);
        struct run again = reopen(&run);
        if (again.state == RUN_APPLIED) {
            assert_tree_is("work", "edit 0644 new\\n\nmade 0644 m\\n\n");
        } else {
            struct apply_result result;
            seen_open = true;
            assert_int_equal(apply_all(&again, &result, &err).code, 0);
            assert_tree_is("work", "edit 0644 new\\n\nmade 0644 m\\n\n");
        }
        run_close(&again);
        run_close(&run);
        assert_int_equal(fixture_tear_down(nullptr), 0);
        if (status != STATUS_DIED) {
            break;
        }
    }
    assert_true(seen_open);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_step_may_be_the_last),
        cmocka_unit_test(what_came_after_the_crash_is_kept),
        cmocka_unit_test(temporaries_that_vanish_lose_nothing),
    };
    return cmocka_run_group_tests_name("sandbox/merge_crash", tests, nullptr, nullptr);
}
