/* SPDX-License-Identifier: Apache-2.0 */
#include "kernel/rates.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <time.h>

#include "base/cleanup.h"
#include "codec/json_scan.h"
#include "sys/fd.h"
#include "sys/file.h"

struct rate_count {
    const struct policy_rate *rate;
    uint64_t since_ms; /* what is older is outside of the window */
    uint64_t found;
    uint64_t oldest_ms; /* of those found; the newest rate->count are enough to know */
};

/* The parts of an entry that counting looks at. */
struct rate_entry {
    uint64_t time_ms;
    struct slice type;
    struct slice decision; /* an object, as bytes */
};

static void take_member(void *context, struct slice name, struct slice value) {
    struct rate_entry *entry = context;
    if (slice_equal(name, SLICE_LITERAL("time_ms"))) {
        (void)json_scan_natural(value, &entry->time_ms);
    } else if (slice_equal(name, SLICE_LITERAL("type"))) {
        (void)json_scan_text(value, &entry->type);
    } else if (slice_equal(name, SLICE_LITERAL("decision"))) {
        entry->decision = value;
    }
}

/* Entries of what was let happen; a refusal is of another type. */
static bool is_effect(struct slice type) {
    static const enum audit_event effects[] = {AUDIT_EVENT_RUN_STARTED, AUDIT_EVENT_APPLY_STARTED,
                                               AUDIT_EVENT_STAGE_DISCARDED};
    for (size_t i = 0; i < sizeof effects / sizeof effects[0]; i++) {
        if (slice_equal(type, slice_of_string(audit_event_text(effects[i])))) {
            return true;
        }
    }
    return false;
}

static bool decision_names(const struct json *decision, const char *rule) {
    const struct json *rules = json_get(decision, "rules");
    for (size_t i = 0; i < json_array_count(rules); i++) {
        const char *name = json_get_text(json_array_at(rules, i), "name");
        if (name != nullptr && strcmp(name, rule) == 0) {
            return true;
        }
    }
    const struct json *rated = json_get(decision, "rates");
    for (size_t i = 0; i < json_array_count(rated); i++) {
        const char *name = json_as_text(json_array_at(rated, i));
        if (name != nullptr && strcmp(name, rule) == 0) {
            return true;
        }
    }
    return false;
}

static bool count_entry(void *context, uint64_t seq, struct slice bytes) {
    struct rate_count *count = context;
    struct rate_entry entry = {};
    (void)seq;
    if (!json_scan_object(bytes, take_member, &entry)) {
        return true; /* the log's own check reports it */
    }
    if (entry.time_ms < count->since_ms) {
        return false;
    }
    CLEANUP(json_freep) struct json *decision = nullptr;
    struct error ignored;
    if (!is_effect(entry.type) || entry.decision.size == 0 ||
        memmem(entry.decision.data, entry.decision.size, count->rate->rule,
               strlen(count->rate->rule)) == nullptr ||
        !status_is_ok(json_parse(entry.decision, "a decision", &decision, &ignored)) ||
        !decision_names(decision, count->rate->rule)) {
        return true;
    }
    count->oldest_ms = entry.time_ms;
    return ++count->found < count->rate->count;
}

/* The largest unit that says it whole. */
static void window_text(uint64_t window_ms, char ret_text[static 32]) {
    static const struct {
        uint64_t ms;
        const char *name;
    } units[] = {{3600000, "h"}, {60000, "m"}, {1000, "s"}, {1, "ms"}};
    size_t i = 0;
    while (window_ms % units[i].ms != 0) {
        i++;
    }
    (void)snprintf(ret_text, 32, "%" PRIu64 "%s", window_ms / units[i].ms, units[i].name);
}

static void say_full(const struct rate_count *count, struct rate_refusal *refusal) {
    const struct policy_rate *rate = count->rate;
    time_t frees = (time_t)((count->oldest_ms + rate->window_ms + 999) / 1000);
    struct tm utc;
    char when[32] = "later";
    char window[32];
    window_text(rate->window_ms, window);
    if (gmtime_r(&frees, &utc) != nullptr) {
        (void)strftime(when, sizeof when, "%Y-%m-%d %H:%M:%S UTC", &utc);
    }
    refusal->is_full = true;
    refusal->rule = rate->rule;
    (void)snprintf(refusal->reason, sizeof refusal->reason,
                   "the rule allows %" PRIu32
                   " in %s, and so many have been; the next one fits at %s",
                   rate->count, window, when);
}

status_t rates_check(struct kernel *kernel, const struct policy_rate *rates, size_t count,
                     uint64_t now_ms, struct rate_refusal *ret_refusal, struct error *err) {
    *ret_refusal = (struct rate_refusal){};
    for (size_t i = 0; i < count && !ret_refusal->is_full; i++) {
        const struct policy_rate *rate = &rates[i];
        struct rate_count counted = {
            .rate = rate,
            /* An entry exactly one window old has left it. */
            .since_ms = now_ms >= rate->window_ms ? now_ms - rate->window_ms + 1 : 0,
        };
        TRY(audit_log_scan_back(kernel->log, UINT64_MAX, count_entry, &counted, err));
        if (counted.found >= rate->count) {
            say_full(&counted, ret_refusal);
        }
    }
    return STATUS_OK;
}

status_t rates_lock(const struct state *state, int *ret_fd, struct error *err) {
    CLEANUP(fd_closep)
    int fd = file_open_beneath(state->fd, "rates.lock", O_RDWR | O_CREAT | O_NOFOLLOW, 0600, true);
    if (fd < 0) {
        return error_set(err, ERROR_IO, errno, "cannot open rates.lock in the state folder");
    }
    while (flock(fd, LOCK_EX) != 0) {
        if (errno != EINTR) {
            return error_set(err, ERROR_IO, errno, "cannot lock rates.lock in the state folder");
        }
    }
    *ret_fd = fd_take(&fd);
    return STATUS_OK;
}
