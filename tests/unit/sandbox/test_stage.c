/* SPDX-License-Identifier: Apache-2.0
 *
 * Sealing, showing and applying stages: every kind of change, and what the workspace and the stage
 * can do to it in between.
 */
#include "stage_fixture.h"

#include "sandbox/stage_lock.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <cmocka.h>

#define SKIP_UNLESS(condition) \
    do {                       \
        if (!(condition)) {    \
            skip();            \
        }                      \
    } while (0)

static char *in_folder(const char *path) {
    static char full[600];
    (void)snprintf(full, sizeof full, "%s/%s", fixture_folder, path);
    return full;
}

static char *at(const char *upper, const char *path) {
    static char full[4][600];
    static unsigned next;
    char *out = full[next++ % 4];
    (void)snprintf(out, sizeof full[0], "%s/%s", upper, path);
    return out;
}

/* Applies and expects success. */
static struct apply_result applied(struct run *run) {
    struct apply_result result;
    struct error err;
    if (!status_is_ok(apply_all(run, &result, &err))) {
        fail_msg("stage_apply: %s (%s): %s", err.message, err.detail, strerror(err.os_errno));
    }
    return result;
}

static void refused(struct run *run, enum error_code code, const char *named) {
    struct apply_result result;
    struct error err;
    char *before = tree_text("work");
    assert_int_equal(apply_all(run, &result, &err).code, (int)code);
    if (named != nullptr && strstr(err.message, named) == nullptr) {
        fail_msg("the error does not name %s: %s", named, err.message);
    }
    assert_tree_is("work", before); /* refused whole */
    free(before);
}

static int discard(struct run *run) {
    return stage_discard(&fixture_state, run, nullptr, nullptr, &(struct error){}).code;
}

static void added_modified_deleted(void **unused) {
    (void)unused;
    char upper[128];
    put_file("work/keep", "k\n", 0644);
    put_file("work/edit", "one\ntwo\n", 0644);
    put_file("work/gone", "g\n", 0644);
    struct run run = start_run(nullptr, upper);
    put_file(at(upper, "edit"), "one\n2\n", 0644);
    put_file(at(upper, "new/deep/file"), "n\n", 0755);
    SKIP_UNLESS(put_whiteout(at(upper, "gone")));
    struct stage_summary summary = seal_run(&run);
    assert_int_equal(summary.added, 1);
    assert_int_equal(summary.modified, 1);
    assert_int_equal(summary.deleted, 1);
    assert_int_equal(summary.other, 2);
    assert_int_equal(run.state, RUN_OPEN);
    char *diff = diff_text(&run, nullptr);
    assert_string_equal(diff, "diff --git a/edit b/edit\n--- a/edit\n+++ b/edit\n"
                              "@@ -1,2 +1,2 @@\n one\n-two\n+2\n"
                              "diff --git a/gone b/gone\ndeleted file mode 100644\n"
                              "--- a/gone\n+++ /dev/null\n@@ -1 +0,0 @@\n-g\n"
                              "# new folder new\n# new folder new/deep\n"
                              "diff --git a/new/deep/file b/new/deep/file\n"
                              "new file mode 100755\n--- /dev/null\n+++ b/new/deep/file\n"
                              "@@ -0,0 +1 @@\n+n\n");
    free(diff);
    struct apply_result result = applied(&run);
    assert_int_equal(result.applied, 5);
    assert_true(result.stage_is_closed);
    assert_tree_is("work", "edit 0644 one\\n2\\n\nkeep 0644 k\\n\nnew/ 0755\nnew/deep/ 0755\n"
                           "new/deep/file 0755 n\\n\n");
    assert_int_equal(run.state, RUN_APPLIED);
    struct run again = reopen(&run);
    assert_int_equal(again.state, RUN_APPLIED);
    struct error err;
    assert_int_equal(apply_all(&again, &result, &err).code, ERROR_RUN_STAGE_CLOSED);
    run_close(&again);
    run_close(&run);
}

