/* SPDX-License-Identifier: Apache-2.0 */
#include "audit/report.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "audit/storage.h"
#include "base/cleanup.h"

static struct audit_tally_row *tally_find(struct audit_tally *tally, const char *name) {
    for (size_t i = 0; i < tally->count; i++) {
        if (strcmp(tally->rows[i].name, name) == 0) {
            return &tally->rows[i];
        }
    }
    if (tally->count < AUDIT_TALLY_ROWS) {
        struct audit_tally_row *row = &tally->rows[tally->count++];
        (void)snprintf(row->name, sizeof row->name, "%s", name);
        return row;
    }
    if (tally->count == AUDIT_TALLY_ROWS) {
        (void)snprintf(tally->rows[tally->count++].name, AUDIT_TALLY_NAME_BYTES, "(others)");
    }
    return &tally->rows[AUDIT_TALLY_ROWS];
}

/* Names longer than a row are cut, so that they are found again. */
static struct audit_tally_row *tally_add(struct audit_tally *tally, const char *name,
                                         const char *when_empty) {
    char cut[AUDIT_TALLY_NAME_BYTES];
    bool is_empty = name == nullptr || name[0] == '\0';
    (void)snprintf(cut, sizeof cut, "%s", is_empty ? when_empty : name);
    struct audit_tally_row *row = tally_find(tally, cut);
    row->count++;
    return row;
}

static int row_compare(const void *left, const void *right) {
    const struct audit_tally_row *a = left;
    const struct audit_tally_row *b = right;
    if (a->count != b->count) {
        return a->count < b->count ? 1 : -1;
    }
    return strcmp(a->name, b->name);
}

static void tally_sort(struct audit_tally *tally) {
    qsort(tally->rows, tally->count, sizeof tally->rows[0], row_compare);
}

static uint64_t number_of(const struct json *object, const char *key) {
    int64_t value = 0;
    (void)json_get_integer(object, key, &value);
    return value < 0 ? 0 : (uint64_t)value;
}

static void count_decision(struct audit_report *report, const struct json *decision) {
    const char *outcome = json_get_text(decision, "outcome");
    if (outcome == nullptr) {
        return;
    }
    bool is_denied = strcmp(outcome, "deny") == 0;
    bool is_reviewed = strcmp(outcome, "require_review") == 0;
    struct audit_tally_row *rule =
        tally_add(&report->rules, json_get_text(decision, "rule"), "(no rule)");
    rule->denied += is_denied;
    rule->reviewed += is_reviewed;
    report->denied += is_denied;
    report->reviewed += is_reviewed;
    report->allowed += !is_denied && !is_reviewed;
}

static void count_run(struct audit_report *report, const struct json *entry) {
    char text[AUDIT_TALLY_NAME_BYTES];
    const char *outcome = json_get_text(entry, "outcome");
    int64_t status;
    bool has_exit = json_get_integer(entry, "exit", &status);
    if (has_exit && outcome != nullptr && strcmp(outcome, "exit") == 0) {
        (void)snprintf(text, sizeof text, "exit %" PRId64, status);
        outcome = text;
    }
    (void)tally_add(&report->outcomes, outcome, "(none)");
    const struct json *resources = json_get(entry, "resources");
    report->cpu_us += number_of(resources, "cpu_user_us") + number_of(resources, "cpu_system_us");
    report->output_bytes += number_of(json_get(entry, "output"), "bytes");
    report->stage_bytes += number_of(json_get(entry, "stage"), "bytes");
}

static void count_apply(struct audit_report *report, const struct json *entry) {
    report->applies++;
    report->applied_steps += number_of(entry, "applied");
    report->skipped_steps += number_of(entry, "skipped");
    report->failed_applies += json_get(entry, "error") != nullptr;
}

static void count_entry(struct audit_report *report, const struct json *entry) {
    enum audit_event event;
    const char *type = json_get_text(entry, "type");
    (void)tally_add(&report->types, type, "(none)");
    if (json_get(entry, "caller") != nullptr) {
        (void)tally_add(&report->callers, json_get_text(entry, "caller"), "(none)");
    }
    if (json_get(entry, "operation") != nullptr) {
        (void)tally_add(&report->operations, json_get_text(entry, "operation"), "(none)");
    }
    const char *host = json_get_text(json_get(entry, "facts"), "host");
    if (host != nullptr) {
        (void)tally_add(&report->hosts, host, "(none)");
    }
    count_decision(report, json_get(entry, "decision"));
    report->reviewed_paths += json_array_count(json_get(entry, "reviewed"));
    if (type == nullptr || !audit_event_find(type, &event)) {
        return;
    }
    if (event == AUDIT_EVENT_RUN_FINISHED) {
        count_run(report, entry);
    } else if (event == AUDIT_EVENT_STAGE_APPLIED) {
        count_apply(report, entry);
    }
    report->discards += event == AUDIT_EVENT_STAGE_DISCARDED;
    report->policy_changes +=
        event == AUDIT_EVENT_POLICY_UPDATED || event == AUDIT_EVENT_POLICY_TRUSTED;
    report->dropped += event == AUDIT_EVENT_GAP ? number_of(entry, "dropped") : 0;
}

struct counting {
    struct audit_report *report;
    uint64_t since_ms;
    uint64_t until_ms;
    struct error *err;
    status_t status;
};

static bool count_one(void *context, uint64_t seq, struct slice bytes) {
    struct counting *counting = context;
    struct audit_report *report = counting->report;
    CLEANUP(json_freep) struct json *entry = nullptr;
    counting->status = json_parse(bytes, "an entry of the log", &entry, counting->err);
    if (!status_is_ok(counting->status)) {
        return false;
    }
    uint64_t time_ms = number_of(entry, "time_ms");
    if (time_ms < counting->since_ms || time_ms >= counting->until_ms) {
        return true;
    }
    if (report->entries == 0) {
        report->first_seq = seq;
        report->first_ms = time_ms;
    }
    report->entries++;
    report->last_seq = seq;
    report->last_ms = time_ms;
    count_entry(report, entry);
    return true;
}

status_t audit_report_make(struct audit_log *log, uint64_t since_ms, uint64_t until_ms,
                           struct audit_report *ret_report, struct error *err) {
    struct audit_storage storage;
    struct counting counting = {ret_report, since_ms, until_ms, err, STATUS_OK};
    *ret_report = (struct audit_report){0};
    TRY(audit_storage_read(log, &storage, err));
    ret_report->gone = storage.first_kept;
    TRY(audit_log_scan(log, 0, count_one, &counting, err));
    tally_sort(&ret_report->rules);
    tally_sort(&ret_report->outcomes);
    tally_sort(&ret_report->callers);
    tally_sort(&ret_report->operations);
    tally_sort(&ret_report->hosts);
    tally_sort(&ret_report->types);
    return counting.status;
}
