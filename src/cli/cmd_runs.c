/* SPDX-License-Identifier: Apache-2.0 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "cli/runs_prune.h"
#include "cli/stage_names.h"
#include "codec/json.h"
#include "codec/text.h"
#include "kernel/run_control.h"
#include "kernel/workspace.h"
#include "sandbox/run.h"

static const char examples[] = "  airlock runs                 (of this workspace)\n"
                               "  airlock runs --all --json\n"
                               "  airlock runs prune --dry-run (files of closed runs; rows stay)\n"
                               "  airlock runs prune --all --older 14d\n";

enum { COMMAND_COLUMNS = 60, DAY_S = 86400 };

struct runs_arguments {
    const char *workspace;
    const char *older;
    bool all;
    bool dry_run;
};

static void format_age(uint64_t now_ms, uint64_t then_ms, char ret[static 16]) {
    uint64_t seconds = now_ms > then_ms ? (now_ms - then_ms) / 1000 : 0;
    if (seconds < 60) {
        (void)snprintf(ret, 16, "%" PRIu64 "s", seconds);
    } else if (seconds < 3600) {
        (void)snprintf(ret, 16, "%" PRIu64 "m", seconds / 60);
    } else if (seconds < DAY_S) {
        (void)snprintf(ret, 16, "%" PRIu64 "h", seconds / 3600);
    } else {
        (void)snprintf(ret, 16, "%" PRIu64 "d", seconds / DAY_S);
    }
}

static enum cli_color state_color(const struct run *run) {
    switch (run->state) {
    case RUN_LIVE:
        return CLI_BLUE;
    case RUN_OPEN:
        return CLI_YELLOW;
    case RUN_APPLIED:
        return CLI_GREEN;
    case RUN_LOST:
        return CLI_RED;
    case RUN_EMPTY:
    case RUN_DISCARDED:
        break;
    }
    return CLI_DIM;
}

static const char *shown_state(const struct state *state, const struct run *run) {
    return run_is_paused(state, run) ? "paused" : run_state_text(run->state);
}

static void print_row(const struct cli *cli, const struct state *state, const struct run *run,
                      uint64_t now_ms, bool all) {
    char age[16];
    char exit_text[16] = "-";
    format_age(now_ms, run->started_ms, age);
    if (run->state != RUN_LIVE && run->state != RUN_LOST) {
        (void)snprintf(exit_text, sizeof exit_text, "%d", run->exit_status);
    }
    (void)printf("%-8s  %4s  %s%-9s%s  %7" PRIu32 "  %4s  %.*s", run_short_id(run->id), age,
                 cli_color(cli->color_out, state_color(run)), shown_state(state, run),
                 cli_color(cli->color_out, CLI_PLAIN), run->change_count, exit_text,
                 COMMAND_COLUMNS, run->command);
    if (all) {
        struct builder shown;
        builder_init(&shown, (size_t)4 * LIMIT_PATH_BYTES + 1);
        text_escape(slice_of_string(run->workspace), &shown);
        (void)printf("  %s%s%s", cli_color(cli->color_out, CLI_DIM), builder_c_string(&shown),
                     cli_color(cli->color_out, CLI_PLAIN));
        builder_deinit(&shown);
    }
    (void)printf("\n");
}

static void add_json(struct json *list, const struct state *state, const struct run *run) {
    struct json *object = json_object_new();
    struct builder shown;
    builder_init(&shown, (size_t)4 * LIMIT_PATH_BYTES + 1);
    text_escape(slice_of_string(run->workspace), &shown);
    json_set_text(object, "id", run->id);
    json_set_text(object, "state", shown_state(state, run));
    json_set_text(object, "workspace", builder_c_string(&shown));
    builder_reset(&shown);
    text_escape(slice_of_string(run->command), &shown);
    json_set_text(object, "command", builder_c_string(&shown));
    if (run->parent[0] != '\0') {
        json_set_text(object, "parent", run->parent);
    }
    json_set_integer(object, "started_ms", (int64_t)run->started_ms);
    json_set_integer(object, "finished_ms", (int64_t)run->finished_ms);
    json_set_integer(object, "exit_status", run->exit_status);
    json_set_integer(object, "changes", run->change_count);
    json_set_bool(object, "open", run_stage_is_open(run));
    json_append(list, object);
    builder_deinit(&shown);
}

static void print_list(const struct cli *cli, const struct state *state, const struct run *runs,
                       size_t count, const char *workspace_or_null) {
    struct clock clock = clock_system();
    uint64_t now_ms = clock_wall_ms(&clock);
    size_t shown = 0;
    size_t open = 0;
    for (size_t i = 0; i < count; i++) {
        if (workspace_or_null != nullptr && strcmp(runs[i].workspace, workspace_or_null) != 0) {
            continue;
        }
        if (shown++ == 0) {
            (void)printf("%s%-8s  %4s  %-9s  %7s  %4s  %s%s\n", cli_color(cli->color_out, CLI_BOLD),
                         "run", "age", "state", "changes", "exit", "command",
                         cli_color(cli->color_out, CLI_PLAIN));
        }
        print_row(cli, state, &runs[i], now_ms, workspace_or_null == nullptr);
        open += run_stage_is_open(&runs[i]);
    }
    if (shown == 0 && count > 0) {
        (void)printf("no runs of this workspace; all of them: airlock runs --all\n");
    } else if (shown == 0) {
        (void)printf("no runs yet; start one: airlock run -- CMD\n");
    } else if (open > 0) {
        (void)printf("%s%zu open: airlock diff RUN, airlock apply RUN, airlock discard RUN%s\n",
                     cli_color(cli->color_out, CLI_DIM), open,
                     cli_color(cli->color_out, CLI_PLAIN));
    }
}

static status_t runs(const struct cli *cli, const struct runs_arguments *arguments,
                     struct error *err) {
    char workspace[LIMIT_PATH_BYTES] = "";
    CLEANUP(state_close) struct state state = {.fd = -1, .runs_fd = -1, .keys_fd = -1};
    CLEANUP(memory_freep) struct run *list = nullptr;
    size_t count = 0;
    if (!arguments->all) {
        TRY(workspace_find(arguments->workspace, workspace, err));
    }
    stage_settle();
    TRY(state_open(&state, err));
    TRY(run_list(&state, &list, &count, err));
    if (!cli->json) {
        print_list(cli, &state, list, count, arguments->all ? nullptr : workspace);
        return STATUS_OK;
    }
    CLEANUP(json_freep) struct json *array = json_array_new();
    for (size_t i = 0; i < count; i++) {
        if (arguments->all || strcmp(list[i].workspace, workspace) == 0) {
            add_json(array, &state, &list[i]);
        }
    }
    CLEANUP(builder_deinit) struct builder text;
    builder_init(&text, (size_t)1 << 30);
    json_write_pretty(array, &text);
    (void)fputs(builder_c_string(&text), stdout);
    return STATUS_OK;
}

int cli_runs(struct cli *cli, int argc, char **argv) {
    struct runs_arguments arguments = {0};
    const struct cli_option rows[] = {
        CLI_WORKSPACE(arguments.workspace),
        {.name = "all", .letter = 'a', .flag = &arguments.all, .help = "runs of every workspace"},
        {.name = "older",
         .value = &arguments.older,
         .argument = "AGE",
         .help = "with prune: runs that ended so long ago, open ones after a yes"},
        {.name = "dry-run", .flag = &arguments.dry_run, .help = "with prune: only say what"},
    };
    struct error err;
    int exit_status;
    if (!cli_begin(cli, &argc, argv, &CLI_FORM(rows, examples), &exit_status)) {
        return exit_status;
    }
    status_t status = STATUS_OK;
    if (argc == 1 && strcmp(argv[1], "prune") == 0) {
        status = runs_prune(cli,
                            &(struct runs_prune_request){arguments.workspace, arguments.older,
                                                         arguments.all, arguments.dry_run},
                            &err);
    } else if (argc > 0 || arguments.older != nullptr || arguments.dry_run) {
        status = error_set(&err, ERROR_USAGE, 0,
                           "runs takes no operand but prune, which --older and --dry-run need");
    } else {
        status = runs(cli, &arguments, &err);
    }
    return status_is_ok(status) ? 0 : cli_error(cli, &err);
}
