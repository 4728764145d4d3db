/* SPDX-License-Identifier: Apache-2.0
 *
 * airlock policy test: the user's own cases, judged; a matrix, and a failure when one is not as
 * expected.
 */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "cli/policy_cases.h"
#include "cli/policy_commands.h"
#include "codec/text.h"

enum { NAME_WIDTH_MAX = 48, PATH_WIDTH_MAX = 40 };

struct matrix {
    const struct cli *cli;
    const struct policy_cases *cases;
    struct json *rows; /* with --json; owned */
    int name_width, operation_width, path_width;
    size_t failed;
};

static void widen(int *width, const char *text, int max) {
    int length = text == nullptr ? 0 : (int)strlen(text);
    *width = length > *width ? length : *width;
    *width = *width > max ? max : *width;
}

static bool is_as_expected(const struct policy_case *one, const struct policy_decision *decision) {
    bool has_rule = one->rule == nullptr;
    for (size_t i = 0; i < decision->reason_count && !has_rule; i++) {
        has_rule = strcmp(decision->deciders[i].name, one->rule) == 0;
    }
    return has_rule && decision->outcome == one->expect;
}

static void print_row(const struct matrix *run, const struct policy_case *one,
                      const struct policy_decision *decision, bool passed) {
    bool color = run->cli->color_out;
    const char *plain = cli_color(color, CLI_PLAIN);
    struct builder name;
    struct builder path;
    struct builder place;
    builder_init(&name, 4096);
    builder_init(&path, (size_t)4 * LIMIT_PATH_BYTES + 1);
    builder_init(&place, (size_t)4 * LIMIT_PATH_BYTES + 64);
    text_escape_short(slice_of_string(one->name), NAME_WIDTH_MAX, &name);
    text_escape_short(slice_of_string(one->request.path != nullptr ? one->request.path : ""),
                      PATH_WIDTH_MAX, &path);
    policy_show_place(&decision->deciders[0], &place);
    (void)printf("%s%-4s%s  %-*s  %-*s  %-*s  %-14s  %s%-14s%s  %s  %s%s%s\n",
                 cli_color(color, passed ? CLI_GREEN : CLI_RED), passed ? "ok" : "FAIL", plain,
                 run->name_width, builder_c_string(&name), run->operation_width,
                 one->request.operation, run->path_width, builder_c_string(&path),
                 policy_outcome_text(one->expect),
                 cli_color(color, policy_outcome_color(decision->outcome)),
                 policy_outcome_text(decision->outcome), plain, decision->rule,
                 cli_color(color, CLI_DIM), builder_c_string(&place), plain);
    if (!passed && one->rule != nullptr && decision->outcome == one->expect) {
        (void)printf("      expected by the rule %s\n", one->rule);
    }
    builder_deinit(&name);
    builder_deinit(&path);
    builder_deinit(&place);
}

static void add_json_row(const struct matrix *run, const struct policy_case *one,
                         const struct policy_decision *decision, bool passed) {
    struct json *row = json_object_new();
    policy_json_text(row, "name", one->name);
    json_set_integer(row, "case_line", one->line);
    json_set_bool(row, "passed", passed);
    json_set_text(row, "expected", policy_outcome_text(one->expect));
    if (one->rule != nullptr) {
        policy_json_text(row, "expected_rule", one->rule);
    }
    json_set_text(row, "outcome", policy_outcome_text(decision->outcome));
    policy_json_rule(row, &decision->deciders[0]);
    policy_json_text(row, "reason", decision->reasons[0]);
    json_append(run->rows, row);
}

static void judge_all(struct matrix *run, const struct policy_engine *engine) {
    struct policy_decision decision;
    for (size_t i = 0; i < run->cases->count; i++) {
        const struct policy_case *one = &run->cases->cases[i];
        policy_evaluate(engine, &one->request, &decision);
        bool passed = is_as_expected(one, &decision);
        run->failed += !passed;
        if (run->cli->json) {
            add_json_row(run, one, &decision, passed);
        } else {
            print_row(run, one, &decision, passed);
        }
    }
}

static void run_cases(const struct cli *cli, const struct policy_cases *cases,
                      const struct policy_engine *engine, int *ret_exit) {
    struct matrix run = {.cli = cli,
                         .cases = cases,
                         .name_width = sizeof "CASE" - 1,
                         .operation_width = sizeof "OPERATION" - 1,
                         .path_width = sizeof "PATH" - 1};
    for (size_t i = 0; i < cases->count; i++) {
        widen(&run.name_width, cases->cases[i].name, NAME_WIDTH_MAX);
        widen(&run.operation_width, cases->cases[i].request.operation, NAME_WIDTH_MAX);
        widen(&run.path_width, cases->cases[i].request.path, PATH_WIDTH_MAX);
    }
    if (cli->json) {
        run.rows = json_array_new();
    } else {
        (void)printf("%s      %-*s  %-*s  %-*s  %-14s  %-14s  %s%s\n",
                     cli_color(cli->color_out, CLI_BOLD), run.name_width, "CASE",
                     run.operation_width, "OPERATION", run.path_width, "PATH", "EXPECTED", "GOT",
                     "BY", cli_color(cli->color_out, CLI_PLAIN));
    }
    judge_all(&run, engine);
    *ret_exit = run.failed > 0;
    if (cli->json) {
        struct json *object = json_object_new();
        json_set(object, "cases", run.rows);
        json_set_integer(object, "passed", (int64_t)(cases->count - run.failed));
        json_set_integer(object, "failed", (int64_t)run.failed);
        policy_print_json(object);
    } else {
        (void)printf("%zu passed, %s%zu failed%s\n", cases->count - run.failed,
                     run.failed > 0 ? cli_color(cli->color_out, CLI_RED) : "", run.failed,
                     run.failed > 0 ? cli_color(cli->color_out, CLI_PLAIN) : "");
    }
}

static status_t test(const struct cli *cli, const char *file, struct policy_session *session,
                     int *ret_exit, struct error *err) {
    CLEANUP(builder_deinit) struct builder text = {};
    CLEANUP(memory_freep)
    struct policy_diagnostics *diagnostics = calloc(1, sizeof *diagnostics);
    CLEANUP(policy_cases_deinit) struct policy_cases cases = {};
    struct clock clock = clock_system();
    char caller[32];
    if (diagnostics == nullptr) {
        return error_set(err, ERROR_NO_MEMORY, 0, "cannot test a policy");
    }
    (void)snprintf(caller, sizeof caller, "uid:%u", (unsigned)geteuid());
    const struct policy_case_defaults defaults = {caller, session->workspace,
                                                  clock_wall_ms(&clock)};
    TRY(policy_read_file(file, &text, err));
    status_t status =
        policy_cases_read(builder_slice(&text), file, &defaults, diagnostics, &cases, err);
    if (!status_is_ok(status)) {
        if (!cli->json) {
            policy_print_diagnostics(cli, diagnostics);
        }
        return status;
    }
    run_cases(cli, &cases, &session->policy.engine, ret_exit);
    return STATUS_OK;
}

status_t policy_command_test(const struct cli *cli, const struct policy_options *options,
                             char **operands, int *ret_exit, struct error *err) {
    struct policy_session session = {};
    TRY(policy_session_open(options, options->policy, &session, err));
    status_t status = test(cli, operands[0], &session, ret_exit, err);
    policy_session_close(&session);
    return status;
}
