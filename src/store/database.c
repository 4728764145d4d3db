/* SPDX-License-Identifier: Apache-2.0
 *
 * SQLite syncs the folder of a write-ahead log once per connection, at the first commit, whether
 * the log is new or years old: it asks for the log with the flag "create", and what may have been
 * created is taken for new. For a command that commits twice and ends this is the most expensive of
 * its syncs, because it makes the filesystem write its journal. Our layer over the system's file
 * functions takes the flag away when the log is there and holds a commit: SQLite syncs the log's
 * header, and with it the folder, before it writes the first frame behind that header.
 *
 * Whoever opens a database that nobody else has open empties the index of its write-ahead log
 * (audit.db-shm) by cutting it to three bytes, and lets it grow again. On disk that gives blocks
 * back and takes others, and waits for the filesystem's journal, milliseconds where others write.
 * Zeros say the same: what grows again is zeros, and an index whose header is zeros is made anew
 * from the log.
 */
#include "store/database.h"

#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/assert.h"
#include "base/limits.h"
#include "store/database_key.h"

status_t database_error(const struct database *database, int result, const char *doing,
                        struct error *err) {
    enum error_code code = ERROR_IO;
    int os_errno = database->handle == nullptr ? 0 : sqlite3_system_errno(database->handle);
    switch (result & 0xff) {
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
        code = ERROR_BUSY;
        os_errno = 0;
        break;
    case SQLITE_FULL:
        code = ERROR_DISK_FULL;
        os_errno = 0;
        break;
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
    case SQLITE_MISMATCH:
        code = ERROR_AUDIT_DAMAGED;
        os_errno = 0;
        break;
    case SQLITE_READONLY:
        code = ERROR_STATE_READ_ONLY;
        break;
    case SQLITE_NOMEM:
        code = ERROR_NO_MEMORY;
        break;
    default:
        break;
    }
    status_t status = error_set(err, code, os_errno, "cannot %s in %s", doing, database->name);
    const char *detail =
        database->handle == nullptr ? sqlite3_errstr(result) : sqlite3_errmsg(database->handle);
    error_detail(err, "SQLite says: %s", detail);
    return status;
}

static status_t database_execute(struct database *database, const char *sql, const char *doing,
                                 struct error *err) {
    int result = sqlite3_exec(database->handle, sql, nullptr, nullptr, nullptr);
    return result == SQLITE_OK ? STATUS_OK : database_error(database, result, doing, err);
}

/* Before anything can fail: a close after that must leave the write-ahead log as it is. */
static status_t database_keep_wal(struct database *database, struct error *err) {
    int on = 1;
    (void)sqlite3_busy_timeout(database->handle, (int)LIMIT_SQLITE_BUSY_MS);
    (void)sqlite3_db_config(database->handle, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, nullptr);
    (void)sqlite3_db_config(database->handle, SQLITE_DBCONFIG_DEFENSIVE, 1, nullptr);
    int result = sqlite3_file_control(database->handle, "main", SQLITE_FCNTL_PERSIST_WAL, &on);
    if (result != SQLITE_OK) {
        return database_error(database, result, "keep the write-ahead log", err);
    }
    return STATUS_OK;
}

static status_t database_configure(struct database *database,
                                   const struct database_options *options, struct error *err) {
    (void)sqlite3_wal_autocheckpoint(database->handle, LIMIT_WAL_PAGES);
    TRY(database_execute(database, "PRAGMA synchronous=FULL", "set full sync", err));
    if (options->create) {
        TRY(database_execute(database, "PRAGMA journal_mode=WAL", "set the journal", err));
        TRY(database_execute(database, options->schema, "make the tables", err));
    }
    return STATUS_OK;
}

enum { WAL_HEADER_BYTES = 32 };

/* The system's functions; set once, before the first open. */
static sqlite3_vfs *system_files;
static sqlite3_vfs our_files;

