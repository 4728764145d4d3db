/* SPDX-License-Identifier: Apache-2.0 */
#include <dirent.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "kernel/policy_files.h"
#include "kernel/policy_replay.h"
#include "kernel/policy_trust.h"
#include "policy/default.h"
#include "sys/file.h"

static char folder[64], config[128];
static struct kernel kernel;
static struct error failure;
static const char *meanwhile; /* a folder that somebody makes once the update has begun */

static const struct slice FIRST = SLICE_LITERAL("version: 1\n# first\n");
static const struct slice SECOND = SLICE_LITERAL("version: 1\n# second\n");

static uint64_t wall(void *context) {
    (void)context;
    if (meanwhile != nullptr) {
        (void)mkdir(meanwhile, 0700);
    }
    return UINT64_C(1783684800000);
}

static int open_kernel(void **unused) {
    char state[128];
    (void)unused;
    (void)snprintf(folder, sizeof folder, "/tmp/airlock-test-XXXXXX");
    assert_non_null(mkdtemp(folder));
    (void)snprintf(state, sizeof state, "%s/state", folder);
    (void)snprintf(config, sizeof config, "%s/config/deep", folder);
    assert_int_equal(setenv("AIRLOCK_STATE_DIR", state, 1), 0);
    assert_int_equal(setenv("XDG_CONFIG_HOME", config, 1), 0);
    assert_int_equal(kernel_open(&kernel, &failure).code, 0);
    kernel.clock.wall_ms = wall;
    return 0;
}

static int close_kernel(void **unused) {
    (void)unused;
    kernel_close(&kernel);
    assert_int_equal(file_remove_tree(AT_FDCWD, folder, &failure).code, 0);
    return 0;
}

/* The key process is another program, which unit tests have not: the signature that follows may be
 * missing, the change may not. */
static int outcome(status_t status) {
    bool unsigned_only = !status_is_ok(status) &&
                         (failure.code == ERROR_KEYS_MISSING || failure.code == ERROR_KEYS_FAILED);
    return unsigned_only ? 0 : status.code;
}

static int update(struct slice text, const struct digest *old) {
    const struct policy_replay_result replay = {
        .decisions = 9,
        .breaking_count = 2,
        .changed = {[POLICY_ALLOW] = {[POLICY_DENY] = 2}, [POLICY_DENY] = {[POLICY_ALLOW] = 3}},
    };
    const struct policy_update change = {.text = text, .old_digest = *old, .replay = &replay};
    return outcome(policy_files_update(&kernel, &change, &failure));
}

static struct digest in_force(void) {
    struct digest digest;
    assert_int_equal(policy_files_user_digest(&digest, &failure).code, 0);
    return digest;
}

static bool is_in_force(struct slice text) {
    struct digest wanted;
    struct digest found = in_force();
    sha256_of(text, &wanted);
    return digest_equal(&wanted, &found);
}

static bool take_last(void *context, [[maybe_unused]] uint64_t seq, struct slice entry) {
    struct json **last = context;
    return !status_is_ok(json_parse(entry, "an entry", last, &failure));
}

static struct json *last_entry(void) {
    struct audit_head head;
    struct json *last = nullptr;
    assert_int_equal(audit_log_head(kernel.log, &head, &failure).code, 0);
    assert_true(head.size > 0);
    assert_int_equal(
        audit_log_scan_back(kernel.log, head.size - 1, take_last, &last, &failure).code, 0);
    return last;
}

static uint64_t entry_count(void) {
    struct audit_head head;
    assert_int_equal(audit_log_head(kernel.log, &head, &failure).code, 0);
    return head.size;
}

static void the_first_file_replaces_the_default(void **unused) {
    (void)unused;
    char path[192];
    struct stat there;
    struct digest old = in_force();
    int64_t count = 0;
    assert_true(is_in_force(policy_default_text()));
    assert_int_equal(update(FIRST, &old), 0);
    assert_true(is_in_force(FIRST));
    (void)snprintf(path, sizeof path, "%s/airlock", config);
    assert_int_equal(stat(path, &there), 0);
    assert_int_equal(there.st_mode & 07777, 0700);
    (void)snprintf(path, sizeof path, "%s/airlock/policy.yaml", config);
    assert_int_equal(stat(path, &there), 0);
    assert_int_equal(there.st_mode & 07777, 0600);
    struct json *entry = last_entry();
    assert_string_equal(json_get_text(entry, "type"), "policy_updated");
    assert_string_equal(json_get_text(entry, "path"), path);
    assert_int_equal(strlen(json_get_text(entry, "old_digest")), 64);
    assert_true(json_get_integer(entry, "breaking", &count));
    assert_int_equal(count, 2);
    assert_true(json_get_integer(json_get(entry, "changed"), "deny>allow", &count));
    assert_int_equal(count, 3);
    json_free(entry);
}

static void what_changed_meanwhile_is_not_overwritten(void **unused) {
    (void)unused;
    struct digest old = in_force();
    assert_int_equal(update(FIRST, &old), 0);
    uint64_t before = entry_count();
    assert_int_equal(update(SECOND, &old), ERROR_BUSY);
    assert_true(is_in_force(FIRST));
    assert_int_equal(entry_count(), before);
}

