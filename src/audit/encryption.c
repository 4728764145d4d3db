/* SPDX-License-Identifier: Apache-2.0
 *
 * SQLCipher can encrypt an encrypted file anew in place, but neither encrypt a plain one nor
 * decrypt one; copying does all three, and a rename is the only step that counts. Nobody else is in
 * the log meanwhile: whoever opens it holds audit.use shared, and this holds it alone.
 *
 * The steps, each of which a crash may follow: everything in audit.db-wal goes into audit.db; the
 * copy audit.db.new is made, verified, given its entry and the write-ahead mode, all of it durable;
 * audit.db-wal and audit.db-shm, empty now, are removed, because they would be taken for the
 * copy's; that is made durable; the copy takes the name. Before the rename the log is the old one,
 * after it the new one.
 */
#include "audit/encryption.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "audit/check.h"
#include "audit/log_file.h"
#include "base/cleanup.h"
#include "store/database_key.h"
#include "sys/fd.h"
#include "sys/file.h"

#define COPY_FILE "audit.db.new"

/* For the write-ahead log of the copy, its rollback journal, and the entry. */
enum { ROOM_BESIDES_BYTES = 512 * 1024 };

static status_t run_sql(const struct database *database, const char *sql, const char *doing,
                        struct error *err) {
    int result = sqlite3_exec(database->handle, sql, nullptr, nullptr, nullptr);
    return result == SQLITE_OK ? STATUS_OK : database_error(database, result, doing, err);
}

/* After it the file alone is the log. */
static status_t empty_wal(const struct database *database, struct error *err) {
    int result = sqlite3_wal_checkpoint_v2(database->handle, "main", SQLITE_CHECKPOINT_TRUNCATE,
                                           nullptr, nullptr);
    return result == SQLITE_OK ? STATUS_OK
                               : database_error(database, result, "empty the write-ahead log", err);
}

static status_t remove_file(const struct state *state, const char *name, struct error *err) {
    return unlinkat(state->fd, name, 0) == 0 || errno == ENOENT
               ? STATUS_OK
               : error_set(err, ERROR_IO, errno, "cannot remove %s", name);
}

/* A write-ahead log is removed when nothing is in it. */
static status_t remove_empty(const struct state *state, const char *name, struct error *err) {
    struct stat file;
    if (fstatat(state->fd, name, &file, AT_SYMLINK_NOFOLLOW) == 0 && file.st_size > 0) {
        return error_set(err, ERROR_INTERNAL, 0, "%s is not empty", name);
    }
    return remove_file(state, name, err);
}

static status_t remove_leftovers(const struct state *state, struct error *err) {
    static const char *const NAMES[] = {COPY_FILE "-journal", COPY_FILE "-wal", COPY_FILE "-shm",
                                        COPY_FILE};
    for (size_t i = 0; i < sizeof NAMES / sizeof NAMES[0]; i++) {
        TRY(remove_file(state, NAMES[i], err));
    }
    return STATUS_OK;
}

/* The name with a key: as parameters, so that the key stands in no text of a statement. */
static status_t attach(const struct database *database, const char *path, const struct secret *key,
                       struct error *err) {
    CLEANUP(secret_freep) struct secret *text = nullptr;
    sqlite3_stmt *statement;
    if (key != nullptr) {
        TRY(database_key_text(key, &text, err));
    }
    int result =
        sqlite3_prepare_v2(database->handle, "ATTACH ?1 AS fresh KEY ?2", -1, &statement, nullptr);
    if (result != SQLITE_OK) {
        return database_error(database, result, "prepare a statement", err);
    }
    (void)sqlite3_bind_text(statement, 1, path, -1, SQLITE_STATIC);
    (void)sqlite3_bind_text(statement, 2, text == nullptr ? "" : secret_data_const(text),
                            text == nullptr ? 0 : (int)secret_size(text), SQLITE_STATIC);
    result = sqlite3_step(statement);
    (void)sqlite3_finalize(statement);
    return result == SQLITE_DONE ? STATUS_OK : database_error(database, result, "make a copy", err);
}

/* SQLite tells a full disk inside a copy as an error without a number. */
static status_t check_room(const struct state *state, struct error *err) {
    struct stat file;
    struct statvfs disk;
    if (fstatat(state->fd, AUDIT_FILE, &file, AT_SYMLINK_NOFOLLOW) != 0 ||
        fstatvfs(state->fd, &disk) != 0) {
        return error_set(err, ERROR_IO, errno, "cannot tell how much room a copy needs");
    }
    uint64_t needed = (uint64_t)file.st_size + ROOM_BESIDES_BYTES;
    if ((uint64_t)disk.f_bavail * disk.f_frsize >= needed) {
        return STATUS_OK;
    }
    (void)error_set(err, ERROR_DISK_FULL, 0, "cannot copy the log: the disk has no room for it");
    error_hint(err, "Free %" PRIu64 " MiB on the disk of %.200s; the old log goes when it is done.",
               needed / 1048576 + 1, state->path);
    return (status_t){ERROR_DISK_FULL};
}

