/* SPDX-License-Identifier: Apache-2.0
 *
 * What the log shows to be missing: admissions without an end, entries that were dropped, numbers
 * that were left out. An intent without an outcome is evidence by itself.
 */
#pragma once

#include "audit/log.h"

enum audit_gap_kind : uint8_t {
    AUDIT_GAP_UNFINISHED, /* admitted, past its deadline, and no end of it */
    AUDIT_GAP_DROPPED,    /* operational entries were dropped here */
    AUDIT_GAP_SEQUENCE,   /* numbers are missing before this entry */
    AUDIT_GAP_UNDER_WAY,  /* no gap: admitted, and its deadline has not passed */
    AUDIT_GAP_NEW_LOG,    /* no gap: this log began after a damaged one */
    AUDIT_GAP_KIND_COUNT,
};
const char *audit_gap_text(enum audit_gap_kind kind);
bool audit_gap_is_one(enum audit_gap_kind kind);

struct audit_gap {
    enum audit_gap_kind kind;
    uint64_t seq; /* the admission, the mark, the first entry after the hole */
    uint64_t time_ms;
    uint64_t count;       /* dropped entries, missing numbers; else 0 */
    uint64_t deadline_ms; /* of an admission: when it was due, wall clock; else 0 */
    char type[32];        /* of the entry */
    char run[40];         /* "" when it has none */
};
typedef void audit_gap_use(void *context, const struct audit_gap *gap);

/* Reads the whole log and tells what it finds, in no certain order of kinds; admissions come last.
 * An admission without a deadline_ms of its own has LIMIT_ADMISSION_MS. */
status_t audit_gaps(struct audit_log *log, uint64_t now_ms, audit_gap_use *use, void *context,
                    struct error *err);
