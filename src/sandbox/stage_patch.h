/* SPDX-License-Identifier: Apache-2.0
 *
 * A stage made by a patch instead of by a command. First the patch is applied in memory to what the
 * run stands on (the workspace, or the stages below), all of it; only when every file fits is
 * anything written, as the upper that a command would have left, at once: whoever finds the run
 * half made finds an empty upper.
 */
#pragma once

#include "sandbox/patch.h"
#include "sandbox/stage.h"

struct stage_patch; /* what the files become, in memory */

/* `run` is live and fresh. ERROR_PATCH_MISMATCH, ERROR_PATCH_REFUSED (a path that leads through a
 * link, or below what is no folder), ERROR_LIMIT. Nothing is written. */
status_t stage_patch_make(const struct state *state, const struct run *run,
                          const struct patch *patch, struct stage_patch **ret, struct error *err);
void stage_patch_free(struct stage_patch *patch);
/* Writes the run's upper; stage_seal() is next. */
status_t stage_patch_write(const struct run *run, const struct stage_patch *patch,
                           struct error *err);
