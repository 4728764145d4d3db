/* SPDX-License-Identifier: Apache-2.0
 *
 * The words of a command.
 */
#pragma once

#include "sandbox/stage.h"

/* What the form of a plan cannot hold is told before anybody tries: LIMIT. `what` names the texts,
 * nullptr-terminated, for the message. */
status_t command_check_size(const char *const *texts, const char *what, struct error *err);
/* The first words of the command, escaped, for lists of runs. */
void command_describe(struct run *run, const char *const *argv);
