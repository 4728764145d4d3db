/* SPDX-License-Identifier: Apache-2.0
 *
 * An apply that dies at its n-th change of a disk, for every n: whoever comes next writes exactly
 * one outcome for its intent, and it says what became of the workspace.
 */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "kernel/automatic.h"
#include "kernel/kernel.h"
#include "sandbox/merge_steps.h"
#include "sys/file.h"

enum { STATUS_DIED = 42, STEP_COUNT_MAX = 100 };

static unsigned steps_left;
static bool is_automatic; /* nobody asks for it, and a rule permits that */
static struct error failure;

static void die_when_due(void) {
    if (steps_left-- == 0) {
        _exit(STATUS_DIED);
    }
}

static void write_text(const char *folder, const char *name, const char *text) {
    char path[256];
    (void)snprintf(path, sizeof path, "%s/%s", folder, name);
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    assert_true(fputs(text, file) >= 0);
    assert_int_equal(fclose(file), 0);
}

/* One stage that edits a file and adds one. */
static void make_stage(const char *state_folder, const char *workspace,
                       char ret_id[static ID_TEXT_BYTES]) {
    struct kernel kernel;
    struct run run;
    struct stage_summary summary;
    char upper[256];
    assert_int_equal(kernel_open(&kernel, &failure).code, 0);
    struct run_create_options options = {
        .workspace = workspace, .host_uid = geteuid(), .host_gid = getegid()};
    assert_int_equal(run_create(&kernel.state, &kernel.clock, &options, &run, &failure).code, 0);
    (void)snprintf(upper, sizeof upper, "%s/runs/%s/upper", state_folder, run.id);
    write_text(upper, "edit", "new\n");
    write_text(upper, "made", "m\n");
    assert_int_equal(stage_seal(&kernel.state, &run, &summary, &failure).code, 0);
    assert_int_equal(run_save(&run, true, &failure).code, 0);
    (void)snprintf(ret_id, ID_TEXT_BYTES, "%s", run.id);
    run_close(&run);
    kernel_close(&kernel);
}

/* The intent is written in the child, by the same kernel_apply() that users run. */
static int apply_in_child(const char *id, unsigned steps) {
    pid_t child = fork();
    if (child == 0) {
        struct kernel kernel;
        struct run run;
        struct apply_result result;
        uint64_t seq;
        bool ok = status_is_ok(kernel_open(&kernel, &failure)) &&
                  status_is_ok(run_open(&kernel.state, id, &run, &failure));
        steps_left = steps;
        merge_test_hook = die_when_due;
        struct automatic automatic;
        automatic_init(&automatic);
        struct kernel_apply_options options = {.automatic = is_automatic ? &automatic : nullptr};
        (void)(ok && status_is_ok(kernel_apply(&kernel, &run, &options, &result, &seq, &failure)));
        _exit(0);
    }
    int status = 0;
    assert_true(child > 0);
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    return WEXITSTATUS(status);
}

struct tally {
    unsigned intents;
    unsigned outcomes;
    char outcome[32];
    char told[2][128]; /* of intent and outcome: by which rule, and how much, when nobody asked */
};

static void take_automatic(const struct json *entry, char ret_told[static 128]) {
    int64_t lines = 0;
    int64_t files = 0;
    ret_told[0] = '\0';
    if (json_get(entry, "automatic") != nullptr) {
        assert_true(json_get_integer(entry, "changed_lines", &lines));
        assert_true(json_get_integer(entry, "changed_files", &files));
        (void)snprintf(ret_told, 128, "%s %d %d", json_get_text(entry, "auto_rule"), (int)lines,
                       (int)files);
    }
}

