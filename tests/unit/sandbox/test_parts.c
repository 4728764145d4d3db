/* SPDX-License-Identifier: Apache-2.0
 *
 * Stages that are applied by hunks: the rest stays, whatever else happens to the workspace, to the
 * stages above, or to the process.
 */
#include "sandbox/parts.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "sandbox/choices.h"
#include "sandbox/patch.h"
#include "stage_fixture.h"

static const char old_text[] = "1\n2\n3\n4\n5\n6\n7\n8\n9\n10\n11\n12\n";
static const char new_text[] = "one\n2\n3\n4\n5\n6\n7\n8\n9\n10\n11\ntwelve\n";
static const char first_only[] = "one\n2\n3\n4\n5\n6\n7\n8\n9\n10\n11\n12\n";

enum { STATUS_DIED = 42, STEP_COUNT_MAX = 200 };

static char *below(const char *upper, const char *path) {
    static char full[600];
    (void)snprintf(full, sizeof full, "%s/%s", upper, path);
    return full;
}

static struct run two_hunks(void) {
    char upper[128];
    put_file("work/f", old_text, 0644);
    put_file("work/other", "o\n", 0644);
    struct run run = start_run(nullptr, upper);
    put_file(below(upper, "f"), new_text, 0755);
    put_file(below(upper, "other"), "other\n", 0644);
    put_file(below(upper, "new/n"), "n\n", 0644);
    (void)seal_run(&run);
    return run;
}

/* Applies what bits of `blocks` say of "f". */
static status_t apply_blocks(struct run *run, unsigned blocks, bool mode,
                             struct apply_result *ret_result, struct error *err) {
    CLEANUP(merge_close) struct merge merge = {0};
    CLEANUP(choosable_deinit) struct choosable choosable = {0};
    CLEANUP(apply_choices_deinit) struct apply_choices choices = {0};
    uint8_t chosen[8] = {0};
    TRY(merge_open(&fixture_state, run, &merge, err));
    const struct change *change = change_list_find(&merge.list, "f");
    assert_non_null(change);
    TRY(choosable_read(&merge, change, &choosable, err));
    assert_true(choosable.has_hunks && choosable.set.count <= 8);
    for (size_t i = 0; i < choosable.set.count; i++) {
        chosen[i] = (blocks >> i & 1) != 0;
    }
    TRY(apply_choices_add(&choices, &choosable, chosen, mode, err));
    struct apply_options options = {.choices = &choices};
    return stage_apply(&fixture_state, run, &options, ret_result, err);
}

static void must_apply(struct run *run, unsigned blocks, bool mode) {
    struct apply_result result;
    struct error err;
    if (!status_is_ok(apply_blocks(run, blocks, mode, &result, &err))) {
        fail_msg("%s: %s", error_slug(err.code), err.message);
    }
    assert_int_equal(result.applied, 1);
    assert_false(result.stage_is_closed);
}

static char *work_file(const char *name) {
    static char text[4096];
    char path[400];
    (void)snprintf(path, sizeof path, "%s/%s", fixture_workspace, name);
    FILE *file = fopen(path, "r");
    assert_non_null(file);
    text[fread(text, 1, sizeof text - 1, file)] = '\0';
    assert_int_equal(fclose(file), 0);
    return text;
}

static unsigned work_mode(const char *name) {
    char path[400];
    struct stat there;
    (void)snprintf(path, sizeof path, "%s/%s", fixture_workspace, name);
    assert_int_equal(stat(path, &there), 0);
    return there.st_mode & 07777;
}

