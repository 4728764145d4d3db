/* SPDX-License-Identifier: Apache-2.0 */
#include "scratch.h"

#include "audit/export.h"
#include "audit/storage.h"

enum { DAY_MS = 86400000 };

static uint64_t now_ms = 1763700000000;

static uint64_t wall(void *context) {
    (void)context;
    return now_ms;
}

static void open_at(struct scratch *scratch, uint64_t ms) {
    now_ms = ms;
    scratch_open_state(scratch);
    scratch->clock.wall_ms = wall;
    scratch_open_log(scratch);
}

static void append_batch(struct scratch *scratch, size_t count) {
    struct audit_append entries[256];
    for (size_t i = 0; i < count; i++) {
        entries[i] = (struct audit_append){AUDIT_EVENT_DECISION, scratch_fields("in a batch")};
    }
    must(audit_log_append(scratch->log, entries, count, nullptr, &scratch_error));
}

struct tally {
    enum audit_event event;
    unsigned count;
    int64_t number; /* of the newest */
    const char *field;
    uint64_t first;
};

static bool count_one(void *context, uint64_t seq, struct slice bytes) {
    struct tally *tally = context;
    struct json *entry;
    tally->first = tally->first == 0 ? seq : tally->first;
    must(json_parse(bytes, "entry", &entry, &scratch_error));
    if (strcmp(json_get_text(entry, "type"), audit_event_text(tally->event)) == 0) {
        tally->count++;
        assert_true(json_get_integer(entry, tally->field, &tally->number));
    }
    json_free(entry);
    return true;
}

static struct tally tally_of(struct scratch *scratch, enum audit_event event, const char *field) {
    struct tally tally = {.event = event, .field = field};
    must(audit_log_scan(scratch->log, 0, count_one, &tally, &scratch_error));
    return tally;
}

static void a_warning_is_written_once_at_each_crossing(void **state) {
    (void)state;
    struct scratch scratch;
    struct audit_storage storage;
    open_at(&scratch, now_ms);
    audit_storage_limit(scratch.log, 400000, (uint64_t)90 * DAY_MS);
    do {
        append_batch(&scratch, 10);
        must(audit_storage_read(scratch.log, &storage, &scratch_error));
        struct tally tally = tally_of(&scratch, AUDIT_EVENT_STORAGE_WARNING, "percent");
        unsigned expected = (storage.percent >= 80) + (storage.percent >= 95);
        assert_in_range(tally.count, expected, 2);
        assert_true(storage.percent < 79 ? tally.count == 0 : true);
    } while (storage.percent < 120);
    struct tally tally = tally_of(&scratch, AUDIT_EVENT_STORAGE_WARNING, "percent");
    assert_int_equal(tally.count, 2);
    assert_int_equal(tally.number, 95);
    must(check(&scratch, &scratch_error));
    scratch_close(&scratch);
}

static void nothing_young_goes_while_there_is_room(void **state) {
    (void)state;
    struct scratch scratch;
    struct audit_retained retained;
    open_at(&scratch, now_ms);
    append_batch(&scratch, 256);
    append_batch(&scratch, 256);
    now_ms += (uint64_t)90 * DAY_MS;
    must(audit_storage_retain(scratch.log, UINT64_MAX, &retained, &scratch_error));
    assert_int_equal(retained.to, retained.from);
    scratch_close(&scratch);
}

static void expect_kept(struct scratch *scratch, uint64_t first) {
    struct audit_storage storage;
    struct audit_check_result result;
    struct audit_check_options options = {0};
    must(reopen(scratch, &scratch_error));
    must(audit_storage_read(scratch->log, &storage, &scratch_error));
    assert_int_equal(storage.first_kept, first);
    must(audit_log_check(scratch->log, &options, &result, &scratch_error));
    assert_int_equal(result.gone, first);
}

static void old_bundles_go_and_everything_still_verifies(void **state) {
    (void)state;
    struct scratch scratch;
    struct audit_retained retained;
    struct builder bytes;
    bool found = false;
    open_at(&scratch, now_ms);
    append_batch(&scratch, 256);
    append_batch(&scratch, 256);
    append_batch(&scratch, 200);
    sign(&scratch, 711);
    now_ms += (uint64_t)91 * DAY_MS;
    append_batch(&scratch, 256); /* young ones in the bundle of the old 200 */
    must(audit_storage_retain(scratch.log, UINT64_MAX, &retained, &scratch_error));
    assert_int_equal(retained.from, 0);
    assert_int_equal(retained.to, 512);
    assert_false(retained.is_held);
    expect_kept(&scratch, 512);
    struct tally tally = tally_of(&scratch, AUDIT_EVENT_ARCHIVE_DELETED, "to");
    assert_int_equal(tally.count, 1);
    assert_int_equal(tally.number, 511);
    assert_int_equal(tally.first, 512); /* a scan passes over what is gone */
    builder_init(&bytes, LIMIT_ENTRY_BYTES);
    must(audit_log_read(scratch.log, 5, &bytes, &found, &scratch_error));
    assert_true(found);
    assert_int_equal(bytes.size, 0);
    builder_deinit(&bytes);
    struct merkle_proof proof;
    struct audit_head head;
    struct digest root;
    struct digest leaf;
    must(audit_log_head(scratch.log, &head, &scratch_error));
    must(audit_log_prove(scratch.log, 5, head.size, &proof, &scratch_error));
    must(audit_log_read_hash(scratch.log, 0, 5, &leaf, &scratch_error));
    assert_true(merkle_root_from_inclusion(5, head.size, &leaf, &proof, &root));
    assert_true(digest_equal(&root, &head.root));
    must(audit_storage_retain(scratch.log, UINT64_MAX, &retained, &scratch_error));
    assert_int_equal(retained.to, retained.from); /* the rest is young */
    now_ms += (uint64_t)91 * DAY_MS;
    must(audit_storage_retain(scratch.log, UINT64_MAX, &retained, &scratch_error));
    assert_int_equal(retained.to, 768);
    expect_kept(&scratch, 768);
    scratch_close(&scratch);
}

