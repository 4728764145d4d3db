/* SPDX-License-Identifier: Apache-2.0 */
#include "kernel/retention.h"

#include <stdlib.h>

#include "audit/storage.h"
#include "sandbox/run.h"

/* The first entry of the oldest run whose stage still waits. */
static status_t oldest_open(const struct state *state, uint64_t *ret_seq, struct error *err) {
    struct run *runs = nullptr;
    size_t count = 0;
    uint64_t oldest = UINT64_MAX;
    TRY(run_list(state, &runs, &count, err));
    for (size_t i = 0; i < count; i++) {
        bool is_open = runs[i].state == RUN_LIVE || run_stage_is_open(&runs[i]);
        oldest = is_open && runs[i].intent_seq < oldest ? runs[i].intent_seq : oldest;
    }
    free(runs);
    *ret_seq = oldest;
    return STATUS_OK;
}

status_t kernel_retain(struct kernel *kernel, struct error *err) {
    struct audit_retained retained;
    uint64_t keep_from;
    bool due = false;
    TRY(audit_storage_is_due(kernel->log, &due, err));
    if (!due) {
        return STATUS_OK;
    }
    TRY(oldest_open(&kernel->state, &keep_from, err));
    return audit_storage_retain(kernel->log, keep_from, &retained, err);
}
