/* SPDX-License-Identifier: Apache-2.0 */
#include "scratch.h"

#include "audit/log_file.h"
#include "audit/renew.h"

#include <sys/mount.h>

static bool is_whole(struct scratch *scratch) {
    struct error why = {0};
    bool whole = false;
    must(audit_renew_is_whole(&scratch->state, &scratch->clock, &whole, &why, &scratch_error));
    assert_true(whole == (why.code == ERROR_NONE));
    return whole;
}

static void read_file(struct scratch *scratch, const char *name, struct builder *out) {
    bool found = false;
    builder_init(out, 65536);
    must(file_read(scratch->state.fd, name, out, &found, &scratch_error));
    assert_true(found);
}

/* A signed log whose third entry somebody rewrote. */
static void make_damaged(struct scratch *scratch) {
    scratch_open(scratch);
    scratch_append(scratch, 5);
    sign(scratch, 4);
    assert_true(is_whole(scratch));
    scratch_sql(scratch, "UPDATE entries SET bytes = x'7b7d' WHERE seq = 2");
    audit_log_closep(&scratch->log);
    assert_false(is_whole(scratch));
}

static void expect_renewed(struct scratch *scratch, const struct audit_renewal *renewal) {
    struct builder text;
    struct json *entry;
    bool found = false;
    struct stat old;
    char path[256];
    int64_t old_size;
    assert_true(is_whole(scratch));
    scratch_open_log(scratch);
    builder_init(&text, LIMIT_ENTRY_BYTES);
    must(audit_log_read(scratch->log, 0, &text, &found, &scratch_error));
    must(json_parse(builder_slice(&text), "entry", &entry, &scratch_error));
    builder_deinit(&text);
    assert_string_equal(json_get_text(entry, "type"), "audit_chain_break");
    assert_string_equal(json_get_text(entry, "set_aside"), renewal->aside);
    assert_true(json_get_integer(entry, "old_size", &old_size));
    assert_int_equal(old_size, 5);
    assert_int_equal(renewal->old_size, 5);
    assert_int_equal(strlen(json_get_text(entry, "old_root")), 64);
    /* <origin>/2 after <origin> */
    size_t length = strlen(json_get_text(entry, "old_origin"));
    assert_memory_equal(renewal->origin, json_get_text(entry, "old_origin"), length);
    assert_string_equal(renewal->origin + length, "/2");
    json_free(entry);
    static const char *const FILES[] = {"audit.db", "log.key", "log.vkey", "origin",
                                        "last_checkpoint"};
    for (size_t i = 0; i < sizeof FILES / sizeof FILES[0]; i++) {
        (void)snprintf(path, sizeof path, "%s/%s/%s", scratch->path, renewal->aside, FILES[i]);
        assert_int_equal(stat(path, &old), 0);
        assert_int_equal(old.st_mode & 07777, 0400);
    }
    /* Signed by a new key, under the new origin. */
    sign(scratch, 0);
    read_file(scratch, "keys/last_checkpoint", &text);
    assert_memory_equal(text.data, renewal->origin, strlen(renewal->origin));
    builder_deinit(&text);
    must(check(scratch, &scratch_error));
}

static void a_damaged_log_is_set_aside_and_a_new_one_begins(void **state) {
    (void)state;
    struct scratch scratch;
    struct audit_renewal renewal;
    make_damaged(&scratch);
    must(audit_renew(&scratch.state, &scratch.clock, "entry 2: \"changed\"", &renewal,
                     &scratch_error));
    assert_string_equal(renewal.aside, "set-aside/1");
    expect_renewed(&scratch, &renewal);
    scratch_close(&scratch);
}

static void a_second_one_counts_on(void **state) {
    (void)state;
    struct scratch scratch;
    struct audit_renewal first;
    struct audit_renewal second;
    make_damaged(&scratch);
    must(audit_renew(&scratch.state, &scratch.clock, "first", &first, &scratch_error));
    scratch_open_log(&scratch);
    sign(&scratch, 0);
    audit_log_closep(&scratch.log);
    must(audit_renew(&scratch.state, &scratch.clock, "second", &second, &scratch_error));
    assert_string_equal(second.aside, "set-aside/2");
    size_t length = strlen(first.origin);
    assert_memory_equal(first.origin, second.origin, length - 1);
    assert_string_equal(second.origin + length - 1, "3");
    assert_true(is_whole(&scratch));
    scratch_close(&scratch);
}

/* While the mark is there nothing opens the log; a second call finishes from wherever the first one
 * stopped. */
