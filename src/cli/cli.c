/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/cli.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/assert.h"
#include "cli/cli_internal.h"
#include "codec/error_report.h"

void cli_init(struct cli *ret_cli, const char *program) {
    *ret_cli = (struct cli){
        .program = program,
        .color_out = error_report_color(STDOUT_FILENO, environ),
        .color_err = error_report_color(STDERR_FILENO, environ),
    };
}

const char *cli_color(bool enabled, enum cli_color color) {
    static const char *const codes[] = {
        [CLI_PLAIN] = "\033[0m", [CLI_BOLD] = "\033[1m",   [CLI_DIM] = "\033[2m",
        [CLI_RED] = "\033[31m",  [CLI_GREEN] = "\033[32m", [CLI_YELLOW] = "\033[33m",
        [CLI_BLUE] = "\033[34m",
    };
    ASSERT(color < sizeof codes / sizeof codes[0]);
    return enabled ? codes[color] : "";
}

int cli_check_output(const struct cli *cli, int status) {
    if (fflush(stdout) == 0 && ferror(stdout) == 0) {
        return status;
    }
    struct error err;
    (void)error_set(&err, ERROR_IO, errno, "cannot write to standard output");
    return cli_error(cli, &err);
}

int cli_error(const struct cli *cli, const struct error *err) {
    return error_report(&(struct error_report){.json = cli->json, .color = cli->color_err}, err);
}

bool cli_begin(struct cli *cli, int *argc, char **argv, const struct cli_form *form,
               int *ret_exit) {
    struct error err;
    if (!status_is_ok(cli_parse(cli, argc, argv, form, &err))) {
        *ret_exit = cli_error(cli, &err);
        return false;
    }
    *ret_exit = 0;
    return !cli->is_answered;
}
