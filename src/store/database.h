/* SPDX-License-Identifier: Apache-2.0
 *
 * SQLite files, opened the one way Airlock uses them: WAL, full sync, no checkpoint on close (many
 * short commands must not each rewrite the file). Prepared statements are kept.
 */
#pragma once

#include <sqlcipher/sqlite3.h>

#include "base/bytes.h"
#include "base/error.h"

struct secret; /* crypto/secret.h */

enum { DATABASE_STATEMENTS_MAX = 24 };

struct database {
    sqlite3 *handle;
    const char *name;       /* a constant, for errors */
    const char *const *sql; /* the statements, by number */
    sqlite3_stmt *statements[DATABASE_STATEMENTS_MAX];
};

struct database_options {
    const char *path;
    const char *name;       /* "audit.db" */
    const char *const *sql; /* borrowed for the database's life; at most DATABASE_STATEMENTS_MAX */
    const char *schema;     /* run, and WAL set, when `create` is given */
    bool create;
    const struct secret *key; /* 32 bytes, borrowed for the call; nullptr: the file is plain */
};
/* SQLCipher keeps a copy of the key, not locked in memory, and wipes it on close. ERROR_AUDIT_KEY:
 * file and key do not belong together; see store/database_key.h. */
status_t database_open(const struct database_options *options, struct database *ret_database,
                       struct error *err);
void database_close(struct database *database);

/* The error behind an SQLite result: SQLITE_BUSY is BUSY, SQLITE_FULL is DISK_FULL, CORRUPT and
 * NOTADB are AUDIT_DAMAGED, READONLY is STATE_READ_ONLY, all else IO. */
status_t database_error(const struct database *database, int result, const char *doing,
                        struct error *err);

/* The prepared statement, reset and with nothing bound. */
status_t database_statement(struct database *database, unsigned number, sqlite3_stmt **ret,
                            struct error *err);
/* Runs a prepared statement without rows or values. */
status_t database_run(struct database *database, unsigned number, struct error *err);
/* The blob of a column; borrowed until the next step. */
struct slice database_blob(sqlite3_stmt *statement, int column);
