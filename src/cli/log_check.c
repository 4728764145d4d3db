/* SPDX-License-Identifier: Apache-2.0
 *
 * airlock log verify, gaps and renew: is the log whole, does it tell the whole story, and what to
 * do when it is not.
 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "audit/check.h"
#include "audit/gaps.h"
#include "audit/renew.h"
#include "base/cleanup.h"
#include "cli/log_commands.h"
#include "codec/bar.h"
#include "codec/text.h"
#include "kernel/config.h"
#include "sandbox/stage.h"

typedef status_t check_against(struct audit_log *log, struct slice text, uint64_t *ret_size,
                               struct error *err);

/* Reads the file, when one is named, and holds the log against it. */
static status_t verify_against(struct log_session *session, const char *path,
                               check_against *against, uint64_t *ret_size, struct error *err) {
    struct builder text;
    *ret_size = 0;
    if (path == nullptr) {
        return STATUS_OK;
    }
    builder_init(&text, (size_t)LIMIT_RECEIPT_BYTES);
    status_t status = log_read_file(path, &text, err);
    if (status_is_ok(status)) {
        status = against(session->log, builder_slice(&text), ret_size, err);
    }
    builder_deinit(&text);
    return status;
}

static void print_verified(const struct cli *cli, const struct audit_check_result *result,
                           uint64_t against) {
    struct builder root;
    builder_init(&root, 128);
    text_hex(slice_of(result->root.bytes, DIGEST_BYTES), &root);
    if (cli->json) {
        (void)printf("{\"gone\":%" PRIu64 ",\"ml_dsa_44_size\":%" PRIu64
                     ",\"origin\":\"%s\",\"root\":\"%s\",\"signed_size\":%" PRIu64
                     ",\"size\":%" PRIu64 ",\"valid\":true}\n",
                     result->gone, result->second_size, result->origin, builder_c_string(&root),
                     result->signed_size, result->size);
        builder_deinit(&root);
        return;
    }
    (void)printf("%sOK%s  %" PRIu64 " entries: every hash, the chain and the tree agree\n",
                 cli_color(cli->color_out, CLI_GREEN), cli_color(cli->color_out, CLI_PLAIN),
                 result->size);
    (void)printf("  root        %s\n", builder_c_string(&root));
    (void)printf(result->signed_size > 0 ? "  checkpoint  over %" PRIu64 " entries, signed by %s\n"
                                         : "  checkpoint  none yet\n",
                 result->signed_size, result->origin);
    if (result->second_size > 0) {
        (void)printf("  second      over %" PRIu64 " entries, signed by ML-DSA-44 too\n",
                     result->second_size);
    }
    if (result->gone > 0) {
        (void)printf("  retention   the first %" PRIu64
                     " entries have no bytes any more; their hashes agree\n",
                     result->gone);
    }
    if (against > 0) {
        (void)printf("  kept        its first %" PRIu64
                     " entries are those that were signed then\n",
                     against);
    }
    builder_deinit(&root);
}

status_t log_verify(const struct cli *cli, struct log_session *session,
                    const struct log_request *request, [[maybe_unused]] const char *operand,
                    struct error *err) {
    struct bar bar = bar_start(&session->clock, "verifying");
    struct audit_check_options options = {bar_draw, &bar};
    struct audit_check_result result;
    uint64_t receipt_size;
    uint64_t checkpoint_size;
    log_warn_storage(session->log);
    status_t status = audit_log_check(session->log, &options, &result, err);
    bar_end(&bar);
    TRY(status);
    TRY(verify_against(session, request->receipt, audit_check_receipt, &receipt_size, err));
    TRY(verify_against(session, request->checkpoint, audit_check_checkpoint, &checkpoint_size,
                       err));
    print_verified(cli, &result, receipt_size > checkpoint_size ? receipt_size : checkpoint_size);
    return STATUS_OK;
}

struct gap_list {
    const struct cli *cli;
    uint64_t gaps;
    uint64_t shown;
};