static void kinds_change_both_ways(void **unused) {
    (void)unused;
    char upper[128];
    put_file("work/file", "f\n", 0644);
    put_file("work/folder/a", "a\n", 0644);
    put_file("work/folder/b/c", "c\n", 0644);
    put_link("work/link", "file");
    put_link("work/link2", "file");
    struct run run = start_run(nullptr, upper);
    put_file(at(upper, "file/inside"), "i\n", 0644);
    put_file(at(upper, "folder"), "now a file\n", 0644);
    put_file(at(upper, "link"), "now a file\n", 0600);
    put_link(at(upper, "link2"), "../elsewhere");
    (void)seal_run(&run);
    (void)applied(&run);
    assert_tree_is("work", "file/ 0755\nfile/inside 0644 i\\n\nfolder 0644 now a file\\n\n"
                           "link 0600 now a file\\n\nlink2 -> ../elsewhere\n");
    run_close(&run);
}

static void opaque_folder_replaces_content(void **unused) {
    (void)unused;
    char upper[128];
    put_file("work/d/old", "o\n", 0644);
    put_file("work/d/both", "1\n", 0644);
    put_file("work/d/sub/x", "x\n", 0644);
    struct run run = start_run(nullptr, upper);
    SKIP_UNLESS(put_opaque(at(upper, "d")));
    put_file(at(upper, "d/both"), "2\n", 0644);
    put_file(at(upper, "d/sub/y"), "y\n", 0644); /* below an opaque one: sub/x is hidden too */
    struct stage_summary summary = seal_run(&run);
    assert_int_equal(summary.deleted, 2);
    (void)applied(&run);
    assert_tree_is("work", "d/ 0755\nd/both 0644 2\\n\nd/sub/ 0755\nd/sub/y 0644 y\\n\n");
    run_close(&run);
}

static void whiteouts_as_attributes_are_read(void **unused) {
    (void)unused;
    char upper[128];
    put_file("work/d/gone", "g\n", 0644);
    put_file("work/d/empty", "", 0644);
    struct run run = start_run(nullptr, upper);
    put_folder(at(upper, "d"), 0755);
    put_file(at(upper, "d/gone"), "", 0644);
    put_file(at(upper, "d/fresh"), "", 0644);
    SKIP_UNLESS(setxattr(in_folder(at(upper, "d")), "user.overlay.opaque", "x", 1, 0) == 0);
    SKIP_UNLESS(setxattr(in_folder(at(upper, "d/gone")), "user.overlay.whiteout", "", 0, 0) == 0);
    (void)seal_run(&run);
    (void)applied(&run);
    assert_tree_is("work", "d/ 0755\nd/empty 0644 \nd/fresh 0644 \n");
    run_close(&run);
}

static void a_touch_is_no_change(void **unused) {
    (void)unused;
    char upper[128];
    put_file("work/same", "s\n", 0644);
    put_file("work/mode", "m\n", 0644);
    struct run run = start_run(nullptr, upper);
    put_file(at(upper, "same"), "s\n", 0644);
    struct stage_summary summary = seal_run(&run);
    assert_int_equal(run.change_count, 0);
    assert_int_equal(run.state, RUN_EMPTY);
    assert_int_equal(summary.modified, 0);
    struct apply_result result;
    struct error err;
    assert_int_equal(apply_all(&run, &result, &err).code, ERROR_STAGE_EMPTY);
    run_close(&run);
    run = start_run(nullptr, upper);
    put_file(at(upper, "mode"), "m\n", 0755);
    summary = seal_run(&run);
    assert_int_equal(summary.other, 1);
    char *diff = diff_text(&run, nullptr);
    assert_string_equal(diff, "diff --git a/mode b/mode\nold mode 100644\nnew mode 100755\n");
    free(diff);
    (void)applied(&run);
    assert_tree_is("work", "mode 0755 m\\n\nsame 0644 s\\n\n");
    run_close(&run);
}

static void what_is_never_applied_is_refused_by_name(void **unused) {
    (void)unused;
    char upper[128];
    struct run run = start_run(nullptr, upper);
    put_file(at(upper, "ok"), "o\n", 0644);
    put_file(at(upper, "setuid"), "s\n", 04755);
    assert_int_equal(mkfifo(in_folder(at(upper, "pipe")), 0644), 0);
    struct stage_summary summary = seal_run(&run);
    assert_int_equal(summary.refused, 2);
    refused(&run, ERROR_STAGE_REFUSED, "pipe (a named pipe), setuid");
    char *diff = diff_text(&run, nullptr);
    assert_non_null(strstr(diff, "# never applied: pipe is a named pipe\n"));
    free(diff);
    struct apply_options options = {.skip_refused = true};
    struct apply_result result;
    struct error err;
    assert_int_equal(stage_apply(&fixture_state, &run, &options, &result, &err).code, 0);
    assert_int_equal(result.applied, 1);
    assert_int_equal(result.skipped, 2);
    assert_false(result.stage_is_closed);
    assert_tree_is("work", "ok 0644 o\\n\n");
    struct run again = reopen(&run);
    assert_int_equal(again.state, RUN_OPEN);
    run_close(&again);
    run_close(&run);
}

