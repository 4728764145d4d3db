/* SPDX-License-Identifier: Apache-2.0
 *
 * The sub-commands that are programs of their own.
 */
#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "cli/program.h"
#include "sys/program.h"

static status_t become(const char *program, char *const *argv, struct error *err) {
    char path[LIMIT_PATH_BYTES];
    bool is_found = false;
    TRY(program_find(program, path, &is_found, err));
    if (is_found) {
        (void)execv(path, argv);
    }
    return error_set(err, ERROR_INTERNAL, is_found ? errno : ENOENT, "cannot start %s", program);
}

int cli_program(const struct cli *cli, const char *program, int argc, char **argv) {
    struct error err;
    const char **arguments = calloc((size_t)argc + 2, sizeof *arguments);
    if (arguments == nullptr) {
        (void)error_set(&err, ERROR_NO_MEMORY, 0, "cannot start %s", program);
        return cli_error(cli, &err);
    }
    size_t count = 0;
    arguments[count++] = program;
    for (int i = 1; i < argc; i++) {
        arguments[count++] = argv[i];
    }
    if (cli->json) {
        arguments[count++] = "--json";
    }
    (void)become(program, (char *const *)(uintptr_t)arguments, &err);
    free(arguments);
    return cli_error(cli, &err);
}

int cli_release(struct cli *cli, int argc, char **argv) {
    return cli_program(cli, "airlock-release", argc, argv);
}

int cli_enclave(struct cli *cli, int argc, char **argv) {
    return cli_program(cli, "airlock-enclave", argc, argv);
}

int cli_proxy(struct cli *cli, int argc, char **argv) {
    return cli_program(cli, "airlock-proxy", argc, argv);
}