static void the_rest_stays_in_the_stage(void **unused) {
    (void)unused;
    struct run run = two_hunks();
    struct digest digest = run.stage_digest;
    must_apply(&run, 1, false);
    assert_string_equal(work_file("f"), first_only);
    assert_int_equal(work_mode("f"), 0644);
    struct run again = reopen(&run);
    assert_int_equal(again.state, RUN_OPEN);
    assert_true(digest_equal(&again.stage_digest, &digest));
    char *left = diff_text(&again, &(struct diff_options){.paths = (const char *[]){"f", nullptr}});
    assert_non_null(strstr(left, "-12\n+twelve\n"));
    assert_null(strstr(left, "+one"));
    assert_null(strstr(left, "# conflict"));
    free(left);
    must_apply(&again, 0, true); /* only the mode */
    assert_int_equal(work_mode("f"), 0755);
    assert_string_equal(work_file("f"), first_only);
    struct apply_result result;
    struct error err;
    assert_int_equal(apply_all(&again, &result, &err).code, 0);
    assert_true(result.stage_is_closed);
    assert_tree_is("work", "f 0755 one\\n2\\n3\\n4\\n5\\n6\\n7\\n8\\n9\\n10\\n11\\ntwelve\\n\n"
                           "new/ 0755\nnew/n 0644 n\\n\nother 0644 other\\n\n");
    run_close(&again);
    run_close(&run);
}

static void what_somebody_changes_afterwards_conflicts(void **unused) {
    (void)unused;
    struct run run = two_hunks();
    struct apply_result result;
    struct error err;
    must_apply(&run, 1, false);
    put_file("work/f", "mine\n", 0644);
    assert_int_equal(apply_all(&run, &result, &err).code, ERROR_STAGE_CONFLICT);
    put_file("work/f", first_only, 0644); /* back, with another inode */
    assert_int_equal(apply_all(&run, &result, &err).code, 0);
    assert_string_equal(work_file("f"), new_text);
    run_close(&run);
}

static void a_choice_made_on_another_comparison_is_refused(void **unused) {
    (void)unused;
    struct run run = two_hunks();
    CLEANUP(apply_choices_deinit) struct apply_choices choices = {0};
    struct apply_result result;
    struct error err;
    {
        CLEANUP(merge_close) struct merge merge = {0};
        CLEANUP(choosable_deinit) struct choosable choosable = {0};
        assert_int_equal(merge_open(&fixture_state, &run, &merge, &err).code, 0);
        assert_int_equal(
            choosable_read(&merge, change_list_find(&merge.list, "f"), &choosable, &err).code, 0);
        assert_int_equal(
            apply_choices_add(&choices, &choosable, (uint8_t[]){0, 1}, false, &err).code, 0);
    }
    must_apply(&run, 1, false); /* meanwhile */
    struct apply_options options = {.choices = &choices};
    assert_int_equal(stage_apply(&fixture_state, &run, &options, &result, &err).code,
                     ERROR_STAGE_CONFLICT);
    assert_string_equal(work_file("f"), first_only);
    run_close(&run);
}

static void a_file_of_the_stage_that_was_changed_is_refused(void **unused) {
    (void)unused;
    char path[400];
    struct run run = two_hunks();
    struct apply_result result;
    struct error err;
    (void)snprintf(path, sizeof path, "state/runs/%s/upper/f", run.id);
    put_file(path, "one\nplanted\n", 0755);
    assert_int_equal(apply_blocks(&run, 1, false, &result, &err).code, ERROR_STAGE_DAMAGED);
    assert_string_equal(work_file("f"), old_text);
    run_close(&run);
}

/* A stage that stands on one of which a part was applied. */
static void stacks_know_what_was_applied_below(void **unused) {
    (void)unused;
    char upper[128];
    struct apply_result result;
    struct error err;
    struct run lower = two_hunks();
    struct run run = start_run(lower.id, upper);
    put_file(below(upper, "f"), "one\n2\n3\n4\n5\nSIX\n7\n8\n9\n10\n11\ntwelve\n", 0755);
    (void)seal_run(&run);
    must_apply(&lower, 1, false);
    assert_string_equal(work_file("f"), first_only);
    must_apply(&run, 1, false); /* of the stack: SIX */
    assert_string_equal(work_file("f"), "one\n2\n3\n4\n5\nSIX\n7\n8\n9\n10\n11\n12\n");
    /* What the upper stage brought is not the lower one's to take back. */
    assert_int_equal(apply_all(&lower, &result, &err).code, ERROR_STAGE_CONFLICT);
    assert_int_equal(apply_all(&run, &result, &err).code, 0);
    assert_true(result.stage_is_closed);
    assert_string_equal(work_file("f"), "one\n2\n3\n4\n5\nSIX\n7\n8\n9\n10\n11\ntwelve\n");
    struct run again = reopen(&lower);
    assert_int_equal(again.state, RUN_APPLIED);
    run_close(&again);
    run_close(&run);
    run_close(&lower);
}

