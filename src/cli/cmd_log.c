/* SPDX-License-Identifier: Apache-2.0
 *
 * airlock log: the audit log, listed, shown, checked and exported.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "audit/check.h"
#include "audit/export.h"
#include "base/cleanup.h"
#include "cli/cli.h"
#include "cli/log_view.h"
#include "codec/text.h"
#include "sandbox/stage.h"
#include "sys/fd.h"
#include "sys/file.h"

static const char EXAMPLES[] =
    "  airlock log --since 1h                   what happened in the last hour\n"
    "  airlock log --type run_finished --json   entries as they are, one a line\n"
    "  airlock log show 17                      one entry, with its command line\n"
    "  airlock log verify                       recompute the whole log\n"
    "  airlock log key > log.vkey               what others need to check receipts\n"
    "  airlock log export DIR                   C2SP tiles, entries and checkpoint\n"
    "  airlock log export --proof 17 DIR        one entry for spicy-litetlog -verify\n";

struct request {
    const char *run;
    const char *type;
    const char *since;
    const char *proof;
    uint64_t since_ms;
};

enum { RUN_SHORT_CHARACTERS = 6 };

static const char *run_short(const char *run) {
    size_t length = run == nullptr ? 0 : strlen(run);
    return length == 0 ? ""
                       : run + (length > RUN_SHORT_CHARACTERS ? length - RUN_SHORT_CHARACTERS : 0);
}

static bool ends_with(const char *text, const char *end) {
    size_t text_size = strlen(text);
    size_t end_size = strlen(end);
    return text_size >= end_size && strcmp(text + text_size - end_size, end) == 0;
}

struct listing {
    const struct cli *cli;
    const struct request *request;
    struct builder outcome;
    struct builder detail;
    uint64_t shown;
    const char *malformed; /* set when an entry could not be read */
};

static bool is_wanted(const struct request *request, const struct json *entry) {
    const char *type = json_get_text(entry, "type");
    const char *run = json_get_text(entry, "run");
    int64_t time_ms = 0;
    (void)json_get_integer(entry, "time_ms", &time_ms);
    return (request->type == nullptr || (type != nullptr && strcmp(type, request->type) == 0)) &&
           (request->run == nullptr || (run != nullptr && ends_with(run, request->run))) &&
           (uint64_t)time_ms >= request->since_ms;
}

static enum cli_color outcome_color(const char *outcome) {
    if (strcmp(outcome, "allow") == 0 || strcmp(outcome, "applied") == 0 ||
        strcmp(outcome, "exit 0") == 0) {
        return CLI_GREEN;
    }
    return outcome[0] == '\0' || strcmp(outcome, "require_review") == 0 ? CLI_YELLOW : CLI_RED;
}

static void list_row(struct listing *listing, uint64_t seq, const struct json *entry) {
    const struct cli *cli = listing->cli;
    char when[LOG_TIME_BYTES] = "";
    int64_t time_ms = 0;
    (void)json_get_integer(entry, "time_ms", &time_ms);
    log_format_time(time_ms, when);
    builder_reset(&listing->outcome);
    builder_reset(&listing->detail);
    log_describe(entry, &listing->outcome, &listing->detail);
    const char *outcome = builder_c_string(&listing->outcome);
    const char *type = json_get_text(entry, "type");
    if (listing->shown == 0) {
        (void)printf("%s%6s  %-19s  %-15s  %-6s  %-14s  %s%s\n",
                     cli_color(cli->color_out, CLI_BOLD), "SEQ", "TIME (UTC)", "TYPE", "RUN",
                     "OUTCOME", "DETAIL", cli_color(cli->color_out, CLI_PLAIN));
    }
    (void)printf("%6" PRIu64 "  %s%s%s  %-15s  %-6s  %s%-14s%s  %s\n", seq,
                 cli_color(cli->color_out, CLI_DIM), when, cli_color(cli->color_out, CLI_PLAIN),
                 type == nullptr ? "?" : type, run_short(json_get_text(entry, "run")),
                 cli_color(cli->color_out, outcome_color(outcome)), outcome,
                 cli_color(cli->color_out, CLI_PLAIN), builder_c_string(&listing->detail));
}

static bool list_entry(void *context, uint64_t seq, struct slice bytes) {
    struct listing *listing = context;
    struct error ignored = {0};
    CLEANUP(json_freep) struct json *entry = nullptr;
    if (!status_is_ok(json_parse(bytes, "the entry", &entry, &ignored))) {
        listing->malformed = "an entry of the log is no JSON";
        return false;
    }
    if (!is_wanted(listing->request, entry)) {
        return true;
    }
    if (listing->cli->json) {
        (void)fwrite(bytes.data, 1, bytes.size, stdout);
        (void)fputc('\n', stdout);
    } else {
        list_row(listing, seq, entry);
    }
    listing->shown++;
    return true;
}

