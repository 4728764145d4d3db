/* SPDX-License-Identifier: Apache-2.0
 *
 * airlock log: the audit log, listed, shown, checked and exported.
 */
#include <inttypes.h>
#include <string.h>

#include "base/cleanup.h"
#include "cli/log_commands.h"

static const char EXAMPLES[] =
    "  airlock log --since 1h                   what happened in the last hour\n"
    "  airlock log --decision deny --limit 20   the last refusals\n"
    "  airlock log --type run_finished --json   entries as they are, one a line\n"
    "  airlock log --follow                     and what comes, until interrupted\n"
    "  airlock log show 17                      one entry, with its command line\n"
    "  airlock log verify                       recompute the whole log\n"
    "  airlock log verify --receipt FILE        and hold it against a receipt kept elsewhere\n"
    "  airlock log gaps                         admissions without an end, dropped entries\n"
    "  airlock log report --since 30d           what an auditor asks for, counted\n"
    "  airlock log key > log.vkey               the key (or keys) to check receipts with\n"
    "  airlock log export DIR                   C2SP tiles, entries and checkpoint\n"
    "  airlock log export --proof 17 DIR        one entry for spicy-litetlog -verify\n"
    "  airlock log export --jsonl FILE          lines of JSON, callers salted (FILE.salts)\n"
    "  airlock log import --check FILE          check such a file, offline\n"
    "  airlock log witness add NAME VKEY URL    a host that cosigns (--ca FILE: its certificates)\n"
    "  airlock log witness sync                 have every witness cosign what is signed\n"
    "  airlock log renew                        start a new log after a damaged one\n"
    "  airlock log encrypt --key-file FILE      with the 32 bytes of FILE; then decrypt, rekey\n";

static const struct {
    const char *name;
    log_command *command;
    bool takes_operand;
} COMMANDS[] = {
    {"", log_list, false},     {"show", log_show, true},     {"verify", log_verify, false},
    {"gaps", log_gaps, false}, {"export", log_export, true}, {"report", log_report, false},
};

static status_t read_times(struct log_request *request, struct error *err) {
    struct clock clock = clock_system();
    uint64_t now_ms = clock_wall_ms(&clock);
    request->until_ms = UINT64_MAX;
    if (request->since != nullptr && !log_parse_since(request->since, now_ms, &request->since_ms)) {
        return error_set(err, ERROR_USAGE, 0, "--since takes 10m, 2h, 3d or 2026-11-21T08:00");
    }
    if (request->until != nullptr && !log_parse_since(request->until, now_ms, &request->until_ms)) {
        return error_set(err, ERROR_USAGE, 0, "--until takes 10m, 2h, 3d or 2026-11-21T08:00");
    }
    bool is_number =
        request->limit == nullptr || log_parse_seq(request->limit, &request->limit_count);
    if (!is_number ||
        limit_past(request->limit_count > (uint64_t)LIMIT_LIST_ENTRIES, LIMIT_ID_LIST_ENTRIES) ||
        (request->limit != nullptr && request->limit_count == 0)) {
        return error_set(err, ERROR_USAGE, 0, "--limit takes a number from 1 to %d",
                         (int)LIMIT_LIST_ENTRIES);
    }
    return STATUS_OK;
}

static status_t run_on_log(const struct cli *cli, log_command *command,
                           const struct log_request *request, const char *operand,
                           struct error *err) {
    struct log_session session;
    TRY(log_session_open(&session, err));
    status_t status = command(cli, &session, request, operand, err);
    log_session_close(&session);
    return status;
}

