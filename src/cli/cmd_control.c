/* SPDX-License-Identifier: Apache-2.0
 *
 * airlock pause, resume and stop: a live run of the same user is asked over its control socket.
 */
#include "base/cleanup.h"
#include "cli/cli.h"
#include "cli/stage_names.h"
#include "codec/json.h"
#include "kernel/run_control.h"
#include "kernel/workspace.h"

struct verb {
    enum protocol_type ask;
    const char *done; /* "paused" */
    const char *examples;
};

static void print_done(const struct cli *cli, const struct verb *verb, const struct run *run) {
    if (!cli->json) {
        (void)printf("%s run %s\n", verb->done, run_short_id(run->id));
        return;
    }
    CLEANUP(json_freep) struct json *object = json_object_new();
    CLEANUP(builder_deinit) struct builder text;
    json_set_text(object, "run", run->id);
    json_set_text(object, "done", verb->done);
    builder_init(&text, 4096);
    json_write_pretty(object, &text);
    (void)fputs(builder_c_string(&text), stdout);
}

static status_t ask(const struct cli *cli, const struct verb *verb, const char *workspace_option,
                    const char *name, struct error *err) {
    char workspace[LIMIT_PATH_BYTES];
    struct state state;
    struct run run = {.fd = -1, .lock_fd = -1};
    TRY(workspace_find(workspace_option, workspace, err));
    TRY(state_open(&state, err));
    status_t status = run_control_find(&state, name, workspace, &run, err);
    if (status_is_ok(status)) {
        status = run_control_ask(&run, verb->ask, err);
    }
    if (status_is_ok(status)) {
        print_done(cli, verb, &run);
    }
    run_close(&run);
    state_close(&state);
    return status;
}

static int control(struct cli *cli, int argc, char **argv, const struct verb *verb) {
    const char *workspace = nullptr;
    const struct cli_option rows[] = {
        {.name = "workspace",
         .letter = 'w',
         .value = &workspace,
         .argument = "DIR",
         .help = "whose live run, without RUN (default: the git top, or here)"},
    };
    struct error err;
    int exit_status;
    if (!cli_begin(cli, &argc, argv, &CLI_FORM(rows, verb->examples), &exit_status)) {
        return exit_status;
    }
    if (argc > 1) {
        (void)error_set(&err, ERROR_USAGE, 0, "%s takes one RUN", argv[0]);
        return cli_error(cli, &err);
    }
    status_t status = ask(cli, verb, workspace, argc == 1 ? argv[1] : nullptr, &err);
    return status_is_ok(status) ? 0 : cli_error(cli, &err);
}

int cli_pause(struct cli *cli, int argc, char **argv) {
    static const struct verb verb = {
        PROTOCOL_ASK_PAUSE, "paused",
        "  airlock pause                (the only live run here)\n"
        "  airlock pause 41f2ab         (time that it stands still counts against no limit)\n"};
    return control(cli, argc, argv, &verb);
}

int cli_resume(struct cli *cli, int argc, char **argv) {
    static const struct verb verb = {PROTOCOL_ASK_RESUME, "resumed", "  airlock resume 41f2ab\n"};
    return control(cli, argc, argv, &verb);
}

int cli_stop(struct cli *cli, int argc, char **argv) {
    static const struct verb verb = {
        PROTOCOL_ASK_STOP, "stopped",
        "  airlock stop 41f2ab          (SIGTERM, and after 5 seconds the end)\n"};
    return control(cli, argc, argv, &verb);
}
