/* SPDX-License-Identifier: Apache-2.0
 *
 * audit.db, the log's one file: its tables, and how it is opened.
 *
 * Table `entries`, a row per entry: seq, its leaf hash, `nodes`, its bytes. `nodes` holds the roots
 * of the subtrees that the leaf completes (levels 1, 2, ...), so every full subtree's hash stands
 * in exactly one row and is never written again: (level, index) in the row of its last leaf,
 * seq = (index + 1) * 2^level - 1, at offset (level - 1) * 32. Table `head`, one row: the size, the
 * last leaf (the chain's tail), the frontier (at most 64 hashes) and the root, so that an append
 * and a start need no more than the last row.
 *
 * Writers take audit.lock first: SQLite's own busy handler sleeps between tries and starves some of
 * two hundred writers, and the order of waiting is not its concern. An append is one transaction,
 * durable when it returns. Nothing here ever repairs: what does not agree is reported and stays.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "audit/buffer.h"
#include "audit/checkpoint.h"
#include "audit/log_file.h"
#include "audit/rows.h"
#include "audit/storage.h"
#include "base/cleanup.h"
#include "sys/fd.h"
#include "sys/file.h"

static const char FILE_NAME[] = AUDIT_FILE;

static const char SCHEMA[] =
    "BEGIN IMMEDIATE;"
    "CREATE TABLE IF NOT EXISTS entries(seq INTEGER PRIMARY KEY, leaf BLOB NOT NULL,"
    " nodes BLOB NOT NULL, bytes BLOB NOT NULL);"
    "CREATE TABLE IF NOT EXISTS head(id INTEGER PRIMARY KEY CHECK(id = 0), size INTEGER NOT NULL,"
    " leaf BLOB NOT NULL, frontier BLOB NOT NULL, root BLOB NOT NULL);"
    "INSERT OR IGNORE INTO head VALUES(0, 0, x'', x'',"
    " x'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855');"
    "PRAGMA user_version = 1;"
    "COMMIT;";

static const char SIGNED_MAKE[] =
    "CREATE TABLE IF NOT EXISTS signed(id INTEGER PRIMARY KEY CHECK(id = 0), size INTEGER NOT NULL,"
    " root BLOB NOT NULL, origin BLOB NOT NULL)";
static const char SIGNED_WRITE[] =
    "INSERT INTO signed VALUES(0, ?1, ?2, ?3) ON CONFLICT(id) DO UPDATE"
    " SET size = ?1, root = ?2, origin = ?3 WHERE ?1 > size";

static const char *const STATEMENTS[] = {
    [STATEMENT_BEGIN] = "BEGIN IMMEDIATE",
    [STATEMENT_BEGIN_READ] = "BEGIN",
    [STATEMENT_COMMIT] = "COMMIT",
    [STATEMENT_ROLLBACK] = "ROLLBACK",
    [STATEMENT_HEAD] = "SELECT size, leaf, frontier, root FROM head WHERE id = 0",
    [STATEMENT_HEAD_WRITE] =
        "UPDATE head SET size = ?1, leaf = ?2, frontier = ?3, root = ?4 WHERE id = 0",
    [STATEMENT_INSERT] = "INSERT INTO entries(seq, leaf, nodes, bytes) VALUES(?1, ?2, ?3, ?4)",
    [STATEMENT_ROW] = "SELECT seq, leaf, nodes, bytes FROM entries WHERE seq = ?1",
    [STATEMENT_SIGNED_THERE] =
        "SELECT 1 FROM sqlite_schema WHERE type = 'table' AND name = 'signed'",
    [STATEMENT_SIGNED_MAKE] = SIGNED_MAKE,
    [STATEMENT_SIGNED] = "SELECT size, root, origin FROM signed WHERE id = 0",
    [STATEMENT_SIGNED_WRITE] = SIGNED_WRITE,
    [STATEMENT_ROWS] = "SELECT seq, leaf, nodes, bytes FROM entries WHERE seq >= ?1 ORDER BY seq",
    [STATEMENT_ROWS_BACK] =
        "SELECT seq, leaf, nodes, bytes FROM entries WHERE seq <= ?1 ORDER BY seq DESC",
    [STATEMENT_PAGES] = "PRAGMA page_count",
    [STATEMENT_PAGES_UNUSED] = "PRAGMA freelist_count",
    [STATEMENT_PAGE_BYTES] = "PRAGMA page_size",
    [STATEMENT_DELETE] = "DELETE FROM entries WHERE seq >= ?1 AND seq < ?2",
};

static bool row_is_tail(void *context, const struct audit_row *row) {
    const struct audit_tail **tail = context;
    struct digest leaf;
    merkle_leaf(row->bytes, &leaf);
    bool same = digest_equal(&leaf, &(*tail)->leaf) &&
                slice_equal(row->leaf, slice_of(leaf.bytes, DIGEST_BYTES));
    *tail = same ? *tail : nullptr;
    return true;
}

/* What a start can check at once: last entry, frontier, head and last checkpoint. */
static status_t check_tail(struct audit_log *log, const struct checkpoint *signed_last,
                           struct error *err) {
    struct audit_tail tail;
    TRY(audit_log_tail(log, &tail, err));
    struct digest root;
    merkle_frontier_root(&tail.frontier, &root);
    if (!digest_equal(&root, &tail.root)) {
        return audit_damaged(err, "its frontier does not lead to its root");
    }
    if (signed_last->size > tail.frontier.size) {
        return error_set(err, ERROR_AUDIT_ROLLED_BACK, 0,
                         "%s has %" PRIu64 " entries, a checkpoint over %" PRIu64 " was signed",
                         FILE_NAME, tail.frontier.size, signed_last->size);
    }
    bool found = false;
    const struct audit_tail *expected = &tail;
    if (tail.frontier.size > 0) {
        TRY(audit_log_row(log, tail.frontier.size - 1, row_is_tail, &expected, &found, err));
        if (!found || expected == nullptr) {
            return audit_damaged(err, "its last entry is not the one its head names");
        }
    }
    TRY(audit_log_row(log, tail.frontier.size, row_is_tail, &expected, &found, err));
    if (found) {
        return audit_damaged(err, "it has an entry past its head");
    }
    if (signed_last->size == 0) {
        return STATUS_OK;
    }
    TRY(merkle_root_of_size(signed_last->size, audit_log_read_hash, log, &root, err));
    return digest_equal(&root, &signed_last->root)
               ? STATUS_OK
               : audit_damaged(
                     err, "it was rewritten: its last checkpoint was signed over other entries");
}

