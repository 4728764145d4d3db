/* SPDX-License-Identifier: Apache-2.0
 *
 * The log as it is stored: for its own verification and export. Inside audit only.
 */
#pragma once

#include "audit/log.h"
#include "keys/note.h"

/* What the head row holds. */
struct audit_tail {
    struct merkle_frontier frontier; /* its size is the log's size */
    struct digest leaf;              /* of the last entry; zero in an empty log */
    struct digest root;
};

/* A stored entry; slices are borrowed while it is lent. No bytes: retention deleted them. */
struct audit_row {
    uint64_t seq;
    struct slice leaf;
    struct slice nodes;
    struct slice bytes;
};
typedef bool audit_row_use(void *context, const struct audit_row *row);

status_t audit_log_tail(struct audit_log *log, struct audit_tail *ret_tail, struct error *err);
/* Lends one row to `use`, whose answer does not matter. */
status_t audit_log_row(struct audit_log *log, uint64_t seq, audit_row_use *use, void *context,
                       bool *ret_found, struct error *err);
/* Rows from `first` on, in order, until `use` returns false. */
status_t audit_log_scan_rows(struct audit_log *log, uint64_t first, audit_row_use *use,
                             void *context, struct error *err);
const struct state *audit_log_state(const struct audit_log *log);
/* keys/last_checkpoint_pq, read as `second` and `text`, against the log and a checkpoint of
 * `last_size` that was read after it (check_second.c). */
status_t audit_check_second(struct audit_log *log, const struct checkpoint *second,
                            struct slice text, uint64_t last_size, struct error *err);
