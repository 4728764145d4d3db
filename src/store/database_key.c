/* SPDX-License-Identifier: Apache-2.0
 *
 * SQLCipher says "not a database" to a wrong key, to a missing one and to a damaged first page
 * alike. So the first bytes are looked at before it is asked: an encrypted file begins with
 * sixteen random bytes, and everything behind them looks random too, while a plain one has
 * constants at two places and one that is damaged may have any length. A plain file that lost one
 * of the constants is damaged and not encrypted.
 *
 * They are read through SQLite's own descriptor: closing another one of the same file would drop
 * this process's locks on it.
 */
#define SQLITE_HAS_CODEC 1 /* sqlite3_key_v2() */
#include "store/database_key.h"

#include <string.h>

#include "base/assert.h"
#include "base/cleanup.h"
#include "store/cipher.h"

enum { HEADER_BYTES = 24, PAGE_BYTES = 4096, KEY_TEXT_BYTES = 2 * DATABASE_KEY_BYTES + 3 };

enum content : uint8_t { CONTENT_NONE, CONTENT_PLAIN, CONTENT_ENCRYPTED };

/* Fractions of a page that the file format fixes at these values; at offset 21. */
static const uint8_t FRACTIONS[] = {64, 32, 32};
static const char MAGIC[] = "SQLite format 3";

static enum content header_content(const uint8_t header[static HEADER_BYTES]) {
    static const uint8_t NOTHING[HEADER_BYTES];
    bool is_plain = memcmp(header, MAGIC, sizeof MAGIC) == 0 ||
                    memcmp(header + 21, FRACTIONS, sizeof FRACTIONS) == 0 ||
                    memcmp(header, NOTHING, HEADER_BYTES) == 0;
    return is_plain ? CONTENT_PLAIN : CONTENT_ENCRYPTED;
}

static status_t read_content(const struct database *database, enum content *ret_content,
                             struct error *err) {
    uint8_t header[HEADER_BYTES] = {0};
    sqlite3_file *file = nullptr;
    int result = sqlite3_file_control(database->handle, "main", SQLITE_FCNTL_FILE_POINTER, &file);
    if (result == SQLITE_OK) {
        ASSERT(file != nullptr && file->pMethods != nullptr);
        result = file->pMethods->xRead(file, header, sizeof header, 0);
    }
    sqlite3_int64 size = 0;
    if (result == SQLITE_OK) {
        result = file->pMethods->xFileSize(file, &size);
    }
    if (result == SQLITE_IOERR_SHORT_READ) {
        *ret_content = CONTENT_NONE;
        return STATUS_OK;
    }
    if (result != SQLITE_OK) {
        return database_error(database, result, "read the first page", err);
    }
    *ret_content = size % PAGE_BYTES == 0 ? header_content(header) : CONTENT_PLAIN;
    return STATUS_OK;
}

status_t database_key_text(const struct secret *key, struct secret **ret_text, struct error *err) {
    static const char DIGITS[] = "0123456789abcdef";
    ASSERT(secret_size(key) == DATABASE_KEY_BYTES);
    struct secret *text;
    TRY(secret_new(KEY_TEXT_BYTES, &text, err));
    char *out = secret_data(text);
    const uint8_t *bytes = secret_data_const(key);
    *out++ = 'x';
    *out++ = '\'';
    for (size_t i = 0; i < DATABASE_KEY_BYTES; i++) {
        *out++ = DIGITS[bytes[i] >> 4];
        *out++ = DIGITS[bytes[i] & 15];
    }
    *out = '\'';
    *ret_text = text;
    return STATUS_OK;
}

static status_t use_key(const struct database *database, const struct secret *key,
                        struct error *err) {
    CLEANUP(secret_freep) struct secret *text = nullptr;
    if (!cipher_is_linked()) { /* it looked for a key first, and there was none then */
        (void)error_set(err, ERROR_AUDIT_KEY, 0, "a key was configured while the command started");
        error_hint(err, "Start the command again.");
        return (status_t){ERROR_AUDIT_KEY};
    }
    TRY(database_key_text(key, &text, err));
    /* It writes to stderr otherwise; what fails is told by its caller. */
    (void)sqlite3_exec(database->handle, "PRAGMA cipher_log_level = NONE", nullptr, nullptr,
                       nullptr);
    int result = sqlite3_key_v2(database->handle, "main", secret_data_const(text), KEY_TEXT_BYTES);
    if (result != SQLITE_OK) {
        return database_error(database, result, "use a key", err);
    }
    result =
        sqlite3_exec(database->handle, "SELECT 1 FROM sqlite_schema", nullptr, nullptr, nullptr);
    if ((result & 0xff) == SQLITE_NOTADB) {
        (void)error_set(err, ERROR_AUDIT_KEY, 0, "cannot open %s with the key that is configured",
                        database->name);
        error_detail(err, "it was encrypted with another key, or its first page is damaged");
        error_hint(err, "Name the file of its key in config.yaml: storage: { key_file: FILE }. "
                        "After airlock log rekey that is the new one.");
        return (status_t){ERROR_AUDIT_KEY};
    }
    return result == SQLITE_OK ? STATUS_OK
                               : database_error(database, result, "read the first page", err);
}

status_t database_unlock(const struct database *database, const struct secret *key_or_null,
                         struct error *err) {
    enum content content = CONTENT_NONE;
    TRY(read_content(database, &content, err));
    if (key_or_null == nullptr && content == CONTENT_ENCRYPTED) {
        (void)error_set(err, ERROR_AUDIT_KEY, 0, "%s is encrypted, and no key is configured",
                        database->name);
        error_hint(err, "Name the file of its key in config.yaml: storage: { key_file: FILE }");
        return (status_t){ERROR_AUDIT_KEY};
    }
    if (key_or_null != nullptr && content == CONTENT_PLAIN) {
        (void)error_set(err, ERROR_AUDIT_KEY, 0, "%s is not encrypted, but a key is configured",
                        database->name);
        error_hint(err, "Encrypt it with: airlock log encrypt. Or take storage.key_file out of "
                        "config.yaml.");
        return (status_t){ERROR_AUDIT_KEY};
    }
    return key_or_null == nullptr ? STATUS_OK : use_key(database, key_or_null, err);
}
