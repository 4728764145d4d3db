/* SPDX-License-Identifier: Apache-2.0
 *
 * What the user does to the workspace while a run is live.
 */
#include "stage_fixture.h"

#include "sandbox/stage_lock.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <cmocka.h>

/* `path` below an upper, relative to the fixture's folder. */
static const char *at(const char *upper, const char *path) {
    static char full[4][600];
    static unsigned next;
    char *out = full[next++ % 4];
    (void)snprintf(out, sizeof full[0], "%s/%s", upper, path);
    return out;
}

/* What overlayfs leaves on a file that it copied up. */
static bool put_copied_up(const char *path, const char *content) {
    char full[900];
    (void)snprintf(full, sizeof full, "%s/%s", fixture_folder, path);
    put_file(path, content, 0644);
    return setxattr(full, "user.overlay.origin", "", 0, 0) == 0;
}

static void a_lower_file_that_goes_during_the_run_is_a_conflict(void **unused) {
    (void)unused;
    char upper[128];
    put_file("work/d/a", "1\n", 0644);
    put_file("work/e/b", "1\n", 0644);
    struct run run = start_run(nullptr, upper);
    usleep(20000);
    remove_path("work/d/a");
    remove_path("work/e");
    if (!put_copied_up(at(upper, "d/a"), "2\n") || !put_copied_up(at(upper, "e/b"), "2\n")) {
        skip();
    }
    put_file(at(upper, "d/new"), "n\n", 0644);
    struct stage_summary summary = seal_run(&run);
    assert_int_equal(summary.conflicts, 2);
    struct apply_result result;
    struct error err;
    assert_int_equal(apply_all(&run, &result, &err).code, ERROR_STAGE_CONFLICT);
    assert_non_null(strstr(err.message, "d/a, e/b"));
    assert_tree_is("work", "d/ 0755\n");
    run_close(&run);
}

static void a_file_that_the_run_renamed_is_no_conflict(void **unused) {
    (void)unused;
    char upper[128];
    put_file("work/a", "1\n", 0644);
    struct run run = start_run(nullptr, upper);
    if (!put_whiteout(at(upper, "a")) || !put_copied_up(at(upper, "b"), "1\n")) {
        skip();
    }
    assert_int_equal(seal_run(&run).conflicts, 0);
    struct apply_result result;
    struct error err;
    assert_int_equal(apply_all(&run, &result, &err).code, 0);
    assert_tree_is("work", "b 0644 1\\n\n");
    run_close(&run);
}

/* Between the choice of the layers and the first moment of the run that stands on them. */
static void an_apply_before_the_run_begins_is_noticed(void **unused) {
    (void)unused;
    char upper[128];
    struct run below = start_run(nullptr, upper);
    put_file(at(upper, "a"), "1\n", 0644);
    char **layers = nullptr;
    struct error err;
    assert_int_equal(run_layers(&fixture_state, &below, &layers, &err).code, ERROR_RUN_UNFINISHED);
    (void)seal_run(&below);
    assert_int_equal(run_layers(&fixture_state, &below, &layers, &err).code, 0);
    struct run early = start_run(below.id, upper);
    assert_int_equal(run_layers_check(&fixture_state, &early, layers, &err).code, 0);
    struct stage_lock lock;
    assert_int_equal(stage_lock_take(&fixture_state, &below, &lock, &err).code, 0);
    assert_int_equal(run_layers_check(&fixture_state, &early, layers, &err).code, ERROR_BUSY);
    stage_lock_release(&lock, &below);
    (void)seal_run(&early);
    run_close(&early);
    struct apply_result result;
    assert_int_equal(apply_all(&below, &result, &err).code, 0);
    struct run late = start_run(below.id, upper);
    assert_int_equal(run_layers_check(&fixture_state, &late, layers, &err).code,
                     ERROR_RUN_STAGE_CLOSED);
    free(layers);
    run_close(&late);
    run_close(&below);
}

#define ROW(name) cmocka_unit_test_setup_teardown(name, fixture_set_up, fixture_tear_down)

int main(void) {
    const struct CMUnitTest tests[] = {
        ROW(a_lower_file_that_goes_during_the_run_is_a_conflict),
        ROW(a_file_that_the_run_renamed_is_no_conflict),
        ROW(an_apply_before_the_run_begins_is_noticed),
    };
    return cmocka_run_group_tests_name("sandbox/stage_meanwhile", tests, nullptr, nullptr);
}