static status_t log_list(const struct cli *cli, struct log_session *session,
                         const struct request *request, struct error *err) {
    struct listing listing = {.cli = cli, .request = request};
    builder_init(&listing.outcome, 4096);
    builder_init(&listing.detail, (size_t)8 * LIMIT_ENTRY_BYTES);
    status_t status = audit_log_scan(session->log, 0, list_entry, &listing, err);
    builder_deinit(&listing.outcome);
    builder_deinit(&listing.detail);
    TRY(status);
    if (listing.malformed != nullptr) {
        return error_set(err, ERROR_AUDIT_DAMAGED, 0, "%s", listing.malformed);
    }
    if (listing.shown == 0 && !cli->json) {
        (void)fprintf(stderr, "no entries\n");
    }
    return STATUS_OK;
}

/* The command line stands in the run's plan.json; the entry only commits to it. */
static void join_argv(const struct log_session *session, struct json *entry) {
    const char *run = json_get_text(entry, "run");
    char path[64];
    bool found = false;
    struct error ignored = {0};
    struct builder text;
    if (run == nullptr || !id_is_valid(run) || json_get(entry, "argv_commitment") == nullptr) {
        return;
    }
    (void)snprintf(path, sizeof path, "%s/plan.json", run);
    builder_init(&text, (size_t)LIMIT_PLAN_BYTES);
    CLEANUP(json_freep) struct json *plan = nullptr;
    if (status_is_ok(file_read(session->state.runs_fd, path, &text, &found, &ignored)) && found &&
        status_is_ok(json_parse(builder_slice(&text), "plan.json", &plan, &ignored))) {
        const struct json *argv = json_get(plan, "argv");
        struct json *copy = json_array_new();
        for (size_t i = 0; i < json_array_count(argv); i++) {
            const char *argument = json_as_text(json_array_at(argv, i));
            json_append_text(copy, argument == nullptr ? "" : argument);
        }
        json_set(entry, "argv (from plan.json)", copy);
    }
    builder_deinit(&text);
}

static status_t log_show(struct log_session *session, const char *number, struct error *err) {
    uint64_t seq = 0;
    bool found = false;
    struct builder bytes;
    struct builder pretty;
    CLEANUP(json_freep) struct json *entry = nullptr;
    if (number == nullptr || !log_parse_seq(number, &seq)) {
        return error_set(err, ERROR_USAGE, 0, "log show takes the number of an entry");
    }
    builder_init(&bytes, LIMIT_ENTRY_BYTES);
    status_t status = audit_log_read(session->log, seq, &bytes, &found, err);
    if (status_is_ok(status) && !found) {
        status = error_set(err, ERROR_AUDIT_NO_SUCH_ENTRY, 0, "there is no entry %" PRIu64, seq);
    }
    if (status_is_ok(status)) {
        status = json_parse(builder_slice(&bytes), "the entry", &entry, err);
    }
    builder_deinit(&bytes);
    TRY(status);
    join_argv(session, entry);
    builder_init(&pretty, (size_t)16 * LIMIT_PLAN_BYTES);
    json_write_pretty(entry, &pretty);
    log_print(&pretty);
    builder_deinit(&pretty);
    return STATUS_OK;
}

struct bar {
    const struct log_session *session;
    uint64_t start_ns;
    bool shown;
};

static void bar_draw(void *context, uint64_t done, uint64_t total) {
    struct bar *bar = context;
    if (clock_monotonic_ns(&bar->session->clock) - bar->start_ns < 1000000000) {
        return; /* what is over at once needs no bar */
    }
    enum { WIDTH = 40 };
    int filled = (int)(done * WIDTH / (total == 0 ? 1 : total));
    (void)fprintf(stderr, "\rverifying [%.*s%*s] %3d%%", filled,
                  "########################################", WIDTH - filled, "",
                  (int)(done * 100 / (total == 0 ? 1 : total)));
    bar->shown = true;
}

static status_t log_verify(const struct cli *cli, struct log_session *session, struct error *err) {
    struct bar bar = {session, clock_monotonic_ns(&session->clock), false};
    struct audit_check_options options = {isatty(STDERR_FILENO) == 1 ? bar_draw : nullptr, &bar};
    struct audit_check_result result;
    status_t status = audit_log_check(session->log, &options, &result, err);
    if (bar.shown) {
        (void)fprintf(stderr, "\r\033[K");
    }
    TRY(status);
    struct builder root;
    builder_init(&root, 128);
    text_hex(slice_of(result.root.bytes, DIGEST_BYTES), &root);
    if (cli->json) {
        (void)printf("{\"origin\":\"%s\",\"root\":\"%s\",\"signed_size\":%" PRIu64
                     ",\"size\":%" PRIu64 ",\"valid\":true}\n",
                     result.origin, builder_c_string(&root), result.signed_size, result.size);
    } else {
        (void)printf("%sOK%s  %" PRIu64 " entries: every hash, the chain and the tree agree\n",
                     cli_color(cli->color_out, CLI_GREEN), cli_color(cli->color_out, CLI_PLAIN),
                     result.size);
        (void)printf("  root        %s\n", builder_c_string(&root));
        (void)printf(result.signed_size > 0 ? "  checkpoint  over %" PRIu64
                                              " entries, signed by %s\n"
                                            : "  checkpoint  none yet\n",
                     result.signed_size, result.origin);
    }
    builder_deinit(&root);
    return STATUS_OK;
}

