/* SPDX-License-Identifier: Apache-2.0 */
#include <inttypes.h>
#include <stdlib.h>

#include "base/cleanup.h"
#include "cli/apply_hunks.h"
#include "cli/log_view.h"
#include "cli/stage_names.h"
#include "codec/json.h"
#include "kernel/kernel.h"

static const char examples[] =
    "  airlock apply                (the newest run here, whole)\n"
    "  airlock apply 41f2ab src/    (one folder of one run)\n"
    "  airlock apply -p             (choose hunk by hunk)\n"
    "  airlock diff src/ > some.patch; edit it; airlock apply --patch some.patch\n"
    "  airlock apply --skip-refused (what can be applied; the rest stays)\n";

struct apply_arguments {
    const char *workspace;
    const char *patch; /* --patch FILE */
    bool skip_refused;
    bool yes;
    bool hunks; /* -p */
};

static void print_json(const struct run *run, const struct apply_result *result, uint64_t seq) {
    CLEANUP(json_freep) struct json *object = json_object_new();
    struct builder text;
    json_set_text(object, "run", run->id);
    json_set_integer(object, "applied", result->applied);
    json_set_integer(object, "skipped", result->skipped);
    json_set_integer(object, "parts", result->parts);
    json_set_bool(object, "closed", result->stage_is_closed);
    json_set_integer(object, "entry", (int64_t)seq);
    builder_init(&text, 4096);
    json_write_pretty(object, &text);
    (void)fputs(builder_c_string(&text), stdout);
    builder_deinit(&text);
}

static void print_text(const struct cli *cli, const struct run *run,
                       const struct apply_result *result, uint64_t seq) {
    const char *id = run_short_id(run->id);
    (void)printf("%sapplied%s %" PRIu32 " change%s of run %s (entry %" PRIu64 ")\n",
                 cli_color(cli->color_out, CLI_GREEN), cli_color(cli->color_out, CLI_PLAIN),
                 result->applied, result->applied == 1 ? "" : "s", id, seq);
    if (result->skipped > 0) {
        (void)printf("skipped %" PRIu32 "; see them with: airlock diff %s\n", result->skipped, id);
    } else if (!result->stage_is_closed) {
        (void)printf("the rest waits: airlock diff %s\n", id);
    }
}

static void print_not_carried(const char *path) {
    (void)fprintf(stderr, "airlock: the access list of %s was not carried over\n", path);
}

static status_t choose(const struct cli *cli, const struct kernel *kernel,
                       const struct apply_arguments *arguments, const struct stage_operands *found,
                       struct apply_choices *choices, struct error *err) {
    if (arguments->hunks && arguments->patch != nullptr) {
        return error_set(err, ERROR_USAGE, 0, "-p asks a person, --patch does not: give one");
    }
    if (arguments->patch != nullptr && found->paths != nullptr) {
        return error_set(err, ERROR_USAGE, 0, "the file of --patch says which paths");
    }
    if (arguments->patch != nullptr) {
        return apply_hunks_read(&kernel->state, &found->run, arguments->patch, choices, err);
    }
    TRY(apply_hunks_ask(cli, &kernel->state, &found->run, (const char *const *)found->paths,
                        choices, err));
    return choices->count > 0 ? STATUS_OK
                              : error_set(err, ERROR_STAGE_EMPTY, 0, "nothing was chosen");
}

static status_t apply(struct cli *cli, struct kernel *kernel,
                      const struct apply_arguments *arguments, int count, char **operands,
                      struct error *err) {
    CLEANUP(stage_operands_deinit) struct stage_operands found = {.run = {.fd = -1, .lock_fd = -1}};
    struct stage_query query = {arguments->workspace, count, operands, true};
    TRY(stage_operands_find(&kernel->state, &query, &found, err));
    CLEANUP(apply_choices_deinit) struct apply_choices choices = {0};
    struct kernel_apply_options options = {
        .paths = (const char *const *)found.paths,
        .skip_refused = arguments->skip_refused,
    };
    if (arguments->hunks || arguments->patch != nullptr) {
        TRY(choose(cli, kernel, arguments, &found, &choices, err));
        options.choices = &choices;
    }
    struct apply_result result = {0};
    uint64_t seq = 0;
    TRY(kernel_apply(kernel, &found.run, &options, &result, &seq, err));
    if (cli->json) {
        print_json(&found.run, &result, seq);
    } else {
        print_text(cli, &found.run, &result, seq);
    }
    return STATUS_OK;
}

int cli_apply(struct cli *cli, int argc, char **argv) {
    struct apply_arguments arguments = {0};
    const struct cli_option rows[] = {
        CLI_WORKSPACE(arguments.workspace),
        {.name = "hunks",
         .letter = 'p',
         .flag = &arguments.hunks,
         .help = "choose hunk by hunk, at a terminal"},
        {.name = "patch",
         .value = &arguments.patch,
         .argument = "FILE",
         .help = "only the hunks in FILE (- for stdin), a part of what diff prints"},
        {.name = "skip-refused",
         .flag = &arguments.skip_refused,
         .help = "apply the rest when some paths are refused or in conflict"},
        {.name = "yes",
         .flag = &arguments.yes,
         .help = "agree where policy lets a program agree; never for a person"},
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
    kernel.ask_review = cli_ask_review;
    kernel.ask_context = cli;
    kernel.client_agrees = arguments.yes;
    kernel.not_carried = print_not_carried;
    status = apply(cli, &kernel, &arguments, argc, argv + 1, &err);
    if (!cli->json) {
        log_warn_storage(kernel.log);
    }
    kernel_close(&kernel);
    return status_is_ok(status) ? 0 : cli_error(cli, &err);
}
