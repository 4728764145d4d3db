/* SPDX-License-Identifier: Apache-2.0
 *
 * How much room the log takes, and retention: past LIMIT_LOG_DAYS, or when the log is larger than
 * LIMIT_LOG_BYTES, the bytes of its oldest entries go, in whole bundles of 256. Their hashes stay
 * for good, so the chain, the tree and every proof still verify, and an audit_archive_deleted
 * entry in the same commit says which are gone. The bytes that are gone are always the first ones.
 */
#pragma once

#include "audit/log.h"

struct audit_storage {
    uint64_t used_bytes; /* pages of audit.db that hold something */
    uint64_t bytes_max;
    unsigned percent;    /* 100 is full */
    uint64_t first_kept; /* the first entry that has its bytes; the log's size when none has */
};
status_t audit_storage_read(struct audit_log *log, struct audit_storage *ret_storage,
                            struct error *err);

/* Other limits than those of schema/limits.def, for this opened log. */
void audit_storage_limit(struct audit_log *log, uint64_t bytes_max, uint64_t retention_ms);

/* Whether anything is due; a few reads. */
status_t audit_storage_is_due(struct audit_log *log, bool *ret_due, struct error *err);

struct audit_retained {
    uint64_t from, to; /* the entries whose bytes went; to is past the last one */
    bool is_held;      /* more was due, but `keep_from` stopped it */
};
/* Deletes what is due, at most LIMIT_RETENTION_BUNDLES at a time; nothing from entry `keep_from`
 * on, where the entries of the oldest open stage begin. */
status_t audit_storage_retain(struct audit_log *log, uint64_t keep_from,
                              struct audit_retained *ret_retained, struct error *err);
