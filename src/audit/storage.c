/* SPDX-License-Identifier: Apache-2.0 */
#include "audit/storage.h"

#include <string.h>

#include "audit/entry.h"
#include "audit/entry_scan.h"
#include "audit/log_file.h"
#include "audit/rows.h"
#include "audit/tile.h"
#include "base/cleanup.h"
#include "codec/text.h"
#include "sys/fd.h"

static status_t read_number(struct audit_log *log, enum statement number, uint64_t *ret,
                            struct error *err) {
    sqlite3_stmt *statement;
    TRY(database_statement(&log->database, number, &statement, err));
    int result = sqlite3_step(statement);
    uint64_t value = result == SQLITE_ROW ? (uint64_t)sqlite3_column_int64(statement, 0) : 0;
    (void)sqlite3_reset(statement);
    if (result != SQLITE_ROW) {
        return database_error(&log->database, result, "measure", err);
    }
    *ret = value;
    return STATUS_OK;
}

status_t audit_storage_used(struct audit_log *log, uint64_t *ret_bytes, struct error *err) {
    uint64_t pages = 0;
    uint64_t unused = 0;
    TRY(read_number(log, STATEMENT_PAGES, &pages, err));
    TRY(read_number(log, STATEMENT_PAGES_UNUSED, &unused, err));
    if (log->page_bytes == 0) {
        TRY(read_number(log, STATEMENT_PAGE_BYTES, &log->page_bytes, err));
    }
    *ret_bytes = pages > unused ? (pages - unused) * log->page_bytes : 0;
    return STATUS_OK;
}

void audit_storage_limit(struct audit_log *log, uint64_t bytes_max, uint64_t retention_ms) {
    log->bytes_max = bytes_max;
    log->retention_ms = retention_ms;
}

unsigned audit_storage_crossed(const struct audit_log *log, uint64_t before, uint64_t after) {
    static const enum limit_id STEPS[] = {LIMIT_ID_LOG_ALARM_PERCENT, LIMIT_ID_LOG_WARN_PERCENT};
    for (size_t i = 0; i < sizeof STEPS / sizeof STEPS[0]; i++) {
        unsigned percent = (unsigned)limit_row(STEPS[i])->value;
        uint64_t bytes = log->bytes_max / 100 * percent;
        if (before < bytes && after >= bytes) {
            limit_hit(STEPS[i]);
            return percent;
        }
    }
    return 0;
}

static bool has_bytes(void *context, const struct audit_row *row) {
    bool *has = context;
    *has = row->bytes.size > 0;
    return true;
}

/* By halves: the bytes that are gone are those of the first bundles. */
static status_t first_kept(struct audit_log *log, uint64_t size, uint64_t *ret_seq,
                           struct error *err) {
    uint64_t low = 0;
    uint64_t high = size / TILE_WIDTH;
    while (low < high) {
        uint64_t middle = low + (high - low) / 2;
        bool has = false;
        bool found = false;
        /* The first one at first: in most logs nothing was ever deleted. */
        middle = low == 0 && high == size / TILE_WIDTH ? 0 : middle;
        TRY(audit_log_row(log, middle * TILE_WIDTH, has_bytes, &has, &found, err));
        if (has || !found) {
            high = middle;
        } else {
            low = middle + 1;
        }
    }
    *ret_seq = low * TILE_WIDTH;
    return STATUS_OK;
}

status_t audit_storage_read(struct audit_log *log, struct audit_storage *ret_storage,
                            struct error *err) {
    struct audit_tail tail;
    struct audit_storage storage = {.bytes_max = log->bytes_max};
    TRY(audit_log_tail(log, &tail, err));
    TRY(audit_storage_used(log, &storage.used_bytes, err));
    TRY(first_kept(log, tail.frontier.size, &storage.first_kept, err));
    storage.percent = (unsigned)(storage.used_bytes * 100 / storage.bytes_max);
    *ret_storage = storage;
    return STATUS_OK;
}