static status_t log_key(struct error *err) {
    struct state state;
    struct builder key;
    TRY(state_open(&state, err));
    builder_init(&key, 1024);
    status_t status = receipt_own_vkey(&state, &key, err);
    state_close(&state);
    if (status_is_ok(status)) {
        builder_u8(&key, '\n');
        log_print(&key);
    }
    builder_deinit(&key);
    return status;
}

static status_t log_export(const struct cli *cli, struct log_session *session, const char *path,
                           const struct request *request, struct error *err) {
    CLEANUP(fd_closep) int folder = -1;
    uint64_t seq = 0;
    if (path == nullptr || (request->proof != nullptr && !log_parse_seq(request->proof, &seq))) {
        return error_set(err, ERROR_USAGE, 0, "log export takes [--proof SEQ] and a folder");
    }
    TRY(file_open_folder(AT_FDCWD, path, true, 0755, &folder, err));
    if (request->proof != nullptr) {
        TRY(log_session_cover(session, seq, err));
        return audit_export_spicy(session->log, seq, folder, err);
    }
    struct audit_head head;
    struct audit_export_result result;
    TRY(audit_log_head(session->log, &head, err));
    if (head.size > 0) {
        TRY(log_session_cover(session, head.size - 1, err));
    }
    TRY(audit_export_tiles(session->log, folder, &result, err));
    if (cli->json) {
        (void)printf("{\"files\":%" PRIu64 ",\"size\":%" PRIu64 "}\n", result.files, result.size);
    } else {
        (void)printf("%" PRIu64 " entries in %s: %" PRIu64 " files written\n", result.size, path,
                     result.files);
    }
    return STATUS_OK;
}

static status_t log_answer(const struct cli *cli, int argc, char **argv, struct request *request,
                           struct error *err) {
    const char *what = argc > 0 ? argv[1] : "";
    const char *operand = argc > 1 ? argv[2] : nullptr;
    bool takes_operand = strcmp(what, "show") == 0 || strcmp(what, "export") == 0;
    if (argc > (takes_operand ? 2 : 1)) {
        return error_set(err, ERROR_USAGE, 0, "log does not take so many operands");
    }
    if (strcmp(what, "key") == 0) {
        return log_key(err); /* works on a damaged log too */
    }
    struct log_session session;
    TRY(log_session_open(&session, err));
    status_t status;
    if (request->since != nullptr &&
        !log_parse_since(request->since, clock_wall_ms(&session.clock), &request->since_ms)) {
        status = error_set(err, ERROR_USAGE, 0, "--since takes 10m, 2h, 3d or 2026-11-21T08:00");
    } else if (what[0] == '\0') {
        status = log_list(cli, &session, request, err);
    } else if (strcmp(what, "show") == 0) {
        status = log_show(&session, operand, err);
    } else if (strcmp(what, "verify") == 0) {
        status = log_verify(cli, &session, err);
    } else if (strcmp(what, "export") == 0) {
        status = log_export(cli, &session, operand, request, err);
    } else {
        status = error_set(err, ERROR_USAGE, 0, "log has no \"%s\"", what);
    }
    log_session_close(&session);
    return status;
}

int cli_log(struct cli *cli, int argc, char **argv) {
    struct request request = {0};
    const struct cli_option options[] = {
        {.name = "run",
         .letter = 'r',
         .value = &request.run,
         .argument = "RUN",
         .help = "only entries of this run (its id or how it ends)"},
        {.name = "type",
         .letter = 't',
         .value = &request.type,
         .argument = "TYPE",
         .help = "only entries of this type (run_started, run_finished, ...)"},
        {.name = "since",
         .value = &request.since,
         .argument = "WHEN",
         .help = "only newer ones: 10m, 2h, 3d, or a time in UTC"},
        {.name = "proof",
         .value = &request.proof,
         .argument = "SEQ",
         .help = "with export: one entry and its proof instead of tiles"},
    };
    struct error err = {0};
    bool done;
    if (!status_is_ok(cli_parse(cli, &argc, argv, options, sizeof options / sizeof options[0],
                                false, EXAMPLES, &done, &err))) {
        return cli_error(cli, &err);
    }
    if (done) {
        return 0;
    }
    return status_is_ok(log_answer(cli, argc, argv, &request, &err)) ? 0 : cli_error(cli, &err);
}
