/* SPDX-License-Identifier: Apache-2.0 */
#include "scratch.h"

#include "audit/encryption.h"
#include "audit/log_file.h"

#include <errno.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/wait.h>

enum { ENTRIES = 20 };

static const char KNOWN[] = "some request";

struct step {
    const char *what;
    uint8_t from, to; /* keys as key_of() makes them */
};

/* A key of one byte repeated; 0 is none. */
static struct secret *key_of(uint8_t byte) {
    struct secret *key = nullptr;
    if (byte != 0) {
        must(secret_new(32, &key, &scratch_error));
        memset(secret_data(key), byte, 32);
    }
    return key;
}

static void set_key(struct scratch *scratch, uint8_t byte) {
    secret_free(scratch->state.log_key);
    scratch->state.log_key = key_of(byte);
}

static status_t change(struct scratch *scratch, const char *what, uint8_t to) {
    CLEANUP(secret_freep) struct secret *key = key_of(to);
    struct audit_encryption request = {
        .change = what, .caller = "uid:1000", .request = "a request", .key = key};
    uint64_t seq = 0;
    scratch_error = (struct error){0};
    return audit_encryption_change(&scratch->state, &scratch->clock, &request, &seq,
                                   &scratch_error);
}

/* Whether a file of the state folder holds these bytes. */
static bool holds(const struct scratch *scratch, const char *name, const char *text) {
    struct builder bytes;
    bool found = false;
    builder_init(&bytes, (size_t)64 << 20);
    must(file_read(scratch->state.fd, name, &bytes, &found, &scratch_error));
    struct slice all = builder_slice(&bytes);
    bool held = found && memmem(all.data, all.size, text, strlen(text)) != nullptr;
    builder_deinit(&bytes);
    return held;
}

static bool is_there(const struct scratch *scratch, const char *name) {
    return faccessat(scratch->state.fd, name, F_OK, 0) == 0;
}

/* All entries, one after the other. */
static bool collect(void *context, [[maybe_unused]] uint64_t seq, struct slice entry) {
    builder_bytes(context, entry);
    return true;
}

static struct builder all_of(struct scratch *scratch) {
    struct builder bytes;
    builder_init(&bytes, (size_t)16 << 20);
    must(audit_log_scan(scratch->log, 0, collect, &bytes, &scratch_error));
    assert_true(builder_is_ok(&bytes));
    return bytes;
}

/* The log opens, verifies, and begins with the entries it had. */
static void expect_kept(struct scratch *scratch, const struct builder *before, uint64_t size) {
    struct audit_head head;
    must(reopen(scratch, &scratch_error));
    must(check(scratch, &scratch_error));
    must(audit_log_head(scratch->log, &head, &scratch_error));
    assert_int_equal(head.size, size);
    struct builder after = all_of(scratch);
    assert_true(builder_slice(&after).size >= builder_slice(before).size);
    assert_memory_equal(builder_slice(&after).data, builder_slice(before).data,
                        builder_slice(before).size);
    builder_deinit(&after);
}

static void each_change_keeps_every_entry(void **state) {
    (void)state;
    static const struct step CHANGES[] = {
        {"encrypt", 0, 1}, {"rekey", 1, 2}, {"decrypt", 2, 0}, {"encrypt", 0, 3}};
    struct scratch scratch;
    scratch_open(&scratch);
    scratch_append(&scratch, ENTRIES);
    sign(&scratch, ENTRIES - 1);
    for (size_t i = 0; i < sizeof CHANGES / sizeof CHANGES[0]; i++) {
        struct builder before = all_of(&scratch);
        audit_log_closep(&scratch.log);
        must(change(&scratch, CHANGES[i].what, CHANGES[i].to));
        must_fail(reopen(&scratch, &scratch_error), ERROR_AUDIT_KEY);
        set_key(&scratch, CHANGES[i].to);
        expect_kept(&scratch, &before, ENTRIES + 2 * i + 1);
        struct builder last;
        bool found = false;
        builder_init(&last, 65536);
        must(audit_log_read(scratch.log, ENTRIES + 2 * i, &last, &found, &scratch_error));
        assert_non_null(strstr(builder_c_string(&last), "\"type\":\"key_epoch\""));
        assert_non_null(strstr(builder_c_string(&last), CHANGES[i].what));
        builder_deinit(&last);
        builder_deinit(&before);
        scratch_append(&scratch, 1);
        sign(&scratch, ENTRIES + 2 * i + 1);
    }
    assert_false(is_there(&scratch, "audit.db.new"));
    scratch_close(&scratch);
}

