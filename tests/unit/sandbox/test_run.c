/* SPDX-License-Identifier: Apache-2.0 */
#include "stage_fixture.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "sys/fd.h"

static char *below(const char *folder, const char *path) {
    static char full[600];
    (void)snprintf(full, sizeof full, "%s/%s", folder, path);
    return full;
}

static bool exists(const char *path) {
    return access(below(fixture_folder, path), F_OK) == 0;
}

static void meta_keeps_every_field(void **unused) {
    (void)unused;
    char upper[128];
    struct error err;
    struct run run = start_run(nullptr, upper);
    (void)snprintf(run.command, sizeof run.command, "%s", "echo 'a\nb' \\ \xc3\xa9\xff");
    (void)snprintf(run.workspace, sizeof run.workspace, "%s", "/w \xff\n\\x");
    (void)snprintf(run.parent, sizeof run.parent, "%s", run.id);
    run.finished_ms = 1234567890123;
    run.exit_status = -7;
    run.intent_seq = 5;
    run.change_count = 4000000000u;
    memset(run.stage_digest.bytes, 0xa5, DIGEST_BYTES);
    assert_int_equal(run_save(&run, true, &err).code, 0);
    struct run again = reopen(&run);
    assert_string_equal(again.command, run.command);
    assert_string_equal(again.workspace, run.workspace);
    assert_string_equal(again.parent, run.parent);
    assert_int_equal(again.finished_ms, run.finished_ms);
    assert_int_equal(again.exit_status, -7);
    assert_int_equal(again.outcome_seq, UINT64_MAX);
    assert_int_equal(again.change_count, run.change_count);
    assert_true(digest_equal(&again.stage_digest, &run.stage_digest));
    run_close(&again);
    run_close(&run);
}

static void a_damaged_meta_is_an_error_and_hides_nothing_else(void **unused) {
    (void)unused;
    static const char *const damages[] = {"", "airlock-run 2\n", "airlock-run 1\nid x\n",
                                          "airlock-run 1\nid \\xZZ\n"};
    char upper[128];
    char meta[128];
    struct error err;
    struct run good = start_run(nullptr, upper);
    struct run bad = start_run(nullptr, upper);
    (void)snprintf(meta, sizeof meta, "state/runs/%s/meta", bad.id);
    for (size_t i = 0; i < sizeof damages / sizeof damages[0]; i++) {
        struct run again;
        put_file(meta, damages[i], 0600);
        assert_int_equal(run_open(&fixture_state, bad.id, &again, &err).code, ERROR_BAD_ENCODING);
        struct run *runs = nullptr;
        size_t count = 0;
        assert_int_equal(run_list(&fixture_state, &runs, &count, &err).code, 0);
        assert_int_equal(count, 1);
        assert_string_equal(runs[0].id, good.id);
        free(runs);
    }
    run_close(&good);
    run_close(&bad);
}

static enum error_code find(const char *name, struct run *ret) {
    struct error err;
    return (enum error_code)run_find(&fixture_state, name, fixture_workspace, ret, &err).code;
}

static void runs_are_found_by_every_kind_of_name(void **unused) {
    (void)unused;
    char upper[128];
    struct run found;
    assert_int_equal(find(nullptr, &found), ERROR_RUN_UNKNOWN);
    struct run first = start_run(nullptr, upper);
    put_file(below(upper, "a"), "a\n", 0644);
    (void)seal_run(&first);
    usleep(2000); /* ids sort by the millisecond */
    struct run second = start_run(nullptr, upper);
    (void)seal_run(&second);
    assert_int_equal(find(nullptr, &found), 0);
    assert_string_equal(found.id, first.id); /* the newest with changes */
    run_close(&found);
    assert_int_equal(find("@1", &found), 0);
    assert_string_equal(found.id, second.id);
    run_close(&found);
    assert_int_equal(find("@2", &found), 0);
    assert_string_equal(found.id, first.id);
    run_close(&found);
    assert_int_equal(find(first.id + 28, &found), 0);
    assert_string_equal(found.id, first.id);
    run_close(&found);
    assert_int_equal(find("@3", &found), ERROR_RUN_UNKNOWN);
    assert_int_equal(find("@0", &found), ERROR_RUN_UNKNOWN);
    assert_int_equal(find("@", &found), ERROR_RUN_UNKNOWN);
    assert_int_equal(find("", &found), ERROR_RUN_UNKNOWN);
    assert_int_equal(find("../..", &found), ERROR_RUN_UNKNOWN);
    assert_int_equal(find("12345", &found), ERROR_RUN_UNKNOWN);
    assert_int_equal(find("00000000-0000-7000-8000-000000000000", &found), ERROR_RUN_UNKNOWN);
    run_close(&first);
    run_close(&second);
}

struct lost {
    unsigned count;
    char id[ID_TEXT_BYTES];
};

