/* SPDX-License-Identifier: Apache-2.0
 *
 * The outcome of an apply whose command died, written by the command that finished it or undid it.
 */
#include "kernel/recover.h"

#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"
#include "kernel/kernel.h"
#include "kernel/records.h"

struct search {
    const char *run;
    bool is_committed;
    char request[ID_TEXT_BYTES];
    struct audit_position intent; /* the newest of the run */
    struct json *automatic;       /* owned: what it says when nobody was asked; else nullptr */
    bool started;
    bool finished; /* and it has its outcome */
};

static bool is_event(const struct json *entry, enum audit_event event) {
    const char *type = json_get_text(entry, "type");
    return type != nullptr && strcmp(type, audit_event_text(event)) == 0;
}

/* An outcome "failed" does not count when the steps were there: what failed after its commit was
 * finished just now. */
static bool closes(const struct search *search, const struct json *entry) {
    int64_t intent_seq;
    const char *outcome = json_get_text(entry, "outcome");
    return search->started && json_get_integer(entry, "intent_seq", &intent_seq) &&
           (uint64_t)intent_seq == search->intent.seq && outcome != nullptr &&
           (!search->is_committed || strcmp(outcome, "failed") != 0);
}

/* What an intent without anybody's asking tells, its outcome tells too. */
static struct json *automatic_of(const struct json *intent) {
    static const char *const keys[] = {"automatic", "auto_rule", "changed_lines", "changed_files"};
    if (json_get(intent, keys[0]) == nullptr) {
        return nullptr;
    }
    struct json *fields = json_object_new();
    for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++) {
        const struct json *value = json_get(intent, keys[i]);
        if (value != nullptr) {
            json_set(fields, keys[i], json_clone(value));
        }
    }
    return fields;
}

static bool look(void *context, uint64_t seq, struct slice bytes) {
    struct search *search = context;
    struct error ignored;
    CLEANUP(json_freep) struct json *entry = nullptr;
    if (!status_is_ok(json_parse(bytes, "an entry of the log", &entry, &ignored))) {
        return true; /* the log's own check reports it */
    }
    const char *run = json_get_text(entry, "run");
    if (run == nullptr || strcmp(run, search->run) != 0) {
        return true;
    }
    if (is_event(entry, AUDIT_EVENT_APPLY_STARTED)) {
        const char *request = json_get_text(entry, "request");
        search->started = true;
        search->finished = false;
        search->intent.seq = seq;
        merkle_leaf(bytes, &search->intent.leaf);
        (void)snprintf(search->request, sizeof search->request, "%s",
                       request != nullptr ? request : "");
        json_freep(&search->automatic);
        search->automatic = automatic_of(entry);
    } else if (is_event(entry, AUDIT_EVENT_STAGE_APPLIED)) {
        search->finished = search->finished || closes(search, entry);
    }
    return true;
}

static const char *outcome_text(const struct stage_recovery *recovery) {
    if (!recovery->is_committed) {
        return "undone";
    }
    return recovery->left_count == 0 ? "recovered" : "recovered-in-part";
}

status_t kernel_close_apply(void *context, const struct run *run,
                            const struct stage_recovery *recovery, struct error *err) {
    struct kernel *kernel = context;
    struct search search = {.run = run->id, .is_committed = recovery->is_committed};
    status_t status = audit_log_scan(kernel->log, 0, look, &search, err);
    CLEANUP(json_freep) struct json *automatic = search.automatic;
    TRY(status);
    if (!search.started || search.finished) {
        return STATUS_OK;
    }
    struct json *fields = automatic != nullptr ? TAKE(automatic) : json_object_new();
    json_set_text(fields, "caller", kernel->caller);
    json_set_text(fields, "operation", "stage.apply");
    json_set_text(fields, "request", search.request);
    json_set_text(fields, "run", run->id);
    record_text(fields, "workspace", run->workspace);
    json_set_integer(fields, "intent_seq", (int64_t)search.intent.seq);
    record_digest(fields, "intent_leaf", &search.intent.leaf);
    json_set_text(fields, "outcome", outcome_text(recovery));
    if (recovery->is_committed) {
        json_set_integer(fields, "applied", recovery->step_count - recovery->left_count);
        json_set_integer(fields, "skipped", recovery->left_count);
    }
    struct audit_append append = {.event = AUDIT_EVENT_STAGE_APPLIED, .fields = fields};
    return audit_log_append(kernel->log, &append, 1, nullptr, err);
}
