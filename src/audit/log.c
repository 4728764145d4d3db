/* SPDX-License-Identifier: Apache-2.0
 *
 * audit.db, the log's one file.
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
#include "audit/log.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "audit/buffer.h"
#include "audit/checkpoint.h"
#include "audit/entry.h"
#include "audit/log_file.h"
#include "audit/rows.h"
#include "audit/storage.h"
#include "base/assert.h"
#include "base/cleanup.h"
#include "sys/fd.h"
#include "sys/file.h"

static const char FILE_NAME[] = "audit.db";

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
    [STATEMENT_ROWS] = "SELECT seq, leaf, nodes, bytes FROM entries WHERE seq >= ?1 ORDER BY seq",
    [STATEMENT_ROWS_BACK] =
        "SELECT seq, leaf, nodes, bytes FROM entries WHERE seq <= ?1 ORDER BY seq DESC",
    [STATEMENT_PAGES] = "PRAGMA page_count",
    [STATEMENT_PAGES_UNUSED] = "PRAGMA freelist_count",
    [STATEMENT_PAGE_BYTES] = "PRAGMA page_size",
    [STATEMENT_DELETE] = "DELETE FROM entries WHERE seq >= ?1 AND seq < ?2",
};

static status_t damaged(struct error *err, const char *what) {
    return error_set(err, ERROR_AUDIT_DAMAGED, 0, "%s: %s", FILE_NAME, what);
}

static bool digest_take(struct slice bytes, struct digest *ret_digest) {
    if (bytes.size != DIGEST_BYTES) {
        return false;
    }
    memcpy(ret_digest->bytes, bytes.data, DIGEST_BYTES);
    return true;
}

/* Reads one row of a prepared SELECT; *ret_found is false when there is none. The statement is left
 * at the row: the caller resets it. */
static status_t step(struct audit_log *log, sqlite3_stmt *statement, bool *ret_found,
                     struct error *err) {
    int result = sqlite3_step(statement);
    if (result != SQLITE_ROW && result != SQLITE_DONE) {
        return database_error(&log->database, result, "read", err);
    }
    *ret_found = result == SQLITE_ROW;
    return STATUS_OK;
}

static bool head_decode(sqlite3_stmt *row, struct audit_tail *ret_tail) {
    struct audit_tail tail = {0};
    sqlite3_int64 size = sqlite3_column_int64(row, 0);
    struct slice frontier = database_blob(row, 2);
    if (size < 0 || frontier.size % DIGEST_BYTES != 0 ||
        frontier.size / DIGEST_BYTES != (size_t)__builtin_popcountll((uint64_t)size) ||
        !digest_take(database_blob(row, 3), &tail.root) ||
        (size > 0 && !digest_take(database_blob(row, 1), &tail.leaf))) {
        return false;
    }
    tail.frontier.size = (uint64_t)size;
    tail.frontier.count = (unsigned)(frontier.size / DIGEST_BYTES);
    if (frontier.size > 0) {
        memcpy(tail.frontier.hashes, frontier.data, frontier.size);
    }
    *ret_tail = tail;
    return true;
}

status_t audit_log_tail(struct audit_log *log, struct audit_tail *ret_tail, struct error *err) {
    sqlite3_stmt *statement;
    bool found = false;
    TRY(database_statement(&log->database, STATEMENT_HEAD, &statement, err));
    status_t status = step(log, statement, &found, err);
    if (status_is_ok(status) && (!found || !head_decode(statement, ret_tail))) {
        status = damaged(err, "its head is malformed");
    }
    (void)sqlite3_reset(statement);
    return status;
}