static void conflicts_refuse_the_whole(void **unused) {
    (void)unused;
    char upper[128];
    put_file("work/a", "1\n", 0644);
    put_file("work/b", "1\n", 0644);
    put_file("work/d/x", "x\n", 0644);
    struct run run = start_run(nullptr, upper);
    put_file(at(upper, "a"), "2\n", 0644);
    put_file(at(upper, "b"), "2\n", 0644);
    put_file(at(upper, "new"), "n\n", 0644);
    SKIP_UNLESS(put_whiteout(at(upper, "d")));
    (void)seal_run(&run);
    put_file("work/a", "mine\n", 0644);
    refused(&run, ERROR_STAGE_CONFLICT, "a");
    put_file("work/a", "1\n", 0644); /* as before, though another file */
    put_file("work/new", "mine too\n", 0644);
    refused(&run, ERROR_STAGE_CONFLICT, "new");
    remove_path("work/new");
    put_file("work/d/mine", "m\n", 0644); /* in a folder that would go */
    refused(&run, ERROR_STAGE_CONFLICT, "d");
    struct apply_options options = {.skip_refused = true};
    struct apply_result result;
    struct error err;
    assert_int_equal(stage_apply(&fixture_state, &run, &options, &result, &err).code, 0);
    assert_tree_is("work", "a 0644 2\\n\nb 0644 2\\n\nd/ 0755\nd/mine 0644 m\\n\nd/x 0644 x\\n\n"
                           "new 0644 n\\n\n");
    run_close(&run);
}

static void a_lower_file_that_moves_during_the_run_is_a_conflict(void **unused) {
    (void)unused;
    char upper[128];
    put_file("work/a", "1\n", 0644);
    struct run run = start_run(nullptr, upper);
    usleep(20000); /* past one tick of the file system's clock */
    put_file("work/a", "moved\n", 0644);
    put_file(at(upper, "a"), "2\n", 0644);
    struct stage_summary summary = seal_run(&run);
    assert_int_equal(summary.conflicts, 1);
    refused(&run, ERROR_STAGE_CONFLICT, "a");
    run_close(&run);
}

static void a_damaged_stage_is_not_applied(void **unused) {
    (void)unused;
    char upper[128];
    put_file("work/a", "1\n", 0644);
    struct run run = start_run(nullptr, upper);
    put_file(at(upper, "a"), "2\n", 0644);
    (void)seal_run(&run);
    put_file(at(upper, "a"), "3\n", 0644);
    refused(&run, ERROR_STAGE_DAMAGED, "a");
    put_file(at(upper, "a"), "2\n", 0644);
    struct run wrong = reopen(&run);
    wrong.stage_digest.bytes[0] ^= 1;
    struct error err;
    assert_int_equal(run_save(&wrong, false, &err).code, 0);
    refused(&wrong, ERROR_STAGE_DAMAGED, wrong.id);
    run_close(&wrong);
    run_close(&run);
}

static void a_link_in_a_parent_is_never_followed(void **unused) {
    (void)unused;
    char upper[128];
    put_file("outside/x", "out\n", 0644);
    put_file("work/d/x", "x\n", 0644);
    struct run run = start_run(nullptr, upper);
    put_file(at(upper, "d/x"), "evil\n", 0644);
    put_file(at(upper, "d/y"), "evil\n", 0644);
    (void)seal_run(&run);
    remove_path("work/d");
    put_link("work/d", "../outside");
    refused(&run, ERROR_STAGE_CONFLICT, "d/x");
    assert_tree_is("outside", "x 0644 out\\n\n");
    run_close(&run);
}

