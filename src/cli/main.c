/* SPDX-License-Identifier: Apache-2.0
 *
 * The program `airlock`: global options, then the sub-command of schema/commands.def.
 */
#include <string.h>

#include "cli/cli_internal.h"
#include "codec/text.h"
#include "version.h"

static void print_help(void) {
    (void)printf("airlock %s: runs commands sealed, stages what they change, proves what happened\n"
                 "\nusage: airlock COMMAND [OPTION...] [ARGUMENT...]\n\ncommands:\n",
                 AIRLOCK_VERSION);
    for (size_t i = 0; i < cli_command_count(); i++) {
        const struct cli_command_row *row = cli_command_at(i);
        (void)printf("  %-12s %s\n", row->name, row->summary);
    }
    (void)printf("\nevery command takes --help and --json; the first three to try:\n"
                 "  airlock run -- make test\n"
                 "  airlock diff\n"
                 "  airlock apply\n");
}

static int unknown_command(const struct cli *cli, const char *name) {
    struct builder text;
    builder_init(&text, 256);
    text_escape(slice_of_string(name), &text);
    struct error err;
    (void)error_set(&err, ERROR_USAGE, 0, "there is no command named '%s'",
                    builder_c_string(&text));
    builder_deinit(&text);
    const struct cli_command_row *nearest = cli_command_nearest(name);
    if (nearest != nullptr) {
        error_hint(&err, "Did you mean: airlock %s", nearest->name);
    } else {
        error_hint(&err, "List the commands with: airlock --help");
    }
    return cli_error(cli, &err);
}

int main(int argc, char **argv) {
    struct cli cli;
    cli_init(&cli, argc > 0 ? argv[0] : "airlock");
    int i = 1;
    for (; i < argc && argv[i][0] == '-'; i++) {
        if (strcmp(argv[i], "--json") == 0) {
            cli.json = true;
        } else if (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0) {
            print_help();
            return cli_check_output(&cli, 0);
        } else if (strcmp(argv[i], "--version") == 0) {
            (void)printf("airlock %s\n", AIRLOCK_VERSION);
            return cli_check_output(&cli, 0);
        } else {
            return unknown_command(&cli, argv[i]);
        }
    }
    if (i >= argc) {
        print_help();
        return cli_check_output(&cli, error_exit_status(ERROR_USAGE));
    }
    const struct cli_command_row *row = cli_command_find(argv[i]);
    if (row == nullptr) {
        return unknown_command(&cli, argv[i]);
    }
    return cli_check_output(&cli, row->function(&cli, argc - i, argv + i));
}
