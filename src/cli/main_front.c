/* SPDX-License-Identifier: Apache-2.0
 *
 * The program `airlock` as it is started: `airlock run`, and the way to everything else. It is
 * linked with musl and with nothing of libcrypto but SHA-256, so that it starts in a quarter of the
 * time. Every other command, and a run whose log is encrypted, is airlock-full's, the same sources
 * with the usual C library and all of libcrypto: it takes this process over before anything was
 * done.
 */
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "cli/cli_internal.h"
#include "kernel/config.h"
#include "sys/program.h"
#include "version.h"

/* What cannot be read is told of by the run, which reads it again. */
static bool has_encrypted_log(void) {
    struct config config;
    struct error ignored;
    if (!status_is_ok(config_read(&config, &ignored))) {
        return false;
    }
    bool has_key = config.values[CONFIG_STORAGE_KEY_FILE] != nullptr;
    config_deinit(&config);
    return has_key;
}

/* Returns only when it fails. */
static status_t hand_over(char **argv, struct error *err) {
    char path[LIMIT_PATH_BYTES];
    bool found = false;
    TRY(program_find("airlock-full", path, &found, err));
    if (found) {
        (void)execv(path, argv);
    }
    return error_set(err, ERROR_PROGRAM_MISSING, found ? errno : 0, "cannot start airlock-full");
}

int main(int argc, char **argv) {
    struct cli cli;
    bool is_run = argc > 1 && strcmp(argv[1], "run") == 0;
    if (is_run && !has_encrypted_log()) {
        cli_init(&cli, argv[0]);
        return cli_check_output(&cli, cli_run(&cli, argc - 1, argv + 1));
    }
    if (argc == 2 && strcmp(argv[1], "--version") == 0) {
        cli_init(&cli, argv[0]);
        (void)printf("airlock %s\n", AIRLOCK_VERSION);
        return cli_check_output(&cli, 0);
    }
    struct error err;
    (void)!status_is_ok(hand_over(argv, &err));
    cli_init(&cli, "airlock");
    return cli_error(&cli, &err);
}
