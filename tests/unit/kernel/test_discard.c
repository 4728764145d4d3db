/* SPDX-License-Identifier: Apache-2.0
 *
 * A discard that policy refuses: nothing goes, and the log says who wanted it.
 */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "kernel/kernel.h"
#include "sys/fd.h"
#include "sys/file.h"

static struct error failure;

/* A policy that refuses every discard. */
static void write_policy(const char *config) {
    static const char text[] = "version: 1\n"
                               "rules:\n"
                               "  - name: test.deny\n"
                               "    match: { operation: stage.discard }\n"
                               "    action: deny\n"
                               "    reason: because\n";
    struct file_write_options options = {.mode = 0600};
    assert_int_equal(setenv("XDG_CONFIG_HOME", config, 1), 0);
    assert_int_equal(mkdir(config, 0700), 0);
    CLEANUP(fd_closep) int folder = open(config, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    assert_int_equal(mkdirat(folder, "airlock", 0700), 0);
    assert_int_equal(
        file_write_atomic(folder, "airlock/policy.yaml", SLICE_LITERAL(text), &options, &failure)
            .code,
        0);
}

static bool find_decision(void *context, uint64_t seq, struct slice entry) {
    (void)seq;
    CLEANUP(json_freep) struct json *object = nullptr;
    assert_int_equal(json_parse(entry, "an entry", &object, &failure).code, 0);
    if (strcmp(json_get_text(object, "type"), "decision") == 0) {
        assert_string_equal(json_get_text(object, "operation"), "stage.discard");
        assert_string_equal(json_get_text(object, "run"), context);
        assert_string_equal(json_get_text(json_get(object, "decision"), "rule"), "test.deny");
        *(char *)context = '\0';
    }
    return true;
}

static void a_refused_discard_is_in_the_log(void **state) {
    (void)state;
    char top[] = "discard-XXXXXX";
    char workspace[256];
    char id[ID_TEXT_BYTES];
    struct kernel kernel;
    struct run run;
    struct stage_summary summary;
    assert_non_null(mkdtemp(top));
    CLEANUP(memory_freep) char *full = realpath(top, nullptr);
    assert_non_null(full);
    (void)snprintf(workspace, sizeof workspace, "%s/work", full);
    assert_int_equal(mkdir(workspace, 0700), 0);
    (void)snprintf(workspace, sizeof workspace, "%s/state", full);
    assert_int_equal(setenv("AIRLOCK_STATE_DIR", workspace, 1), 0);
    (void)snprintf(workspace, sizeof workspace, "%s/config", full);
    write_policy(workspace);
    (void)snprintf(workspace, sizeof workspace, "%s/work", full);
    assert_int_equal(kernel_open(&kernel, &failure).code, 0);
    struct run_create_options options = {
        .workspace = workspace, .host_uid = geteuid(), .host_gid = getegid()};
    assert_int_equal(run_create(&kernel.state, &kernel.clock, &options, &run, &failure).code, 0);
    int made = openat(run.fd, "upper/new", O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    assert_true(made >= 0);
    (void)close(made);
    assert_int_equal(stage_seal(&kernel.state, &run, &summary, &failure).code, 0);
    assert_int_equal(run_save(&run, true, &failure).code, 0);
    (void)snprintf(id, sizeof id, "%s", run.id);
    assert_int_equal(kernel_discard(&kernel, &run, &failure).code, ERROR_POLICY_DENIED);
    assert_int_equal(audit_log_scan(kernel.log, 0, find_decision, id, &failure).code, 0);
    assert_string_equal(id, ""); /* it was found */
    assert_int_equal(faccessat(run.fd, "upper/new", F_OK, 0), 0);
    run_close(&run);
    kernel_close(&kernel);
    assert_int_equal(file_remove_tree(AT_FDCWD, full, &failure).code, 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_refused_discard_is_in_the_log),
    };
    return cmocka_run_group_tests_name("kernel/discard", tests, nullptr, nullptr);
}
