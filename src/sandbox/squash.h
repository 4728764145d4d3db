/* SPDX-License-Identifier: Apache-2.0
 *
 * Of a stack with more stages than overlayfs should have layers, the oldest are squashed: their
 * uppers are laid over each other once, in runs/<id>/squash of the newest of them, and a run that
 * stands on the stack gets that one folder as a layer in their place. Only what a run sees is made
 * of it: the stages stay as they are, and diff and apply go by their records as ever.
 *
 * How many are squashed follows from the depth alone: the oldest 8, 16, 24 ..., so that at least
 * LIMIT_STAGE_SQUASH_KEPT stay as they are, and each squash is made of the one below it and eight
 * stages. Its name is a digest of the runs it covers: when an older stage is applied and leaves the
 * stack, none of the names fits any more.
 *
 * Everything but folders is a hard link to the stage's own file, which nobody ever writes again: so
 * modes, owners, attributes, holes, devices and whiteouts are what they were, and hardly any room
 * is used.
 */
#pragma once

#include "sandbox/run.h"

/* How many of the oldest of `count` stages are one layer; 0: none. */
size_t squash_depth(size_t count);
/* Makes the squash of stages [from, count) of the stack's open ones, unless it is there. *ret_path,
 * the absolute path of its folder, is of at most LIMIT_PATH_BYTES. `open` lists them newest first.
 */
status_t squash_make(const struct state *state, const struct run *const *open, size_t count,
                     size_t from, char ret_path[static LIMIT_PATH_BYTES], struct error *err);
