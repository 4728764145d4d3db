/* SPDX-License-Identifier: Apache-2.0
 *
 * A stage that waits, as text: for the screen of `airlock review`, its plain form, and as JSON.
 */
#pragma once

#include "cli/cli.h"
#include "codec/json.h"
#include "kernel/preview.h"

/* One line without its end: run, age, workspace, command. Nothing in it is obeyed by a terminal. */
void review_text_row(const struct run *run, struct builder *out);
/* What policy says of each path, then the diff. What cannot be shown says why. */
void review_text_stage(const struct cli *cli, struct kernel *kernel, const struct run *run,
                       FILE *out);
/* The paths only. */
void review_text_paths(const struct cli *cli, const struct preview *preview, FILE *out);
struct json *review_text_json(const struct run *run, const struct preview *preview,
                              const struct error *failure);
