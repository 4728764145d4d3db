/* SPDX-License-Identifier: Apache-2.0
 *
 * workspaces/<id>.lock: held by an apply; <id> is the start of the SHA-256 of the workspace's path.
 * Its content is the id of the run that is being applied, so that a crash leaves a trace which
 * costs one stat per workspace to find.
 */
#pragma once

#include "sandbox/merge_steps.h"

#define STAGE_STEPS_PREPARED "apply.prepared"
#define STAGE_STEPS_COMMITTED "apply"

struct stage_lock {
    int fd;
};

/* BUSY when another command applies to this workspace. Finishes first what a crash left. */
status_t stage_lock_take(const struct state *state, const struct run *run,
                         struct stage_lock *ret_lock, struct error *err);
/* Holds applies and discards off for a moment: nobody closes a stage of this workspace until
 * *ret_fd is closed. BUSY when one is under way. */
status_t stage_lock_hold(const struct state *state, const char *workspace, int *ret_fd,
                         struct error *err);
/* Empties the file when nothing of the run is left to be finished. */
void stage_lock_release(struct stage_lock *lock, const struct run *run);

/* Executes a committed list and closes the runs of the stack when it closes the stage. `run`'s
 * state follows. May be repeated until stage_forget(). */
status_t stage_finish(const struct state *state, struct run *run, const struct merge_steps *steps,
                      int workspace_fd, uint32_t *ret_left, struct error *err);
/* Removes the list of steps. */
status_t stage_forget(const struct run *run, struct error *err);