static status_t copy_log(struct audit_log *log, const struct secret *key, struct error *err) {
    const struct database *database = &log->database;
    char path[LIMIT_PATH_BYTES];
    TRY(audit_file_path(log->state, COPY_FILE, path, err));
    int file = file_open_beneath(log->state->fd, COPY_FILE,
                                 O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_NOCTTY, 0600, true);
    if (file < 0) {
        return error_set(err, ERROR_IO, errno, "cannot make %s", COPY_FILE);
    }
    fd_closep(&file);
    TRY(attach(database, path, key, err));
    TRY(run_sql(database, "SELECT sqlcipher_export('fresh')", "copy the log", err));
    TRY(run_sql(database, "PRAGMA fresh.user_version = 1", "copy the log", err));
    return run_sql(database, "DETACH fresh", "copy the log", err);
}

static status_t write_entry(struct audit_log *log, const struct audit_encryption *change,
                            struct error *err) {
    struct json *fields = json_object_new();
    json_set_text(fields, "caller", change->caller);
    json_set_text(fields, "change", change->change);
    json_set_text(fields, "operation", "log.key");
    json_set_text(fields, "request", change->request);
    status_t status = database_run(&log->database, STATEMENT_BEGIN, err);
    if (!status_is_ok(status)) {
        json_free(fields);
        return status;
    }
    status = audit_log_write_in(log, AUDIT_EVENT_KEY_EPOCH, fields, err);
    return audit_log_end(log, status, err);
}

/* The copy must be the log it was made of, down to the last hash. */
static status_t finish_copy(struct audit_log *copy, const struct audit_head *source,
                            const struct audit_encryption *change, struct error *err) {
    struct audit_check_options options = {0};
    struct audit_check_result result;
    TRY(audit_log_check(copy, &options, &result, err));
    if (result.size != source->size || !digest_equal(&result.root, &source->root)) {
        return error_set(err, ERROR_INTERNAL, 0, "the copy of the log is another log");
    }
    TRY(write_entry(copy, change, err));
    TRY(run_sql(&copy->database, "PRAGMA journal_mode=WAL", "set the journal", err));
    return empty_wal(&copy->database, err);
}

static status_t make_copy(const struct state *state, const struct clock *clock,
                          const struct audit_encryption *change, struct audit_head *ret_head,
                          struct error *err) {
    CLEANUP(audit_log_closep) struct audit_log *log = nullptr;
    CLEANUP(audit_log_closep) struct audit_log *copy = nullptr;
    /* Another key for the same folder; what it borrows outlives the copy. */
    struct state under_key = *state;
    TRY(audit_log_open_copy(&(struct audit_log_options){state, clock}, AUDIT_FILE, &log, err));
    TRY(audit_log_head(log, ret_head, err));
    TRY(empty_wal(&log->database, err));
    TRY(check_room(state, err));
    TRY(copy_log(log, change->key, err));
    audit_log_closep(&log);
    under_key.log_key = change->key;
    TRY(audit_log_open_copy(&(struct audit_log_options){&under_key, clock}, COPY_FILE, &copy, err));
    status_t status = finish_copy(copy, ret_head, change, err);
    audit_log_closep(&copy);
    return status;
}

static status_t take_place(const struct state *state, struct error *err) {
    CLEANUP(fd_closep)
    int copy = file_open_beneath(state->fd, COPY_FILE, O_RDWR | O_NOFOLLOW, 0, true);
    if (copy < 0) {
        return error_set(err, ERROR_IO, errno, "cannot open %s", COPY_FILE);
    }
    TRY(fd_sync(copy, COPY_FILE, err));
    TRY(remove_empty(state, COPY_FILE "-wal", err));
    TRY(remove_file(state, COPY_FILE "-shm", err));
    TRY(remove_empty(state, AUDIT_FILE "-wal", err));
    TRY(remove_file(state, AUDIT_FILE "-shm", err));
    TRY(fd_sync(state->fd, "the state folder", err));
    if (renameat(state->fd, COPY_FILE, state->fd, AUDIT_FILE) != 0) {
        return error_set(err, ERROR_IO, errno, "cannot put %s in its place", COPY_FILE);
    }
    return fd_sync(state->fd, "the state folder", err);
}

/* The log that is there, or a new one; and whether it may be opened at all. */
static status_t open_once(const struct state *state, const struct clock *clock, struct error *err) {
    CLEANUP(audit_log_closep) struct audit_log *log = nullptr;
    return audit_log_open(&(struct audit_log_options){state, clock}, &log, err);
}

status_t audit_encryption_change(const struct state *state, const struct clock *clock,
                                 const struct audit_encryption *change, uint64_t *ret_seq,
                                 struct error *err) {
    CLEANUP(fd_closep) int use = -1;
    CLEANUP(fd_closep) int lock = -1;
    const struct audit_log locking = {.state = state, .clock = clock};
    struct audit_head head;
    TRY(open_once(state, clock, err));
    TRY(audit_use_take_alone(&locking, &use, err));
    TRY(audit_lock_take(&locking, &lock, err)); /* renew takes only this one */
    TRY(remove_leftovers(state, err));
    status_t status = make_copy(state, clock, change, &head, err);
    if (status_is_ok(status)) {
        status = take_place(state, err);
    }
    if (!status_is_ok(status)) {
        struct error ignored = {0}; /* the next try removes them otherwise */
        (void)!status_is_ok(remove_leftovers(state, &ignored));
        return status;
    }
    *ret_seq = head.size;
    return STATUS_OK;
}
