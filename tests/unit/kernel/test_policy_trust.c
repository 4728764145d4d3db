/* SPDX-License-Identifier: Apache-2.0 */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "kernel/policy_trust.h"
#include "sys/file.h"

static char folder[64];
static struct state state;
static struct error failure;
static const struct digest FIRST = {{1, 2, 3}}, SECOND = {{1, 2, 4}};

static int open_state(void **unused) {
    (void)unused;
    (void)snprintf(folder, sizeof folder, "/tmp/airlock-test-XXXXXX");
    assert_non_null(mkdtemp(folder));
    assert_int_equal(setenv("AIRLOCK_STATE_DIR", folder, 1), 0);
    assert_int_equal(state_open(&state, &failure).code, 0);
    return 0;
}

static int close_state(void **unused) {
    (void)unused;
    state_close(&state);
    assert_int_equal(file_remove_tree(AT_FDCWD, folder, &failure).code, 0);
    return 0;
}

static bool is_trusted(const char *workspace, const struct digest *digest) {
    bool found = false;
    assert_int_equal(policy_trust_find(&state, workspace, digest, &found, &failure).code, 0);
    return found;
}

static void trust(const char *workspace, const struct digest *digest) {
    assert_int_equal(policy_trust_set(&state, workspace, digest, true, &failure).code, 0);
}

static void put_list(const char *text) {
    const struct file_write_options options = {.mode = 0600};
    assert_int_equal(
        file_write_atomic(state.fd, "trust.json", slice_of_string(text), &options, &failure).code,
        0);
}

static void nothing_is_trusted_at_first(void **unused) {
    (void)unused;
    assert_false(is_trusted("/a", &FIRST));
    assert_int_equal(faccessat(state.fd, "trust.json", F_OK, 0), -1);
}

static void trust_is_of_one_digest_and_one_workspace(void **unused) {
    (void)unused;
    trust("/a", &FIRST);
    assert_true(is_trusted("/a", &FIRST));
    assert_false(is_trusted("/a", &SECOND));
    assert_false(is_trusted("/a/b", &FIRST));
    assert_false(is_trusted("/A", &FIRST));
}

static void another_digest_takes_the_place(void **unused) {
    (void)unused;
    trust("/a", &FIRST);
    trust("/b", &FIRST);
    trust("/a", &SECOND);
    assert_false(is_trusted("/a", &FIRST));
    assert_true(is_trusted("/a", &SECOND));
    assert_true(is_trusted("/b", &FIRST));
}

static void dropping_is_of_one_workspace_and_may_be_repeated(void **unused) {
    (void)unused;
    trust("/a", &FIRST);
    trust("/b", &FIRST);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(policy_trust_set(&state, "/a", nullptr, false, &failure).code, 0);
        assert_false(is_trusted("/a", &FIRST));
        assert_true(is_trusted("/b", &FIRST));
    }
}

static void paths_of_any_bytes_stay_apart(void **unused) {
    (void)unused;
    static const char *const PATHS[] = {"/a\\x0a", "/a\n",   "/a\\n", "/\xff",
                                        "/\\xff",  "/\\xFF", "/\"",   "/\xe2\x80\xae"};
    for (size_t i = 0; i < sizeof PATHS / sizeof PATHS[0]; i++) {
        assert_false(is_trusted(PATHS[i], &FIRST));
        trust(PATHS[i], &FIRST);
        assert_true(is_trusted(PATHS[i], &FIRST));
    }
}

static void a_list_that_cannot_be_read_is_no_empty_list(void **unused) {
    (void)unused;
    static const char *const LISTS[] = {
        "",
        "{",
        "[]",
        "{}",
        "{\"trusted\":{}}",
        "{\"trusted\":[1]}",
        "{\"trusted\":[{\"workspace\":\"/a\"}]}",
        "{\"trusted\":[{\"digest\":\"01\",\"workspace\":\"/a\"}]}",
    };
    for (size_t i = 0; i < sizeof LISTS / sizeof LISTS[0]; i++) {
        bool found = false;
        put_list(LISTS[i]);
        assert_int_equal(policy_trust_find(&state, "/a", &FIRST, &found, &failure).code,
                         ERROR_BAD_ENCODING);
        assert_int_equal(policy_trust_set(&state, "/a", &FIRST, true, &failure).code,
                         ERROR_BAD_ENCODING);
    }
}

static void the_list_is_the_users_alone(void **unused) {
    (void)unused;
    struct stat there;
    trust("/a", &FIRST);
    assert_int_equal(fstatat(state.fd, "trust.json", &there, AT_SYMLINK_NOFOLLOW), 0);
    assert_int_equal(there.st_mode & 07777, 0600);
    assert_int_equal(fstatat(state.fd, "trust.lock", &there, AT_SYMLINK_NOFOLLOW), 0);
    assert_int_equal(there.st_mode & 07777, 0600);
}

static void there_is_a_limit(void **unused) {
    (void)unused;
    struct builder text;
    builder_init(&text, (size_t)8 * 1024 * 1024);
    builder_text(&text, "{\"trusted\":[");
    for (int i = 0; i < (int)LIMIT_TRUSTED_WORKSPACES; i++) {
        builder_format(&text, "%s{\"digest\":\"%064d\",\"workspace\":\"/%d\"}", i == 0 ? "" : ",",
                       1, i);
    }
    builder_text(&text, "]}");
    put_list(builder_c_string(&text));
    builder_deinit(&text);
    assert_int_equal(policy_trust_set(&state, "/a", &FIRST, true, &failure).code, ERROR_LIMIT);
    assert_false(is_trusted("/a", &FIRST));
    trust("/17", &FIRST); /* takes the place of another */
    assert_true(is_trusted("/17", &FIRST));
}

/* Without the lock the last writer would drop what the others wrote meanwhile. */
static void writers_at_once_lose_nothing(void **unused) {
    (void)unused;
    enum { WRITERS = 8, EACH = 10 };
    char path[32];
    for (int writer = 0; writer < WRITERS; writer++) {
        pid_t child = fork();
        assert_true(child >= 0);
        for (int i = 0; child == 0 && i < EACH; i++) {
            (void)snprintf(path, sizeof path, "/%d/%d", writer, i);
            if (!status_is_ok(policy_trust_set(&state, path, &FIRST, true, &failure))) {
                _exit(1);
            }
        }
        if (child == 0) {
            _exit(0);
        }
    }
    for (int writer = 0; writer < WRITERS; writer++) {
        int status = -1;
        assert_true(wait(&status) > 0);
        assert_int_equal(status, 0);
    }
    for (int i = 0; i < WRITERS * EACH; i++) {
        (void)snprintf(path, sizeof path, "/%d/%d", i / EACH, i % EACH);
        assert_true(is_trusted(path, &FIRST));
    }
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, open_state, close_state)

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(nothing_is_trusted_at_first),
        TEST(trust_is_of_one_digest_and_one_workspace),
        TEST(another_digest_takes_the_place),
        TEST(dropping_is_of_one_workspace_and_may_be_repeated),
        TEST(paths_of_any_bytes_stay_apart),
        TEST(a_list_that_cannot_be_read_is_no_empty_list),
        TEST(the_list_is_the_users_alone),
        TEST(there_is_a_limit),
        TEST(writers_at_once_lose_nothing),
    };
    return cmocka_run_group_tests(tests, nullptr, nullptr);
}