static int open_file(sqlite3_vfs *vfs, sqlite3_filename name, sqlite3_file *file, int flags,
                     int *ret_flags) {
    (void)vfs;
    struct stat status;
    if ((flags & SQLITE_OPEN_WAL) != 0 && name != nullptr && lstat(name, &status) == 0 &&
        S_ISREG(status.st_mode) && status.st_size > WAL_HEADER_BYTES) {
        flags &= ~SQLITE_OPEN_CREATE;
    }
    return system_files->xOpen(system_files, name, file, flags, ret_flags);
}

enum { INDEX_CUT_BYTES = 3, INDEX_BYTES = 32768 };

/* Takes the place of ftruncate(2). No other file is ever cut to three bytes. An index that has
 * grown past its first part, by a log of thousands of pages, is cut. */
static int cut_file(int fd, off_t size) {
    static const uint8_t zeros[INDEX_BYTES];
    struct stat status;
    bool is_index =
        size == INDEX_CUT_BYTES && fstat(fd, &status) == 0 && status.st_size == INDEX_BYTES;
    if (is_index && pwrite(fd, zeros, sizeof zeros, 0) == (ssize_t)sizeof zeros) {
        return 0;
    }
    return ftruncate(fd, size);
}

/* Not the default one: SQLCipher opens files of its own by that. */
static const char *register_files(void) {
    if (system_files == nullptr) {
        system_files = sqlite3_vfs_find(nullptr);
        ASSERT(system_files != nullptr);
        our_files = *system_files;
        our_files.zName = "airlock";
        our_files.pNext = nullptr;
        our_files.xOpen = open_file;
        ASSERT(sqlite3_vfs_register(&our_files, 0) == SQLITE_OK);
        ASSERT(system_files->xSetSystemCall(system_files, "ftruncate",
                                            (sqlite3_syscall_ptr)cut_file) == SQLITE_OK);
    }
    return our_files.zName;
}

status_t database_open(const struct database_options *options, struct database *ret_database,
                       struct error *err) {
    struct database database = {.name = options->name, .sql = options->sql};
    int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE |
                (options->create ? SQLITE_OPEN_CREATE : 0);
    int result = sqlite3_open_v2(options->path, &database.handle, flags, register_files());
    status_t status = result == SQLITE_OK ? database_keep_wal(&database, err)
                                          : database_error(&database, result, "open a file", err);
    if (status_is_ok(status)) {
        status = database_unlock(&database, options->key, err);
    }
    if (status_is_ok(status)) {
        status = database_configure(&database, options, err);
    }
    if (!status_is_ok(status)) {
        database_close(&database);
        return status;
    }
    *ret_database = database;
    return STATUS_OK;
}

void database_close(struct database *database) {
    for (size_t i = 0; i < DATABASE_STATEMENTS_MAX; i++) {
        (void)sqlite3_finalize(database->statements[i]);
        database->statements[i] = nullptr;
    }
    (void)sqlite3_close(database->handle);
    database->handle = nullptr;
}

status_t database_statement(struct database *database, unsigned number, sqlite3_stmt **ret,
                            struct error *err) {
    ASSERT(number < DATABASE_STATEMENTS_MAX);
    sqlite3_stmt **kept = &database->statements[number];
    if (*kept == nullptr) {
        int result = sqlite3_prepare_v3(database->handle, database->sql[number], -1,
                                        SQLITE_PREPARE_PERSISTENT, kept, nullptr);
        if (result != SQLITE_OK) {
            return database_error(database, result, "prepare a statement", err);
        }
    }
    (void)sqlite3_reset(*kept);
    (void)sqlite3_clear_bindings(*kept);
    *ret = *kept;
    return STATUS_OK;
}

status_t database_run(struct database *database, unsigned number, struct error *err) {
    sqlite3_stmt *statement;
    TRY(database_statement(database, number, &statement, err));
    int result = sqlite3_step(statement);
    status_t status = result == SQLITE_DONE || result == SQLITE_ROW
                          ? STATUS_OK
                          : database_error(database, result, database->sql[number], err);
    (void)sqlite3_reset(statement);
    return status;
}

struct slice database_blob(sqlite3_stmt *statement, int column) {
    const void *data = sqlite3_column_blob(statement, column);
    return slice_of(data, (size_t)sqlite3_column_bytes(statement, column));
}
