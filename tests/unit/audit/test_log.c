/* SPDX-License-Identifier: Apache-2.0 */
#include "scratch.h"

static void what_is_appended_is_read_back_and_verifies(void **state) {
    (void)state;
    struct scratch scratch;
    struct builder bytes;
    bool found = false;
    scratch_open(&scratch);
    scratch_append(&scratch, 40);
    must(reopen(&scratch, &scratch_error));
    must(check(&scratch, &scratch_error));
    builder_init(&bytes, LIMIT_ENTRY_BYTES);
    must(audit_log_read(scratch.log, 39, &bytes, &found, &scratch_error));
    assert_true(found);
    assert_non_null(memmem(bytes.data, bytes.size, "\"seq\":39,", 9));
    must(audit_log_read(scratch.log, 40, &bytes, &found, &scratch_error));
    assert_false(found);
    builder_deinit(&bytes);
    sign(&scratch, 39);
    must(reopen(&scratch, &scratch_error));
    must(check(&scratch, &scratch_error));
    scratch_close(&scratch);
}

static void a_batch_is_one_chain(void **state) {
    (void)state;
    struct scratch scratch;
    struct audit_append entries[17];
    struct audit_position positions[17];
    scratch_open(&scratch);
    scratch_append(&scratch, 3);
    for (size_t i = 0; i < 17; i++) {
        entries[i] = (struct audit_append){AUDIT_EVENT_DECISION, scratch_fields("batch")};
    }
    must(audit_log_append(scratch.log, entries, 17, positions, &scratch_error));
    assert_int_equal(positions[0].seq, 3);
    assert_int_equal(positions[16].seq, 19);
    must(check(&scratch, &scratch_error));
    scratch_close(&scratch);
}

/* The fields of `event` with one change. */
static void refuses(struct scratch *scratch, struct json *fields, enum error_code code) {
    struct audit_head before;
    struct audit_head after;
    struct audit_append entry = {AUDIT_EVENT_DECISION, fields};
    must(audit_log_head(scratch->log, &before, &scratch_error));
    must_fail(audit_log_append(scratch->log, &entry, 1, nullptr, &scratch_error), code);
    must(audit_log_head(scratch->log, &after, &scratch_error));
    assert_int_equal(before.size, after.size);
}

static void an_entry_holds_what_the_table_says(void **state) {
    (void)state;
    struct scratch scratch;
    scratch_open(&scratch);
    struct json *fields = scratch_fields("r");
    json_set_text(fields, "comment", "not in the table");
    refuses(&scratch, fields, ERROR_INTERNAL);
    fields = scratch_fields("r");
    json_set_integer(fields, "caller", 7);
    refuses(&scratch, fields, ERROR_INTERNAL);
    fields = scratch_fields("r");
    json_set_integer(fields, "seq", 7); /* the log's own to say */
    refuses(&scratch, fields, ERROR_INTERNAL);
    fields = json_object_new();
    json_set_text(fields, "caller", "somebody");
    refuses(&scratch, fields, ERROR_INTERNAL);
    scratch_append(&scratch, 1);
    must(check(&scratch, &scratch_error));
    scratch_close(&scratch);
}

/* The longest entry that fits, and the one a byte longer. */
static void the_limit_of_an_entry_is_exact(void **state) {
    (void)state;
    struct scratch scratch;
    struct builder bytes;
    bool found;
    scratch_open(&scratch);
    scratch_append(&scratch, 1);
    builder_init(&bytes, LIMIT_ENTRY_BYTES);
    must(audit_log_read(scratch.log, 0, &bytes, &found, &scratch_error));
    /* What an entry takes besides its request; the second entry's seq has as many digits. */
    size_t fixed = bytes.size - strlen("some request");
    builder_deinit(&bytes);
    char *text = malloc((size_t)LIMIT_ENTRY_BYTES + 1);
    assert_non_null(text);
    memset(text, 'x', (size_t)LIMIT_ENTRY_BYTES);
    text[(size_t)LIMIT_ENTRY_BYTES - fixed + 1] = '\0';
    refuses(&scratch, scratch_fields(text), ERROR_LIMIT);
    text[(size_t)LIMIT_ENTRY_BYTES - fixed] = '\0';
    struct audit_append entry = {AUDIT_EVENT_DECISION, scratch_fields(text)};
    must(audit_log_append(scratch.log, &entry, 1, nullptr, &scratch_error));
    must(check(&scratch, &scratch_error));
    free(text);
    scratch_close(&scratch);
}

static void a_truncated_tail_is_found_at_once(void **state) {
    (void)state;
    struct scratch scratch;
    scratch_open(&scratch);
    scratch_append(&scratch, 12);
    scratch_sql(&scratch, "DELETE FROM entries WHERE seq >= 10");
    must_fail(reopen(&scratch, &scratch_error), ERROR_AUDIT_DAMAGED);
    scratch_close(&scratch);
}

