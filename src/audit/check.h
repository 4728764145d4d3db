/* SPDX-License-Identifier: Apache-2.0
 *
 * The whole log recomputed: every entry's form and hash, the chain, every stored node of the tree,
 * the head, the last checkpoint and its signature.
 */
#pragma once

#include "audit/log.h"

struct audit_check_options {
    /* Called now and then; may be nullptr. */
    void (*progress)(void *context, uint64_t done, uint64_t total);
    void *context;
};

struct audit_check_result {
    uint64_t size;
    struct digest root;
    uint64_t signed_size; /* what the last checkpoint covers; 0 when there is none */
    char origin[256];     /* "" when there is none */
    uint64_t second_size; /* what keys/last_checkpoint_pq covers; 0 when there is none */
    uint64_t gone;        /* the first so many entries have no bytes any more; their hashes agree */
};

/* AUDIT_DAMAGED names the first entry that is wrong. */
status_t audit_log_check(struct audit_log *log, const struct audit_check_options *options,
                         struct audit_check_result *ret_result, struct error *err);

/* Holds the log against something its owner cannot have changed: a receipt or a published
 * checkpoint (`log export` writes one) that others kept. AUDIT_ROLLED_BACK: the log is smaller than
 * it was then; AUDIT_DAMAGED: it was rewritten since; RECEIPT_*: it is not this log's at all. */
status_t audit_check_receipt(struct audit_log *log, struct slice receipt, uint64_t *ret_size,
                             struct error *err);
status_t audit_check_checkpoint(struct audit_log *log, struct slice checkpoint, uint64_t *ret_size,
                                struct error *err);