static status_t log_answer(const struct cli *cli, int argc, char **argv,
                           struct log_request *request, struct error *err) {
    const char *what = argc > 0 ? argv[1] : "";
    const char *operand = argc > 1 ? argv[2] : nullptr;
    TRY(read_times(request, err));
    bool is_import = strcmp(what, "import") == 0;
    if (strcmp(what, "witness") == 0) {
        return log_witness(cli, request, argc - 1, argv + 2, err);
    }
    if (argc > 2) {
        return error_set(err, ERROR_USAGE, 0, "log does not take so many operands");
    }
    if (is_import) {
        return log_import(cli, request, operand, err);
    }
    for (size_t i = 0; i < sizeof COMMANDS / sizeof COMMANDS[0]; i++) {
        if (strcmp(what, COMMANDS[i].name) == 0) {
            return operand != nullptr && !COMMANDS[i].takes_operand
                       ? error_set(err, ERROR_USAGE, 0, "log %s takes no operand", what)
                       : run_on_log(cli, COMMANDS[i].command, request, operand, err);
        }
    }
    if (operand == nullptr && strcmp(what, "key") == 0) {
        return log_key(err);
    }
    if (operand == nullptr && strcmp(what, "renew") == 0) {
        return log_renew(cli, request, err);
    }
    static const char *const CHANGES[] = {"encrypt", "decrypt", "rekey"};
    for (size_t i = 0; i < sizeof CHANGES / sizeof CHANGES[0]; i++) {
        if (operand == nullptr && strcmp(what, CHANGES[i]) == 0) {
            return log_change_key(cli, request, CHANGES[i], err);
        }
    }
    return error_set(err, ERROR_USAGE, 0, "log has no \"%s\"", what);
}

static status_t log_run(struct cli *cli, int argc, char **argv, struct error *err) {
    struct log_request request = {0};
    const struct cli_option options[] = {
        {"run", 'r', nullptr, &request.run, nullptr, "RUN",
         "only entries of this run (its id or how it ends)"},
        {"type", 't', nullptr, &request.type, nullptr, "TYPE",
         "only entries of this type (run_started, run_finished, ...)"},
        {"caller", 0, nullptr, &request.caller, nullptr, "CALLER",
         "only what this caller asked for (uid:1000)"},
        {"operation", 0, nullptr, &request.operation, nullptr, "OPERATION",
         "only this operation (run.exec, stage.apply, ...)"},
        {"decision", 0, nullptr, &request.decision, nullptr, "OUTCOME",
         "only what policy judged so: allow, deny, review"},
        {"since", 0, nullptr, &request.since, nullptr, "WHEN",
         "only newer ones: 10m, 2h, 3d, or a time in UTC"},
        {"until", 0, nullptr, &request.until, nullptr, "WHEN", "only older ones"},
        {"limit", 'n', nullptr, &request.limit, nullptr, "COUNT", "only the last so many of them"},
        {"follow", 'f', &request.follow, nullptr, nullptr, nullptr,
         "go on with what comes, until interrupted"},
        {"receipt", 0, nullptr, &request.receipt, nullptr, "FILE",
         "with verify: a receipt of this log, kept elsewhere"},
        {"checkpoint", 0, nullptr, &request.checkpoint, nullptr, "FILE",
         "with verify: an exported checkpoint, kept elsewhere"},
        {"proof", 0, nullptr, &request.proof, nullptr, "SEQ",
         "with export: one entry and its proof instead of tiles"},
        {"jsonl", 0, nullptr, &request.jsonl, nullptr, "FILE",
         "with export: lines of JSON instead of tiles"},
        {"check", 0, &request.check, nullptr, nullptr, nullptr,
         "with import: check the file; nothing else is offered"},
        {"salts", 0, nullptr, &request.salts, nullptr, "FILE",
         "with import: what opens the callers"},
        {"key", 'k', nullptr, nullptr, &request.keys, "VKEY",
         "with import: the log's verifier key (or keys), else this user's own"},
        {"key-file", 0, nullptr, &request.key_file, nullptr, "FILE",
         "with encrypt and rekey: the new key; with decrypt: the present one"},
        {"ca", 0, nullptr, &request.ca, nullptr, "FILE",
         "with witness add: certificates to trust instead of the system's"},
        {"yes", 'y', &request.yes, nullptr, nullptr, nullptr, "with renew: do not ask"},
    };
    TRY(cli_parse(cli, &argc, argv, &CLI_FORM(options, EXAMPLES), err));
    return cli->is_answered ? STATUS_OK : log_answer(cli, argc, argv, &request, err);
}

int cli_log(struct cli *cli, int argc, char **argv) {
    struct error err = {0};
    return status_is_ok(log_run(cli, argc, argv, &err)) ? 0 : cli_error(cli, &err);
}
