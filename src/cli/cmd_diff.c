/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "cli/stage_names.h"
#include "codec/json.h"

static const char examples[] = "  airlock diff                 (the newest run here)\n"
                               "  airlock diff 41f2ab src/     (one run, one folder)\n"
                               "  airlock diff | git apply --check\n";

struct diff_arguments {
    const char *workspace;
    const char *color;
    bool stat;
    bool names;
    bool digest;
};

static status_t diff_color(const struct cli *cli, const char *when, bool *ret, struct error *err) {
    if (when == nullptr || strcmp(when, "auto") == 0) {
        *ret = cli->color_out;
        return STATUS_OK;
    }
    if (strcmp(when, "always") == 0 || strcmp(when, "never") == 0) {
        *ret = strcmp(when, "always") == 0;
        return STATUS_OK;
    }
    return error_set(err, ERROR_USAGE, 0, "--color takes auto, always or never");
}

static status_t print_digest(const struct run *run, bool has_paths, struct error *err) {
    CLEANUP(json_freep) struct json *object = nullptr;
    CLEANUP(builder_deinit) struct builder text;
    if (has_paths) {
        return error_set(err, ERROR_USAGE, 0,
                         "a digest is of a whole stage: --digest takes no paths");
    }
    TRY(stage_digest_json(run, &object, err));
    builder_init(&text, 1 << 30);
    json_write_pretty(object, &text);
    if (!builder_is_ok(&text) || fwrite(text.data, 1, text.size, stdout) != text.size) {
        return error_set(err, ERROR_IO, errno, "cannot write the digest");
    }
    return STATUS_OK;
}

static status_t diff(const struct cli *cli, const struct diff_arguments *arguments, int count,
                     char **operands, struct error *err) {
    bool color = false;
    CLEANUP(state_close) struct state state = {.fd = -1, .runs_fd = -1, .keys_fd = -1};
    TRY(diff_color(cli, arguments->color, &color, err));
    stage_settle();
    TRY(state_open(&state, err));
    CLEANUP(stage_operands_deinit) struct stage_operands found = {.run = {.fd = -1, .lock_fd = -1}};
    struct stage_query query = {arguments->workspace, count, operands, false};
    TRY(stage_operands_find(&state, &query, &found, err));
    if (arguments->digest) {
        return print_digest(&found.run, found.paths != nullptr, err);
    }
    struct diff_options options = {
        .paths = (const char *const *)found.paths,
        .color = color && !cli->json,
        .for_terminal = isatty(STDOUT_FILENO) == 1,
        .names_only = arguments->names,
        .stat = arguments->stat,
        .json = cli->json,
    };
    TRY(stage_diff(&state, &found.run, &options, stdout, err));
    if (fflush(stdout) != 0 && errno != EPIPE) {
        return error_set(err, ERROR_IO, errno, "cannot write the diff");
    }
    return STATUS_OK;
}

int cli_diff(struct cli *cli, int argc, char **argv) {
    struct diff_arguments arguments = {0};
    const struct cli_option rows[] = {
        CLI_WORKSPACE(arguments.workspace),
        {.name = "stat", .flag = &arguments.stat, .help = "one line per file, with counts"},
        {.name = "names", .flag = &arguments.names, .help = "one line per path: A, M, D, T, !"},
        {.name = "digest",
         .flag = &arguments.digest,
         .help = "the stage's digest and what it is made of, as JSON"},
        {.name = "color",
         .value = &arguments.color,
         .argument = "WHEN",
         .help = "auto (default), always or never"},
    };
    struct error err;
    int exit_status;
    if (!cli_begin(cli, &argc, argv, &CLI_FORM(rows, examples), &exit_status)) {
        return exit_status;
    }
    status_t status = diff(cli, &arguments, argc, argv + 1, &err);
    return status_is_ok(status) ? 0 : cli_error(cli, &err);
}
