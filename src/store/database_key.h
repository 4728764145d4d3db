/* SPDX-License-Identifier: Apache-2.0
 *
 * The key of an SQLite file. Inside store, and for who copies a file under another key.
 */
#pragma once

#include "crypto/secret.h"
#include "store/database.h"

enum { DATABASE_KEY_BYTES = 32 };

/* The key as SQLCipher takes one that is used as it is, without deriving anything: x'..' around its
 * digits. ERROR_NO_MEMORY, ERROR_LIMIT. */
status_t database_key_text(const struct secret *key, struct secret **ret_text, struct error *err);

/* What comes between opening a file and the first read of it. Nothing when file and key_or_null
 * both say that it is plain. ERROR_AUDIT_KEY: it is encrypted and there is no key, it is plain and
 * there is one, or the key is another. */
status_t database_unlock(const struct database *database, const struct secret *key_or_null,
                         struct error *err);