static void an_altered_last_entry_is_found_at_once(void **state) {
    (void)state;
    struct scratch scratch;
    scratch_open(&scratch);
    scratch_append(&scratch, 3);
    scratch_sql(&scratch, "UPDATE entries SET bytes = CAST(replace(bytes, 'deny', 'fine') AS BLOB) "
                          "WHERE seq = 2");
    must_fail(reopen(&scratch, &scratch_error), ERROR_AUDIT_DAMAGED);
    scratch_close(&scratch);
}

static void an_altered_head_is_found_at_once(void **state) {
    (void)state;
    static const char *const CHANGES[] = {
        "UPDATE head SET size = 4",
        "UPDATE head SET size = 6",
        "UPDATE head SET root = zeroblob(32)",
        "UPDATE head SET root = zeroblob(31)",
        "UPDATE head SET leaf = zeroblob(32)",
        "UPDATE head SET frontier = x''",
        "UPDATE head SET frontier = zeroblob(64)",
        "DELETE FROM head",
        "INSERT INTO entries VALUES(5, zeroblob(32), x'', x'')",
    };
    for (size_t i = 0; i < sizeof CHANGES / sizeof CHANGES[0]; i++) {
        struct scratch scratch;
        scratch_open(&scratch);
        scratch_append(&scratch, 5);
        scratch_sql(&scratch, CHANGES[i]);
        must_fail(reopen(&scratch, &scratch_error), ERROR_AUDIT_DAMAGED);
        scratch_close(&scratch);
    }
}

/* Where a start does not look, the full check does. */
static void any_change_inside_is_found_by_the_full_check(void **state) {
    (void)state;
    static const char *const CHANGES[] = {
        "UPDATE entries SET bytes = CAST(replace(bytes, 'deny', 'fine') AS BLOB) WHERE seq = 3",
        "UPDATE entries SET bytes = CAST(bytes || ' ' AS BLOB) WHERE seq = 0",
        "UPDATE entries SET bytes = zeroblob(5) WHERE seq = 4",
        "UPDATE entries SET leaf = zeroblob(32) WHERE seq = 2",
        "UPDATE entries SET nodes = x'' WHERE seq = 3",
        "UPDATE entries SET nodes = zeroblob(64) WHERE seq = 3",
        "UPDATE entries SET nodes = zeroblob(32) WHERE seq = 2",
        "DELETE FROM entries WHERE seq = 1",
        "UPDATE entries SET seq = -1 WHERE seq = 0",
    };
    for (size_t i = 0; i < sizeof CHANGES / sizeof CHANGES[0]; i++) {
        struct scratch scratch;
        scratch_open(&scratch);
        scratch_append(&scratch, 9);
        scratch_sql(&scratch, CHANGES[i]);
        must(reopen(&scratch, &scratch_error));
        must_fail(check(&scratch, &scratch_error), ERROR_AUDIT_DAMAGED);
        scratch_close(&scratch);
    }
}

static void copy_file(const struct scratch *scratch, const char *from, const char *to) {
    struct builder bytes;
    bool found = false;
    struct file_write_options options = {.mode = 0600};
    builder_init(&bytes, (size_t)64 << 20);
    must(file_read(scratch->state.fd, from, &bytes, &found, &scratch_error));
    assert_true(found);
    must(file_write_atomic(scratch->state.fd, to, builder_slice(&bytes), &options, &scratch_error));
    builder_deinit(&bytes);
}

static void a_log_put_back_to_an_older_copy_is_found(void **state) {
    (void)state;
    struct scratch scratch;
    scratch_open(&scratch);
    scratch_append(&scratch, 4);
    audit_log_closep(&scratch.log);
    copy_file(&scratch, "audit.db", "old.db");
    copy_file(&scratch, "audit.db-wal", "old.db-wal");
    scratch_open_log(&scratch);
    scratch_append(&scratch, 4);
    sign(&scratch, 7);
    audit_log_closep(&scratch.log);
    copy_file(&scratch, "old.db", "audit.db");
    copy_file(&scratch, "old.db-wal", "audit.db-wal");
    assert_int_equal(unlinkat(scratch.state.fd, "audit.db-shm", 0), 0);
    must_fail(reopen(&scratch, &scratch_error), ERROR_AUDIT_ROLLED_BACK);
    /* And with other entries in place of the lost ones: the sizes agree, the roots do not. */
    copy_file(&scratch, "keys/last_checkpoint", "kept");
    assert_int_equal(unlinkat(scratch.state.keys_fd, "last_checkpoint", 0), 0);
    scratch_open_log(&scratch);
    scratch_append(&scratch, 6);
    copy_file(&scratch, "kept", "keys/last_checkpoint");
    must_fail(reopen(&scratch, &scratch_error), ERROR_AUDIT_DAMAGED);
    scratch_close(&scratch);
}

