/* SPDX-License-Identifier: Apache-2.0
 *
 * What an apply would do with each change of a merged list, before anything is done.
 */
#pragma once

#include "sandbox/merge.h"

enum merge_verdict : uint8_t {
    MERGE_VERDICT_APPLY,
    MERGE_VERDICT_DONE,    /* the workspace holds it already */
    MERGE_VERDICT_UNNAMED, /* not selected */
    MERGE_VERDICT_BEFORE,  /* not selected, and the workspace holds it already */
    MERGE_VERDICT_REFUSED, /* the stage holds what is never applied */
    MERGE_VERDICT_DENIED,  /* by policy */
    MERGE_VERDICT_CONFLICT,
    MERGE_VERDICT_BLOCKED, /* needs one of the others that are not applied */
    MERGE_VERDICT_COUNT,
};

struct merge_plan_item {
    struct entry_state current;
    enum merge_verdict verdict;
    const char *reason; /* of a denial; borrowed from the decider */
    size_t above;       /* index of the nearest change above it in the tree, or SIZE_MAX */
    size_t top; /* index of the new folder it is made inside of (itself included), or SIZE_MAX */
};

struct merge_plan {
    struct merge_plan_item *items; /* owned; one per change of the merged list */
    size_t counts[MERGE_VERDICT_COUNT];
};

status_t merge_plan_make(const struct merge *merge, const struct apply_options *options,
                         struct merge_plan *ret_plan, struct error *err);
void merge_plan_deinit(struct merge_plan *plan);
/* The error of a plan that does not apply whole: names up to five paths. */
status_t merge_plan_error(const struct merge *merge, const struct merge_plan *plan,
                          struct error *err);
