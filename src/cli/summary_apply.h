/* SPDX-License-Identifier: Apache-2.0
 *
 * What came of --apply auto, in a run's summary.
 */
#pragma once

#include "cli/cli.h"
#include "kernel/run_apply.h"

/* What was applied, or every reason why nothing was; a line each. */
void summary_print_apply(const struct cli *cli, struct run_apply *apply, FILE *out);
struct json;
/* The same as an object, owned by the caller. */
struct json *summary_apply_json(struct run_apply *apply);