static void nothing_of_an_entry_stands_in_the_files(void **state) {
    (void)state;
    static const char *const FILES[] = {"audit.db", "audit.db-wal", "audit.db-shm"};
    static const char *const TEXTS[] = {KNOWN, "prev_hash", "run.exec", "uid:1000", "CREATE TABLE"};
    struct scratch scratch;
    scratch_open(&scratch);
    scratch_append(&scratch, ENTRIES);
    assert_true(holds(&scratch, "audit.db", KNOWN) || holds(&scratch, "audit.db-wal", KNOWN));
    audit_log_closep(&scratch.log);
    must(change(&scratch, "encrypt", 7));
    set_key(&scratch, 7);
    must(reopen(&scratch, &scratch_error));
    scratch_append(&scratch, ENTRIES); /* some of them only in the write-ahead log */
    for (size_t i = 0; i < sizeof FILES / sizeof FILES[0]; i++) {
        assert_true(is_there(&scratch, FILES[i]));
        for (size_t j = 0; j < sizeof TEXTS / sizeof TEXTS[0]; j++) {
            assert_false(holds(&scratch, FILES[i], TEXTS[j]));
        }
    }
    scratch_close(&scratch);
}

static void a_log_made_under_a_key_is_never_plain(void **state) {
    (void)state;
    struct scratch scratch;
    scratch_open_state(&scratch);
    set_key(&scratch, 5);
    scratch_open_log(&scratch);
    scratch_append(&scratch, ENTRIES);
    assert_false(holds(&scratch, "audit.db", KNOWN));
    assert_false(holds(&scratch, "audit.db-wal", KNOWN));
    must(check(&scratch, &scratch_error));
    scratch_close(&scratch);
}

/* Neither opens it, nor makes a new log, nor changes a byte. */
static void another_key_or_none_opens_nothing(void **state) {
    (void)state;
    struct scratch scratch;
    struct stat before;
    struct stat after;
    scratch_open_state(&scratch);
    set_key(&scratch, 5);
    scratch_open_log(&scratch);
    scratch_append(&scratch, ENTRIES);
    audit_log_closep(&scratch.log);
    assert_int_equal(fstatat(scratch.state.fd, "audit.db", &before, 0), 0);
    set_key(&scratch, 6);
    must_fail(reopen(&scratch, &scratch_error), ERROR_AUDIT_KEY);
    assert_non_null(strstr(scratch_error.hint, "key_file"));
    must_fail(change(&scratch, "rekey", 8), ERROR_AUDIT_KEY);
    set_key(&scratch, 0);
    must_fail(reopen(&scratch, &scratch_error), ERROR_AUDIT_KEY);
    assert_non_null(strstr(scratch_error.message, "is encrypted"));
    must_fail(change(&scratch, "encrypt", 8), ERROR_AUDIT_KEY);
    assert_int_equal(fstatat(scratch.state.fd, "audit.db", &after, 0), 0);
    assert_int_equal(before.st_ino, after.st_ino);
    assert_int_equal(before.st_size, after.st_size);
    set_key(&scratch, 5);
    must(reopen(&scratch, &scratch_error));
    must(check(&scratch, &scratch_error));
    scratch_close(&scratch);
}

