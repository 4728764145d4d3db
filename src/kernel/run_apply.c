/* SPDX-License-Identifier: Apache-2.0 */
#include "kernel/run_apply.h"

#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"
#include "kernel/policy_files.h"
#include "kernel/records.h"
#include "sandbox/run.h"
#include "sys/fd.h"

/* What a rule permits is for work that is done and, as far as the command can tell, right. */
static void judge_command(const struct launcher_message *exit, struct automatic *automatic) {
    char text[96];
    if (exit->outcome != LAUNCHER_OUTCOME_EXIT) {
        (void)snprintf(text, sizeof text, "the command ended with %s instead of exit 0",
                       record_outcome_text(exit->outcome));
        automatic_hold(automatic, AUTOMATIC_COMMAND, text, nullptr);
    } else if (exit->status != 0) {
        (void)snprintf(text, sizeof text, "the command ended with exit %d instead of exit 0",
                       exit->status);
        automatic_hold(automatic, AUTOMATIC_COMMAND, text, nullptr);
    }
    if (exit->killed_count > 0) {
        (void)snprintf(text, sizeof text,
                       "processes that it left behind were killed, maybe while they wrote: %u",
                       exit->killed_count);
        automatic_hold(automatic, AUTOMATIC_COMMAND, text, nullptr);
    }
}

static status_t apply_now(struct kernel *kernel, struct run *run, struct run_apply *apply) {
    struct kernel_apply_options options = {.automatic = &apply->automatic};
    status_t status =
        kernel_apply(kernel, run, &options, &apply->result, &apply->seq, &apply->error);
    if (status_is_ok(status)) {
        (void)snprintf(apply->rule, sizeof apply->rule, "%s", apply->automatic.permitted.rule);
    }
    return status;
}

static void apply_sealed(struct kernel *kernel, const char *id, struct run_apply *apply,
                         enum run_state *state) {
    CLEANUP(run_close) struct run run = {.fd = -1, .lock_fd = -1};
    kernel_policy_drop(kernel);
    status_t status = run_open(&kernel->state, id, &run, &apply->error);
    if (status_is_ok(status)) {
        status = apply_now(kernel, &run, apply);
        *state = run.state;
    }
    apply->automatic.permitted.rule = nullptr; /* the policy's, which may go */
    if (status_is_ok(status)) {
        apply->outcome = RUN_APPLY_DONE;
        return;
    }
    if (automatic_is_held(&apply->automatic)) {
        return;
    }
    apply->outcome = apply->automatic.is_admitted ? RUN_APPLY_FAILED : RUN_APPLY_LEFT;
    automatic_hold(&apply->automatic, AUTOMATIC_OTHER, apply->error.message, nullptr);
}

void run_apply(struct kernel *kernel, struct run_exec_result *result, struct run_apply *ret) {
    *ret = (struct run_apply){.outcome = RUN_APPLY_LEFT};
    automatic_init(&ret->automatic);
    if (!run_stage_is_open(&result->run)) {
        ret->outcome = RUN_APPLY_NOTHING;
        return;
    }
    judge_command(&result->exit, &ret->automatic);
    if (automatic_is_held(&ret->automatic)) {
        return;
    }
    fd_closep(&result->run.lock_fd); /* an apply takes it */
    apply_sealed(kernel, result->run.id, ret, &result->run.state);
}

void run_apply_deinit(struct run_apply *apply) {
    automatic_deinit(&apply->automatic);
}