/* A retention in progress, inside one transaction. */
struct retention {
    struct audit_log *log;
    struct sha256 digest;
    struct builder hashes; /* of the bundle at hand: leaf and nodes of each row; owned */
    uint64_t bytes;
    uint64_t newest_ms; /* of the bundle at hand */
    bool is_by_size;
};

static bool take_entry(void *context, const struct audit_row *row) {
    struct retention *retention = context;
    struct entry_place place;
    if (entry_scan(row->bytes, &place) && place.time_ms > retention->newest_ms) {
        retention->newest_ms = place.time_ms;
    }
    return true;
}

/* Hashes the entry away, and keeps what stays of its row. */
static bool keep_hashes(void *context, const struct audit_row *row) {
    struct retention *retention = context;
    const uint8_t length[] = {(uint8_t)(row->bytes.size >> 8), (uint8_t)row->bytes.size};
    sha256_update(&retention->digest, slice_of(length, sizeof length));
    sha256_update(&retention->digest, row->bytes);
    retention->bytes += row->bytes.size;
    builder_block(&retention->hashes, row->leaf);
    builder_block(&retention->hashes, row->nodes);
    return true;
}

static status_t each_of_bundle(struct retention *retention, uint64_t first, audit_row_use *use,
                               struct error *err) {
    for (uint64_t seq = first; seq < first + TILE_WIDTH; seq++) {
        bool found = false;
        TRY(audit_log_row(retention->log, seq, use, retention, &found, err));
    }
    return STATUS_OK;
}

static status_t is_due(struct retention *retention, uint64_t first, bool *ret_due,
                       struct error *err) {
    uint64_t used;
    uint64_t now_ms = clock_wall_ms(retention->log->clock);
    bool found = false;
    TRY(audit_storage_used(retention->log, &used, err));
    retention->newest_ms = 0;
    /* Its first entry is too young: so is the bundle. */
    TRY(audit_log_row(retention->log, first, take_entry, retention, &found, err));
    bool may_be_old = retention->newest_ms + retention->log->retention_ms < now_ms;
    if (may_be_old) {
        TRY(each_of_bundle(retention, first, take_entry, err));
    }
    bool is_old = may_be_old && retention->newest_ms + retention->log->retention_ms < now_ms;
    retention->is_by_size = retention->is_by_size || (!is_old && used > retention->log->bytes_max);
    *ret_due = is_old || used > retention->log->bytes_max;
    return STATUS_OK;
}

static status_t insert_hashes(struct retention *retention, uint64_t first, struct error *err) {
    struct cursor hashes = cursor_of(builder_slice(&retention->hashes));
    for (uint64_t seq = first; seq < first + TILE_WIDTH; seq++) {
        struct audit_row row = {.seq = seq};
        row.leaf = cursor_block(&hashes);
        row.nodes = cursor_block(&hashes);
        TRY(audit_row_insert(retention->log, &row, err));
    }
    return cursor_is_finished(&hashes) && builder_is_ok(&retention->hashes)
               ? STATUS_OK
               : error_set(err, ERROR_NO_MEMORY, 0, "cannot keep the hashes of old entries");
}

/* Rows are deleted and put back without their bytes: SQLite gives pages back when rows go, not when
 * they shrink. */
static status_t delete_bundle(struct retention *retention, uint64_t first, struct error *err) {
    struct database *database = &retention->log->database;
    sqlite3_stmt *statement;
    builder_reset(&retention->hashes);
    TRY(each_of_bundle(retention, first, keep_hashes, err));
    TRY(database_statement(database, STATEMENT_DELETE, &statement, err));
    (void)sqlite3_bind_int64(statement, 1, (sqlite3_int64)first);
    (void)sqlite3_bind_int64(statement, 2, (sqlite3_int64)first + TILE_WIDTH);
    int result = sqlite3_step(statement);
    (void)sqlite3_reset(statement);
    if (result != SQLITE_DONE) {
        return database_error(database, result, "delete old entries", err);
    }
    return insert_hashes(retention, first, err);
}

