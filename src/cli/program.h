/* SPDX-License-Identifier: Apache-2.0
 *
 * Sub-commands that are programs of their own, because they link what `airlock` does not need.
 */
#pragma once

#include "cli/cli.h"

/* This process becomes the program of ours with this name, with the rest of the command line:
 * argv[0] is the sub-command's name and left out, a `--json` before it goes along. Returns only
 * when the program cannot be started: the exit status, with the error printed. */
int cli_program(const struct cli *cli, const char *program, int argc, char **argv);
