/* SPDX-License-Identifier: Apache-2.0
 *
 * A run's whole stack as one list of changes, and how each relates to the workspace as it is now.
 */
#pragma once

#include "sandbox/base_record.h"

struct merge {
    struct run_stack *stack; /* owned; [0] is the run itself */
    struct change_list list; /* before: of the oldest stage that changes the path; after: newest */
    int upper_fds[LIMIT_STAGE_STACK + 1]; /* owned */
    int workspace_fd;                     /* owned; -1 when the workspace is gone */
};

/* RUN_UNFINISHED, RUN_STAGE_CLOSED, STAGE_DAMAGED (a record is not the one meta describes). */
status_t merge_open(const struct state *state, const struct run *run, struct merge *ret_merge,
                    struct error *err);
void merge_close(struct merge *merge);

enum merge_relation : uint8_t {
    MERGE_CLEAN,    /* the workspace holds what the stage was made from */
    MERGE_DONE,     /* it holds what the stage would put there */
    MERGE_CONFLICT, /* it holds something else, or moved while the run was live */
};
status_t merge_relate(const struct merge *merge, const struct change *change,
                      struct entry_state *ret_current, enum merge_relation *ret_relation,
                      struct error *err);

/* `patterns` (nullptr: all) name paths, folders with all below them, or globs. */
bool merge_is_selected(const char *path, const char *const *patterns);