static bool is_file(const char *folder, const char *name) {
    char path[256];
    (void)snprintf(path, sizeof path, "%s/%s", folder, name);
    return access(path, F_OK) == 0;
}

static void exports_and_receipts_know_what_is_gone(void **state) {
    (void)state;
    struct scratch scratch;
    struct audit_retained retained;
    struct audit_export_result result;
    struct builder receipt;
    char folder[128];
    int fd = -1;
    open_at(&scratch, now_ms);
    append_batch(&scratch, 256);
    append_batch(&scratch, 256);
    now_ms += (uint64_t)91 * DAY_MS;
    append_batch(&scratch, 10);
    sign(&scratch, 521);
    (void)snprintf(folder, sizeof folder, "%s/tiles", scratch.path);
    must(file_open_folder(AT_FDCWD, folder, true, 0755, &fd, &scratch_error));
    must(audit_storage_retain(scratch.log, 256, &retained, &scratch_error));
    must(audit_export_tiles(scratch.log, fd, &result, &scratch_error));
    assert_int_equal(result.gone, 1);
    assert_false(is_file(folder, "tile/entries/000"));
    assert_true(is_file(folder, "tile/entries/001"));
    assert_true(is_file(folder, "tile/0/000"));
    assert_true(is_file(folder, "checkpoint"));
    assert_int_equal(close(fd), 0);
    builder_init(&receipt, (size_t)LIMIT_RECEIPT_BYTES);
    must_fail(receipt_write(scratch.log, 255, &receipt, &scratch_error), ERROR_AUDIT_NO_SUCH_ENTRY);
    must(receipt_write(scratch.log, 256, &receipt, &scratch_error));
    builder_deinit(&receipt);
    scratch_close(&scratch);
}

static void a_log_that_is_too_large_loses_its_oldest(void **state) {
    (void)state;
    struct scratch scratch;
    struct audit_retained retained;
    struct audit_storage storage;
    open_at(&scratch, now_ms);
    audit_storage_limit(scratch.log, 400000, (uint64_t)90 * DAY_MS);
    for (int i = 0; i < 6; i++) {
        append_batch(&scratch, 256);
    }
    must(audit_storage_read(scratch.log, &storage, &scratch_error));
    assert_in_range(storage.percent, 101, 1000);
    must(audit_storage_retain(scratch.log, UINT64_MAX, &retained, &scratch_error));
    assert_in_range(retained.to, 256, 1280);
    assert_int_equal(retained.to % 256, 0);
    must(audit_storage_read(scratch.log, &storage, &scratch_error));
    assert_in_range(storage.percent, 50, 101);
    expect_kept(&scratch, retained.to);
    scratch_close(&scratch);
}

static void an_open_stage_holds_its_entries(void **state) {
    (void)state;
    struct scratch scratch;
    struct audit_retained retained;
    open_at(&scratch, now_ms);
    append_batch(&scratch, 256);
    append_batch(&scratch, 256);
    append_batch(&scratch, 1);
    now_ms += (uint64_t)91 * DAY_MS;
    must(audit_storage_retain(scratch.log, 300, &retained, &scratch_error));
    assert_int_equal(retained.to, 256);
    assert_true(retained.is_held);
    must(audit_storage_retain(scratch.log, 300, &retained, &scratch_error));
    assert_int_equal(retained.to, retained.from);
    assert_true(retained.is_held);
    expect_kept(&scratch, 256);
    scratch_close(&scratch);
}

static void bytes_that_go_unsaid_are_damage(void **state) {
    (void)state;
    struct scratch scratch;
    struct audit_retained retained;
    open_at(&scratch, now_ms);
    append_batch(&scratch, 256);
    append_batch(&scratch, 256);
    append_batch(&scratch, 10);
    scratch_sql(&scratch, "UPDATE entries SET bytes = x'' WHERE seq < 256");
    must_fail(check(&scratch, &scratch_error), ERROR_AUDIT_DAMAGED);
    scratch_close(&scratch);

    open_at(&scratch, now_ms);
    append_batch(&scratch, 256);
    append_batch(&scratch, 256);
    append_batch(&scratch, 10);
    now_ms += (uint64_t)91 * DAY_MS;
    must(audit_storage_retain(scratch.log, 256, &retained, &scratch_error));
    assert_int_equal(retained.to, 256);
    must(check(&scratch, &scratch_error));
    scratch_sql(&scratch, "UPDATE entries SET bytes = x'' WHERE seq = 300");
    must_fail(check(&scratch, &scratch_error), ERROR_AUDIT_DAMAGED);
    scratch_sql(&scratch, "UPDATE entries SET bytes = x'' WHERE seq >= 256 AND seq < 300");
    must_fail(check(&scratch, &scratch_error), ERROR_AUDIT_DAMAGED);
    scratch_close(&scratch);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_warning_is_written_once_at_each_crossing),
        cmocka_unit_test(nothing_young_goes_while_there_is_room),
        cmocka_unit_test(old_bundles_go_and_everything_still_verifies),
        cmocka_unit_test(exports_and_receipts_know_what_is_gone),
        cmocka_unit_test(a_log_that_is_too_large_loses_its_oldest),
        cmocka_unit_test(an_open_stage_holds_its_entries),
        cmocka_unit_test(bytes_that_go_unsaid_are_damage),
    };
    return cmocka_run_group_tests_name("storage", tests, nullptr, nullptr);
}