/* Opens a file that is there. *ret_made is false when it has no tables yet: another command is
 * about to make them, or died before it could. A log that was signed has them for certain. */
static status_t open_made(struct audit_log *log, const struct database_options *options,
                          bool was_signed, bool *ret_made, struct error *err) {
    struct error why = {0};
    sqlite3_stmt *statement;
    TRY(database_open(options, &log->database, err));
    *ret_made = status_is_ok(database_statement(&log->database, STATEMENT_HEAD, &statement, &why));
    if (!*ret_made && (was_signed || why.code != ERROR_IO)) {
        if (why.code == ERROR_IO) {
            return audit_damaged(err, "its tables are gone");
        }
        *err = why;
        return (status_t){.code = why.code};
    }
    if (!*ret_made) {
        database_close(&log->database);
    }
    return STATUS_OK;
}

status_t audit_file_path(const struct state *state, const char *name,
                         char ret_path[static LIMIT_PATH_BYTES], struct error *err) {
    int size = snprintf(ret_path, LIMIT_PATH_BYTES, "%s/%s", state->path, name);
    return size > 0 && size < LIMIT_PATH_BYTES
               ? STATUS_OK
               : error_set(err, ERROR_STATE_UNUSABLE, ENAMETOOLONG, "the path of %s", name);
}

static status_t open_file(struct audit_log *log, const struct checkpoint *signed_last,
                          struct error *err) {
    char path[LIMIT_PATH_BYTES];
    TRY(audit_file_path(log->state, FILE_NAME, path, err));
    struct database_options options = {.path = path,
                                       .name = FILE_NAME,
                                       .sql = STATEMENTS,
                                       .schema = SCHEMA,
                                       .key = log->state->log_key};
    struct stat there;
    if (fstatat(log->state->fd, FILE_NAME, &there, AT_SYMLINK_NOFOLLOW) == 0 && there.st_size > 0) {
        bool made = false;
        TRY(open_made(log, &options, signed_last->size > 0, &made, err));
        if (made) {
            return STATUS_OK;
        }
    } else if (signed_last->size > 0) {
        return error_set(err, ERROR_AUDIT_ROLLED_BACK, 0,
                         "%s is gone, a checkpoint over %" PRIu64 " entries was signed", FILE_NAME,
                         signed_last->size);
    }
    /* Made under the lock: two first commands at once must not both switch the journal. */
    CLEANUP(fd_closep) int lock = -1;
    TRY(audit_lock_take(log, &lock, err));
    CLEANUP(fd_closep)
    int file = file_open_beneath(log->state->fd, FILE_NAME,
                                 O_RDWR | O_CREAT | O_NOFOLLOW | O_NOCTTY, 0600, true);
    if (file < 0) {
        return error_set(err, ERROR_IO, errno, "cannot make %s", FILE_NAME);
    }
    /* Closed before SQLite opens it: closing any fd of a file drops this process's POSIX locks. */
    fd_closep(&file);
    options.create = true;
    TRY(database_open(&options, &log->database, err));
    return fd_sync(log->state->fd, "the state folder", err);
}

