/* SPDX-License-Identifier: Apache-2.0
 *
 * How doctor's findings are shown: three columns that line up, and what to do on lines of its own.
 */
#pragma once

#include "cli/cli.h"
#include "codec/json.h"

struct doctor_row {
    const char *name;
    const char *mark; /* "ok", "less", "no", "-" */
    enum cli_color color;
    const char *text;
    const char *how; /* nullptr or "": nothing */
};

/* A heading, dim on a terminal. */
void doctor_print_heading(const struct cli *cli, const char *text);
/* All texts are escaped already. */
void doctor_print_row(const struct cli *cli, const struct doctor_row *row);
/* A line below a row. */
void doctor_print_detail(struct slice text);
void doctor_print_json(const struct json *value);
