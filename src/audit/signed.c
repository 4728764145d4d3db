/* SPDX-License-Identifier: Apache-2.0
 *
 * Table `signed`, one row: the highest tree that was signed, as audit.db knows it. keys/ holds the
 * same, and only the key process writes there; when that is lost or put back from a backup, nothing
 * else here would tell. The row costs no commit of its own: it travels with the next append, so it
 * may lag behind by one command, which the check allows for. Logs made before this table get it
 * with their next entry.
 */
#include <inttypes.h>
#include <string.h>

#include "audit/checkpoint.h"
#include "audit/log_file.h"
#include "base/cleanup.h"
#include "sys/fd.h"

static bool row_decode(sqlite3_stmt *row, struct checkpoint *ret) {
    sqlite3_int64 size = sqlite3_column_int64(row, 0);
    struct slice root = database_blob(row, 1);
    struct slice origin = database_blob(row, 2);
    *ret = (struct checkpoint){.size = (uint64_t)size};
    if (size <= 0 || root.size != DIGEST_BYTES || origin.size >= sizeof ret->origin) {
        return false;
    }
    memcpy(ret->root.bytes, root.data, DIGEST_BYTES);
    memcpy(ret->origin, origin.data, origin.size);
    return true;
}

/* One row, or none. */
static status_t read_row(struct audit_log *log, enum statement number, bool *ret_found,
                         struct checkpoint *ret_row, struct error *err) {
    sqlite3_stmt *statement;
    TRY(database_statement(&log->database, number, &statement, err));
    int result = sqlite3_step(statement);
    status_t status = STATUS_OK;
    *ret_found = result == SQLITE_ROW;
    if (result != SQLITE_ROW && result != SQLITE_DONE) {
        status = database_error(&log->database, result, "read", err);
    } else if (*ret_found && ret_row != nullptr && !row_decode(statement, ret_row)) {
        status = error_set(err, ERROR_AUDIT_DAMAGED, 0, "audit.db: what was signed is malformed");
    }
    (void)sqlite3_reset(statement);
    return status;
}

static status_t lost(const struct checkpoint *kept, const struct checkpoint *last,
                     struct error *err) {
    status_t status = error_set(err, ERROR_AUDIT_ROLLED_BACK, 0, "keys/last_checkpoint is %s",
                                last->size == 0 ? "gone" : "older than the log");
    error_detail(err, "a tree of %" PRIu64 " entries was signed by %s; the file says %" PRIu64,
                 kept->size, kept->origin, last->size);
    error_hint(err,
               "Put keys/ back from a backup that is not older than the last receipt, or begin "
               "a new log in another AIRLOCK_STATE_DIR.");
    return status;
}

status_t audit_signed_check(struct audit_log *log, struct error *err) {
    struct checkpoint kept;
    bool found = false;
    TRY(read_row(log, STATEMENT_SIGNED_THERE, &found, nullptr, err));
    if (found) {
        TRY(read_row(log, STATEMENT_SIGNED, &found, &kept, err));
    }
    if (!found) {
        return STATUS_OK;
    }
    if (kept.size > log->signed_last.size) { /* or it was signed since the file was read */
        TRY(checkpoint_last(log->state, &log->signed_last, err));
    }
    if (kept.size > log->signed_last.size) {
        return lost(&kept, &log->signed_last, err);
    }
    if (strcmp(kept.origin, log->signed_last.origin) != 0 ||
        (kept.size == log->signed_last.size && !digest_equal(&kept.root, &log->signed_last.root))) {
        return error_set(err, ERROR_AUDIT_DAMAGED, 0,
                         "keys/ belongs to the log %.100s, audit.db to %.100s",
                         log->signed_last.origin, kept.origin);
    }
    log->signed_kept = kept.size;
    return STATUS_OK;
}

status_t audit_signed_keep(struct audit_log *log, struct error *err) {
    const struct checkpoint *last = &log->signed_last;
    if (last->size <= log->signed_kept) {
        return STATUS_OK;
    }
    if (log->signed_kept == 0) {
        TRY(database_run(&log->database, STATEMENT_SIGNED_MAKE, err));
    }
    sqlite3_stmt *statement;
    TRY(database_statement(&log->database, STATEMENT_SIGNED_WRITE, &statement, err));
    (void)sqlite3_bind_int64(statement, 1, (sqlite3_int64)last->size);
    (void)sqlite3_bind_blob(statement, 2, last->root.bytes, DIGEST_BYTES, SQLITE_STATIC);
    (void)sqlite3_bind_blob(statement, 3, last->origin, (int)strlen(last->origin), SQLITE_STATIC);
    int result = sqlite3_step(statement);
    (void)sqlite3_reset(statement);
    if (result != SQLITE_DONE) {
        return database_error(&log->database, result, "append", err);
    }
    log->signed_kept = last->size;
    return STATUS_OK;
}

status_t audit_signed_note(struct audit_log *log, const struct checkpoint *last,
                           struct error *err) {
    log->signed_last = *last;
    if (log->signed_kept > 0) {
        return STATUS_OK;
    }
    CLEANUP(fd_closep) int lock = -1;
    TRY(audit_lock_take(log, &lock, err));
    TRY(database_run(&log->database, STATEMENT_BEGIN, err));
    status_t status = audit_signed_keep(log, err);
    struct error ignored = {0};
    if (!status_is_ok(status)) {
        (void)!status_is_ok(database_run(&log->database, STATEMENT_ROLLBACK, &ignored));
        return status;
    }
    return database_run(&log->database, STATEMENT_COMMIT, err);
}