static status_t note_lost(void *context, struct run *run, struct error *err) {
    (void)err;
    struct lost *lost = context;
    lost->count++;
    (void)snprintf(lost->id, sizeof lost->id, "%s", run->id);
    run->outcome_seq = 9;
    return STATUS_OK;
}

static void the_collector_takes_only_what_is_dead(void **unused) {
    (void)unused;
    char upper[128];
    char dead_upper[128];
    char path[128];
    struct error err;
    struct lost lost = {0};
    struct run live = start_run(nullptr, upper);
    struct run dead = start_run(nullptr, dead_upper);
    put_file(below(dead_upper, "kept"), "k\n", 0644);
    (void)snprintf(path, sizeof path, "state/runs/%s/tmp/left/over", dead.id);
    put_file(path, "x", 0600);
    fd_closep(&dead.lock_fd); /* as if its command had died */
    assert_int_equal(run_collect(&fixture_state,
                                 &(struct run_collector){.each_lost = note_lost, .context = &lost},
                                 &err)
                         .code,
                     0);
    assert_int_equal(lost.count, 1);
    assert_string_equal(lost.id, dead.id);
    assert_false(exists(path));
    struct run again = reopen(&dead);
    assert_int_equal(again.state, RUN_LOST);
    assert_int_equal(again.change_count, 1);
    assert_int_equal(again.outcome_seq, 9);
    (void)snprintf(path, sizeof path, "state/runs/.live/%s", dead.id);
    assert_false(exists(path));
    (void)snprintf(path, sizeof path, "state/runs/.live/%s", live.id);
    assert_true(exists(path));
    assert_int_equal(run_collect(&fixture_state,
                                 &(struct run_collector){.each_lost = note_lost, .context = &lost},
                                 &err)
                         .code,
                     0);
    assert_int_equal(lost.count, 1); /* once */
    struct apply_result result;
    assert_int_equal(apply_all(&again, &result, &err).code, 0);
    assert_tree_is("work", "kept 0644 k\\n\n");
    run_close(&again);
    run_close(&dead);
    run_close(&live);
}

/* A collector that has read the meta of an open run and has not written it yet, in a child. */
static pid_t collector_between_read_and_write(const struct run *run) {
    int ready[2];
    char byte;
    assert_int_equal(pipe(ready), 0);
    pid_t child = fork();
    if (child == 0) {
        struct run stale = reopen(run);
        struct error err;
        stale.lock_fd = openat(stale.fd, "lock", O_RDWR | O_CLOEXEC);
        bool ok = flock(stale.lock_fd, LOCK_EX) == 0 && write(ready[1], "x", 1) == 1 &&
                  usleep(100000) == 0 && status_is_ok(run_save(&stale, true, &err));
        _exit(ok ? 0 : 1);
    }
    assert_true(child > 0);
    assert_int_equal(read(ready[0], &byte, 1), 1);
    (void)close(ready[0]);
    (void)close(ready[1]);
    return child;
}

static void a_collector_cannot_open_an_applied_stage_again(void **unused) {
    (void)unused;
    char upper[128];
    struct error err;
    struct apply_result result;
    int status = 0;
    struct run run = start_run(nullptr, upper);
    put_file(below(upper, "a"), "a\n", 0644);
    (void)seal_run(&run);
    pid_t child = collector_between_read_and_write(&run);
    assert_int_equal(apply_all(&run, &result, &err).code, 0);
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
    struct run again = reopen(&run);
    assert_int_equal(again.state, RUN_APPLIED);
    run_close(&again);
    run_close(&run);
}

/* A stage that cannot be sealed must not stop every later command. */
static void a_lost_run_without_a_stage_is_collected(void **unused) {
    (void)unused;
    char upper[128];
    struct error err;
    struct lost lost = {0};
    struct run dead = start_run(nullptr, upper);
    remove_path(upper);
    fd_closep(&dead.lock_fd);
    assert_int_equal(run_collect(&fixture_state,
                                 &(struct run_collector){.each_lost = note_lost, .context = &lost},
                                 &err)
                         .code,
                     0);
    assert_int_equal(lost.count, 1);
    struct run again = reopen(&dead);
    assert_int_equal(again.state, RUN_LOST);
    assert_int_equal(again.change_count, 0);
    assert_false(run_stage_is_open(&again));
    run_close(&again);
    run_close(&dead);
}

