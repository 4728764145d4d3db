/* SPDX-License-Identifier: Apache-2.0
 *
 * audit.db under another key, under its first one, or plain again. The log stays the same log:
 * every entry, hash and signature is the one it was, and one entry more, key_epoch, tells of it.
 */
#pragma once

#include "audit/log.h"
#include "crypto/secret.h"

struct audit_encryption {
    const char *change;  /* "encrypt", "decrypt", "rekey": for the entry */
    const char *caller;  /* "uid:1000" */
    const char *request; /* its id */
    struct secret *key;  /* the new one, 32 bytes, borrowed; nullptr: plain from now on */
};

/* Copies the log (state->log_key opens it) into a file under the new key, verifies the whole copy,
 * appends the entry to it and lets it take audit.db's place; the old file's room is freed, not
 * wiped. Needs as much room again. Whatever stops it, the log is the old or the new one, whole;
 * what was left lying is removed at the next try. *ret_seq is the entry's number. ERROR_BUSY:
 * another command has the log open. ERROR_AUDIT_KEY: state->log_key does not open it. */
status_t audit_encryption_change(const struct state *state, const struct clock *clock,
                                 const struct audit_encryption *change, uint64_t *ret_seq,
                                 struct error *err);
