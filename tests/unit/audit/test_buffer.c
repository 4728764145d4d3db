/* SPDX-License-Identifier: Apache-2.0 */
#include "scratch.h"

#include "audit/buffer.h"

#include <sys/file.h>

/* A clock that stands still until it is told to move. */
struct hands {
    uint64_t wall_ms;
    uint64_t monotonic_ns;
};

static uint64_t hands_wall(void *context) {
    return ((struct hands *)context)->wall_ms;
}

static uint64_t hands_monotonic(void *context) {
    struct hands *hands = context;
    return hands->monotonic_ns;
}

static void open_with(struct scratch *scratch, struct hands *hands) {
    *hands = (struct hands){1763700000000, 1000000000};
    scratch_open_state(scratch);
    scratch->clock = (struct clock){hands_wall, hands_monotonic, hands};
    scratch_open_log(scratch);
}

static struct json *warning(int64_t percent) {
    struct json *fields = json_object_new();
    json_set_integer(fields, "percent", percent);
    json_set_integer(fields, "used_bytes", 1);
    json_set_integer(fields, "bytes_max", 2);
    return fields;
}

static void add(struct scratch *scratch, int64_t number) {
    must(audit_buffer_add(scratch->log, AUDIT_EVENT_STORAGE_WARNING, warning(number),
                          &scratch_error));
}

static uint64_t size_of(struct scratch *scratch) {
    struct audit_head head;
    must(audit_log_head(scratch->log, &head, &scratch_error));
    return head.size;
}

struct seen {
    char types[512];
    int64_t times[64];
    size_t count;
};

static bool see(void *context, uint64_t seq, struct slice bytes) {
    struct seen *seen = context;
    struct json *entry;
    (void)seq;
    must(json_parse(bytes, "entry", &entry, &scratch_error));
    int64_t number = 0;
    if (!json_get_integer(entry, "percent", &number)) {
        (void)json_get_integer(entry, "dropped", &number);
    }
    size_t used = strlen(seen->types);
    (void)snprintf(seen->types + used, sizeof seen->types - used, "%c%lld ",
                   json_get_text(entry, "type")[6], (long long)number);
    assert_true(json_get_integer(entry, "time_ms", &seen->times[seen->count++ % 64]));
    json_free(entry);
    return true;
}

static void what_waits_is_written_before_a_synchronous_entry(void **state) {
    (void)state;
    struct scratch scratch;
    struct hands hands;
    struct seen seen = {0};
    open_with(&scratch, &hands);
    add(&scratch, 1);
    hands.wall_ms += 7;
    add(&scratch, 2);
    assert_int_equal(size_of(&scratch), 0);
    hands.wall_ms += 5;
    struct audit_append entry = {AUDIT_EVENT_DECISION, scratch_fields("sync")};
    struct audit_position position;
    must(audit_log_append(scratch.log, &entry, 1, &position, &scratch_error));
    assert_int_equal(position.seq, 2);
    assert_int_equal(audit_buffer_due_ms(scratch.log), AUDIT_BUFFER_IDLE);
    must(audit_log_scan(scratch.log, 0, see, &seen, &scratch_error));
    assert_string_equal(seen.types, "s1 s2 o0 ");
    assert_int_equal(seen.times[0], 1763700000000);
    assert_int_equal(seen.times[1], 1763700000007);
    assert_int_equal(seen.times[2], 1763700000012);
    must(check(&scratch, &scratch_error));
    scratch_close(&scratch);
}

static void the_first_one_waits_so_long_and_no_longer(void **state) {
    (void)state;
    struct scratch scratch;
    struct hands hands;
    open_with(&scratch, &hands);
    assert_int_equal(audit_buffer_due_ms(scratch.log), AUDIT_BUFFER_IDLE);
    add(&scratch, 1);
    assert_int_equal(audit_buffer_due_ms(scratch.log), LIMIT_BUFFER_MS);
    hands.monotonic_ns += (uint64_t)(LIMIT_BUFFER_MS - 1) * 1000000;
    add(&scratch, 2);
    assert_int_equal(audit_buffer_due_ms(scratch.log), 1);
    assert_int_equal(size_of(&scratch), 0);
    hands.monotonic_ns += 1000000;
    assert_int_equal(audit_buffer_due_ms(scratch.log), 0);
    add(&scratch, 3); /* it is due: what waits goes, the new one waits */
    assert_int_equal(size_of(&scratch), 2);
    must(audit_buffer_flush(scratch.log, &scratch_error));
    assert_int_equal(size_of(&scratch), 3);
    must(audit_buffer_flush(scratch.log, &scratch_error)); /* nothing waits: nothing happens */
    assert_int_equal(size_of(&scratch), 3);
    scratch_close(&scratch);
}