/* The workspace is on a drive that is away: the stage waits for it. */
static void a_lost_run_waits_for_its_workspace(void **unused) {
    (void)unused;
    char upper[128];
    char away[600];
    struct error err;
    struct lost lost = {0};
    struct run dead = start_run(nullptr, upper);
    put_file(below(upper, "a"), "a\n", 0644);
    fd_closep(&dead.lock_fd);
    (void)snprintf(away, sizeof away, "%s/away", fixture_folder);
    assert_int_equal(rename(fixture_workspace, away), 0);
    assert_int_equal(run_collect(&fixture_state,
                                 &(struct run_collector){.each_lost = note_lost, .context = &lost},
                                 &err)
                         .code,
                     0);
    assert_int_equal(lost.count, 0);
    assert_int_equal(rename(away, fixture_workspace), 0);
    assert_int_equal(run_collect(&fixture_state,
                                 &(struct run_collector){.each_lost = note_lost, .context = &lost},
                                 &err)
                         .code,
                     0);
    assert_int_equal(lost.count, 1);
    struct run again = reopen(&dead);
    assert_int_equal(again.change_count, 1);
    run_close(&again);
    run_close(&dead);
}

static void layers_are_the_open_stages_newest_first(void **unused) {
    (void)unused;
    char upper[128];
    struct error err;
    struct run first = start_run(nullptr, upper);
    put_file(below(upper, "a"), "a\n", 0644);
    (void)seal_run(&first);
    struct run empty = start_run(first.id, upper);
    (void)seal_run(&empty);
    struct run last = start_run(empty.id, upper);
    put_file(below(upper, "b"), "b\n", 0644);
    (void)seal_run(&last);
    char **layers = nullptr;
    assert_int_equal(run_layers(&fixture_state, &last, &layers, &err).code, 0);
    assert_non_null(strstr(layers[0], last.id));
    assert_non_null(strstr(layers[1], first.id));
    assert_null(layers[2]);
    free(layers);
    struct apply_result result;
    assert_int_equal(apply_all(&first, &result, &err).code, 0);
    assert_int_equal(run_layers(&fixture_state, &last, &layers, &err).code, 0);
    assert_non_null(strstr(layers[0], last.id));
    assert_null(layers[1]); /* the applied one is in the workspace */
    free(layers);
    run_close(&first);
    run_close(&empty);
    run_close(&last);
}

static void too_deep_a_stack_is_a_limit(void **unused) {
    (void)unused;
    char upper[128];
    char parent[ID_TEXT_BYTES] = "";
    struct error err;
    char **layers = nullptr;
    struct run run = {.fd = -1, .lock_fd = -1};
    for (int i = 0; i <= LIMIT_STAGE_STACK; i++) {
        run_close(&run);
        run = start_run(parent[0] != '\0' ? parent : nullptr, upper);
        put_file(below(upper, "a"), run.id, 0644);
        run.state = RUN_OPEN;
        run.change_count = 1;
        assert_int_equal(run_save(&run, false, &err).code, 0);
        memcpy(parent, run.id, sizeof parent);
    }
    assert_int_equal(run_layers(&fixture_state, &run, &layers, &err).code, ERROR_LIMIT);
    run_close(&run);
}

/* What a run had as /tmp, home or output is never another run's. */
static void folders_are_never_used_again(void **unused) {
    (void)unused;
    char upper[128];
    char path[300];
    struct clock clock = clock_system();
    struct error err;
    struct run again;
    struct run run = start_run(nullptr, upper);
    (void)snprintf(path, sizeof path, "state/runs/%s/tmp/left", run.id);
    put_file(path, "left", 0644);
    struct run_create_options options = {.id = run.id, .workspace = fixture_workspace};
    assert_int_not_equal(run_create(&fixture_state, &clock, &options, &again, &err).code, 0);
    assert_int_equal(faccessat(fixture_state.runs_fd, path + sizeof "state/runs", F_OK, 0), 0);
    run.state = RUN_EMPTY;
    assert_int_equal(run_save(&run, false, &err).code, 0); /* ended: they are gone */
    assert_int_not_equal(faccessat(fixture_state.runs_fd, path + sizeof "state/runs", F_OK, 0), 0);
    assert_int_not_equal(run_create(&fixture_state, &clock, &options, &again, &err).code, 0);
    run_close(&run);
}

#define ROW(name) cmocka_unit_test_setup_teardown(name, fixture_set_up, fixture_tear_down)

int main(void) {
    const struct CMUnitTest tests[] = {
        ROW(meta_keeps_every_field),
        ROW(a_damaged_meta_is_an_error_and_hides_nothing_else),
        ROW(runs_are_found_by_every_kind_of_name),
        ROW(the_collector_takes_only_what_is_dead),
        ROW(a_collector_cannot_open_an_applied_stage_again),
        ROW(a_lost_run_without_a_stage_is_collected),
        ROW(a_lost_run_waits_for_its_workspace),
        ROW(layers_are_the_open_stages_newest_first),
        ROW(too_deep_a_stack_is_a_limit),
        ROW(folders_are_never_used_again),
    };
    return cmocka_run_group_tests_name("sandbox/run", tests, nullptr, nullptr);
}