/* Lends the row of `seq` to `use` while the statement stands on it. */
status_t audit_log_row(struct audit_log *log, uint64_t seq, audit_row_use *use, void *context,
                       bool *ret_found, struct error *err) {
    sqlite3_stmt *statement;
    if (seq > (uint64_t)INT64_MAX) {
        *ret_found = false;
        return STATUS_OK;
    }
    TRY(database_statement(&log->database, STATEMENT_ROW, &statement, err));
    (void)sqlite3_bind_int64(statement, 1, (sqlite3_int64)seq);
    status_t status = step(log, statement, ret_found, err);
    if (status_is_ok(status) && *ret_found) {
        struct audit_row row = {seq, database_blob(statement, 1), database_blob(statement, 2),
                                database_blob(statement, 3)};
        (void)use(context, &row);
    }
    (void)sqlite3_reset(statement);
    return status;
}

struct hash_want {
    unsigned level;
    struct digest hash;
    bool found;
};

static bool hash_pick(void *context, const struct audit_row *row) {
    struct hash_want *want = context;
    size_t offset = want->level == 0 ? 0 : (size_t)(want->level - 1) * DIGEST_BYTES;
    struct slice from = want->level == 0 ? row->leaf : row->nodes;
    if (from.size >= offset + DIGEST_BYTES) {
        memcpy(want->hash.bytes, from.data + offset, DIGEST_BYTES);
        want->found = true;
    }
    return true;
}

status_t audit_log_read_hash(void *context, unsigned level, uint64_t index, struct digest *ret,
                             struct error *err) {
    ASSERT(level < 63 && index < UINT64_C(1) << (63 - level));
    struct hash_want want = {.level = level};
    bool found = false;
    TRY(audit_log_row(context, ((index + 1) << level) - 1, hash_pick, &want, &found, err));
    if (!want.found) {
        return damaged(err, "a hash of its tree is missing");
    }
    *ret = want.hash;
    return STATUS_OK;
}

status_t audit_log_prove(struct audit_log *log, uint64_t index, uint64_t size,
                         struct merkle_proof *ret_proof, struct error *err) {
    struct error ignored = {0};
    TRY(database_run(&log->database, STATEMENT_BEGIN_READ, err));
    status_t status = merkle_prove_inclusion(index, size, audit_log_read_hash, log, ret_proof, err);
    (void)!status_is_ok(database_run(&log->database, STATEMENT_COMMIT, &ignored));
    return status;
}

static bool bytes_pick(void *context, const struct audit_row *row) {
    builder_bytes(context, row->bytes);
    return true;
}

status_t audit_log_read(struct audit_log *log, uint64_t seq, struct builder *out, bool *ret_found,
                        struct error *err) {
    TRY(audit_log_row(log, seq, bytes_pick, out, ret_found, err));
    return builder_is_ok(out)
               ? STATUS_OK
               : error_set(err, ERROR_LIMIT, 0, "entry %" PRIu64 " is too long", seq);
}

status_t audit_log_head(struct audit_log *log, struct audit_head *ret_head, struct error *err) {
    struct audit_tail tail;
    TRY(audit_log_tail(log, &tail, err));
    *ret_head = (struct audit_head){tail.frontier.size, tail.root};
    return STATUS_OK;
}

static status_t scan_rows(struct audit_log *log, enum statement order, uint64_t first,
                          audit_row_use *use, void *context, struct error *err) {
    sqlite3_stmt *statement;
    bool found = true;
    TRY(database_statement(&log->database, order, &statement, err));
    (void)sqlite3_bind_int64(statement, 1, (sqlite3_int64)(first > INT64_MAX ? INT64_MAX : first));
    status_t status = step(log, statement, &found, err);
    while (status_is_ok(status) && found) {
        struct audit_row row = {(uint64_t)sqlite3_column_int64(statement, 0),
                                database_blob(statement, 1), database_blob(statement, 2),
                                database_blob(statement, 3)};
        if (!use(context, &row)) {
            break;
        }
        status = step(log, statement, &found, err);
    }
    (void)sqlite3_reset(statement);
    return status;
}