static void paths_of_a_part_leave_stacked_stages_right(void **unused) {
    (void)unused;
    char upper[128];
    struct apply_result result;
    struct error err;
    struct run lower = two_hunks();
    struct run run = start_run(lower.id, upper);
    put_file(below(upper, "other"), "third\n", 0644);
    (void)seal_run(&run);
    const char *const paths[] = {"other", nullptr};
    struct apply_options options = {.paths = paths};
    assert_int_equal(stage_apply(&fixture_state, &lower, &options, &result, &err).code, 0);
    assert_false(result.stage_is_closed);
    assert_string_equal(work_file("other"), "other\n");
    char *left = diff_text(&lower, &(struct diff_options){.names_only = true});
    assert_string_equal(left, "M f\nA new/\nA new/n\n");
    free(left);
    assert_int_equal(stage_apply(&fixture_state, &run, &options, &result, &err).code,
                     ERROR_STAGE_CONFLICT); /* the stack was made from "o" */
    run_close(&run);
    run_close(&lower);
}

static void choose_by_patch(struct run *run, const char *text, int code) {
    CLEANUP(merge_close) struct merge merge = {0};
    CLEANUP(apply_choices_deinit) struct apply_choices choices = {0};
    CLEANUP(patch_deinit) struct patch patch = {0};
    struct apply_result result;
    struct error err = {0};
    assert_int_equal(patch_parse(slice_of_string(text), PATCH_PART, &patch, &err).code, 0);
    assert_int_equal(merge_open(&fixture_state, run, &merge, &err).code, 0);
    int got = apply_choices_add_patch(&choices, &merge, &patch, &err).code;
    merge_close(&merge);
    if (got != code) {
        fail_msg("%s: %s for:\n%s", error_slug(err.code), err.message, text);
    }
    if (code == 0) {
        struct apply_options options = {.choices = &choices};
        assert_int_equal(stage_apply(&fixture_state, run, &options, &result, &err).code, 0);
    }
}

#define F "diff --git a/f b/f\n--- a/f\n+++ b/f\n"

static void a_patch_must_be_a_part_of_the_stage(void **unused) {
    (void)unused;
    struct run run = two_hunks();
    static const char *const others[] = {
        F "@@ -1 +1 @@\n-1\n+uno\n",
        F "@@ -6 +6 @@\n-6\n+six\n",
        "diff --git a/f b/f\nold mode 100644\nnew mode 100600\n",
        "diff --git a/x b/x\n--- a/x\n+++ b/x\n@@ -1 +1 @@\n-a\n+b\n",
        "diff --git a/new/n b/new/n\nnew file mode 100644\n--- /dev/null\n+++ b/new/n\n"
        "@@ -0,0 +1 @@\n+planted\n",
        "diff --git a/new/n b/new/n\nnew file mode 100755\n--- /dev/null\n+++ b/new/n\n"
        "@@ -0,0 +1 @@\n+n\n",
        "diff --git a/other b/other\ndeleted file mode 100644\n--- a/other\n+++ /dev/null\n"
        "@@ -1 +0,0 @@\n-o\n",
        "diff --git a/other b/n2\nrename from other\nrename to n2\n",
    };
    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++) {
        choose_by_patch(&run, others[i], ERROR_PATCH_NO_SUBSET);
    }
    assert_tree_is("work", "f 0644 1\\n2\\n3\\n4\\n5\\n6\\n7\\n8\\n9\\n10\\n11\\n12\\n\n"
                           "other 0644 o\\n\n");
    choose_by_patch(&run,
                    F "@@ -12 +12 @@\n-12\n+twelve\n"
                      "diff --git a/new/n b/new/n\nnew file mode 100644\n--- /dev/null\n"
                      "+++ b/new/n\n@@ -0,0 +1 @@\n+n\n",
                    0);
    assert_string_equal(work_file("f"), "1\n2\n3\n4\n5\n6\n7\n8\n9\n10\n11\ntwelve\n");
    assert_string_equal(work_file("new/n"), "n\n");
    choose_by_patch(&run,
                    "diff --git a/f b/f\nold mode 100644\nnew mode 100755\n--- a/f\n+++ b/f\n"
                    "@@ -1 +1 @@\n-1\n+one\n",
                    0);
    assert_string_equal(work_file("f"), new_text);
    assert_int_equal(work_mode("f"), 0755);
    char *left = diff_text(&run, &(struct diff_options){.names_only = true});
    assert_string_equal(left, "M other\n");
    free(left);
    run_close(&run);
}