static void print_gap(void *context, const struct audit_gap *gap) {
    struct gap_list *list = context;
    char when[LOG_TIME_BYTES];
    log_format_time((int64_t)gap->time_ms, when);
    list->gaps += audit_gap_is_one(gap->kind);
    if (list->cli->json) {
        (void)printf("{\"count\":%" PRIu64
                     ",\"gap\":%s,\"kind\":\"%s\",\"run\":\"%s\",\"seq\":%" PRIu64
                     ",\"time_ms\":%" PRIu64 ",\"type\":\"%s\"}\n",
                     gap->count, audit_gap_is_one(gap->kind) ? "true" : "false",
                     audit_gap_text(gap->kind), gap->run, gap->seq, gap->time_ms, gap->type);
        return;
    }
    if (list->shown++ == 0) {
        (void)printf("%6s  %-19s  %-10s  %-21s  %-36s  %s\n", "SEQ", "TIME (UTC)", "KIND", "TYPE",
                     "RUN", "COUNT");
    }
    (void)printf("%6" PRIu64 "  %s  %s%-10s%s  %-21s  %-36s", gap->seq, when,
                 cli_color(list->cli->color_out, audit_gap_is_one(gap->kind) ? CLI_RED : CLI_DIM),
                 audit_gap_text(gap->kind), cli_color(list->cli->color_out, CLI_PLAIN), gap->type,
                 gap->run);
    if (gap->count > 0) {
        (void)printf("  %" PRIu64, gap->count);
    }
    (void)printf("\n");
}

status_t log_gaps(const struct cli *cli, struct log_session *session,
                  [[maybe_unused]] const struct log_request *request,
                  [[maybe_unused]] const char *operand, struct error *err) {
    struct gap_list list = {.cli = cli};
    TRY(audit_gaps(session->log, clock_wall_ms(&session->clock), print_gap, &list, err));
    if (list.gaps > 0) {
        return error_set(err, ERROR_AUDIT_GAPS, 0, "the log shows %" PRIu64 " gap%s", list.gaps,
                         list.gaps == 1 ? "" : "s");
    }
    if (!cli->json) {
        (void)printf("%sOK%s  no gaps: every admission has its end, no entry was dropped\n",
                     cli_color(cli->color_out, CLI_GREEN), cli_color(cli->color_out, CLI_PLAIN));
    }
    return STATUS_OK;
}

/* A command that runs has the old log open and would go on writing into it. */
static status_t refuse_live_runs(const struct state *state, struct error *err) {
    struct run *runs = nullptr;
    size_t count = 0;
    status_t status = STATUS_OK;
    TRY(run_list(state, &runs, &count, err));
    for (size_t i = 0; i < count && status_is_ok(status); i++) {
        if (runs[i].state == RUN_LIVE) {
            status = error_set(err, ERROR_BUSY, 0, "run %s is not over", runs[i].id);
        }
    }
    free(runs);
    return status;
}

static bool ask_renew(const struct error *why) {
    char answer[16] = "";
    (void)fprintf(stderr,
                  "The log is damaged: %s\n"
                  "It will be set aside as it is, read-only, and a new log begins, with a new key\n"
                  "and a new origin. Its first entry names the old head. Nothing is repaired, and\n"
                  "who trusts the old key needs the new one (airlock log key).\n"
                  "Start a new log? Type yes: ",
                  why->message);
    return isatty(STDIN_FILENO) == 1 && isatty(STDERR_FILENO) == 1 &&
           fgets(answer, sizeof answer, stdin) != nullptr && strcmp(answer, "yes\n") == 0;
}

static status_t renew(const struct cli *cli, const struct log_request *request,
                      const struct state *state, struct error *err) {
    struct clock clock = clock_system();
    struct error why = {0};
    struct audit_renewal renewal;
    bool is_whole = false;
    TRY(audit_renew_is_whole(state, &clock, &is_whole, &why, err));
    if (is_whole) {
        return error_set(err, ERROR_USAGE, 0, "the log is whole; a new one is for a damaged one");
    }
    TRY(refuse_live_runs(state, err));
    if (!request->yes && !ask_renew(&why)) {
        (void)error_set(err, ERROR_USAGE, 0, "no new log was started");
        error_hint(err, "Answer yes at a terminal, or say it at once: airlock log renew --yes");
        return (status_t){ERROR_USAGE};
    }
    TRY(audit_renew(state, &clock, why.message, &renewal, err));
    if (cli->json) {
        (void)printf("{\"old_size\":%" PRIu64 ",\"origin\":\"%s\",\"set_aside\":\"%s\"}\n",
                     renewal.old_size, renewal.origin, renewal.aside);
    } else {
        (void)printf("a new log begins%s%s; the old one stands in %s/%s\n",
                     renewal.origin[0] == '\0' ? "" : " as ", renewal.origin, state->path,
                     renewal.aside);
    }
    return STATUS_OK;
}

status_t log_renew(const struct cli *cli, const struct log_request *request, struct error *err) {
    struct state state;
    TRY(config_state_open(&state, err));
    status_t status = renew(cli, request, &state, err);
    state_close(&state);
    return status;
}
