/* SPDX-License-Identifier: Apache-2.0
 *
 * Appending: under audit.lock, in one transaction, durable on return.
 */
#include <stdlib.h>
#include <string.h>

#include "audit/entry.h"
#include "audit/log_file.h"
#include "audit/rows.h"
#include "base/assert.h"
#include "base/cleanup.h"
#include "codec/text.h"
#include "sys/fd.h"

/* Completes the fields of an entry and writes its canonical bytes. */
static status_t entry_encode(const struct audit_tail *tail, struct audit_append *entry,
                             uint64_t time_ms, struct builder *out, struct error *err) {
    struct digest previous = tail->leaf;
    if (tail->frontier.size == 0) {
        entry_genesis(time_ms, &previous);
    }
    struct builder hex;
    builder_init(&hex, 2 * DIGEST_BYTES + 1);
    text_hex(slice_of(previous.bytes, DIGEST_BYTES), &hex);
    json_set_integer(entry->fields, "v", 1);
    json_set_integer(entry->fields, "seq", (int64_t)tail->frontier.size);
    json_set_integer(entry->fields, "time_ms", (int64_t)time_ms);
    json_set_text(entry->fields, "type", audit_event_text(entry->event));
    json_set_text(entry->fields, "prev_hash", builder_c_string(&hex));
    builder_deinit(&hex);
    builder_reset(out);
    json_write_canonical(entry->fields, out);
    if (!builder_is_ok(out)) {
        limit_hit(LIMIT_ID_ENTRY_BYTES);
        return error_set(err, ERROR_LIMIT, 0, "an entry of the log is longer than %d bytes",
                         (int)LIMIT_ENTRY_BYTES);
    }
    return STATUS_OK;
}

/* An empty blob is not NULL, which the table refuses. */
static int bind_blob(sqlite3_stmt *statement, int column, struct slice bytes) {
    return sqlite3_bind_blob(statement, column, bytes.size == 0 ? (const void *)"" : bytes.data,
                             (int)bytes.size, SQLITE_STATIC);
}

status_t audit_row_insert(struct audit_log *log, const struct audit_row *row, struct error *err) {
    sqlite3_stmt *statement;
    TRY(database_statement(&log->database, STATEMENT_INSERT, &statement, err));
    (void)sqlite3_bind_int64(statement, 1, (sqlite3_int64)row->seq);
    (void)bind_blob(statement, 2, row->leaf);
    (void)bind_blob(statement, 3, row->nodes);
    (void)bind_blob(statement, 4, row->bytes);
    int result = sqlite3_step(statement);
    (void)sqlite3_reset(statement);
    return result == SQLITE_DONE ? STATUS_OK
                                 : database_error(&log->database, result, "append", err);
}

static status_t tail_write(struct audit_log *log, const struct audit_tail *tail,
                           struct error *err) {
    sqlite3_stmt *statement;
    TRY(database_statement(&log->database, STATEMENT_HEAD_WRITE, &statement, err));
    (void)sqlite3_bind_int64(statement, 1, (sqlite3_int64)tail->frontier.size);
    (void)sqlite3_bind_blob(statement, 2, tail->leaf.bytes, DIGEST_BYTES, SQLITE_STATIC);
    (void)sqlite3_bind_blob(statement, 3, tail->frontier.hashes,
                            (int)(tail->frontier.count * DIGEST_BYTES), SQLITE_STATIC);
    (void)sqlite3_bind_blob(statement, 4, tail->root.bytes, DIGEST_BYTES, SQLITE_STATIC);
    int result = sqlite3_step(statement);
    (void)sqlite3_reset(statement);
    return result == SQLITE_DONE ? STATUS_OK
                                 : database_error(&log->database, result, "append", err);
}

static status_t append_one(struct audit_log *log, struct audit_tail *tail,
                           struct audit_append *entry, uint64_t time_ms, struct error *err) {
    struct digest completed[64];
    unsigned count;
    TRY(entry_encode(tail, entry, time_ms, &log->bytes, err));
    struct audit_row row = {.seq = tail->frontier.size, .bytes = builder_slice(&log->bytes)};
    merkle_leaf(row.bytes, &tail->leaf);
    merkle_frontier_append(&tail->frontier, &tail->leaf, completed, &count);
    row.leaf = slice_of(tail->leaf.bytes, DIGEST_BYTES);
    row.nodes = slice_of(completed, count * DIGEST_BYTES);
    return audit_row_insert(log, &row, err);
}

/* An entry of the log's own about itself; fields are consumed. */
static status_t append_own(struct audit_log *log, struct audit_tail *tail, enum audit_event event,
                           struct json *fields, struct error *err) {
    CLEANUP(json_freep) struct json *owned = fields;
    struct audit_append entry = {event, owned};
    TRY(entry_check(event, owned, err));
    return append_one(log, tail, &entry, clock_wall_ms(log->clock), err);
}

