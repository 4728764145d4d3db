/* SPDX-License-Identifier: Apache-2.0
 *
 * Reading the log. How it is stored stands in open.c.
 */
#include "audit/log.h"

#include <inttypes.h>
#include <string.h>

#include "audit/log_file.h"
#include "audit/rows.h"
#include "base/assert.h"

status_t audit_damaged(struct error *err, const char *what) {
    return error_set(err, ERROR_AUDIT_DAMAGED, 0, "%s: %s", AUDIT_FILE, what);
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
        status = audit_damaged(err, "its head is malformed");
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
        return audit_damaged(err, "a hash of its tree is missing");
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
