/* SPDX-License-Identifier: Apache-2.0
 *
 * `airlock review` on a whole screen: the stages above, what the chosen one changes below.
 */
#pragma once

#include "cli/cli.h"
#include "kernel/preview.h"

/* Until `q`. The terminal is as before when this returns. *ret_signal is the signal that ended it,
 * which the caller passes on; 0: none. */
status_t review_screen_run(struct cli *cli, struct kernel *kernel, const char *workspace_or_null,
                           int *ret_signal, struct error *err);
