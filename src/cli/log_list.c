/* SPDX-License-Identifier: Apache-2.0
 *
 * airlock log: entries as rows or as lines of JSON, picked by what they say.
 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/cleanup.h"
#include "cli/log_commands.h"

enum { RUN_SHORT_CHARACTERS = 6, FOLLOW_NS = 250000000 };

struct listing {
    const struct cli *cli;
    const struct log_request *request;
    struct builder outcome;
    struct builder detail;
    uint64_t shown;
    uint64_t next;         /* the entry to go on with when following */
    uint64_t *picked;      /* with --limit: numbers, newest first; owned */
    const char *malformed; /* set when an entry could not be read */
};

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

/* No wish is met by everything; a wish is met by no entry that lacks the field. */
static bool meets(const char *wish, const char *value) {
    return wish == nullptr || (value != nullptr && strcmp(wish, value) == 0);
}

static bool decision_meets(const char *wish, const struct json *entry) {
    const char *outcome = json_get_text(json_get(entry, "decision"), "outcome");
    bool is_review = wish != nullptr && strcmp(wish, "review") == 0;
    return meets(is_review ? "require_review" : wish, outcome);
}

static bool is_wanted(const struct log_request *request, const struct json *entry) {
    const char *run = json_get_text(entry, "run");
    int64_t time_ms = 0;
    (void)json_get_integer(entry, "time_ms", &time_ms);
    return meets(request->type, json_get_text(entry, "type")) &&
           meets(request->caller, json_get_text(entry, "caller")) &&
           meets(request->operation, json_get_text(entry, "operation")) &&
           decision_meets(request->decision, entry) &&
           (request->run == nullptr || (run != nullptr && ends_with(run, request->run))) &&
           (uint64_t)time_ms >= request->since_ms && (uint64_t)time_ms < request->until_ms;
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

/* The entry when it is wanted, else nullptr; sets listing->malformed. */
static struct json *pick(struct listing *listing, struct slice bytes) {
    struct error ignored = {0};
    struct json *entry = nullptr;
    if (!status_is_ok(json_parse(bytes, "the entry", &entry, &ignored))) {
        listing->malformed = "an entry of the log is no JSON";
        return nullptr;
    }
    if (is_wanted(listing->request, entry)) {
        return entry;
    }
    json_free(entry);
    return nullptr;
}

static bool list_entry(void *context, uint64_t seq, struct slice bytes) {
    struct listing *listing = context;
    CLEANUP(json_freep) struct json *entry = pick(listing, bytes);
    listing->next = seq + 1;
    if (entry == nullptr) {
        return listing->malformed == nullptr;
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

/* From the newest back, until there are enough. */
static bool note_entry(void *context, uint64_t seq, struct slice bytes) {
    struct listing *listing = context;
    CLEANUP(json_freep) struct json *entry = pick(listing, bytes);
    if (entry != nullptr) {
        listing->picked[listing->shown++] = seq;
    }
    return listing->malformed == nullptr && listing->shown < listing->request->limit_count;
}

static bool list_one(void *context, uint64_t seq, struct slice bytes) {
    (void)list_entry(context, seq, bytes);
    return false;
}

static status_t list_last(struct log_session *session, struct listing *listing, struct error *err) {
    struct audit_head head;
    listing->picked = calloc(listing->request->limit_count, sizeof *listing->picked);
    if (listing->picked == nullptr) {
        return error_set(err, ERROR_NO_MEMORY, 0, "cannot keep so many entries");
    }
    TRY(audit_log_head(session->log, &head, err));
    if (head.size > 0) {
        TRY(audit_log_scan_back(session->log, head.size - 1, note_entry, listing, err));
    }
    uint64_t count = listing->shown;
    listing->shown = 0;
    for (uint64_t i = count; i > 0 && listing->malformed == nullptr; i--) {
        TRY(audit_log_scan(session->log, listing->picked[i - 1], list_one, listing, err));
    }
    listing->next = head.size;
    return STATUS_OK;
}

/* Until the reader goes away or the user interrupts. */
static status_t follow(struct log_session *session, struct listing *listing, struct error *err) {
    while (listing->malformed == nullptr) {
        if (fflush(stdout) != 0) {
            return STATUS_OK;
        }
        (void)nanosleep(&(struct timespec){.tv_nsec = FOLLOW_NS}, nullptr);
        TRY(audit_log_scan(session->log, listing->next, list_entry, listing, err));
    }
    return STATUS_OK;
}

static status_t list_all(struct log_session *session, struct listing *listing, struct error *err) {
    TRY(listing->request->limit_count > 0
            ? list_last(session, listing, err)
            : audit_log_scan(session->log, 0, list_entry, listing, err));
    if (listing->request->follow) {
        TRY(follow(session, listing, err));
    }
    return listing->malformed == nullptr
               ? STATUS_OK
               : error_set(err, ERROR_AUDIT_DAMAGED, 0, "%s", listing->malformed);
}

status_t log_list(const struct cli *cli, struct log_session *session,
                  const struct log_request *request, [[maybe_unused]] const char *operand,
                  struct error *err) {
    struct listing listing = {.cli = cli, .request = request};
    builder_init(&listing.outcome, 4096);
    builder_init(&listing.detail, (size_t)8 * LIMIT_ENTRY_BYTES);
    log_warn_storage(session->log);
    status_t status = list_all(session, &listing, err);
    builder_deinit(&listing.outcome);
    builder_deinit(&listing.detail);
    free(listing.picked);
    if (status_is_ok(status) && listing.shown == 0 && !cli->json) {
        (void)fprintf(stderr, "no entries\n");
    }
    return status;
}
