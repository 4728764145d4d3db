/* SPDX-License-Identifier: Apache-2.0
 *
 * A state folder of its own for each test, and the ordinary entries they append.
 */
#pragma once

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>
#include <sqlcipher/sqlite3.h>

#include "audit/check.h"
#include "audit/log.h"
#include "audit/receipt.h"
#include "base/cleanup.h"
#include "sys/file.h"

struct scratch {
    char path[64];
    struct clock clock;
    struct state state;
    struct audit_log *log;
    struct keys_client *keys;
};

/* A call that must succeed; prints the error when it does not. */
#define must(call) scratch_must((call), &scratch_error, #call)
static struct error scratch_error;

static inline void scratch_must(status_t status, const struct error *err, const char *what) {
    if (!status_is_ok(status)) {
        print_error("%s: %s (%s) %s\n", what, err->message, error_slug(err->code), err->detail);
    }
    assert_true(status_is_ok(status));
}

/* A call that must fail with this code. */
#define must_fail(call, expected)                                                  \
    do {                                                                           \
        scratch_error = (struct error){0};                                         \
        assert_false(status_is_ok(call));                                          \
        assert_string_equal(error_slug(scratch_error.code), error_slug(expected)); \
    } while (0)

static inline void scratch_open_log(struct scratch *scratch) {
    must(audit_log_open(&(struct audit_log_options){&scratch->state, &scratch->clock},
                        &scratch->log, &scratch_error));
}

static inline void scratch_open_state(struct scratch *scratch) {
    (void)snprintf(scratch->path, sizeof scratch->path, "/tmp/airlock-test-XXXXXX");
    assert_non_null(mkdtemp(scratch->path));
    assert_int_equal(setenv("AIRLOCK_STATE_DIR", scratch->path, 1), 0);
    scratch->clock = clock_system();
    scratch->log = nullptr;
    scratch->keys = nullptr;
    must(state_open(&scratch->state, &scratch_error));
}

static inline void scratch_open(struct scratch *scratch) {
    scratch_open_state(scratch);
    scratch_open_log(scratch);
}

static inline void scratch_start_keys(struct scratch *scratch) {
    char program[4096];
    const char *folder = getenv("AIRLOCK_BUILD_DIR");
    assert_non_null(folder);
    (void)snprintf(program, sizeof program, "%s/src/airlock-keys", folder);
    must(keys_client_start_program(KEYS_SIGNER_LOG, program, scratch->state.keys_fd, &scratch->keys,
                                   &scratch_error));
}

static inline void scratch_close(struct scratch *scratch) {
    keys_client_stopp(&scratch->keys);
    audit_log_closep(&scratch->log);
    state_close(&scratch->state);
    must(file_remove_tree(AT_FDCWD, scratch->path, &scratch_error));
}

static inline struct json *scratch_fields(const char *run) {
    struct json *decision = json_object_new();
    json_set_text(decision, "outcome", "deny");
    struct json *fields = json_object_new();
    json_set_text(fields, "caller", "uid:1000");
    json_set_text(fields, "operation", "run.exec");
    json_set_text(fields, "request", run);
    json_set(fields, "decision", decision);
    return fields;
}

static inline void scratch_append(struct scratch *scratch, unsigned count) {
    for (unsigned i = 0; i < count; i++) {
        struct audit_append entry = {AUDIT_EVENT_DECISION, scratch_fields("some request")};
        struct audit_position position;
        must(audit_log_append(scratch->log, &entry, 1, &position, &scratch_error));
    }
}

static inline status_t reopen(struct scratch *scratch, struct error *err) {
    audit_log_closep(&scratch->log);
    return audit_log_open(&(struct audit_log_options){&scratch->state, &scratch->clock},
                          &scratch->log, err);
}

static inline status_t check(struct scratch *scratch, struct error *err) {
    struct audit_check_options options = {0};
    struct audit_check_result result;
    return audit_log_check(scratch->log, &options, &result, err);
}

static inline sqlite3 *scratch_database(const struct scratch *scratch) {
    char path[128];
    sqlite3 *handle;
    (void)snprintf(path, sizeof path, "%s/audit.db", scratch->path);
    assert_int_equal(sqlite3_open(path, &handle), SQLITE_OK);
    return handle;
}

/* What somebody with a copy of sqlite3 can do to the file. */
static inline void scratch_sql(const struct scratch *scratch, const char *statements) {
    sqlite3 *handle = scratch_database(scratch);
    assert_int_equal(sqlite3_exec(handle, statements, nullptr, nullptr, nullptr), SQLITE_OK);
    assert_int_equal(sqlite3_close(handle), SQLITE_OK);
}

static inline void sign(struct scratch *scratch, uint64_t seq) {
    scratch_start_keys(scratch);
    must(receipt_checkpoint(scratch->log, scratch->keys, seq, &scratch_error));
    keys_client_stopp(&scratch->keys);
}
