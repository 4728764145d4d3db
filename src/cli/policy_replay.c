/* SPDX-License-Identifier: Apache-2.0
 *
 * airlock policy replay: every decision of the log, judged again.
 */
#include "kernel/policy_replay.h"

#include "base/cleanup.h"
#include "cli/log_view.h"
#include "cli/policy_commands.h"
#include "cli/replay_view.h"
#include "codec/bar.h"

struct showing {
    struct replay_view view;
    struct bar bar;
};

static void show_change(void *context, const struct policy_replay_change *change) {
    struct showing *showing = context;
    if (showing->view.cli->json) {
        policy_print_json(replay_change_json(change));
    } else {
        replay_view_add(&showing->view, change);
    }
}

static void show_progress(void *context, uint64_t done, uint64_t total) {
    struct showing *showing = context;
    bar_draw(&showing->bar, done, total);
}

static status_t replay(const struct cli *cli, const struct log_session *session,
                       struct policy_replay_options *options, struct error *err) {
    struct showing showing = {
        .view = {.cli = cli, .out = stdout, .color = cli->color_out},
        .bar = bar_start(&session->clock, "judging again"),
    };
    struct policy_replay_result result;
    options->state = &session->state;
    options->log = session->log;
    options->clock = &session->clock;
    options->changed = show_change;
    options->progress = show_progress;
    options->context = &showing;
    status_t status = policy_replay(options, &result, err);
    bar_end(&showing.bar);
    if (status_is_ok(status) && cli->json) {
        struct json *summary = json_object_new();
        json_set(summary, "summary", replay_result_json(&result));
        policy_print_json(summary);
    } else if (status_is_ok(status)) {
        replay_view_print(&showing.view, &result);
    }
    replay_view_deinit(&showing.view);
    return status;
}

status_t policy_command_replay(const struct cli *cli, const struct policy_options *options,
                               char **operands, [[maybe_unused]] int *ret_exit, struct error *err) {
    CLEANUP(builder_deinit) struct builder text = {};
    struct policy_replay_options what = {.name = operands[0]};
    struct log_session session;
    struct slice bytes;
    if (options->limit != nullptr &&
        (!log_parse_seq(options->limit, &what.entry_count_max) || what.entry_count_max == 0)) {
        return error_set(err, ERROR_USAGE, 0, "--limit takes a number of entries from 1 on");
    }
    if (operands[0] != nullptr) {
        TRY(policy_read_file(operands[0], &text, err));
        bytes = builder_slice(&text);
        what.text = &bytes;
    }
    TRY(log_session_open(&session, err));
    status_t status = replay(cli, &session, &what, err);
    log_session_close(&session);
    return status;
}