static status_t append_waiting(struct audit_log *log, struct audit_tail *tail, struct error *err) {
    const struct audit_buffer *buffer = &log->buffer;
    for (size_t i = 0; i < buffer->count; i++) {
        struct audit_append entry = {buffer->entries[i].event, buffer->entries[i].fields};
        TRY(append_one(log, tail, &entry, buffer->entries[i].time_ms, err));
    }
    if (buffer->dropped == 0) {
        return STATUS_OK;
    }
    struct json *fields = json_object_new();
    json_set_integer(fields, "dropped", (int64_t)buffer->dropped);
    json_set_integer(fields, "since_ms", (int64_t)buffer->dropped_since_ms);
    json_set_text(fields, "reason", "the buffer was full and could not be written");
    return append_own(log, tail, AUDIT_EVENT_GAP, fields, err);
}

static status_t append_warning(struct audit_log *log, struct audit_tail *tail, uint64_t before,
                               struct error *err) {
    uint64_t after;
    TRY(audit_storage_used(log, &after, err));
    unsigned percent = audit_storage_crossed(log, before, after);
    if (percent == 0) {
        return STATUS_OK;
    }
    struct json *fields = json_object_new();
    json_set_integer(fields, "percent", percent);
    json_set_integer(fields, "used_bytes", (int64_t)after);
    json_set_integer(fields, "bytes_max", (int64_t)log->bytes_max);
    return append_own(log, tail, AUDIT_EVENT_STORAGE_WARNING, fields, err);
}

static status_t append_all(struct audit_log *log, struct audit_append *entries, size_t count,
                           struct audit_position *ret_positions, struct error *err) {
    struct audit_tail tail;
    uint64_t before;
    TRY(audit_log_tail(log, &tail, err));
    TRY(audit_storage_used(log, &before, err));
    TRY(append_waiting(log, &tail, err));
    for (size_t i = 0; i < count; i++) {
        TRY(entry_check(entries[i].event, entries[i].fields, err));
        TRY(append_one(log, &tail, &entries[i], clock_wall_ms(log->clock), err));
        ret_positions[i] = (struct audit_position){tail.frontier.size - 1, tail.leaf};
    }
    TRY(append_warning(log, &tail, before, err));
    TRY(audit_signed_keep(log, err));
    merkle_frontier_root(&tail.frontier, &tail.root);
    return tail_write(log, &tail, err);
}

status_t audit_log_write_in(struct audit_log *log, enum audit_event event, struct json *fields,
                            struct error *err) {
    struct audit_tail tail;
    status_t status = audit_log_tail(log, &tail, err);
    if (!status_is_ok(status)) {
        json_free(fields);
        return status;
    }
    TRY(append_own(log, &tail, event, fields, err));
    merkle_frontier_root(&tail.frontier, &tail.root);
    return tail_write(log, &tail, err);
}

status_t audit_log_end(struct audit_log *log, status_t status, struct error *err) {
    if (status_is_ok(status)) {
        status = database_run(&log->database, STATEMENT_COMMIT, err);
    }
    if (!status_is_ok(status) && sqlite3_get_autocommit(log->database.handle) == 0) {
        struct error ignored = {0}; /* the first error is the one to tell */
        (void)!status_is_ok(database_run(&log->database, STATEMENT_ROLLBACK, &ignored));
    }
    return status;
}

status_t audit_log_write(struct audit_log *log, struct audit_append *entries, size_t count,
                         struct audit_position *positions, struct error *err) {
    CLEANUP(fd_closep) int lock = -1;
    TRY(audit_lock_take(log, &lock, err));
    TRY(database_run(&log->database, STATEMENT_BEGIN, err));
    TRY(audit_log_end(log, append_all(log, entries, count, positions, err), err));
    audit_buffer_written(log);
    return STATUS_OK;
}

status_t audit_log_append(struct audit_log *log, struct audit_append *entries, size_t count,
                          struct audit_position *ret_positions, struct error *err) {
    ASSERT(count > 0);
    CLEANUP(memory_freep) struct audit_position *positions = calloc(count, sizeof *positions);
    status_t status = positions == nullptr
                          ? error_set(err, ERROR_NO_MEMORY, 0, "cannot append to the log")
                          : audit_log_write(log, entries, count, positions, err);
    for (size_t i = 0; i < count; i++) {
        json_freep(&entries[i].fields);
    }
    if (status_is_ok(status) && ret_positions != nullptr) {
        memcpy(ret_positions, positions, count * sizeof *positions);
    }
    return status;
}
