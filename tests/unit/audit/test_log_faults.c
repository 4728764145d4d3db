/* SPDX-License-Identifier: Apache-2.0 */
#include "scratch.h"

#include <signal.h>
#include <sys/mount.h>
#include <sys/wait.h>

enum { WRITERS = 20, APPENDS = 10 };

static int writer(struct scratch *scratch) {
    struct error err = {0};
    struct audit_log *log;
    if (!status_is_ok(audit_log_open(&(struct audit_log_options){&scratch->state, &scratch->clock},
                                     &log, &err))) {
        (void)fprintf(stderr, "open: %s %s\n", err.message, err.detail);
        return 1;
    }
    for (int i = 0; i < APPENDS; i++) {
        struct audit_append entry = {AUDIT_EVENT_DECISION, scratch_fields("one of many")};
        if (!status_is_ok(audit_log_append(log, &entry, 1, nullptr, &err))) {
            (void)fprintf(stderr, "append: %s %s\n", err.message, err.detail);
            return 1;
        }
    }
    audit_log_close(log);
    return 0;
}

/* The file does not exist when they start, so they race to make it too. */
static void many_writers_lose_nothing(void **state) {
    (void)state;
    struct scratch scratch;
    struct audit_head head;
    scratch_open_state(&scratch);
    for (int i = 0; i < WRITERS; i++) {
        pid_t child = fork();
        assert_true(child >= 0);
        if (child == 0) {
            _exit(writer(&scratch));
        }
    }
    for (int i = 0; i < WRITERS; i++) {
        int status;
        assert_true(wait(&status) > 0);
        assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    }
    scratch_open_log(&scratch);
    must(audit_log_head(scratch.log, &head, &scratch_error));
    assert_int_equal(head.size, WRITERS * APPENDS);
    must(check(&scratch, &scratch_error));
    scratch_close(&scratch);
}

/* kill -9 while others append: what was acknowledged is there, and all of it verifies. */
static void a_killed_writer_leaves_a_whole_log(void **state) {
    (void)state;
    struct scratch scratch;
    struct audit_head head = {.size = 1};
    scratch_open(&scratch);
    scratch_append(&scratch, 1);
    audit_log_closep(&scratch.log);
    for (unsigned i = 0; i < 25; i++) {
        int acknowledged[2];
        assert_int_equal(pipe(acknowledged), 0);
        pid_t child = fork();
        assert_true(child >= 0);
        if (child == 0) {
            scratch_open_log(&scratch);
            for (;;) {
                scratch_append(&scratch, 1);
                (void)!write(acknowledged[1], "x", 1);
            }
        }
        assert_int_equal(close(acknowledged[1]), 0);
        (void)usleep(1000 + i * 370);
        assert_int_equal(kill(child, SIGKILL), 0);
        assert_int_equal(waitpid(child, nullptr, 0), child);
        uint64_t told = 0;
        char byte;
        while (read(acknowledged[0], &byte, 1) == 1) {
            told++;
        }
        (void)close(acknowledged[0]);
        must(reopen(&scratch, &scratch_error));
        struct audit_head after;
        must(audit_log_head(scratch.log, &after, &scratch_error));
        /* One more may be there: killed between its commit and the word of it. */
        assert_in_range(after.size, head.size + told, head.size + told + 1);
        head = after;
        must(check(&scratch, &scratch_error));
        audit_log_closep(&scratch.log);
    }
    scratch_close(&scratch);
}

static void a_full_disk_loses_nothing_that_was_told(void **state) {
    (void)state;
    struct scratch scratch;
    struct audit_head before;
    struct audit_head after;
    char path[] = "/tmp/airlock-test-full-XXXXXX";
    assert_non_null(mkdtemp(path));
    if (mount("tmpfs", path, "tmpfs", 0, "size=600k,mode=0700") != 0) {
        (void)rmdir(path);
        print_message("# a small filesystem cannot be mounted here: the full disk was NOT tried\n");
        skip();
    }
    assert_int_equal(setenv("AIRLOCK_STATE_DIR", path, 1), 0);
    scratch = (struct scratch){.clock = clock_system()};
    must(state_open(&scratch.state, &scratch_error));
    scratch_open_log(&scratch);
    enum error_code code = ERROR_NONE;
    for (unsigned i = 0; i < 10000 && code == ERROR_NONE; i++) {
        struct audit_append entry = {AUDIT_EVENT_DECISION, scratch_fields("fill")};
        must(audit_log_head(scratch.log, &before, &scratch_error));
        scratch_error = (struct error){0};
        if (!status_is_ok(audit_log_append(scratch.log, &entry, 1, nullptr, &scratch_error))) {
            code = scratch_error.code;
        }
    }
    assert_string_equal(error_slug(code), "disk-full");
    must(reopen(&scratch, &scratch_error));
    must(audit_log_head(scratch.log, &after, &scratch_error));
    assert_int_equal(before.size, after.size);
    must(check(&scratch, &scratch_error));
    audit_log_closep(&scratch.log);
    state_close(&scratch.state);
    assert_int_equal(umount(path), 0);
    assert_int_equal(rmdir(path), 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(many_writers_lose_nothing),
        cmocka_unit_test(a_killed_writer_leaves_a_whole_log),
        cmocka_unit_test(a_full_disk_loses_nothing_that_was_told),
    };
    return cmocka_run_group_tests_name("log faults", tests, nullptr, nullptr);
}
