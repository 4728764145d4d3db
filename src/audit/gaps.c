/* SPDX-License-Identifier: Apache-2.0 */
#include "audit/gaps.h"

#include <stdlib.h>
#include <string.h>

#include "base/assert.h"
#include "base/cleanup.h"
#include "base/limits.h"
#include "codec/json_scan.h"

const char *audit_gap_text(enum audit_gap_kind kind) {
    static const char *const TEXTS[AUDIT_GAP_KIND_COUNT] = {
        [AUDIT_GAP_UNFINISHED] = "unfinished", [AUDIT_GAP_DROPPED] = "dropped",
        [AUDIT_GAP_SEQUENCE] = "missing",      [AUDIT_GAP_UNDER_WAY] = "under way",
        [AUDIT_GAP_NEW_LOG] = "new log",
    };
    ASSERT(kind < AUDIT_GAP_KIND_COUNT);
    return TEXTS[kind];
}

bool audit_gap_is_one(enum audit_gap_kind kind) {
    return kind == AUDIT_GAP_UNFINISHED || kind == AUDIT_GAP_DROPPED || kind == AUDIT_GAP_SEQUENCE;
}

struct search {
    struct audit_gap *open; /* admissions without an end yet, oldest first; owned */
    size_t count;
    size_t capacity;
    uint64_t next; /* the number that should come */
    bool started;
    bool is_full; /* more of them than LIMIT_OPEN_ADMISSIONS */
    audit_gap_use *use;
    void *context;
};

/* What of an entry matters here. */
struct facts {
    struct audit_gap gap;
    uint64_t intent_seq;
    uint64_t deadline_ms;
    bool has_intent;
};

static void copy_text(struct slice value, char *ret, size_t size) {
    struct slice text;
    if (json_scan_text(value, &text) && text.size < size) {
        memcpy(ret, text.data, text.size);
        ret[text.size] = '\0';
    }
}

static void take_member(void *context, struct slice name, struct slice value) {
    struct facts *facts = context;
    if (slice_equal(name, SLICE_LITERAL("type"))) {
        copy_text(value, facts->gap.type, sizeof facts->gap.type);
    } else if (slice_equal(name, SLICE_LITERAL("run"))) {
        copy_text(value, facts->gap.run, sizeof facts->gap.run);
    } else if (slice_equal(name, SLICE_LITERAL("time_ms"))) {
        (void)json_scan_natural(value, &facts->gap.time_ms);
    } else if (slice_equal(name, SLICE_LITERAL("intent_seq"))) {
        facts->has_intent = json_scan_natural(value, &facts->intent_seq);
    } else if (slice_equal(name, SLICE_LITERAL("deadline_ms"))) {
        (void)json_scan_natural(value, &facts->deadline_ms);
    } else if (slice_equal(name, SLICE_LITERAL("dropped"))) {
        (void)json_scan_natural(value, &facts->gap.count);
    }
}

static bool is_type(const struct facts *facts, enum audit_event event) {
    return strcmp(facts->gap.type, audit_event_text(event)) == 0;
}

static bool admission_add(struct search *search, const struct facts *facts) {
    if (search->count == search->capacity) {
        size_t capacity = search->capacity == 0 ? 64 : 2 * search->capacity;
        struct audit_gap *grown = capacity > (size_t)LIMIT_OPEN_ADMISSIONS
                                      ? nullptr
                                      : realloc(search->open, capacity * sizeof *grown);
        if (grown == nullptr) {
            return false;
        }
        search->open = grown;
        search->capacity = capacity;
    }
    struct audit_gap *gap = &search->open[search->count++];
    *gap = facts->gap;
    gap->deadline_ms = gap->time_ms + facts->deadline_ms;
    return true;
}

/* From the end: what ended last began lately. */
static void admission_end(struct search *search, uint64_t intent_seq) {
    for (size_t i = search->count; i > 0; i--) {
        if (search->open[i - 1].seq == intent_seq) {
            memmove(&search->open[i - 1], &search->open[i],
                    (search->count - i) * sizeof search->open[0]);
            search->count--;
            return;
        }
    }
}

static void tell(const struct search *search, struct audit_gap gap, enum audit_gap_kind kind) {
    gap.kind = kind;
    search->use(search->context, &gap);
}

static bool look(void *context, uint64_t seq, struct slice bytes) {
    struct search *search = context;
    struct facts facts = {.deadline_ms = (uint64_t)LIMIT_ADMISSION_MS};
    facts.gap.seq = seq;
    (void)json_scan_object(bytes, take_member, &facts);
    if (search->started && seq != search->next) {
        struct audit_gap hole = facts.gap;
        hole.count = seq - search->next;
        tell(search, hole, AUDIT_GAP_SEQUENCE);
    }
    search->started = true;
    search->next = seq + 1;
    if (is_type(&facts, AUDIT_EVENT_GAP)) {
        tell(search, facts.gap, AUDIT_GAP_DROPPED);
    } else if (is_type(&facts, AUDIT_EVENT_CHAIN_BREAK)) {
        tell(search, facts.gap, AUDIT_GAP_NEW_LOG);
    } else if (is_type(&facts, AUDIT_EVENT_RUN_STARTED) ||
               is_type(&facts, AUDIT_EVENT_APPLY_STARTED)) {
        search->is_full = !admission_add(search, &facts);
    } else if (facts.has_intent) {
        admission_end(search, facts.intent_seq);
    }
    return !search->is_full;
}

status_t audit_gaps(struct audit_log *log, uint64_t now_ms, audit_gap_use *use, void *context,
                    struct error *err) {
    struct search search = {.use = use, .context = context};
    status_t status = audit_log_scan(log, 0, look, &search, err);
    if (status_is_ok(status) && search.is_full) {
        limit_hit(LIMIT_ID_OPEN_ADMISSIONS);
        status = error_set(err, ERROR_LIMIT, 0, "more than %d admissions have no end",
                           (int)LIMIT_OPEN_ADMISSIONS);
    }
    for (size_t i = 0; i < search.count && status_is_ok(status); i++) {
        bool is_late = search.open[i].deadline_ms < now_ms;
        bool has_own = search.open[i].deadline_ms != search.open[i].time_ms + LIMIT_ADMISSION_MS;
        (void)limit_past(is_late && !has_own, LIMIT_ID_ADMISSION_MS);
        tell(&search, search.open[i], is_late ? AUDIT_GAP_UNFINISHED : AUDIT_GAP_UNDER_WAY);
    }
    free(search.open);
    return status;
}