/* Dying before every change of a disk. */

static unsigned steps_left;

static void die_when_due(void) {
    if (steps_left-- == 0) {
        _exit(STATUS_DIED);
    }
}

static int part_in_child(struct run *run, unsigned steps) {
    pid_t child = fork();
    if (child == 0) {
        struct apply_result result;
        struct error err;
        steps_left = steps;
        merge_test_hook = die_when_due;
        _exit(status_is_ok(apply_blocks(run, 1, false, &result, &err)) ? 0 : 1);
    }
    int status = 0;
    assert_true(child > 0);
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    return WEXITSTATUS(status);
}

/* Two parts, the second of which dies: what stays can be applied whatever the workspace holds. */
static void a_crash_loses_no_part(void **unused) {
    (void)unused;
    bool seen_old = false;
    bool seen_new = false;
    int status = STATUS_DIED;
    for (unsigned steps = 0; status == STATUS_DIED; steps++) {
        assert_true(steps < STEP_COUNT_MAX);
        struct run run = two_hunks();
        struct apply_result result;
        struct error err;
        must_apply(&run, 2, false);
        status = part_in_child(&run, steps);
        assert_true(status == STATUS_DIED || status == 0);
        assert_int_equal(stage_recover(&fixture_state, nullptr, nullptr, &err).code, 0);
        bool is_new = strcmp(work_file("f"), new_text) == 0; /* all lines; the mode is missing */
        seen_old = seen_old || !is_new;
        seen_new = seen_new || is_new;
        struct run again = reopen(&run);
        assert_int_equal(again.state, RUN_OPEN);
        if (!status_is_ok(apply_all(&again, &result, &err))) {
            fail_msg("step %u: %s", steps, err.message);
        }
        assert_string_equal(work_file("f"), new_text);
        assert_int_equal(work_mode("f"), 0755);
        run_close(&again);
        run_close(&run);
        assert_int_equal(fixture_tear_down(nullptr), 0);
        assert_int_equal(fixture_set_up(nullptr), 0);
    }
    assert_true(seen_old && seen_new);
}

/* The record of parts. */
static void a_damaged_record_is_seen(void **unused) {
    (void)unused;
    char path[400];
    struct run run = two_hunks();
    struct apply_result result;
    struct error err;
    must_apply(&run, 1, false);
    (void)snprintf(path, sizeof path, "state/runs/%s/parts/index", run.id);
    put_file(path, "airlock-parts 1\n\1", 0600);
    assert_int_equal(apply_all(&run, &result, &err).code, ERROR_STAGE_DAMAGED);
    run_close(&run);
}

#define ROW(function) cmocka_unit_test_setup_teardown(function, fixture_set_up, fixture_tear_down)

int main(void) {
    const struct CMUnitTest tests[] = {
        ROW(what_somebody_changes_afterwards_conflicts),
        ROW(a_choice_made_on_another_comparison_is_refused),
        ROW(a_file_of_the_stage_that_was_changed_is_refused),
        ROW(a_patch_must_be_a_part_of_the_stage),
        ROW(a_damaged_record_is_seen),
        ROW(the_rest_stays_in_the_stage),
        ROW(stacks_know_what_was_applied_below),
        ROW(paths_of_a_part_leave_stacked_stages_right),
        ROW(a_crash_loses_no_part),
    };
    return cmocka_run_group_tests_name("sandbox/parts", tests, nullptr, nullptr);
}