static void hard_links_outside_never_change(void **unused) {
    (void)unused;
    char upper[128];
    put_file("work/a", "1\n", 0644);
    put_folder("outside", 0755);
    char other[600];
    (void)snprintf(other, sizeof other, "%s", in_folder("outside/link"));
    assert_int_equal(link(in_folder("work/a"), other), 0);
    struct run run = start_run(nullptr, upper);
    put_file(at(upper, "a"), "2\n", 0644);
    (void)seal_run(&run);
    (void)applied(&run);
    assert_tree_is("outside", "link 0644 1\\n\n");
    assert_tree_is("work", "a 0644 2\\n\n");
    run_close(&run);
}

static enum apply_verdict refuse_hooks(void *context, const struct apply_subject *subject,
                                       const char **ret_reason) {
    (*(unsigned *)context)++;
    bool hook = strstr(subject->path, ".git/hooks/") != nullptr;
    bool out = subject->link_target != nullptr && subject->link_target[0] == '/';
    assert_true(S_ISREG(subject->mode) == (subject->size > 0));
    *ret_reason = "hooks run by themselves";
    return hook || out ? APPLY_REFUSE : APPLY_ALLOW;
}

static void policy_sees_every_final_path(void **unused) {
    (void)unused;
    char upper[128];
    unsigned asked = 0;
    struct run run = start_run(nullptr, upper);
    put_file(at(upper, "sub/.git/hooks/pre-commit"), "#!/bin/sh\n", 0755);
    put_file(at(upper, "ok"), "o\n", 0644);
    put_link(at(upper, "out"), "/etc/passwd");
    (void)seal_run(&run);
    struct apply_options options = {.decide = refuse_hooks, .context = &asked};
    struct apply_result result;
    struct error err;
    assert_int_equal(stage_apply(&fixture_state, &run, &options, &result, &err).code,
                     ERROR_POLICY_DENIED);
    assert_int_equal(asked, 6);
    assert_non_null(strstr(err.message, "sub/.git/hooks/pre-commit (hooks run by themselves)"));
    assert_tree_is("work", "");
    options.skip_refused = true;
    assert_int_equal(stage_apply(&fixture_state, &run, &options, &result, &err).code, 0);
    assert_tree_is("work", "ok 0644 o\\n\nsub/ 0755\nsub/.git/ 0755\nsub/.git/hooks/ 0755\n");
    run_close(&run);
}

static status_t refuse_admission(void *context, uint32_t count, const struct digest *digest,
                                 struct error *err) {
    (void)context;
    (void)digest;
    return error_set(err, ERROR_POLICY_REVIEW, 0, "%u steps", count);
}

static void nothing_happens_before_admission(void **unused) {
    (void)unused;
    char upper[128];
    put_file("work/a", "1\n", 0644);
    struct run run = start_run(nullptr, upper);
    put_file(at(upper, "a"), "2\n", 0644);
    (void)seal_run(&run);
    struct apply_options options = {.admitted = refuse_admission};
    struct apply_result result;
    struct error err;
    assert_int_equal(stage_apply(&fixture_state, &run, &options, &result, &err).code,
                     ERROR_POLICY_REVIEW);
    assert_tree_is("work", "a 0644 1\\n\n");
    (void)applied(&run);
    run_close(&run);
}

static void strange_names_work(void **unused) {
    (void)unused;
    char upper[128];
    put_file("work/with space", "1\n", 0644);
    struct run run = start_run(nullptr, upper);
    put_file(at(upper, "new\nline"), "n\n", 0644);
    put_file(at(upper, "bad\xff\xfeutf"), "b\n", 0644);
    put_file(at(upper, "quo\"te\\"), "q\n", 0644);
    put_file(at(upper, "with space"), "2\n", 0644);
    put_file(at(upper, "\xc3\xa9"), "e\n", 0644);
    (void)seal_run(&run);
    char *diff = diff_text(&run, nullptr);
    assert_non_null(strstr(diff, "+++ \"b/new\\nline\"\n"));
    assert_non_null(strstr(diff, "+++ \"b/bad\\377\\376utf\"\n"));
    assert_non_null(strstr(diff, "+++ \"b/quo\\\"te\\\\\"\n"));
    assert_non_null(strstr(diff, "--- a/with space\t\n+++ b/with space\t\n"));
    assert_non_null(strstr(diff, "diff --git \"a/\\303\\251\" \"b/\\303\\251\"\n"));
    free(diff);
    (void)applied(&run);
    assert_tree_is("work",
                   "bad\\xff\\xfeutf 0644 b\\n\nnew\\nline 0644 n\\n\nquo\"te\\\\ 0644 q\\n\n"
                   "with space 0644 2\\n\n\xc3\xa9 0644 e\\n\n");
    run_close(&run);
}