static void a_plain_log_does_not_open_under_a_key(void **state) {
    (void)state;
    struct scratch scratch;
    scratch_open(&scratch);
    scratch_append(&scratch, 1);
    audit_log_closep(&scratch.log);
    set_key(&scratch, 5);
    must_fail(reopen(&scratch, &scratch_error), ERROR_AUDIT_KEY);
    assert_non_null(strstr(scratch_error.hint, "airlock log encrypt"));
    scratch_close(&scratch);
}

/* A plain log whose first bytes are gone is damaged; nobody is sent looking for a key. */
static void a_damaged_header_is_no_encryption(void **state) {
    (void)state;
    struct scratch scratch;
    scratch_open(&scratch);
    scratch_append(&scratch, 1);
    audit_log_closep(&scratch.log);
    int file = openat(scratch.state.fd, "audit.db", O_WRONLY | O_CLOEXEC);
    assert_int_equal(pwrite(file, "0123456789abcdef", 16, 0), 16);
    assert_int_equal(close(file), 0);
    assert_int_equal(unlinkat(scratch.state.fd, "audit.db-wal", 0), 0);
    must_fail(reopen(&scratch, &scratch_error), ERROR_AUDIT_DAMAGED);
    scratch_close(&scratch);
}

static void a_log_in_use_is_left_alone(void **state) {
    (void)state;
    struct scratch scratch;
    scratch_open(&scratch);
    scratch_append(&scratch, 1);
    must_fail(change(&scratch, "encrypt", 1), ERROR_BUSY);
    must(check(&scratch, &scratch_error));
    scratch_append(&scratch, 1);
    scratch_close(&scratch);
}

/* Room for the log, but not for a copy of it. */
static void a_full_disk_leaves_the_old_log(void **state) {
    (void)state;
    struct scratch scratch = {.clock = clock_system()};
    char path[] = "/tmp/airlock-test-full-XXXXXX";
    assert_non_null(mkdtemp(path));
    if (mount("tmpfs", path, "tmpfs", 0, "size=1200k,mode=0700") != 0) {
        (void)rmdir(path);
        print_message("# a small filesystem cannot be mounted here: the full disk was NOT tried\n");
        skip();
    }
    assert_int_equal(setenv("AIRLOCK_STATE_DIR", path, 1), 0);
    must(state_open(&scratch.state, &scratch_error));
    scratch_open_log(&scratch);
    struct stat file = {0};
    uint64_t size = 0;
    for (; file.st_size < 640 * 1024; size += 50) {
        scratch_append(&scratch, 50);
        assert_int_equal(fstatat(scratch.state.fd, "audit.db", &file, 0), 0);
    }
    struct builder before = all_of(&scratch);
    audit_log_closep(&scratch.log);
    must_fail(change(&scratch, "encrypt", 1), ERROR_DISK_FULL);
    assert_false(is_there(&scratch, "audit.db.new"));
    assert_false(is_there(&scratch, "audit.db.new-journal"));
    expect_kept(&scratch, &before, size);
    builder_deinit(&before);
    audit_log_closep(&scratch.log);
    state_close(&scratch.state);
    assert_int_equal(umount(path), 0);
    assert_int_equal(rmdir(path), 0);
}

/* Whether the call may change what a crash leaves behind. */
static bool is_step(uint64_t number) {
    switch (number) {
    case SYS_write:
    case SYS_pwrite64:
    case SYS_fsync:
    case SYS_fdatasync:
    case SYS_ftruncate:
    case SYS_unlink:
    case SYS_unlinkat:
    case SYS_renameat:
    case SYS_renameat2:
    case SYS_openat:
    case SYS_openat2:
        return true;
    default:
        return false;
    }
}

