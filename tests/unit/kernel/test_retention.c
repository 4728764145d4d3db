/* SPDX-License-Identifier: Apache-2.0 */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "audit/storage.h"
#include "kernel/retention.h"
#include "sys/file.h"

static struct error failure;
static uint64_t days;

static uint64_t later(void *context) {
    struct clock system = clock_system();
    (void)context;
    return clock_wall_ms(&system) + days * 86400000;
}

static void append(struct kernel *kernel, size_t count) {
    for (size_t i = 0; i < count; i++) {
        struct json *fields = json_object_new();
        json_set_text(fields, "caller", "uid:1000");
        json_set_text(fields, "operation", "run.exec");
        json_set_text(fields, "request", "r");
        json_set(fields, "decision", json_object_new());
        struct audit_append entry = {AUDIT_EVENT_DECISION, fields};
        assert_int_equal(audit_log_append(kernel->log, &entry, 1, nullptr, &failure).code, 0);
    }
}

static void make_run(struct kernel *kernel, uint64_t intent_seq, enum run_state state) {
    struct run run;
    struct run_create_options options = {
        .workspace = "/", .host_uid = geteuid(), .host_gid = getegid()};
    assert_int_equal(run_create(&kernel->state, &kernel->clock, &options, &run, &failure).code, 0);
    run.intent_seq = intent_seq;
    run.state = state;
    run.change_count = 1;
    assert_int_equal(run_save(&run, true, &failure).code, 0);
    run_close(&run);
}

static uint64_t first_kept(struct kernel *kernel) {
    struct audit_storage storage;
    assert_int_equal(audit_storage_read(kernel->log, &storage, &failure).code, 0);
    return storage.first_kept;
}

static void open_stages_hold_their_entries(void **state) {
    (void)state;
    char folder[] = "/tmp/airlock-test-XXXXXX";
    struct kernel kernel;
    assert_non_null(mkdtemp(folder));
    assert_int_equal(setenv("AIRLOCK_STATE_DIR", folder, 1), 0);
    days = 0;
    assert_int_equal(kernel_open(&kernel, &failure).code, 0);
    kernel.clock.wall_ms = later;
    append(&kernel, 800);
    make_run(&kernel, 100, RUN_APPLIED);
    make_run(&kernel, 300, RUN_OPEN);
    make_run(&kernel, 700, RUN_OPEN);
    assert_int_equal(kernel_retain(&kernel, &failure).code, 0);
    assert_int_equal(first_kept(&kernel), 0); /* all young */
    days = (uint64_t)LIMIT_LOG_DAYS + 1;
    assert_int_equal(kernel_retain(&kernel, &failure).code, 0);
    assert_int_equal(first_kept(&kernel), 256); /* the run that was applied holds nothing */
    assert_int_equal(kernel_retain(&kernel, &failure).code, 0);
    assert_int_equal(first_kept(&kernel), 256);
    kernel_close(&kernel);
    assert_int_equal(file_remove_tree(AT_FDCWD, folder, &failure).code, 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(open_stages_hold_their_entries),
    };
    return cmocka_run_group_tests_name("retention", tests, nullptr, nullptr);
}
