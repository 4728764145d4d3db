/* SPDX-License-Identifier: Apache-2.0 */
#include "kernel/workspace.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

static char folder[LIMIT_PATH_BYTES];

static int set_up(void **state) {
    (void)state;
    char template_path[] = "/tmp/airlock-test-workspace-XXXXXX";
    if (mkdtemp(template_path) == nullptr || realpath(template_path, folder) == nullptr ||
        chdir(folder) != 0) {
        return -1;
    }
    return mkdir("top", 0700) | mkdir("top/.git", 0700) | mkdir("top/a", 0700) |
           mkdir("top/a/b", 0700) | mkdir("plain", 0700) | symlink("top/a", "link") |
           symlink("loop", "loop");
}

static int tear_down(void **state) {
    (void)state;
    if (chdir(folder) != 0) {
        return -1;
    }
    return unlink("link") | unlink("loop") | rmdir("plain") | rmdir("top/a/b") | rmdir("top/a") |
           rmdir("top/.git") | rmdir("top") | chdir("/") | rmdir(folder);
}

static void assert_found(const char *from, const char *option, const char *expected) {
    char wanted[LIMIT_PATH_BYTES + 32];
    char found[LIMIT_PATH_BYTES];
    struct error err;
    assert_int_equal(chdir(folder), 0);
    assert_int_equal(chdir(from), 0);
    assert_true(status_is_ok(workspace_find(option, found, &err)));
    (void)snprintf(wanted, sizeof wanted, "%s/%s", folder, expected);
    assert_string_equal(found, wanted);
}

static void the_nearest_top_is_meant(void **state) {
    (void)state;
    assert_found("top/a/b", nullptr, "top");
    assert_found("top", nullptr, "top");
    assert_found("plain", nullptr, "plain");
    assert_found("top/a", ".", "top/a");
    assert_found(".", "link", "top/a");
    assert_found(".", "top/../plain/", "plain");
}

static void what_is_no_folder_is_unusable(void **state) {
    (void)state;
    static const char *const bad[] = {"none", "loop", "/etc/passwd", ""};
    assert_int_equal(chdir(folder), 0);
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        char found[LIMIT_PATH_BYTES];
        struct error err;
        assert_false(status_is_ok(workspace_find(bad[i], found, &err)));
        assert_int_equal(err.code, ERROR_WORKSPACE_UNUSABLE);
    }
}

static bool check(const char *path, const char *state_path) {
    static struct state state;
    struct workspace_identity identity;
    struct error err = {};
    (void)snprintf(state.path, sizeof state.path, "%s", state_path);
    bool usable = status_is_ok(workspace_check(&state, path, &identity, &err));
    assert_int_equal(err.code, usable ? ERROR_NONE : ERROR_WORKSPACE_UNUSABLE);
    return usable;
}

static void what_cannot_be_one_is_refused(void **state) {
    (void)state;
    char inner[LIMIT_PATH_BYTES + 16];
    (void)snprintf(inner, sizeof inner, "%s/state", folder);
    assert_true(check(folder, "/var/lib/airlock"));
    assert_false(check("/", "/var/lib/airlock"));
    assert_false(check(folder, inner));  /* holds the state */
    assert_false(check(folder, folder)); /* is the state */
    assert_false(check(inner, folder));  /* lies in the state */
    assert_false(check("/proc/self", "/var/lib/airlock"));
    assert_false(check("/sys", "/var/lib/airlock"));
    assert_false(check("/nonexistent", "/var/lib/airlock"));
    /* A neighbour whose name only begins alike is not inside. */
    (void)snprintf(inner, sizeof inner, "%sx", folder);
    assert_true(check(folder, inner));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_nearest_top_is_meant),
        cmocka_unit_test(what_is_no_folder_is_unusable),
        cmocka_unit_test(what_cannot_be_one_is_refused),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