static struct json *archive_fields(struct retention *retention, uint64_t from, uint64_t to) {
    struct digest digest;
    struct builder hex;
    struct json *fields = json_object_new();
    builder_init(&hex, (size_t)2 * DIGEST_BYTES + 1);
    sha256_final(&retention->digest, &digest);
    text_hex(slice_of(digest.bytes, DIGEST_BYTES), &hex);
    json_set_integer(fields, "from", (int64_t)from);
    json_set_integer(fields, "to", (int64_t)to - 1);
    json_set_integer(fields, "bytes", (int64_t)retention->bytes);
    json_set_text(fields, "digest", builder_c_string(&hex));
    json_set_text(fields, "reason", retention->is_by_size ? "size" : "age");
    builder_deinit(&hex);
    return fields;
}

/* Deletes bundle after bundle while they are due; *retained tells how far it came. */
static status_t delete_due(struct retention *retention, uint64_t size, uint64_t keep_from,
                           struct audit_retained *retained, struct error *err) {
    for (unsigned i = 0; i < (unsigned)LIMIT_RETENTION_BUNDLES; i++) {
        bool due = false;
        if (retained->to + TILE_WIDTH > size) {
            return STATUS_OK;
        }
        TRY(is_due(retention, retained->to, &due, err));
        if (!due) {
            return STATUS_OK;
        }
        if (retained->to + TILE_WIDTH > keep_from) {
            retained->is_held = true;
            return STATUS_OK;
        }
        TRY(delete_bundle(retention, retained->to, err));
        retained->to += TILE_WIDTH;
    }
    limit_hit(LIMIT_ID_RETENTION_BUNDLES);
    return STATUS_OK;
}

static status_t retain(struct audit_log *log, uint64_t keep_from,
                       struct audit_retained *ret_retained, struct error *err) {
    struct retention retention = {.log = log};
    struct audit_tail tail;
    uint64_t first;
    TRY(audit_log_tail(log, &tail, err));
    TRY(first_kept(log, tail.frontier.size, &first, err));
    struct audit_retained retained = {.from = first, .to = first};
    sha256_init(&retention.digest);
    builder_init(&retention.hashes, (size_t)TILE_WIDTH * 66 * DIGEST_BYTES);
    status_t status = delete_due(&retention, tail.frontier.size, keep_from, &retained, err);
    builder_deinit(&retention.hashes);
    TRY(status);
    if (retention.is_by_size) {
        limit_hit(LIMIT_ID_LOG_BYTES);
    }
    if (retained.to > retained.from) {
        TRY(audit_log_write_in(log, AUDIT_EVENT_ARCHIVE_DELETED,
                               archive_fields(&retention, retained.from, retained.to), err));
    }
    *ret_retained = retained;
    return STATUS_OK;
}

status_t audit_storage_is_due(struct audit_log *log, bool *ret_due, struct error *err) {
    struct retention retention = {.log = log};
    struct audit_tail tail;
    uint64_t first;
    TRY(audit_log_tail(log, &tail, err));
    TRY(first_kept(log, tail.frontier.size, &first, err));
    *ret_due = false;
    return first + TILE_WIDTH > tail.frontier.size ? STATUS_OK
                                                   : is_due(&retention, first, ret_due, err);
}

status_t audit_storage_retain(struct audit_log *log, uint64_t keep_from,
                              struct audit_retained *ret_retained, struct error *err) {
    struct audit_retained retained = {0};
    bool due = false;
    TRY(audit_storage_is_due(log, &due, err));
    if (due) {
        CLEANUP(fd_closep) int lock = -1;
        TRY(audit_lock_take(log, &lock, err));
        TRY(database_run(&log->database, STATEMENT_BEGIN, err));
        TRY(audit_log_end(log, retain(log, keep_from, &retained, err), err));
    }
    *ret_retained = retained;
    return STATUS_OK;
}