static void closing_and_filling_write(void **state) {
    (void)state;
    struct scratch scratch;
    struct hands hands;
    open_with(&scratch, &hands);
    for (unsigned i = 0; i < (unsigned)LIMIT_BUFFER_ENTRIES; i++) {
        add(&scratch, i);
    }
    assert_int_equal(size_of(&scratch), 0);
    add(&scratch, 0);
    assert_int_equal(size_of(&scratch), LIMIT_BUFFER_ENTRIES);
    must(reopen(&scratch, &scratch_error));
    assert_int_equal(size_of(&scratch), LIMIT_BUFFER_ENTRIES + 1);
    must(check(&scratch, &scratch_error));
    scratch_close(&scratch);
}

/* What a crash leaves: the file as another process sees it while entries wait. */
static void a_crash_loses_those_that_wait_and_nothing_else(void **state) {
    (void)state;
    struct scratch scratch;
    struct hands hands;
    open_with(&scratch, &hands);
    scratch_append(&scratch, 2);
    add(&scratch, 1);
    struct audit_log *other;
    struct audit_head head;
    must(audit_log_open(&(struct audit_log_options){&scratch.state, &scratch.clock}, &other,
                        &scratch_error));
    must(audit_log_head(other, &head, &scratch_error));
    assert_int_equal(head.size, 2);
    audit_log_close(other);
    scratch_close(&scratch);
}

static uint64_t hands_running(void *context) {
    struct hands *hands = context;
    return hands->monotonic_ns += 1000000000; /* a second at every look */
}

static void a_full_buffer_leaves_a_mark_in_the_log(void **state) {
    (void)state;
    struct scratch scratch;
    struct hands hands;
    struct seen seen = {0};
    open_with(&scratch, &hands);
    for (unsigned i = 0; i < (unsigned)LIMIT_BUFFER_ENTRIES; i++) {
        add(&scratch, i);
    }
    /* Somebody holds the lock, so nothing can be written. */
    int lock = openat(scratch.state.fd, "audit.lock", O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    assert_true(lock >= 0);
    assert_int_equal(flock(lock, LOCK_EX), 0);
    scratch.clock.monotonic_ns = hands_running;
    uint64_t hits = limit_hit_count(LIMIT_ID_BUFFER_ENTRIES);
    for (int i = 0; i < 3; i++) {
        add(&scratch, 1000);
    }
    assert_int_equal(audit_buffer_dropped(scratch.log), 3);
    assert_int_equal(limit_hit_count(LIMIT_ID_BUFFER_ENTRIES), hits + 3);
    assert_int_equal(close(lock), 0);
    scratch.clock.monotonic_ns = hands_monotonic;
    must(audit_buffer_flush(scratch.log, &scratch_error));
    assert_int_equal(audit_buffer_dropped(scratch.log), 0);
    assert_int_equal(size_of(&scratch), LIMIT_BUFFER_ENTRIES + 1);
    must(audit_log_scan(scratch.log, (uint64_t)LIMIT_BUFFER_ENTRIES, see, &seen, &scratch_error));
    assert_string_equal(seen.types, "g3 "); /* audit_gap, three dropped */
    must(check(&scratch, &scratch_error));
    scratch_close(&scratch);
}

static void what_is_wrong_is_told_at_once(void **state) {
    (void)state;
    struct scratch scratch;
    struct hands hands;
    open_with(&scratch, &hands);
    struct json *fields = warning(1);
    json_set_text(fields, "mood", "bad");
    must_fail(audit_buffer_add(scratch.log, AUDIT_EVENT_STORAGE_WARNING, fields, &scratch_error),
              ERROR_INTERNAL);
    fields = json_object_new();
    char *text = malloc((size_t)LIMIT_ENTRY_BYTES + 1);
    assert_non_null(text);
    memset(text, 'x', (size_t)LIMIT_ENTRY_BYTES);
    text[LIMIT_ENTRY_BYTES] = '\0';
    json_set_integer(fields, "dropped", 1);
    json_set_integer(fields, "since_ms", 1);
    json_set_text(fields, "reason", text);
    must_fail(audit_buffer_add(scratch.log, AUDIT_EVENT_GAP, fields, &scratch_error), ERROR_LIMIT);
    free(text);
    assert_int_equal(audit_buffer_due_ms(scratch.log), AUDIT_BUFFER_IDLE);
    scratch_close(&scratch);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_waits_is_written_before_a_synchronous_entry),
        cmocka_unit_test(the_first_one_waits_so_long_and_no_longer),
        cmocka_unit_test(closing_and_filling_write),
        cmocka_unit_test(a_crash_loses_those_that_wait_and_nothing_else),
        cmocka_unit_test(a_full_buffer_leaves_a_mark_in_the_log),
        cmocka_unit_test(what_is_wrong_is_told_at_once),
    };
    return cmocka_run_group_tests_name("buffer", tests, nullptr, nullptr);
}