static bool count(void *context, uint64_t seq, struct slice bytes) {
    (void)seq;
    struct tally *tally = context;
    struct error ignored;
    CLEANUP(json_freep) struct json *entry = nullptr;
    assert_int_equal(json_parse(bytes, "entry", &entry, &ignored).code, 0);
    const char *type = json_get_text(entry, "type");
    if (strcmp(type, audit_event_text(AUDIT_EVENT_APPLY_STARTED)) == 0) {
        tally->intents++;
        take_automatic(entry, tally->told[0]);
    }
    if (strcmp(type, audit_event_text(AUDIT_EVENT_STAGE_APPLIED)) == 0) {
        tally->outcomes++;
        (void)snprintf(tally->outcome, sizeof tally->outcome, "%s",
                       json_get_text(entry, "outcome"));
        take_automatic(entry, tally->told[1]);
    }
    return true;
}

static bool file_is(const char *folder, const char *name, const char *text) {
    char path[256];
    char content[16] = "";
    (void)snprintf(path, sizeof path, "%s/%s", folder, name);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        return text == nullptr;
    }
    (void)!read(fd, content, sizeof content - 1);
    (void)close(fd);
    return text != nullptr && strcmp(content, text) == 0;
}

static int one_round(unsigned steps, struct tally *tally) {
    char folder[] = "/tmp/airlock-test-XXXXXX";
    char state_folder[64];
    char workspace[64];
    char id[ID_TEXT_BYTES];
    struct kernel kernel;
    assert_non_null(mkdtemp(folder));
    (void)snprintf(state_folder, sizeof state_folder, "%s/state", folder);
    (void)snprintf(workspace, sizeof workspace, "%s/work", folder);
    assert_int_equal(setenv("AIRLOCK_STATE_DIR", state_folder, 1), 0);
    assert_int_equal(mkdir(workspace, 0755), 0);
    write_text(workspace, "edit", "old\n");
    assert_int_equal(setenv("XDG_CONFIG_HOME", folder, 1), 0);
    if (is_automatic) {
        char config[64];
        (void)snprintf(config, sizeof config, "%s/airlock", folder);
        assert_int_equal(mkdir(config, 0700), 0);
        write_text(
            config, "policy.yaml",
            "version: 1\nrules:\n  - { name: small, match: { operation: stage.apply }, action: "
            "allow, constraints: { auto_apply: { changed_lines_max: 9, files_max: 5 } } }\n");
    }
    make_stage(state_folder, workspace, id);
    int status = apply_in_child(id, steps);
    for (int i = 0; i < 2; i++) { /* the second finds nothing to do */
        *tally = (struct tally){0};
        assert_int_equal(kernel_open(&kernel, &failure).code, 0);
        assert_int_equal(audit_log_scan(kernel.log, 0, count, tally, &failure).code, 0);
        kernel_close(&kernel);
        assert_int_equal(tally->intents, 1);
        assert_int_equal(tally->outcomes, 1);
        assert_string_equal(tally->told[0], is_automatic ? "small 3 2" : "");
        assert_string_equal(tally->told[1], tally->told[0]);
    }
    bool is_new = file_is(workspace, "edit", "new\n") && file_is(workspace, "made", "m\n");
    bool is_old = file_is(workspace, "edit", "old\n") && file_is(workspace, "made", nullptr);
    assert_true(is_new != is_old);
    assert_int_equal(is_old, strcmp(tally->outcome, "undone") == 0);
    assert_int_equal(file_remove_tree(AT_FDCWD, folder, &failure).code, 0);
    return status;
}

static void every_apply_that_dies_gets_its_outcome(void **state) {
    is_automatic = *state != nullptr;
    struct tally tally;
    unsigned steps = 0;
    bool seen_undone = false;
    bool seen_recovered = false;
    while (one_round(steps, &tally) == STATUS_DIED) {
        seen_undone = seen_undone || strcmp(tally.outcome, "undone") == 0;
        seen_recovered = seen_recovered || strcmp(tally.outcome, "recovered") == 0;
        steps++;
        assert_true(steps < STEP_COUNT_MAX);
    }
    assert_string_equal(tally.outcome, "applied");
    assert_true(seen_undone && seen_recovered);
    assert_true(steps > 6);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_apply_that_dies_gets_its_outcome),
        cmocka_unit_test_prestate(every_apply_that_dies_gets_its_outcome, &is_automatic),
    };
    return cmocka_run_group_tests_name("kernel/recover", tests, nullptr, nullptr);
}
