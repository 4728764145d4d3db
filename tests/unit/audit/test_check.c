/* SPDX-License-Identifier: Apache-2.0
 *
 * What can happen to a log, and what is said about it.
 */
#include "scratch.h"

#include "audit/export.h"
#include "keys/note.h"
#include "keys/slots.h"

#include <fcntl.h>

/* Opened as every command does, then checked as `log verify` does. */
static bool is_found(struct scratch *scratch) {
    scratch_error = (struct error){0};
    bool whole = status_is_ok(reopen(scratch, &scratch_error)) &&
                 status_is_ok(check(scratch, &scratch_error));
    return !whole && (scratch_error.code == ERROR_AUDIT_DAMAGED ||
                      scratch_error.code == ERROR_AUDIT_ROLLED_BACK);
}

static void says(struct scratch *scratch, const char *what) {
    assert_true(is_found(scratch));
    if (strstr(scratch_error.message, what) == nullptr) {
        fail_msg("not \"%s\": %s", what, scratch_error.message);
    }
}

/* Without the newest entry's own check at opening, so that the verdict of `log verify` is seen. */
static void verify_says(struct scratch *scratch, const char *what) {
    scratch_error = (struct error){0};
    assert_false(status_is_ok(check(scratch, &scratch_error)));
    if (strstr(scratch_error.message, what) == nullptr) {
        fail_msg("not \"%s\": %s", what, scratch_error.message);
    }
}

static void truncated_reordered_and_missing_are_told_apart(void **state) {
    (void)state;
    struct scratch scratch;
    scratch_open(&scratch);
    scratch_append(&scratch, 10);
    sign(&scratch, 9);
    must(check(&scratch, &scratch_error));
    scratch_sql(&scratch, "UPDATE entries SET seq = -1 WHERE seq = 3;"
                          "UPDATE entries SET seq = 3 WHERE seq = 6;"
                          "UPDATE entries SET seq = 6 WHERE seq = -1");
    verify_says(&scratch, "entry 3: it is out of order: entry 6 stands in its place");
    scratch_sql(&scratch, "UPDATE entries SET seq = -1 WHERE seq = 3;"
                          "UPDATE entries SET seq = 3 WHERE seq = 6;"
                          "UPDATE entries SET seq = 6 WHERE seq = -1");
    must(check(&scratch, &scratch_error));
    scratch_sql(&scratch, "UPDATE entries SET seq = 1000 WHERE seq = 4");
    verify_says(&scratch, "entry 4: it is missing");
    scratch_sql(&scratch, "UPDATE entries SET seq = 4 WHERE seq = 1000");
    scratch_sql(&scratch, "DELETE FROM entries WHERE seq >= 8");
    verify_says(&scratch, "the log is truncated: it has 8 entries, its head names 10");
    assert_true(is_found(&scratch));
    scratch_close(&scratch);
}

/* The file of a moment ago, put back. */
static void copy_file(struct scratch *scratch, const char *from, const char *to) {
    struct builder bytes;
    bool found = false;
    builder_init(&bytes, 1 << 24);
    must(file_read(scratch->state.fd, from, &bytes, &found, &scratch_error));
    assert_true(found);
    must(file_write_atomic(scratch->state.fd, to, builder_slice(&bytes),
                           &(struct file_write_options){0}, &scratch_error));
    builder_deinit(&bytes);
}

static void a_rolled_back_file_and_a_second_writer_are_found(void **state) {
    (void)state;
    struct scratch scratch;
    scratch_open(&scratch);
    scratch_append(&scratch, 5);
    audit_log_closep(&scratch.log);
    scratch_sql(&scratch, "PRAGMA wal_checkpoint(TRUNCATE)");
    copy_file(&scratch, "audit.db", "audit.db.old");
    scratch_open_log(&scratch);
    scratch_append(&scratch, 5);
    sign(&scratch, 9);
    audit_log_closep(&scratch.log);
    scratch_sql(&scratch, "PRAGMA wal_checkpoint(TRUNCATE)");
    copy_file(&scratch, "audit.db", "audit.db.new");
    copy_file(&scratch, "audit.db.old", "audit.db");
    says(&scratch, "audit.db has 5 entries, a checkpoint over 10 was signed");
    /* It goes on differently, by a writer that does not know the checkpoint. */
    copy_file(&scratch, "keys/last_checkpoint", "checkpoint.kept");
    assert_int_equal(unlinkat(scratch.state.keys_fd, "last_checkpoint", 0), 0);
    scratch_open_log(&scratch);
    scratch_append(&scratch, 8);
    audit_log_closep(&scratch.log);
    copy_file(&scratch, "checkpoint.kept", "keys/last_checkpoint");
    says(&scratch, "signed over other entries");
    scratch_sql(&scratch, "PRAGMA wal_checkpoint(TRUNCATE)");
    copy_file(&scratch, "audit.db.new", "audit.db");
    must(reopen(&scratch, &scratch_error));
    must(check(&scratch, &scratch_error));
    scratch_close(&scratch);
}

