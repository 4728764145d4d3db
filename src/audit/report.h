/* SPDX-License-Identifier: Apache-2.0
 *
 * The log counted for an auditor: decisions by rule, reviews, hosts, merges, runs by outcome.
 */
#pragma once

#include "audit/log.h"

enum { AUDIT_TALLY_NAME_BYTES = 96, AUDIT_TALLY_ROWS = 256 };

/* Names and how often they came, most often first once the report is done. Names past
 * AUDIT_TALLY_ROWS are counted together as "(others)". */
struct audit_tally_row {
    char name[AUDIT_TALLY_NAME_BYTES];
    uint64_t count;
    uint64_t denied, reviewed; /* of rules only */
};
struct audit_tally {
    struct audit_tally_row rows[AUDIT_TALLY_ROWS + 1];
    size_t count;
};

struct audit_report {
    uint64_t entries; /* in the time asked for */
    uint64_t gone;    /* entries before that have no bytes any more */
    uint64_t first_seq, last_seq, first_ms, last_ms;
    uint64_t allowed, denied, reviewed; /* decisions */
    uint64_t reviewed_paths;            /* paths that a person said yes to at an apply */
    uint64_t applies, applied_steps, skipped_steps, failed_applies, discards;
    uint64_t output_bytes, stage_bytes; /* what commands wrote to their output; to their stages */
    uint64_t cpu_us;
    uint64_t policy_changes, dropped;
    struct audit_tally rules;    /* by rule; "" stands as "(no rule)" */
    struct audit_tally outcomes; /* of runs: "exit 0", "timeout" ... */
    struct audit_tally callers, operations, hosts, types;
};

/* Counts the entries from since_ms up to and without until_ms. The report is large: the caller
 * allocates it. */
status_t audit_report_make(struct audit_log *log, uint64_t since_ms, uint64_t until_ms,
                           struct audit_report *ret_report, struct error *err);