status_t audit_log_open(const struct audit_log_options *options, struct audit_log **ret_log,
                        struct error *err) {
    if (faccessat(options->state->fd, AUDIT_RENEWING_FILE, F_OK, AT_SYMLINK_NOFOLLOW) == 0) {
        status_t status = audit_damaged(err, "a new log was begun and is not there yet");
        error_hint(err, "Finish it with: airlock log renew");
        return status;
    }
    return audit_log_open_renewing(options, ret_log, err);
}

static struct audit_log *log_new(const struct audit_log_options *options) {
    struct audit_log *log = calloc(1, sizeof *log);
    if (log != nullptr) {
        log->state = options->state;
        log->clock = options->clock;
        log->use = -1;
        builder_init(&log->bytes, LIMIT_ENTRY_BYTES);
        audit_storage_limit(log, (uint64_t)LIMIT_LOG_BYTES, (uint64_t)LIMIT_LOG_DAYS * 86400000);
    }
    return log;
}

/* Checks what was opened against what was signed. */
static status_t check_opened(struct audit_log *log, const struct checkpoint *signed_last,
                             struct error *err) {
    /* One snapshot for all of it: other processes append between two reads. */
    TRY(database_run(&log->database, STATEMENT_BEGIN_READ, err));
    TRY(check_tail(log, signed_last, err));
    log->signed_last = *signed_last;
    TRY(audit_signed_check(log, err));
    return database_run(&log->database, STATEMENT_COMMIT, err);
}

status_t audit_log_open_renewing(const struct audit_log_options *options,
                                 struct audit_log **ret_log, struct error *err) {
    CLEANUP(audit_log_closep) struct audit_log *log = log_new(options);
    if (log == nullptr) {
        return error_set(err, ERROR_NO_MEMORY, 0, "cannot open the log");
    }
    TRY(audit_use_take(log, &log->use, err));
    /* The checkpoint first: what is signed is durable before, so a log read later covers it. */
    struct checkpoint signed_last;
    TRY(checkpoint_last(options->state, &signed_last, err));
    TRY(open_file(log, &signed_last, err));
    TRY(check_opened(log, &signed_last, err));
    *ret_log = TAKE(log);
    return STATUS_OK;
}

status_t audit_log_open_copy(const struct audit_log_options *options, const char *name,
                             struct audit_log **ret_log, struct error *err) {
    CLEANUP(audit_log_closep) struct audit_log *log = log_new(options);
    if (log == nullptr) {
        return error_set(err, ERROR_NO_MEMORY, 0, "cannot open the log");
    }
    char path[LIMIT_PATH_BYTES];
    struct checkpoint signed_last;
    TRY(checkpoint_last(options->state, &signed_last, err));
    TRY(audit_file_path(options->state, name, path, err));
    TRY(database_open(
        &(struct database_options){
            .path = path, .name = name, .sql = STATEMENTS, .key = options->state->log_key},
        &log->database, err));
    TRY(check_opened(log, &signed_last, err));
    *ret_log = TAKE(log);
    return STATUS_OK;
}

void audit_log_close(struct audit_log *log) {
    if (log != nullptr) {
        struct error ignored = {0}; /* whoever wants to know flushes first */
        (void)!status_is_ok(audit_buffer_flush(log, &ignored));
        audit_buffer_written(log);
        builder_deinit(&log->bytes);
        database_close(&log->database);
        fd_closep(&log->use);
        free(log);
    }
}

void audit_log_closep(struct audit_log **log) {
    audit_log_close(*log);
    *log = nullptr;
}
