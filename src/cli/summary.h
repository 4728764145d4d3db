/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "cli/cli.h"
#include "kernel/run_apply.h"

/* What a run came to, for a person: how it ended, what it staged, which walls stood, the receipt,
 * what came of
 * --apply auto, and what to type next. */
void summary_print(const struct cli *cli, const struct run_exec_result *result,
                   struct run_apply *apply_or_null, FILE *out);
/* The same as one JSON object on one line. */
void summary_print_json(const struct run_exec_result *result, struct run_apply *apply_or_null,
                        FILE *out);
