/* SPDX-License-Identifier: Apache-2.0
 *
 * `airlock runs prune`, and the reminder that there is something to prune.
 */
#pragma once

#include "cli/cli.h"
#include "store/state.h"

struct runs_prune_request {
    const char *workspace; /* --workspace, or nullptr */
    const char *older;     /* "14d", or nullptr: closed runs of any age, and open ones never */
    bool all;              /* of every workspace */
    bool dry_run;
};
/* Removes files of runs whose stage is closed or empty. Open ones go only with `older`, and only
 * after a yes at the terminal: they are discarded, with policy and log. */
status_t runs_prune(struct cli *cli, const struct runs_prune_request *request, struct error *err);

/* Says on stderr, at most once a day, that open stages are older than LIMIT_STAGE_WARN_DAYS or hold
 * more than LIMIT_STAGE_WARN_BYTES. Costs one stat on all other days' runs. */
void runs_warn(const struct cli *cli, const struct state *state);