static void one_cut_short_is_finished_by_the_next(void **state) {
    (void)state;
    static const char *const MOVED[] = {"audit.db-wal",         "audit.db-shm", "audit.db",
                                        "keys/last_checkpoint", "keys/log.key", "keys/origin"};
    for (size_t steps = 0; steps <= sizeof MOVED / sizeof MOVED[0]; steps++) {
        struct scratch scratch;
        struct audit_renewal renewal;
        char from[128];
        char to[160];
        /* The first try, as far as it came: its mark, then some of its moves. */
        make_damaged(&scratch);
        struct builder origin;
        struct builder mark;
        read_file(&scratch, "keys/origin", &origin);
        builder_init(&mark, 4096);
        builder_format(&mark,
                       "{\"old_origin\":\"%.*s\",\"old_root\":\"%064d\",\"old_size\":5,"
                       "\"origin\":\"%.*s/2\",\"reason\":\"why\",\"set_aside\":\"set-aside/1\"}\n",
                       (int)origin.size - 1, (const char *)origin.data, 0, (int)origin.size - 1,
                       (const char *)origin.data);
        must(file_write_atomic(scratch.state.fd, AUDIT_RENEWING_FILE, builder_slice(&mark),
                               &(struct file_write_options){.mode = 0600}, &scratch_error));
        builder_deinit(&mark);
        builder_deinit(&origin);
        (void)snprintf(to, sizeof to, "%s/set-aside", scratch.path);
        assert_int_equal(mkdir(to, 0700), 0);
        (void)snprintf(to, sizeof to, "%s/set-aside/1", scratch.path);
        assert_int_equal(mkdir(to, 0700), 0);
        for (size_t i = 0; i < steps; i++) {
            const char *slash = strrchr(MOVED[i], '/');
            (void)snprintf(from, sizeof from, "%s/%s", scratch.path, MOVED[i]);
            (void)snprintf(to, sizeof to, "%s/set-aside/1/%s", scratch.path,
                           slash == nullptr ? MOVED[i] : slash + 1);
            (void)rename(from, to); /* a WAL is not always there */
        }
        must_fail(reopen(&scratch, &scratch_error), ERROR_AUDIT_DAMAGED);
        assert_non_null(strstr(error_effective_hint(&scratch_error), "airlock log renew"));
        assert_false(is_whole(&scratch));
        must(audit_renew(&scratch.state, &scratch.clock, "again", &renewal, &scratch_error));
        expect_renewed(&scratch, &renewal);
        scratch_close(&scratch);
    }
}

static void fill_disk(struct scratch *scratch) {
    static const char BLOCK[4096] = "x";
    int file = openat(scratch->state.fd, "filler", O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    assert_true(file >= 0);
    while (write(file, BLOCK, sizeof BLOCK) > 0) {
    }
    assert_int_equal(close(file), 0);
}

static void a_full_disk_leaves_what_a_second_call_finishes(void **state) {
    (void)state;
    struct scratch scratch;
    struct audit_renewal renewal;
    char path[] = "/tmp/airlock-test-full-XXXXXX";
    assert_non_null(mkdtemp(path));
    if (mount("tmpfs", path, "tmpfs", 0, "size=900k,mode=0700") != 0) {
        (void)rmdir(path);
        print_message("# a small filesystem cannot be mounted here: the full disk was NOT tried\n");
        skip();
    }
    assert_int_equal(setenv("AIRLOCK_STATE_DIR", path, 1), 0);
    scratch = (struct scratch){.clock = clock_system()};
    (void)snprintf(scratch.path, sizeof scratch.path, "%s", path);
    must(state_open(&scratch.state, &scratch_error));
    scratch_open_log(&scratch);
    scratch_append(&scratch, 5);
    sign(&scratch, 4);
    scratch_sql(&scratch, "UPDATE entries SET bytes = x'7b7d' WHERE seq = 2");
    audit_log_closep(&scratch.log);
    fill_disk(&scratch);
    must_fail(audit_renew(&scratch.state, &scratch.clock, "why", &renewal, &scratch_error),
              ERROR_DISK_FULL);
    assert_false(is_whole(&scratch));
    assert_int_equal(unlinkat(scratch.state.fd, "filler", 0), 0);
    must(audit_renew(&scratch.state, &scratch.clock, "why", &renewal, &scratch_error));
    expect_renewed(&scratch, &renewal);
    keys_client_stopp(&scratch.keys);
    audit_log_closep(&scratch.log);
    state_close(&scratch.state);
    assert_int_equal(umount(path), 0);
    assert_int_equal(rmdir(path), 0);
}

static void a_lost_checkpoint_or_database_is_no_whole_log(void **state) {
    (void)state;
    struct scratch scratch;
    scratch_open(&scratch);
    scratch_append(&scratch, 3);
    sign(&scratch, 2);
    assert_true(is_whole(&scratch));
    assert_int_equal(unlinkat(scratch.state.keys_fd, "last_checkpoint", 0), 0);
    assert_false(is_whole(&scratch));
    scratch_close(&scratch);

    scratch_open(&scratch);
    scratch_append(&scratch, 3);
    sign(&scratch, 2);
    audit_log_closep(&scratch.log);
    assert_int_equal(unlinkat(scratch.state.fd, "audit.db", 0), 0);
    assert_false(is_whole(&scratch));
    scratch_close(&scratch);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_damaged_log_is_set_aside_and_a_new_one_begins),
        cmocka_unit_test(a_second_one_counts_on),
        cmocka_unit_test(one_cut_short_is_finished_by_the_next),
        cmocka_unit_test(a_full_disk_leaves_what_a_second_call_finishes),
        cmocka_unit_test(a_lost_checkpoint_or_database_is_no_whole_log),
    };
    return cmocka_run_group_tests_name("renew", tests, nullptr, nullptr);
}