/* The change in another process, killed before its `step`-th such call; false: it ended before. */
static bool change_killed(struct scratch *scratch, const struct step *at, unsigned step) {
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        scratch->state.log_key = key_of(at->from); /* a child has none of its parent's secrets */
        if (ptrace(PTRACE_TRACEME, 0, nullptr, nullptr) != 0 || raise(SIGSTOP) != 0) {
            _exit(2);
        }
        _exit(status_is_ok(change(scratch, at->what, at->to)) ? 0 : 1);
    }
    int status;
    unsigned steps = 0;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFSTOPPED(status));
    assert_int_equal(
        ptrace(PTRACE_SETOPTIONS, child, nullptr, PTRACE_O_TRACESYSGOOD | PTRACE_O_EXITKILL), 0);
    for (;;) {
        assert_int_equal(ptrace(PTRACE_SYSCALL, child, nullptr, nullptr), 0);
        assert_int_equal(waitpid(child, &status, 0), child);
        if (WIFEXITED(status)) {
            assert_int_equal(WEXITSTATUS(status), 0);
            return false;
        }
        assert_true(WIFSTOPPED(status));
        struct __ptrace_syscall_info info;
        if (ptrace(PTRACE_GET_SYSCALL_INFO, child, sizeof info, &info) > 0 &&
            info.op == PTRACE_SYSCALL_INFO_ENTRY && is_step(info.entry.nr) && ++steps == step) {
            assert_int_equal(kill(child, SIGKILL), 0);
            assert_int_equal(waitpid(child, &status, 0), child);
            return true;
        }
    }
}

/* After each of them the log is the old one under the old key or the new one under the new key. */
static void killed_everywhere(struct scratch *scratch, const struct step *at) {
    unsigned old_logs = 0;
    bool is_done = false;
    uint64_t size = ENTRIES;
    struct builder before = all_of(scratch);
    audit_log_closep(&scratch->log);
    for (unsigned step = 1; !is_done; step++) {
        bool was_killed = change_killed(scratch, at, step);
        struct error ignored = {0};
        set_key(scratch, at->from);
        is_done = !status_is_ok(reopen(scratch, &ignored));
        if (is_done) {
            assert_string_equal(error_slug(ignored.code), "audit.key");
            set_key(scratch, at->to);
            size++;
        } else {
            old_logs++;
        }
        expect_kept(scratch, &before, size);
        audit_log_closep(&scratch->log);
        assert_true(
            was_killed); /* only the sync behind the rename may be missed, and there is one */
    }
    assert_true(old_logs > 20);
    must(reopen(scratch, &scratch_error));
    builder_deinit(&before);
}

static void a_kill_at_every_step_leaves_one_whole_log(void **state) {
    (void)state;
    static const struct step CHANGES[] = {{"encrypt", 0, 1}, {"rekey", 1, 2}, {"decrypt", 2, 0}};
    for (size_t i = 0; i < sizeof CHANGES / sizeof CHANGES[0]; i++) {
        struct scratch scratch;
        scratch_open_state(&scratch);
        set_key(&scratch, CHANGES[i].from);
        scratch_open_log(&scratch);
        scratch_append(&scratch, ENTRIES);
        sign(&scratch, ENTRIES - 1);
        killed_everywhere(&scratch, &CHANGES[i]);
        scratch_append(&scratch, 1);
        must(check(&scratch, &scratch_error));
        scratch_close(&scratch);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_change_keeps_every_entry),
        cmocka_unit_test(nothing_of_an_entry_stands_in_the_files),
        cmocka_unit_test(a_log_made_under_a_key_is_never_plain),
        cmocka_unit_test(another_key_or_none_opens_nothing),
        cmocka_unit_test(a_plain_log_does_not_open_under_a_key),
        cmocka_unit_test(a_damaged_header_is_no_encryption),
        cmocka_unit_test(a_log_in_use_is_left_alone),
        cmocka_unit_test(a_full_disk_leaves_the_old_log),
        cmocka_unit_test(a_kill_at_every_step_leaves_one_whole_log),
    };
    return cmocka_run_group_tests_name("encryption", tests, nullptr, nullptr);
}