/* A column of a table, and what reads and writes one value of it. */
struct column {
    struct scratch *scratch;
    const char *table;
    const char *name;
    sqlite3_stmt *read;
    sqlite3_stmt *write;
    unsigned flips;
};

/* "SELECT rowid, " + name + " FROM " + table and so on: the two words between three texts. */
static sqlite3_stmt *prepare(sqlite3 *handle, const char *const texts[3], const char *first,
                             const char *second) {
    char text[256];
    sqlite3_stmt *statement;
    (void)snprintf(text, sizeof text, "%s%s%s%s%s", texts[0], first, texts[1], second, texts[2]);
    assert_int_equal(sqlite3_prepare_v2(handle, text, -1, &statement, nullptr), SQLITE_OK);
    return statement;
}

static void put_value(const struct column *column, sqlite3_int64 row, const uint8_t *bytes,
                      int size) {
    (void)sqlite3_bind_blob(column->write, 1, bytes, size, SQLITE_TRANSIENT);
    (void)sqlite3_bind_int64(column->write, 2, row);
    assert_int_equal(sqlite3_step(column->write), SQLITE_DONE);
    (void)sqlite3_reset(column->write);
}

/* One byte after another of one value. */
static void flip_value(struct column *column, sqlite3_int64 row) {
    uint8_t bytes[4096];
    (void)sqlite3_bind_int64(column->read, 1, row);
    assert_int_equal(sqlite3_step(column->read), SQLITE_ROW);
    int size = sqlite3_column_bytes(column->read, 0);
    assert_in_range(size, 0, (int)sizeof bytes);
    if (size > 0) {
        memcpy(bytes, sqlite3_column_blob(column->read, 0), (size_t)size);
    }
    (void)sqlite3_reset(column->read);
    for (int k = 0; k < size; k++) {
        bytes[k] ^= 1;
        put_value(column, row, bytes, size);
        column->flips++;
        if (!is_found(column->scratch)) {
            fail_msg("byte %d of %s in row %lld of %s", k, column->name, (long long)row,
                     column->table);
        }
        bytes[k] ^= 1;
        put_value(column, row, bytes, size);
    }
}

/* Of everything a column stores, through SQL. */
static unsigned flip_column(struct scratch *scratch, const char *table, const char *name) {
    struct column column = {.scratch = scratch, .table = table, .name = name};
    sqlite3 *handle = scratch_database(scratch);
    sqlite3_int64 ids[32];
    size_t count = 0;
    static const char *const ALL[] = {"SELECT rowid, ", " FROM ", ""};
    static const char *const ONE[] = {"SELECT ", " FROM ", " WHERE rowid = ?1"};
    static const char *const PUT[] = {"UPDATE ", " SET ", " = ?1 WHERE rowid = ?2"};
    sqlite3_stmt *rows = prepare(handle, ALL, name, table);
    while (sqlite3_step(rows) == SQLITE_ROW) {
        ids[count++] = sqlite3_column_int64(rows, 0);
    }
    (void)sqlite3_finalize(rows);
    column.read = prepare(handle, ONE, name, table);
    column.write = prepare(handle, PUT, table, name);
    for (size_t i = 0; i < count; i++) {
        flip_value(&column, ids[i]);
    }
    (void)sqlite3_finalize(column.read);
    (void)sqlite3_finalize(column.write);
    assert_int_equal(sqlite3_close(handle), SQLITE_OK);
    must(reopen(scratch, &scratch_error));
    must(check(scratch, &scratch_error));
    return column.flips;
}

static void a_flipped_byte_of_any_value_is_found(void **state) {
    (void)state;
    struct scratch scratch;
    unsigned flips = 0;
    scratch_open(&scratch);
    scratch_append(&scratch, 7);
    sign(&scratch, 6);
    flips += flip_column(&scratch, "entries", "bytes");
    flips += flip_column(&scratch, "entries", "leaf");
    flips += flip_column(&scratch, "entries", "nodes");
    flips += flip_column(&scratch, "head", "leaf");
    flips += flip_column(&scratch, "head", "frontier");
    flips += flip_column(&scratch, "head", "root");
    assert_in_range(flips, 1500, 100000);
    scratch_sql(&scratch, "UPDATE head SET size = size + 1");
    assert_true(is_found(&scratch));
    scratch_close(&scratch);
}

