/* SPDX-License-Identifier: Apache-2.0
 *
 * airlock receipt: the proof that an entry is in the log, on standard output.
 */
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "audit/export.h"
#include "base/cleanup.h"
#include "cli/cli.h"
#include "cli/log_view.h"
#include "sandbox/stage.h"
#include "sys/fd.h"
#include "sys/file.h"

static const char EXAMPLES[] =
    "  airlock receipt > receipt.txt            the newest run of this folder\n"
    "  airlock receipt 41f2ab                   the run whose id ends so\n"
    "  airlock receipt --entry 17               any entry; airlock log lists them\n"
    "  airlock receipt --spicy proofs           two files for spicy-litetlog -verify\n";

struct request {
    const char *run; /* nullptr: the newest */
    const char *entry;
    const char *spicy;
};

struct search {
    char needle[64]; /* "run":"<id>" as canonical JSON spells it, which nothing else in an entry can
                      */
    uint64_t seq;
    bool found;
};

static bool search_entry(void *context, uint64_t seq, struct slice entry) {
    struct search *search = context;
    if (memmem(entry.data, entry.size, search->needle, strlen(search->needle)) != nullptr) {
        search->seq = seq;
        search->found = true;
    }
    return true;
}

/* The newest entry of a run. Its own outcome is known; only what came after is looked through. */
static status_t newest_entry(struct log_session *session, const struct run *run, uint64_t *ret_seq,
                             struct error *err) {
    struct search search = {.found = false};
    (void)snprintf(search.needle, sizeof search.needle, "\"run\":\"%s\"", run->id);
    if (run->outcome_seq == UINT64_MAX) {
        return error_set(err, ERROR_RUN_UNFINISHED, 0, "run %s has no outcome yet", run->id);
    }
    TRY(audit_log_scan(session->log, run->outcome_seq, search_entry, &search, err));
    if (!search.found) {
        return error_set(err, ERROR_AUDIT_DAMAGED, 0, "the log has no entry of run %s", run->id);
    }
    *ret_seq = search.seq;
    return STATUS_OK;
}

static bool is_at_or_above(const char *folder, const char *path) {
    size_t size = strlen(folder);
    return strncmp(folder, path, size) == 0 &&
           (path[size] == '\0' || path[size] == '/' || (size > 0 && folder[size - 1] == '/'));
}

/* Without a name: the newest finished run of this folder, applied or not; else of any folder. */
static status_t newest_run(struct log_session *session, const char *here, uint64_t *ret_seq,
                           struct error *err) {
    CLEANUP(memory_freep) struct run *runs = nullptr;
    size_t count = 0;
    TRY(run_list(&session->state, &runs, &count, err));
    const struct run *chosen = nullptr;
    for (size_t i = 0; i < count; i++) {
        bool finished = runs[i].outcome_seq != UINT64_MAX;
        if (finished && is_at_or_above(runs[i].workspace, here)) {
            return newest_entry(session, &runs[i], ret_seq, err);
        }
        chosen = chosen == nullptr && finished ? &runs[i] : chosen;
    }
    if (chosen == nullptr) {
        return error_set(err, ERROR_RUN_UNKNOWN, 0, "there is no finished run yet");
    }
    return newest_entry(session, chosen, ret_seq, err);
}

static status_t named_run(struct log_session *session, const char *name, const char *here,
                          uint64_t *ret_seq, struct error *err) {
    struct run run;
    TRY(run_find(&session->state, name, here, &run, err));
    status_t status = newest_entry(session, &run, ret_seq, err);
    run_close(&run);
    return status;
}

static status_t choose_entry(struct log_session *session, const struct request *request,
                             uint64_t *ret_seq, struct error *err) {
    const char *number = request->entry;
    if (request->run != nullptr && strncmp(request->run, "seq:", 4) == 0) {
        number = request->run + 4;
    }
    if (number != nullptr) {
        return log_parse_seq(number, ret_seq)
                   ? STATUS_OK
                   : error_set(err, ERROR_USAGE, 0, "an entry is named by its number, not \"%s\"",
                               number);
    }
    CLEANUP(memory_freep) char *here = getcwd(nullptr, 0);
    const char *folder = here != nullptr ? here : "/";
    return request->run != nullptr ? named_run(session, request->run, folder, ret_seq, err)
                                   : newest_run(session, folder, ret_seq, err);
}

static status_t write_spicy(struct log_session *session, uint64_t seq, const char *path,
                            struct error *err) {
    CLEANUP(fd_closep) int folder = -1;
    TRY(file_open_folder(AT_FDCWD, path, true, 0755, &folder, err));
    TRY(audit_export_spicy(session->log, seq, folder, err));
    struct builder key;
    builder_init(&key, 1024);
    status_t status = receipt_own_vkey(&session->state, &key, err);
    if (status_is_ok(status)) {
        (void)printf("%s/entry-%" PRIu64 ".json\n%s/entry-%" PRIu64 ".json.spicy\n", path, seq,
                     path, seq);
        (void)fprintf(stderr, "check it: spicy-litetlog -verify %s %s/entry-%" PRIu64 ".json\n",
                      builder_c_string(&key), path, seq);
    }
    builder_deinit(&key);
    return status;
}

static status_t write_receipt(struct log_session *session, uint64_t seq, struct error *err) {
    struct builder text;
    builder_init(&text, (size_t)LIMIT_RECEIPT_BYTES);
    status_t status = receipt_write(session->log, seq, &text, err);
    if (status_is_ok(status)) {
        status = fd_write_all(STDOUT_FILENO, builder_slice(&text), "standard output", err);
    }
    if (!status_is_ok(status) && err->code == ERROR_LIMIT) {
        limit_hit(LIMIT_ID_RECEIPT_BYTES);
    }
    builder_deinit(&text);
    return status;
}

static status_t answer(const struct request *request, struct error *err) {
    struct log_session session;
    uint64_t seq = 0;
    TRY(log_session_open(&session, err));
    status_t status = choose_entry(&session, request, &seq, err);
    if (status_is_ok(status)) {
        status = log_session_cover(&session, seq, err);
    }
    if (status_is_ok(status)) {
        status = request->spicy != nullptr ? write_spicy(&session, seq, request->spicy, err)
                                           : write_receipt(&session, seq, err);
    }
    log_session_close(&session);
    return status;
}

int cli_receipt(struct cli *cli, int argc, char **argv) {
    struct request request = {0};
    const struct cli_option options[] = {
        {.name = "entry",
         .letter = 'e',
         .value = &request.entry,
         .argument = "SEQ",
         .help = "the receipt of this entry instead of a run's newest"},
        {.name = "spicy",
         .value = &request.spicy,
         .argument = "DIR",
         .help = "write the entry and its proof as Debian's spicy-litetlog reads them"},
    };
    struct error err = {0};
    int exit_status;
    if (!cli_begin(cli, &argc, argv, &CLI_FORM(options, EXAMPLES), &exit_status)) {
        return exit_status;
    }
    if (argc > 1 || (argc == 1 && request.entry != nullptr)) {
        (void)error_set(&err, ERROR_USAGE, 0, "receipt takes one run, or --entry SEQ");
        return cli_error(cli, &err);
    }
    request.run = argc == 1 ? argv[1] : nullptr;
    return status_is_ok(answer(&request, &err)) ? 0 : cli_error(cli, &err);
}
