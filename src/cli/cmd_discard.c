/* SPDX-License-Identifier: Apache-2.0 */
#include "base/cleanup.h"
#include "cli/stage_names.h"
#include "codec/json.h"
#include "kernel/kernel.h"

static const char examples[] = "  airlock discard              (the newest run here)\n"
                               "  airlock discard 41f2ab\n";

static void print_json(const struct run *run) {
    CLEANUP(json_freep) struct json *object = json_object_new();
    struct builder text;
    json_set_text(object, "run", run->id);
    json_set_text(object, "state", run_state_text(run->state));
    builder_init(&text, 4096);
    json_write_pretty(object, &text);
    (void)fputs(builder_c_string(&text), stdout);
    builder_deinit(&text);
}

static status_t discard(const struct cli *cli, struct kernel *kernel, const char *workspace,
                        int count, char **operands, struct error *err) {
    CLEANUP(stage_operands_deinit) struct stage_operands found = {.run = {.fd = -1, .lock_fd = -1}};
    struct stage_query query = {workspace, count, operands, true};
    TRY(stage_operands_find(&kernel->state, &query, &found, err));
    if (found.paths != nullptr) {
        status_t status = error_set(err, ERROR_USAGE, 0, "discard takes one RUN and no paths");
        error_hint(err, "List the runs with: airlock runs");
        return status;
    }
    TRY(kernel_discard(kernel, &found.run, err));
    if (cli->json) {
        print_json(&found.run);
    } else {
        (void)printf("discarded the changes of run %s\n", run_short_id(found.run.id));
    }
    return STATUS_OK;
}

int cli_discard(struct cli *cli, int argc, char **argv) {
    const char *workspace = nullptr;
    const struct cli_option rows[] = {
        CLI_WORKSPACE(workspace),
    };
    struct error err;
    int exit_status;
    struct kernel kernel;
    if (!cli_begin(cli, &argc, argv, &CLI_FORM(rows, examples), &exit_status)) {
        return exit_status;
    }
    status_t status = kernel_open(&kernel, &err);
    if (!status_is_ok(status)) {
        return cli_error(cli, &err);
    }
    kernel.ask_review = cli_ask_discard;
    kernel.ask_context = cli;
    status = discard(cli, &kernel, workspace, argc, argv + 1, &err);
    kernel_close(&kernel);
    return status_is_ok(status) ? 0 : cli_error(cli, &err);
}