static void a_stack_is_merged(void **unused) {
    (void)unused;
    char upper[128];
    put_file("work/a", "1\n", 0644);
    put_file("work/b", "1\n", 0644);
    put_file("work/d/x", "x\n", 0644);
    struct run first = start_run(nullptr, upper);
    put_file(at(upper, "a"), "2\n", 0644);
    put_file(at(upper, "tmp"), "t\n", 0644);
    put_file(at(upper, "d/y"), "y\n", 0644);
    (void)seal_run(&first);
    struct run second = start_run(first.id, upper);
    put_file(at(upper, "a"), "3\n", 0644);
    SKIP_UNLESS(put_whiteout(at(upper, "tmp")) && put_whiteout(at(upper, "d")));
    (void)seal_run(&second);
    char *diff = diff_text(&second, nullptr);
    assert_non_null(strstr(diff, "-1\n+3\n"));
    assert_null(strstr(diff, "tmp"));
    assert_null(strstr(diff, "d/y"));
    assert_non_null(strstr(diff, "--- a/d/x\n"));
    free(diff);
    assert_int_equal(discard(&first), ERROR_BUSY);
    (void)applied(&second);
    assert_tree_is("work", "a 0644 3\\n\nb 0644 1\\n\n");
    struct run again = reopen(&first);
    assert_int_equal(again.state, RUN_APPLIED);
    run_close(&again);
    run_close(&first);
    run_close(&second);
}

static void a_stack_whose_lower_part_was_applied_goes_on(void **unused) {
    (void)unused;
    char upper[128];
    put_file("work/a", "1\n", 0644);
    struct run first = start_run(nullptr, upper);
    put_file(at(upper, "a"), "2\n", 0644);
    (void)seal_run(&first);
    struct run second = start_run(first.id, upper);
    put_file(at(upper, "a"), "3\n", 0644);
    put_file(at(upper, "n"), "n\n", 0644);
    (void)seal_run(&second);
    (void)applied(&first);
    assert_tree_is("work", "a 0644 2\\n\n");
    (void)applied(&second);
    assert_tree_is("work", "a 0644 3\\n\nn 0644 n\\n\n");
    run_close(&first);
    run_close(&second);
}

static void single_paths_can_be_applied(void **unused) {
    (void)unused;
    char upper[128];
    struct run run = start_run(nullptr, upper);
    put_file(at(upper, "src/deep/a"), "a\n", 0644);
    put_file(at(upper, "src/b"), "b\n", 0644);
    put_file(at(upper, "other"), "o\n", 0644);
    (void)seal_run(&run);
    const char *paths[] = {"src/deep/", nullptr};
    struct apply_options options = {.paths = paths};
    struct apply_result result;
    struct error err;
    assert_int_equal(stage_apply(&fixture_state, &run, &options, &result, &err).code, 0);
    assert_int_equal(result.applied, 3);
    assert_false(result.stage_is_closed);
    assert_tree_is("work", "src/ 0755\nsrc/deep/ 0755\nsrc/deep/a 0644 a\\n\n");
    char *diff = diff_text(&run, &(struct diff_options){.names_only = true});
    assert_string_equal(diff, "A other\nA src/b\n");
    free(diff);
    const char *none[] = {"nothing", nullptr};
    options.paths = none;
    assert_int_equal(stage_apply(&fixture_state, &run, &options, &result, &err).code,
                     ERROR_STAGE_EMPTY);
    (void)applied(&run);
    assert_int_equal(run.state, RUN_APPLIED);
    run_close(&run);
}