static void one_at_a_time(void **unused) {
    (void)unused;
    struct digest old = in_force();
    int fd = openat(kernel.state.fd, "policy.lock", O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    assert_true(fd >= 0);
    assert_int_equal(flock(fd, LOCK_EX), 0);
    assert_int_equal(update(FIRST, &old), ERROR_BUSY);
    assert_true(is_in_force(policy_default_text()));
    assert_int_equal(close(fd), 0);
    assert_int_equal(update(FIRST, &old), 0);
}

/* The user keeps the file elsewhere, and a link to it. */
static void a_link_of_the_users_stays_one(void **unused) {
    (void)unused;
    char target[256];
    char path[192];
    struct digest old = in_force();
    assert_int_equal(update(FIRST, &old), 0);
    (void)snprintf(path, sizeof path, "%s/airlock/policy.yaml", config);
    (void)snprintf(target, sizeof target, "%s/airlock/dotfiles", config);
    assert_int_equal(mkdir(target, 0700), 0);
    (void)snprintf(target, sizeof target, "%s/airlock/dotfiles/p.yaml", config);
    assert_int_equal(rename(path, target), 0);
    assert_int_equal(symlink(target, path), 0);
    old = in_force();
    assert_int_equal(update(SECOND, &old), 0);
    assert_true(is_in_force(SECOND));
    struct stat there;
    assert_int_equal(lstat(path, &there), 0);
    assert_true(S_ISLNK(there.st_mode)); /* what it leads to was replaced */
    struct json *entry = last_entry();
    assert_string_equal(json_get_text(entry, "path"), target);
    json_free(entry);
}

/* A folder stands in the way of the rename, which is the effect: the intent is written down by
 * then, and nothing half done is left behind. */
static void the_entry_comes_before_the_effect(void **unused) {
    (void)unused;
    char path[256];
    const struct policy_replay_result replay = {};
    struct policy_update change = {.text = FIRST, .replay = &replay};
    (void)snprintf(path, sizeof path, "%s/airlock/policy.yaml", config);
    char *slash = path;
    while ((slash = strchr(slash + 1, '/')) != nullptr) {
        *slash = '\0';
        (void)mkdir(path, 0700);
        *slash = '/';
    }
    sha256_of(policy_default_text(), &change.old_digest);
    meanwhile = path;
    assert_int_equal(outcome(policy_files_update(&kernel, &change, &failure)), ERROR_IO);
    meanwhile = nullptr;
    struct json *entry = last_entry();
    assert_string_equal(json_get_text(entry, "type"), "policy_updated");
    json_free(entry);
    *strrchr(path, '/') = '\0';
    DIR *listing = opendir(path);
    assert_non_null(listing);
    struct dirent *row;
    while ((row = readdir(listing)) != nullptr) {
        assert_null(strstr(row->d_name, ".new-"));
    }
    assert_int_equal(closedir(listing), 0);
}

static void what_cannot_be_written_changes_nothing(void **unused) {
    (void)unused;
    char path[192];
    struct digest old = in_force();
    (void)snprintf(path, sizeof path, "%s/config", folder);
    int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600); /* where a folder should be made */
    assert_true(fd >= 0);
    assert_int_equal(close(fd), 0);
    uint64_t before = entry_count();
    assert_int_not_equal(update(FIRST, &old), 0);
    assert_int_equal(entry_count(), before);
}

static void trust_is_written_down_first(void **unused) {
    (void)unused;
    const struct digest digest = {{7}};
    bool found = false;
    assert_int_equal(policy_files_trust(&kernel, "/ws", nullptr, &failure).code,
                     ERROR_POLICY_MISSING);
    assert_int_equal(entry_count(), 0);
    assert_int_equal(outcome(policy_files_trust(&kernel, "/ws", &digest, &failure)), 0);
    assert_int_equal(policy_trust_find(&kernel.state, "/ws", &digest, &found, &failure).code, 0);
    assert_true(found);
    struct json *entry = last_entry();
    assert_string_equal(json_get_text(entry, "operation"), "policy.trust");
    assert_string_equal(json_get_text(entry, "path"), "/ws/.airlock/policy.yaml");
    json_free(entry);
    assert_int_equal(outcome(policy_files_trust(&kernel, "/ws", nullptr, &failure)), 0);
    assert_int_equal(policy_trust_find(&kernel.state, "/ws", &digest, &found, &failure).code, 0);
    assert_false(found);
    entry = last_entry();
    assert_string_equal(json_get_text(entry, "operation"), "policy.untrust");
    assert_int_equal(strncmp(json_get_text(entry, "digest"), "0700", 4), 0);
    json_free(entry);
}

static void nothing_is_trusted_that_cannot_be_written_down(void **unused) {
    (void)unused;
    const struct digest digest = {{7}};
    char path[192];
    (void)snprintf(path, sizeof path, "%s/state/trust.json", folder);
    assert_int_equal(mkdir(path, 0700), 0);
    assert_int_not_equal(outcome(policy_files_trust(&kernel, "/ws", &digest, &failure)), 0);
    assert_int_equal(entry_count(), 0); /* a list that cannot be read stops it before the entry */
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, open_kernel, close_kernel)

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(the_first_file_replaces_the_default),
        TEST(what_changed_meanwhile_is_not_overwritten),
        TEST(one_at_a_time),
        TEST(a_link_of_the_users_stays_one),
        TEST(the_entry_comes_before_the_effect),
        TEST(what_cannot_be_written_changes_nothing),
        TEST(trust_is_written_down_first),
        TEST(nothing_is_trusted_that_cannot_be_written_down),
    };
    return cmocka_run_group_tests(tests, nullptr, nullptr);
}
