/* SPDX-License-Identifier: Apache-2.0
 *
 * Choosing what of a stage is applied: by asking at the terminal, or by a patch.
 */
#pragma once

#include "cli/cli.h"
#include "sandbox/choices.h"

/* Shows each hunk and asks. What was chosen up to a `q` counts; when the terminal goes away nothing
 * does. USAGE when there is no terminal. */
status_t apply_hunks_ask(const struct cli *cli, const struct state *state, const struct run *run,
                         const char *const *paths, struct apply_choices *choices,
                         struct error *err);
/* Reads a patch ("-": stdin), which must be a part of what `airlock diff` prints. */
status_t apply_hunks_read(const struct state *state, const struct run *run, const char *file,
                          struct apply_choices *choices, struct error *err);
/* A whole file of at most LIMIT_PATCH_BYTES; "-" is stdin. */
status_t patch_file_read(const char *file, struct builder *out, struct error *err);