static void attributes_and_times_are_kept(void **unused) {
    (void)unused;
    char upper[128];
    struct run run = start_run(nullptr, upper);
    put_file(at(upper, "a"), "a\n", 0644);
    char *path = in_folder(at(upper, "a"));
    SKIP_UNLESS(setxattr(path, "user.note", "hello", 5, 0) == 0);
    struct timespec times[2] = {{.tv_sec = 1000}, {.tv_sec = 1000000000}};
    assert_int_equal(utimensat(AT_FDCWD, path, times, 0), 0);
    (void)seal_run(&run);
    (void)applied(&run);
    char value[8] = "";
    struct stat there;
    assert_int_equal(getxattr(in_folder("work/a"), "user.note", value, sizeof value), 5);
    assert_memory_equal(value, "hello", 5);
    assert_int_equal(stat(in_folder("work/a"), &there), 0);
    assert_int_equal(there.st_mtim.tv_sec, 1000000000);
    run_close(&run);
}

static void sparse_files_stay_sparse(void **unused) {
    (void)unused;
    char upper[128];
    struct run run = start_run(nullptr, upper);
    put_file(at(upper, "big"), "start", 0644);
    assert_int_equal(truncate(in_folder(at(upper, "big")), 64 << 20), 0);
    (void)seal_run(&run);
    (void)applied(&run);
    struct stat there;
    assert_int_equal(stat(in_folder("work/big"), &there), 0);
    assert_int_equal(there.st_size, 64 << 20);
    assert_true(there.st_blocks < 2048);
    run_close(&run);
}

static void a_workspace_that_cannot_be_written_is_left_alone(void **unused) {
    (void)unused;
    SKIP_UNLESS(geteuid() != 0);
    char upper[128];
    put_file("work/d/a", "1\n", 0644);
    put_file("work/b", "1\n", 0644);
    struct run run = start_run(nullptr, upper);
    put_file(at(upper, "d/a"), "2\n", 0644);
    put_file(at(upper, "b"), "2\n", 0644);
    (void)seal_run(&run);
    assert_int_equal(chmod(in_folder("work/d"), 0555), 0);
    refused(&run, ERROR_IO, "d/a");
    assert_int_equal(chmod(in_folder("work/d"), 0755), 0);
    (void)applied(&run);
    run_close(&run);
}

static void what_forbids_reading_is_staged_all_the_same(void **unused) {
    (void)unused;
    SKIP_UNLESS(geteuid() != 0); /* nothing forbids root */
    char upper[128];
    put_file("work/mine", "m\n", 0000);
    put_file("work/a", "1\n", 0644);
    struct stat before;
    struct stat after;
    assert_int_equal(stat(in_folder("work/mine"), &before), 0);
    struct run run = start_run(nullptr, upper);
    put_file(at(upper, "a"), "1\n", 0000);
    put_file(at(upper, "z/y/q"), "q\n", 0000);
    SKIP_UNLESS(put_whiteout(at(upper, "mine")));
    assert_int_equal(chmod(in_folder(at(upper, "z/y")), 0000), 0);
    assert_int_equal(chmod(in_folder(at(upper, "z")), 0000), 0);
    (void)seal_run(&run);
    assert_int_equal(stat(in_folder("work/mine"), &after), 0);
    assert_int_equal(after.st_ctim.tv_nsec, before.st_ctim.tv_nsec); /* never touched */
    (void)applied(&run);
    struct stat folder;
    assert_int_equal(stat(in_folder("work/z"), &folder), 0);
    assert_int_equal(folder.st_mode & 07777, 0);
    assert_int_equal(chmod(in_folder("work/z"), 0755), 0);
    assert_int_equal(chmod(in_folder("work/z/y"), 0755), 0);
    assert_int_equal(chmod(in_folder("work/z/y/q"), 0644), 0);
    assert_int_equal(chmod(in_folder("work/a"), 0644), 0);
    assert_tree_is("work", "a 0644 1\\n\nz/ 0755\nz/y/ 0755\nz/y/q 0644 q\\n\n");
    run_close(&run);
}

static void discard_removes_the_files(void **unused) {
    (void)unused;
    char upper[128];
    struct run run = start_run(nullptr, upper);
    put_file(at(upper, "a"), "a\n", 0644);
    (void)seal_run(&run);
    assert_int_equal(discard(&run), 0);
    assert_int_equal(access(in_folder(upper), F_OK), -1);
    assert_int_equal(discard(&run), ERROR_RUN_STAGE_CLOSED);
    assert_tree_is("work", "");
    run_close(&run);
}

