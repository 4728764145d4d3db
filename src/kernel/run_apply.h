/* SPDX-License-Identifier: Apache-2.0
 *
 * `airlock run --apply auto`: what a run staged is applied without anybody being asked, when the
 * command exited 0 and policy permits that (auto_apply). In every other case the stage stays open.
 */
#pragma once

#include "kernel/automatic.h"
#include "kernel/run_exec.h"

enum run_apply_outcome : uint8_t {
    RUN_APPLY_DONE,
    RUN_APPLY_NOTHING, /* nothing is staged */
    RUN_APPLY_LEFT,    /* to a person; the reasons say why; the log has no entry of it */
    RUN_APPLY_FAILED,  /* on the way; the reason says why, and the log has it */
};

struct run_apply {
    enum run_apply_outcome outcome;
    struct automatic automatic;
    char rule[LIMIT_POLICY_NAME_BYTES + 1]; /* that permitted it, when it was done */
    struct apply_result result;
    uint64_t seq; /* of the outcome's entry */
    struct error error;
};

/* After run_exec(), with its result, whose run it lets go of and whose state it updates. Policy is
 * read anew: the run may have taken hours. Never fails: what went wrong is in the outcome, because
 * the command's own exit status is to be passed on. The caller calls run_apply_deinit(). */
void run_apply(struct kernel *kernel, struct run_exec_result *result, struct run_apply *ret);
void run_apply_deinit(struct run_apply *apply);
