/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "sandbox/stage_lock.h"

static status_t discard_check(const struct state *state, const struct run *run, struct error *err) {
    CLEANUP(run_close) struct run now = {.fd = -1, .lock_fd = -1};
    TRY(run_open(state, run->id, &now, err));
    if (now.state == RUN_LIVE) {
        return error_set(err, ERROR_RUN_UNFINISHED, 0, "run %s still runs", run->id);
    }
    if (now.state == RUN_APPLIED || now.state == RUN_DISCARDED) {
        return error_set(err, ERROR_RUN_STAGE_CLOSED, 0, "the stage of run %s is %s", run->id,
                         run_state_text(now.state));
    }
    /* Another open stage that stands on this one would lose what it was made from. */
    return run_check_standing(state, run, false, err);
}

status_t stage_discard(const struct state *state, struct run *run, stage_admitted *admitted,
                       void *context, struct error *err) {
    struct stage_lock lock;
    TRY(stage_lock_take(state, run, &lock, err));
    /* Under the lock, and from disk: another command may have closed it since `run` was read. */
    status_t status = discard_check(state, run, err);
    if (status_is_ok(status) && admitted != nullptr) {
        status = admitted(context, err);
    }
    if (status_is_ok(status)) {
        status = run_save_closed(state, run, RUN_DISCARDED, err);
    }
    stage_lock_release(&lock, run);
    return status;
}
