/* SPDX-License-Identifier: Apache-2.0 */
#include <inttypes.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "cli/apply_hunks.h"
#include "cli/log_view.h"
#include "cli/stage_names.h"
#include "codec/json.h"
#include "kernel/patch_exec.h"
#include "kernel/records.h"
#include "kernel/workspace.h"

static const char examples[] =
    "  airlock patch fix.patch               (then airlock diff, airlock apply)\n"
    "  git diff --cached | airlock patch     (from standard input)\n"
    "  airlock patch --on @1 more.patch      (stand on the last run's changes)\n";

struct patch_arguments {
    const char *workspace, *on;
};

static void print_json(const struct patch_exec_result *result) {
    CLEANUP(json_freep) struct json *object = json_object_new();
    CLEANUP(builder_deinit) struct builder text;
    json_set_text(object, "run", result->run.id);
    json_set_integer(object, "added", result->stage.added);
    json_set_integer(object, "modified", result->stage.modified);
    json_set_integer(object, "deleted", result->stage.deleted);
    json_set_integer(object, "other", result->stage.other);
    record_digest(object, "digest", &result->stage.digest);
    json_set_integer(object, "entry", (int64_t)result->outcome.seq);
    builder_init(&text, 4096);
    json_write_pretty(object, &text);
    (void)fputs(builder_c_string(&text), stdout);
}

static void print_text(const struct cli *cli, const struct patch_exec_result *result) {
    const char *id = run_short_id(result->run.id);
    (void)printf("%sstaged%s +%" PRIu32 " added ~%" PRIu32 " modified -%" PRIu32
                 " deleted as run %s (entry %" PRIu64
                 ")\nnext: airlock diff %s, then airlock apply "
                 "%s or airlock discard %s\n",
                 cli_color(cli->color_out, CLI_GREEN), cli_color(cli->color_out, CLI_PLAIN),
                 result->stage.added, result->stage.modified, result->stage.deleted, id,
                 result->outcome.seq, id, id, id);
}

static status_t read_patch(const char *file, struct builder *text, struct error *err) {
    if (file == nullptr && isatty(STDIN_FILENO) == 1) {
        status_t status = error_set(err, ERROR_USAGE, 0, "patch needs a unified diff");
        error_hint(err, "Name its file, or pipe it in: git diff | airlock patch");
        return status;
    }
    return patch_file_read(file != nullptr ? file : "-", text, err);
}

static status_t patch(const struct cli *cli, struct kernel *kernel,
                      const struct patch_arguments *arguments, const char *file,
                      struct error *err) {
    char workspace[LIMIT_PATH_BYTES];
    CLEANUP(builder_deinit) struct builder text;
    struct patch_exec_result result;
    builder_init(&text, (size_t)LIMIT_PATCH_BYTES + 1);
    TRY(read_patch(file, &text, err));
    TRY(workspace_find(arguments->workspace, workspace, err));
    struct patch_exec_request request = {
        .workspace = workspace,
        .on = arguments->on,
        .name = file != nullptr ? file : "-",
        .text = builder_slice(&text),
    };
    status_t status = patch_exec(kernel, &request, &result, err);
    if (status_is_ok(status) && cli->json) {
        print_json(&result);
    } else if (status_is_ok(status)) {
        print_text(cli, &result);
    }
    run_close(&result.run);
    return status;
}

int cli_patch(struct cli *cli, int argc, char **argv) {
    struct patch_arguments arguments = {0};
    const struct cli_option rows[] = {
        CLI_WORKSPACE(arguments.workspace),
        {.name = "on",
         .value = &arguments.on,
         .argument = "RUN",
         .help = "stand on the staged changes of an earlier run"},
    };
    struct error err;
    int exit_status;
    struct kernel kernel;
    if (!cli_begin(cli, &argc, argv, &CLI_FORM(rows, examples), &exit_status)) {
        return exit_status;
    }
    if (argc > 1) {
        (void)error_set(&err, ERROR_USAGE, 0, "patch takes one file");
        return cli_error(cli, &err);
    }
    status_t status = kernel_open(&kernel, &err);
    if (!status_is_ok(status)) {
        return cli_error(cli, &err);
    }
    kernel.ask_review = cli_ask_patch;
    kernel.ask_context = cli;
    status = patch(cli, &kernel, &arguments, argc == 1 ? argv[1] : nullptr, &err);
    if (!cli->json) {
        log_warn_storage(kernel.log);
    }
    kernel_close(&kernel);
    return status_is_ok(status) ? 0 : cli_error(cli, &err);
}