static void a_live_run_keeps_what_it_stands_on(void **unused) {
    (void)unused;
    char upper[128];
    struct error err;
    struct apply_result result;
    struct run first = start_run(nullptr, upper);
    put_file(at(upper, "a"), "a\n", 0644);
    (void)seal_run(&first);
    struct run empty = start_run(first.id, upper);
    (void)seal_run(&empty);
    struct run live = start_run(empty.id, upper);
    assert_int_equal(apply_all(&first, &result, &err).code, ERROR_BUSY);
    assert_int_equal(discard(&first), ERROR_BUSY);
    assert_tree_is("work", "");
    put_file(at(upper, "b"), "b\n", 0644);
    (void)seal_run(&live);
    assert_int_equal(discard(&first), ERROR_BUSY);
    (void)applied(&first);
    (void)applied(&live);
    assert_tree_is("work", "a 0644 a\\n\nb 0644 b\\n\n");
    run_close(&live);
    run_close(&empty);
    run_close(&first);
}

static status_t count_call(void *context, struct error *err) {
    (void)err;
    (*(unsigned *)context)++;
    return STATUS_OK;
}

/* What stands in a log is what happened: no entry of a discard that is refused. */
static void a_discard_is_admitted_only_when_it_happens(void **unused) {
    (void)unused;
    char upper[128];
    struct error err;
    struct stage_lock lock;
    unsigned calls = 0;
    struct run run = start_run(nullptr, upper);
    put_file(at(upper, "a"), "a\n", 0644);
    (void)seal_run(&run);
    assert_int_equal(stage_lock_take(&fixture_state, &run, &lock, &err).code, 0);
    assert_int_equal(stage_discard(&fixture_state, &run, count_call, &calls, &err).code,
                     ERROR_BUSY);
    assert_int_equal(calls, 0);
    stage_lock_release(&lock, &run);
    assert_int_equal(stage_discard(&fixture_state, &run, count_call, &calls, &err).code, 0);
    assert_int_equal(calls, 1);
    assert_int_equal(stage_discard(&fixture_state, &run, count_call, &calls, &err).code,
                     ERROR_RUN_STAGE_CLOSED);
    assert_int_equal(calls, 1);
    run_close(&run);
}

/* Two commands decide about one stage; the second still holds what it read before the first. */
static void a_stage_is_closed_once(void **unused) {
    (void)unused;
    char upper[128];
    struct run run = start_run(nullptr, upper);
    put_file(at(upper, "a"), "a\n", 0644);
    (void)seal_run(&run);
    struct run stale = reopen(&run);
    (void)applied(&run);
    assert_int_equal(discard(&stale), ERROR_RUN_STAGE_CLOSED);
    struct run again = reopen(&run);
    assert_int_equal(again.state, RUN_APPLIED);
    run_close(&again);
    run_close(&stale);
    run_close(&run);
}

#define ROW(name) cmocka_unit_test_setup_teardown(name, fixture_set_up, fixture_tear_down)

int main(void) {
    const struct CMUnitTest tests[] = {
        ROW(added_modified_deleted),
        ROW(kinds_change_both_ways),
        ROW(opaque_folder_replaces_content),
        ROW(whiteouts_as_attributes_are_read),
        ROW(a_touch_is_no_change),
        ROW(what_is_never_applied_is_refused_by_name),
        ROW(conflicts_refuse_the_whole),
        ROW(a_lower_file_that_moves_during_the_run_is_a_conflict),
        ROW(a_damaged_stage_is_not_applied),
        ROW(a_link_in_a_parent_is_never_followed),
        ROW(hard_links_outside_never_change),
        ROW(policy_sees_every_final_path),
        ROW(nothing_happens_before_admission),
        ROW(strange_names_work),
        ROW(a_stack_is_merged),
        ROW(a_stack_whose_lower_part_was_applied_goes_on),
        ROW(single_paths_can_be_applied),
        ROW(attributes_and_times_are_kept),
        ROW(sparse_files_stay_sparse),
        ROW(a_workspace_that_cannot_be_written_is_left_alone),
        ROW(what_forbids_reading_is_staged_all_the_same),
        ROW(discard_removes_the_files),
        ROW(a_live_run_keeps_what_it_stands_on),
        ROW(a_discard_is_admitted_only_when_it_happens),
        ROW(a_stage_is_closed_once),
    };
    return cmocka_run_group_tests_name("sandbox/stage", tests, nullptr, nullptr);
}
