/* SPDX-License-Identifier: Apache-2.0
 *
 * What main.c, cli.c and cli_parse.c share.
 */
#pragma once

#include "cli/cli.h"

struct cli_command_row {
    const char *name;
    cli_command *function;
    const char *arguments;
    const char *summary;
};

/* The rows of schema/commands.def, in its order. */
size_t cli_command_count(void);
const struct cli_command_row *cli_command_at(size_t index);
/* nullptr when there is none of the name. */
const struct cli_command_row *cli_command_find(const char *name);
/* The command whose name is nearest, or nullptr when none is near. */
const struct cli_command_row *cli_command_nearest(const char *name);

/* `status`, or that of an error: a command that printed into a full disk has not done its work. */
int cli_check_output(const struct cli *cli, int status);

void cli_init(struct cli *ret_cli, const char *program);