status_t audit_log_scan_rows(struct audit_log *log, uint64_t first, audit_row_use *use,
                             void *context, struct error *err) {
    return scan_rows(log, STATEMENT_ROWS, first, use, context, err);
}

struct scan {
    audit_log_each *each;
    void *context;
};

static bool scan_row(void *context, const struct audit_row *row) {
    struct scan *scan = context;
    return row->bytes.size == 0 || scan->each(scan->context, row->seq, row->bytes);
}

status_t audit_log_scan(struct audit_log *log, uint64_t first, audit_log_each *each, void *context,
                        struct error *err) {
    return audit_log_scan_rows(log, first, scan_row, &(struct scan){each, context}, err);
}

status_t audit_log_scan_back(struct audit_log *log, uint64_t last, audit_log_each *each,
                             void *context, struct error *err) {
    struct scan scan = {each, context};
    return scan_rows(log, STATEMENT_ROWS_BACK, last, scan_row, &scan, err);
}

const struct state *audit_log_state(const struct audit_log *log) {
    return log->state;
}

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
        return damaged(err, "its frontier does not lead to its root");
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
            return damaged(err, "its last entry is not the one its head names");
        }
    }
    TRY(audit_log_row(log, tail.frontier.size, row_is_tail, &expected, &found, err));
    if (found) {
        return damaged(err, "it has an entry past its head");
    }
    if (signed_last->size == 0) {
        return STATUS_OK;
    }
    TRY(merkle_root_of_size(signed_last->size, audit_log_read_hash, log, &root, err));
    return digest_equal(&root, &signed_last->root)
               ? STATUS_OK
               : damaged(err,
                         "it was rewritten: its last checkpoint was signed over other entries");
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
            return damaged(err, "its tables are gone");
        }
        *err = why;
        return (status_t){.code = why.code};
    }
    if (!*ret_made) {
        database_close(&log->database);
    }
    return STATUS_OK;
}

static status_t open_file(struct audit_log *log, const struct checkpoint *signed_last,
                          struct error *err) {
    char path[LIMIT_PATH_BYTES];
    int size = snprintf(path, sizeof path, "%s/%s", log->state->path, FILE_NAME);
    if (size < 0 || (size_t)size >= sizeof path) {
        return error_set(err, ERROR_STATE_UNUSABLE, ENAMETOOLONG, "the path of %s", FILE_NAME);
    }
    struct database_options options = {
        .path = path, .name = FILE_NAME, .sql = STATEMENTS, .schema = SCHEMA};
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
    CLEANUP(audit_log_closep) struct audit_log *log = calloc(1, sizeof *log);
    if (log == nullptr) {
        return error_set(err, ERROR_NO_MEMORY, 0, "cannot open the log");
    }
    log->state = options->state;
    log->clock = options->clock;
    audit_storage_limit(log, (uint64_t)LIMIT_LOG_BYTES, (uint64_t)LIMIT_LOG_DAYS * 86400000);
    /* The checkpoint first: what is signed is durable before, so a log read later covers it. */
    struct checkpoint signed_last;
    TRY(checkpoint_last(options->state, &signed_last, err));
    TRY(open_file(log, &signed_last, err));
    /* One snapshot for all of it: other processes append between two reads. */
    TRY(database_run(&log->database, STATEMENT_BEGIN_READ, err));
    TRY(check_tail(log, &signed_last, err));
    TRY(database_run(&log->database, STATEMENT_COMMIT, err));
    *ret_log = TAKE(log);
    return STATUS_OK;
}

void audit_log_close(struct audit_log *log) {
    if (log != nullptr) {
        struct error ignored = {0}; /* whoever wants to know flushes first */
        (void)!status_is_ok(audit_buffer_flush(log, &ignored));
        audit_buffer_written(log);
        database_close(&log->database);
        free(log);
    }
}

void audit_log_closep(struct audit_log **log) {
    audit_log_close(*log);
    *log = nullptr;
}