struct contents {
    struct builder bytes;
};

static bool gather(void *context, uint64_t seq, struct slice entry) {
    struct contents *contents = context;
    builder_u64(&contents->bytes, seq);
    builder_block(&contents->bytes, entry);
    return true;
}

/* The file itself, every seventh byte: found, or (free space, header fields nobody reads) every
 * entry is what it was. */
static void a_flipped_byte_of_the_file_is_found_or_changes_nothing(void **state) {
    (void)state;
    struct scratch scratch;
    struct contents before;
    struct contents after;
    unsigned found = 0;
    unsigned harmless = 0;
    scratch_open(&scratch);
    scratch_append(&scratch, 7);
    sign(&scratch, 6);
    builder_init(&before.bytes, 1 << 20);
    builder_init(&after.bytes, 1 << 20);
    must(audit_log_scan(scratch.log, 0, gather, &before, &scratch_error));
    audit_log_closep(&scratch.log);
    scratch_sql(&scratch, "PRAGMA wal_checkpoint(TRUNCATE)");
    int file = openat(scratch.state.fd, "audit.db", O_RDWR | O_CLOEXEC);
    assert_true(file >= 0);
    off_t size = lseek(file, 0, SEEK_END);
    for (off_t at = 0; at < size; at += 7) {
        uint8_t byte;
        assert_int_equal(pread(file, &byte, 1, at), 1);
        byte ^= 0x10;
        assert_int_equal(pwrite(file, &byte, 1, at), 1);
        if (is_found(&scratch) || scratch_error.code != ERROR_NONE) {
            found++; /* or refused for another reason, such as a format SQLite does not write */
        } else {
            builder_reset(&after.bytes);
            must(audit_log_scan(scratch.log, 0, gather, &after, &scratch_error));
            assert_true(slice_equal(builder_slice(&before.bytes), builder_slice(&after.bytes)));
            harmless++;
        }
        audit_log_closep(&scratch.log);
        byte ^= 0x10;
        assert_int_equal(pwrite(file, &byte, 1, at), 1);
    }
    print_message("# %u bytes found, %u in space that holds nothing\n", found, harmless);
    assert_in_range(found, before.bytes.size / 7, size);
    assert_int_equal(close(file), 0);
    builder_deinit(&before.bytes);
    builder_deinit(&after.bytes);
    scratch_close(&scratch);
}

static void what_others_kept_is_held_against_the_log(void **state) {
    (void)state;
    struct scratch scratch;
    struct builder receipt;
    struct builder note;
    uint64_t size = 0;
    bool found = false;
    scratch_open(&scratch);
    scratch_append(&scratch, 5);
    sign(&scratch, 4);
    builder_init(&receipt, (size_t)LIMIT_RECEIPT_BYTES);
    builder_init(&note, NOTE_BYTES_MAX);
    must(receipt_write(scratch.log, 2, &receipt, &scratch_error));
    must(slots_read(scratch.state.keys_fd, KEYS_FILE_CHECKPOINT, &note, &found, &scratch_error));
    scratch_append(&scratch, 5);
    must(audit_check_receipt(scratch.log, builder_slice(&receipt), &size, &scratch_error));
    assert_int_equal(size, 5);
    must(audit_check_checkpoint(scratch.log, builder_slice(&note), &size, &scratch_error));
    assert_int_equal(size, 5);
    /* Neither is believed when it is not signed as it stands. */
    for (size_t i = 0; i < note.size; i++) {
        note.data[i] ^= 1;
        scratch_error = (struct error){0};
        assert_false(status_is_ok(
            audit_check_checkpoint(scratch.log, builder_slice(&note), &size, &scratch_error)));
        note.data[i] ^= 1;
    }
    receipt.data[receipt.size / 2] ^= 1;
    scratch_error = (struct error){0};
    assert_false(status_is_ok(
        audit_check_receipt(scratch.log, builder_slice(&receipt), &size, &scratch_error)));
    builder_deinit(&receipt);
    builder_deinit(&note);
    scratch_close(&scratch);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(truncated_reordered_and_missing_are_told_apart),
        cmocka_unit_test(a_rolled_back_file_and_a_second_writer_are_found),
        cmocka_unit_test(a_flipped_byte_of_any_value_is_found),
        cmocka_unit_test(a_flipped_byte_of_the_file_is_found_or_changes_nothing),
        cmocka_unit_test(what_others_kept_is_held_against_the_log),
    };
    return cmocka_run_group_tests_name("check", tests, nullptr, nullptr);
}
