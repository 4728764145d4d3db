/* SPDX-License-Identifier: Apache-2.0 */
#include "scratch.h"

#include "audit/buffer.h"
#include "audit/gaps.h"

static uint64_t now_ms = 1763700000000;

static uint64_t wall(void *context) {
    (void)context;
    return now_ms;
}

static void open_at(struct scratch *scratch) {
    scratch_open_state(scratch);
    scratch->clock.wall_ms = wall;
    scratch_open_log(scratch);
}

static struct json *request_fields(const char *run) {
    struct json *fields = json_object_new();
    json_set_text(fields, "caller", "uid:1000");
    json_set_text(fields, "operation", "stage.apply");
    json_set_text(fields, "request", "r");
    json_set_text(fields, "run", run);
    json_set_text(fields, "workspace", "/w");
    return fields;
}

static uint64_t admit(struct scratch *scratch, const char *run, int64_t deadline_ms) {
    struct json *fields = request_fields(run);
    struct audit_position position;
    json_set(fields, "decision", json_object_new());
    json_set_integer(fields, "steps", 1);
    json_set_text(fields, "steps_digest", "00");
    if (deadline_ms > 0) {
        json_set_integer(fields, "deadline_ms", deadline_ms);
    }
    struct audit_append entry = {AUDIT_EVENT_APPLY_STARTED, fields};
    must(audit_log_append(scratch->log, &entry, 1, &position, &scratch_error));
    return position.seq;
}

static void end(struct scratch *scratch, const char *run, uint64_t intent) {
    struct json *fields = request_fields(run);
    json_set_integer(fields, "intent_seq", (int64_t)intent);
    json_set_text(fields, "intent_leaf", "00");
    json_set_text(fields, "outcome", "applied");
    struct audit_append entry = {AUDIT_EVENT_STAGE_APPLIED, fields};
    must(audit_log_append(scratch->log, &entry, 1, nullptr, &scratch_error));
}

struct found {
    struct audit_gap gaps[16];
    size_t count;
};

static void take(void *context, const struct audit_gap *gap) {
    struct found *found = context;
    assert_in_range(found->count, 0, 15);
    found->gaps[found->count++] = *gap;
}

static struct found look(struct scratch *scratch) {
    struct found found = {0};
    must(audit_gaps(scratch->log, now_ms, take, &found, &scratch_error));
    return found;
}

static void an_admission_wants_its_end(void **state) {
    (void)state;
    struct scratch scratch;
    open_at(&scratch);
    uint64_t first = admit(&scratch, "one", 1000);
    uint64_t second = admit(&scratch, "two", 1000);
    uint64_t third = admit(&scratch, "three", 0);
    end(&scratch, "two", second);
    struct found found = look(&scratch);
    assert_int_equal(found.count, 2);
    assert_int_equal(found.gaps[0].kind, AUDIT_GAP_UNDER_WAY);
    now_ms += 1001;
    found = look(&scratch);
    assert_int_equal(found.count, 2);
    assert_int_equal(found.gaps[0].seq, first);
    assert_int_equal(found.gaps[0].kind, AUDIT_GAP_UNFINISHED);
    assert_string_equal(found.gaps[0].run, "one");
    assert_int_equal(found.gaps[1].seq, third);
    assert_int_equal(found.gaps[1].kind, AUDIT_GAP_UNDER_WAY);
    assert_int_equal(limit_hit_count(LIMIT_ID_ADMISSION_MS), 0);
    now_ms += (uint64_t)LIMIT_ADMISSION_MS;
    found = look(&scratch);
    assert_int_equal(limit_hit_count(LIMIT_ID_ADMISSION_MS), 1); /* "one" had its own deadline */
    assert_int_equal(found.gaps[1].kind, AUDIT_GAP_UNFINISHED);
    end(&scratch, "one", first);
    end(&scratch, "three", third);
    assert_int_equal(look(&scratch).count, 0);
    scratch_close(&scratch);
}

static void dropped_and_missing_entries_show(void **state) {
    (void)state;
    struct scratch scratch;
    open_at(&scratch);
    scratch_append(&scratch, 3);
    struct json *fields = json_object_new();
    json_set_integer(fields, "dropped", 17);
    json_set_integer(fields, "since_ms", 1);
    json_set_text(fields, "reason", "full");
    must(audit_buffer_add(scratch.log, AUDIT_EVENT_GAP, fields, &scratch_error));
    must(audit_buffer_flush(scratch.log, &scratch_error));
    scratch_sql(&scratch, "DELETE FROM entries WHERE seq = 1");
    struct found found = look(&scratch);
    assert_int_equal(found.count, 2);
    assert_int_equal(found.gaps[0].kind, AUDIT_GAP_SEQUENCE);
    assert_int_equal(found.gaps[0].seq, 2);
    assert_int_equal(found.gaps[0].count, 1);
    assert_int_equal(found.gaps[1].kind, AUDIT_GAP_DROPPED);
    assert_int_equal(found.gaps[1].count, 17);
    scratch_close(&scratch);
}

/* More open ones than are kept: an error, not a wrong answer. */
static void too_many_are_told(void **state) {
    (void)state;
    struct scratch scratch;
    struct found found = {0};
    enum { BATCH = 4096 };
    open_at(&scratch);
    struct audit_append *entries = calloc(BATCH, sizeof *entries);
    assert_non_null(entries);
    for (int64_t done = 0; done <= LIMIT_OPEN_ADMISSIONS; done += BATCH) {
        for (size_t i = 0; i < BATCH; i++) {
            struct json *fields = request_fields("many");
            json_set(fields, "decision", json_object_new());
            json_set_integer(fields, "steps", 1);
            json_set_text(fields, "steps_digest", "00");
            entries[i] = (struct audit_append){AUDIT_EVENT_APPLY_STARTED, fields};
        }
        must(audit_log_append(scratch.log, entries, BATCH, nullptr, &scratch_error));
    }
    free(entries);
    must_fail(audit_gaps(scratch.log, now_ms, take, &found, &scratch_error), ERROR_LIMIT);
    scratch_close(&scratch);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_admission_wants_its_end),
        cmocka_unit_test(dropped_and_missing_entries_show),
        cmocka_unit_test(too_many_are_told),
    };
    return cmocka_run_group_tests_name("gaps", tests, nullptr, nullptr);
}
