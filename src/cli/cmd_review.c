/* SPDX-License-Identifier: Apache-2.0 */
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "cli/review_screen.h"
#include "cli/review_text.h"
#include "cli/stage_names.h"
#include "kernel/workspace.h"

static const char examples[] =
    "  airlock review                (all stages that wait, on the whole screen)\n"
    "  airlock review --plain        (as a list; nothing is decided)\n"
    "  airlock review --workspace .  (of this folder)\n";

static status_t list(const struct cli *cli, struct kernel *kernel, const char *workspace,
                     struct error *err) {
    CLEANUP(memory_freep) struct run *runs = nullptr;
    CLEANUP(json_freep) struct json *array = json_array_new();
    size_t count = 0;
    TRY(kernel_open_stages(kernel, workspace, &runs, &count, err));
    for (size_t i = 0; i < count; i++) {
        CLEANUP(preview_deinit) struct preview preview = {0};
        CLEANUP(run_close) struct run run = {.fd = -1, .lock_fd = -1};
        struct error failure;
        status_t status = run_open(&kernel->state, runs[i].id, &run, &failure);
        if (status_is_ok(status)) {
            status = kernel_preview(kernel, &run, &preview, &failure);
        }
        if (cli->json) {
            json_append(array, review_text_json(&runs[i], &preview,
                                                status_is_ok(status) ? nullptr : &failure));
            continue;
        }
        CLEANUP(builder_deinit) struct builder row;
        builder_init(&row, 65536);
        review_text_row(&runs[i], &row);
        (void)printf("%s%s%s\n", cli_color(cli->color_out, CLI_BOLD), builder_c_string(&row),
                     cli_color(cli->color_out, CLI_PLAIN));
        if (status_is_ok(status)) {
            review_text_paths(cli, &preview, stdout);
        } else {
            (void)printf("  cannot be judged: %s\n", error_slug(failure.code));
        }
    }
    if (cli->json) {
        CLEANUP(builder_deinit) struct builder text;
        builder_init(&text, 1 << 28);
        json_write_pretty(array, &text);
        (void)fputs(builder_c_string(&text), stdout);
    } else if (count == 0) {
        (void)printf("no stage waits\n");
    }
    return STATUS_OK;
}

int cli_review(struct cli *cli, int argc, char **argv) {
    const char *named = nullptr;
    bool plain = false;
    const struct cli_option rows[] = {
        {.name = "workspace",
         .letter = 'w',
         .value = &named,
         .argument = "DIR",
         .help = "only stages of this folder (default: of all)"},
        {.name = "plain", .flag = &plain, .help = "a list, also at a terminal"},
    };
    struct error err;
    int exit_status;
    struct kernel kernel;
    char workspace[LIMIT_PATH_BYTES];
    if (!cli_begin(cli, &argc, argv, &CLI_FORM(rows, examples), &exit_status)) {
        return exit_status;
    }
    if (argc > 0) {
        (void)error_set(&err, ERROR_USAGE, 0, "review takes no operands");
        return cli_error(cli, &err);
    }
    status_t status = named != nullptr ? workspace_find(named, workspace, &err) : STATUS_OK;
    if (status_is_ok(status)) {
        status = kernel_open(&kernel, &err);
    }
    if (!status_is_ok(status)) {
        return cli_error(cli, &err);
    }
    bool whole_screen =
        !plain && !cli->json && isatty(STDIN_FILENO) == 1 && isatty(STDOUT_FILENO) == 1;
    int signal_number = 0;
    kernel.ask_context = cli;
    const char *of = named != nullptr ? workspace : nullptr;
    status = whole_screen ? review_screen_run(cli, &kernel, of, &signal_number, &err)
                          : list(cli, &kernel, of, &err);
    kernel_close(&kernel);
    if (signal_number != 0) {
        (void)signal(signal_number, SIG_DFL);
        (void)raise(signal_number);
    }
    return status_is_ok(status) ? 0 : cli_error(cli, &err);
}
