/* SPDX-License-Identifier: Apache-2.0
 *
 * The opened file, for open.c, log.c, which reads it, append.c, which writes it, and storage.c.
 */
#pragma once

#include "audit/log.h"
#include "keys/note.h"
#include "store/database.h"

enum statement : uint8_t {
    STATEMENT_BEGIN,
    STATEMENT_BEGIN_READ,
    STATEMENT_COMMIT,
    STATEMENT_ROLLBACK,
    STATEMENT_HEAD,
    STATEMENT_HEAD_WRITE,
    STATEMENT_INSERT,
    STATEMENT_ROW,
    STATEMENT_ROWS,
    STATEMENT_ROWS_BACK,
    STATEMENT_PAGES,
    STATEMENT_PAGES_UNUSED,
    STATEMENT_PAGE_BYTES,
    STATEMENT_DELETE,
    STATEMENT_SIGNED_THERE,
    STATEMENT_SIGNED_MAKE,
    STATEMENT_SIGNED,
    STATEMENT_SIGNED_WRITE,
    STATEMENT_COUNT,
};
static_assert((int)STATEMENT_COUNT <= (int)DATABASE_STATEMENTS_MAX);

/* An operational entry that waits for the next commit. */
struct audit_waiting {
    enum audit_event event;
    struct json *fields; /* owned */
    uint64_t time_ms;
};

struct audit_buffer {
    struct audit_waiting entries[LIMIT_BUFFER_ENTRIES];
    size_t count;
    uint64_t since_ns; /* when the first of them came; monotonic */
    uint64_t dropped;
    uint64_t dropped_since_ms;
};

struct audit_log {
    struct database database;
    struct audit_buffer buffer;
    struct builder bytes; /* of the entry that is appended; owned, kept between entries */
    uint64_t bytes_max;
    uint64_t retention_ms;
    uint64_t page_bytes;           /* 0: not read yet */
    struct checkpoint signed_last; /* what keys/last_checkpoint said when it was read last */
    uint64_t signed_kept;          /* the size in table `signed`; 0 while it has no row */
    int use;                       /* audit.use, shared; -1 */
    const struct state *state;     /* borrowed */
    const struct clock *clock;     /* borrowed */
};

/* Waits for audit.lock, at most LIMIT_SQLITE_BUSY_MS. */
status_t audit_lock_take(const struct audit_log *log, int *ret_lock, struct error *err);

/* audit.use: whoever has the log opened holds it shared, so that another file takes audit.db's
 * place (encryption.h) only while nobody writes into the old one. Waits as audit_lock_take() does.
 */
status_t audit_use_take(const struct audit_log *log, int *ret_use, struct error *err);
/* Alone, or at once ERROR_BUSY. */
status_t audit_use_take_alone(const struct audit_log *log, int *ret_use, struct error *err);

#define AUDIT_FILE "audit.db"
status_t audit_file_path(const struct state *state, const char *name,
                         char ret_path[static LIMIT_PATH_BYTES], struct error *err);
/* A file with all tables, checked as audit_log_open() does, by who holds audit.use alone. */
status_t audit_log_open_copy(const struct audit_log_options *options, const char *name,
                             struct audit_log **ret_log, struct error *err);
/* AUDIT_DAMAGED, naming the file. */
status_t audit_damaged(struct error *err, const char *what);

/* While it is in the state folder a new log is being started (audit/renew.h). */
#define AUDIT_RENEWING_FILE "audit.renewing"
/* audit_log_open() for who starts it. */
status_t audit_log_open_renewing(const struct audit_log_options *options,
                                 struct audit_log **ret_log, struct error *err);

/* What waits in the buffer, then `entries` (whose fields stay the caller's), in one commit. */
status_t audit_log_write(struct audit_log *log, struct audit_append *entries, size_t count,
                         struct audit_position *ret_positions, struct error *err);
/* One entry more inside a transaction that holds the lock already; fields are consumed. */
status_t audit_log_write_in(struct audit_log *log, enum audit_event event, struct json *fields,
                            struct error *err);
/* Commits when `status` is good, else rolls back; returns what came of it. */
status_t audit_log_end(struct audit_log *log, status_t status, struct error *err);
struct audit_row;
/* Stores a row; inside a transaction. */
status_t audit_row_insert(struct audit_log *log, const struct audit_row *row, struct error *err);
/* What waited is in the log. */
void audit_buffer_written(struct audit_log *log);

/* Bytes of the pages in use; inside a transaction with its changes. */
status_t audit_storage_used(struct audit_log *log, uint64_t *ret_bytes, struct error *err);
/* The warning percentage that growing from `before` to `after` bytes crosses; 0 for none. */
unsigned audit_storage_crossed(const struct audit_log *log, uint64_t before, uint64_t after);

/* What was signed last stands in audit.db too (signed.c), so that a lost or older keys/ is noticed.
 * Reads the row and holds it against log->signed_last. AUDIT_ROLLED_BACK, AUDIT_DAMAGED. */
status_t audit_signed_check(struct audit_log *log, struct error *err);
/* Writes log->signed_last when it is newer than the row. Inside a transaction. */
status_t audit_signed_keep(struct audit_log *log, struct error *err);
/* After a signature. The row follows with the next append, but for the first one, which is written
 * at once. */
status_t audit_signed_note(struct audit_log *log, const struct checkpoint *last, struct error *err);
