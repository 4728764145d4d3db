/* SPDX-License-Identifier: Apache-2.0
 *
 * airlock policy: what counts, why something is decided, and changing it.
 */
#include <string.h>

#include "base/cleanup.h"
#include "cli/policy_commands.h"

static const char EXAMPLES[] =
    "  airlock policy check                     what is wrong with the files in force\n"
    "  airlock policy check new.yaml            and with one that is not in force yet\n"
    "  airlock policy show                      which files count here, and whether trusted\n"
    "  airlock policy explain fs.write src/x.c  what is decided, by which rule, and why\n"
    "  airlock policy explain net.connect --host example.org --port 443\n"
    "  airlock policy test cases.yaml           cases of your own: what should be decided\n"
    "  airlock policy replay new.yaml           what of history it would have decided otherwise\n"
    "  airlock policy update new.yaml           put it in force, after showing that\n"
    "  airlock policy edit                      the same with $VISUAL or $EDITOR\n"
    "  airlock policy trust                     let the allows of the workspace's own file count\n";

static const struct {
    const char *name;
    policy_command *command;
    int operands_min, operands_max;
    const char *operands; /* for the error */
} COMMANDS[] = {
    {"check", policy_command_check, 0, 1, "[FILE]"},
    {"show", policy_command_show, 0, 0, ""},
    {"explain", policy_command_explain, 1, 2, "OPERATION [PATH]"},
    {"test", policy_command_test, 1, 1, "FILE"},
    {"replay", policy_command_replay, 0, 1, "[FILE]"},
    {"update", policy_command_update, 1, 1, "FILE"},
    {"edit", policy_command_edit, 0, 0, ""},
    {"trust", policy_command_trust, 0, 1, "[WORKSPACE]"},
};

static status_t answer(const struct cli *cli, const struct policy_options *options, int argc,
                       char **argv, int *ret_exit, struct error *err) {
    for (size_t i = 0; argc > 0 && i < sizeof COMMANDS / sizeof COMMANDS[0]; i++) {
        if (strcmp(argv[1], COMMANDS[i].name) != 0) {
            continue;
        }
        if (argc - 1 < COMMANDS[i].operands_min || argc - 1 > COMMANDS[i].operands_max) {
            (void)error_set(err, ERROR_USAGE, 0, "policy %s takes %s", COMMANDS[i].name,
                            COMMANDS[i].operands_max == 0 ? "no operand" : COMMANDS[i].operands);
            return (status_t){ERROR_USAGE};
        }
        return COMMANDS[i].command(cli, options, argv + 2, ret_exit, err);
    }
    (void)error_set(err, ERROR_USAGE, 0,
                    argc > 0 ? "policy has no \"%.40s\"" : "policy needs to know what to do",
                    argc > 0 ? argv[1] : "");
    error_hint(err, "See what there is with: airlock policy --help");
    return (status_t){ERROR_USAGE};
}

int cli_policy(struct cli *cli, int argc, char **argv) {
    struct policy_options options = {};
    const struct cli_option rows[] = {
        {"workspace", 'w', nullptr, &options.workspace, nullptr, "DIR",
         "the workspace (default: the git top, or here)"},
        {"policy", 'p', nullptr, &options.policy, nullptr, "FILE",
         "with show, explain, test: this file in place of your own"},
        {"caller", 0, nullptr, &options.caller, nullptr, "CALLER",
         "with explain: who asks (default: you)"},
        {"tag", 0, nullptr, nullptr, &options.tags, "TAG", "with explain: a tag of the caller"},
        {"net", 0, nullptr, nullptr, &options.networks, "GROUP",
         "with explain: a network group of the run"},
        {"engine", 0, nullptr, &options.engine, nullptr, "ENGINE",
         "with explain: what runs the command (default: native)"},
        {"image", 0, nullptr, &options.image, nullptr, "IMAGE",
         "with explain: the container's image"},
        {"template", 't', nullptr, &options.template_name, nullptr, "NAME",
         "with explain: the sandbox's template"},
        {"host", 0, nullptr, &options.host, nullptr, "HOST", "with explain: what is reached"},
        {"port", 0, nullptr, &options.port, nullptr, "PORT", "with explain: its port"},
        {"method", 0, nullptr, &options.method, nullptr, "METHOD", "with explain: HTTP method"},
        {"size", 0, nullptr, &options.size, nullptr, "SIZE",
         "with explain: bytes of the file, or 10KiB, 2MB"},
        {"transport", 0, nullptr, &options.transport, nullptr, "WAY",
         "with explain: how the request came (default: cli)"},
        {"limit", 'n', nullptr, &options.limit, nullptr, "COUNT",
         "with replay: only the last so many entries"},
        {"drop", 0, &options.drop, nullptr, nullptr, nullptr, "with trust: take it away again"},
    };
    struct error err = {0};
    int exit_status;
    if (!cli_begin(cli, &argc, argv, &CLI_FORM(rows, EXAMPLES), &exit_status)) {
        return exit_status;
    }
    status_t status = answer(cli, &options, argc, argv, &exit_status, &err);
    memory_freep(&options.tags);
    memory_freep(&options.networks);
    return status_is_ok(status) ? exit_status : cli_error(cli, &err);
}