static void a_log_that_is_gone_is_found(void **state) {
    (void)state;
    struct scratch scratch;
    scratch_open(&scratch);
    scratch_append(&scratch, 1);
    sign(&scratch, 0);
    audit_log_closep(&scratch.log);
    assert_int_equal(unlinkat(scratch.state.fd, "audit.db", 0), 0);
    must_fail(reopen(&scratch, &scratch_error), ERROR_AUDIT_ROLLED_BACK);
    scratch_close(&scratch);
}

/* keys/ is lost or put back from a backup: audit.db knows better. */
static void an_older_checkpoint_is_found(void **state) {
    (void)state;
    struct scratch scratch;
    scratch_open(&scratch);
    scratch_append(&scratch, 1);
    sign(&scratch, 0); /* the first signature is known at once */
    copy_file(&scratch, "keys/last_checkpoint", "first");
    assert_int_equal(unlinkat(scratch.state.keys_fd, "last_checkpoint", 0), 0);
    must_fail(reopen(&scratch, &scratch_error), ERROR_AUDIT_ROLLED_BACK);
    assert_non_null(strstr(scratch_error.message, "gone"));
    copy_file(&scratch, "first", "keys/last_checkpoint");
    must(reopen(&scratch, &scratch_error));
    scratch_append(&scratch, 3);
    sign(&scratch, 3);
    scratch_append(&scratch, 1); /* the others with the next entry */
    must(reopen(&scratch, &scratch_error));
    copy_file(&scratch, "keys/last_checkpoint", "second");
    copy_file(&scratch, "first", "keys/last_checkpoint");
    must_fail(reopen(&scratch, &scratch_error), ERROR_AUDIT_ROLLED_BACK);
    assert_non_null(strstr(scratch_error.message, "older"));
    copy_file(&scratch, "second", "keys/last_checkpoint");
    must(reopen(&scratch, &scratch_error));
    must(check(&scratch, &scratch_error));
    scratch_close(&scratch);
}

/* A log made before the table was: it gets it with its next entry. */
static void a_log_without_the_table_gets_it(void **state) {
    (void)state;
    struct scratch scratch;
    scratch_open(&scratch);
    scratch_append(&scratch, 2);
    sign(&scratch, 1);
    audit_log_closep(&scratch.log);
    scratch_sql(&scratch, "DROP TABLE signed");
    must(reopen(&scratch, &scratch_error));
    scratch_append(&scratch, 1);
    assert_int_equal(unlinkat(scratch.state.keys_fd, "last_checkpoint", 0), 0);
    must_fail(reopen(&scratch, &scratch_error), ERROR_AUDIT_ROLLED_BACK);
    scratch_close(&scratch);
}

static void a_file_that_is_no_database_is_damage(void **state) {
    (void)state;
    struct scratch scratch;
    struct file_write_options options = {.mode = 0600};
    scratch_open_state(&scratch);
    must(file_write_atomic(scratch.state.fd, "audit.db",
                           SLICE_LITERAL("this is not an SQLite file, and long enough to be told"
                                         " from one: it has more than a hundred bytes, see?"),
                           &options, &scratch_error));
    must_fail(reopen(&scratch, &scratch_error), ERROR_AUDIT_DAMAGED);
    scratch_close(&scratch);
}

/* The first command was killed, or stands right now, between the file's header and its tables. */
static void a_log_half_made_is_made(void **state) {
    (void)state;
    struct scratch scratch;
    scratch_open_state(&scratch);
    scratch_sql(&scratch, "PRAGMA journal_mode=WAL; PRAGMA user_version=0");
    scratch_open_log(&scratch);
    scratch_append(&scratch, 2);
    must(reopen(&scratch, &scratch_error));
    must(check(&scratch, &scratch_error));
    scratch_close(&scratch);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_appended_is_read_back_and_verifies),
        cmocka_unit_test(a_batch_is_one_chain),
        cmocka_unit_test(an_entry_holds_what_the_table_says),
        cmocka_unit_test(the_limit_of_an_entry_is_exact),
        cmocka_unit_test(a_truncated_tail_is_found_at_once),
        cmocka_unit_test(an_altered_last_entry_is_found_at_once),
        cmocka_unit_test(an_altered_head_is_found_at_once),
        cmocka_unit_test(any_change_inside_is_found_by_the_full_check),
        cmocka_unit_test(a_log_put_back_to_an_older_copy_is_found),
        cmocka_unit_test(a_log_that_is_gone_is_found),
        cmocka_unit_test(an_older_checkpoint_is_found),
        cmocka_unit_test(a_log_without_the_table_gets_it),
        cmocka_unit_test(a_file_that_is_no_database_is_damage),
        cmocka_unit_test(a_log_half_made_is_made),
    };
    return cmocka_run_group_tests_name("log", tests, nullptr, nullptr);
}
