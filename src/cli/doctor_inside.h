/* SPDX-License-Identifier: Apache-2.0
 *
 * airlock doctor --inside: what a sealed command reaches.
 */
#pragma once

#include "cli/cli.h"

struct doctor_inside {
    struct cli *cli;
    const char *workspace;     /* --workspace, or nullptr */
    const char *template_name; /* --template, or nullptr */
    const char **hidden;       /* nullptr-terminated; may be nullptr */
};

/* Runs airlock-probe as `airlock run` would, prints what it found, and returns the exit status. */
int doctor_inside_run(const struct doctor_inside *inside);
