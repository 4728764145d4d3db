/* SPDX-License-Identifier: Apache-2.0
 *
 * The opened file, for log.c, which opens and reads it, and append.c, which writes it.
 */
#pragma once

#include "audit/log.h"
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
    STATEMENT_COUNT,
};
static_assert((int)STATEMENT_COUNT <= (int)DATABASE_STATEMENTS_MAX);

struct audit_log {
    struct database database;
    const struct state *state; /* borrowed */
    const struct clock *clock; /* borrowed */
};

/* Waits for audit.lock, at most LIMIT_SQLITE_BUSY_MS. */
status_t audit_lock_take(const struct audit_log *log, int *ret_lock, struct error *err);
