/* SPDX-License-Identifier: Apache-2.0 */
#include "audit/export.h"

#include "scratch.h"

static void tiles_are_the_tree(void **state) {
    (void)state;
    struct scratch scratch;
    struct audit_export_result result;
    struct audit_append entries[300];
    struct builder tile;
    bool found = false;
    int folder = -1;
    scratch_open(&scratch);
    for (size_t i = 0; i < 300; i++) {
        entries[i] = (struct audit_append){AUDIT_EVENT_DECISION, scratch_fields("tile")};
    }
    must(audit_log_append(scratch.log, entries, 300, nullptr, &scratch_error));
    must(file_open_folder(scratch.state.fd, "out", true, 0700, &folder, &scratch_error));
    must_fail(audit_export_tiles(scratch.log, folder, &result, &scratch_error),
              ERROR_AUDIT_NO_SUCH_ENTRY);
    sign(&scratch, 299);
    must(audit_export_tiles(scratch.log, folder, &result, &scratch_error));
    assert_int_equal(result.size, 300);
    assert_int_equal(result.files, 6); /* 2 of level 0, 1 of level 1, 2 of entries, checkpoint */
    struct digest hash;
    builder_init(&tile, 65536);
    must(file_read(folder, "tile/0/001.p/44", &tile, &found, &scratch_error));
    assert_true(found);
    assert_int_equal(tile.size, 44 * DIGEST_BYTES);
    must(audit_log_read_hash(scratch.log, 0, 299, &hash, &scratch_error));
    assert_memory_equal(tile.data + 43 * DIGEST_BYTES, hash.bytes, DIGEST_BYTES);
    builder_reset(&tile);
    must(file_read(folder, "tile/1/000.p/1", &tile, &found, &scratch_error));
    must(audit_log_read_hash(scratch.log, 8, 0, &hash, &scratch_error));
    assert_memory_equal(tile.data, hash.bytes, DIGEST_BYTES);
    builder_deinit(&tile);
    (void)close(folder);
    scratch_close(&scratch);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tiles_are_the_tree),
    };
    return cmocka_run_group_tests_name("export", tests, nullptr, nullptr);
}
