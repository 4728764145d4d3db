/* SPDX-License-Identifier: Apache-2.0 */
#include "store/state.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "sys/file.h"

static char path[64];
static struct error err;

static int set_up(void **state) {
    (void)state;
    (void)umask(022);
    (void)snprintf(path, sizeof path, "/tmp/airlock-test-state-XXXXXX");
    return mkdtemp(path) == nullptr || setenv("AIRLOCK_STATE_DIR", path, 1) != 0 ? -1 : 0;
}

static int tear_down(void **state) {
    (void)state;
    return status_is_ok(file_remove_tree(AT_FDCWD, path, &err)) ? 0 : -1;
}

static enum error_code open_code(void) {
    struct state opened;
    err = (struct error){0};
    if (status_is_ok(state_open(&opened, &err))) {
        state_close(&opened);
        return ERROR_NONE;
    }
    return err.code;
}

static void a_new_folder_is_made_private(void **state) {
    (void)state;
    char below[128];
    struct stat made;
    (void)snprintf(below, sizeof below, "%s/a/b/state", path);
    assert_int_equal(setenv("AIRLOCK_STATE_DIR", below, 1), 0);
    assert_int_equal(open_code(), ERROR_NONE);
    assert_int_equal(stat(below, &made), 0);
    assert_int_equal(made.st_mode & 0777, 0700);
    assert_int_equal(open_code(), ERROR_NONE); /* and opened again */
}

static void the_order_of_places_is_kept(void **state) {
    (void)state;
    struct state opened;
    char expected[128];
    assert_int_equal(unsetenv("AIRLOCK_STATE_DIR"), 0);
    assert_int_equal(setenv("XDG_STATE_HOME", path, 1), 0);
    assert_true(status_is_ok(state_open(&opened, &err)));
    (void)snprintf(expected, sizeof expected, "%s/airlock", path);
    assert_string_equal(opened.path, expected);
    state_close(&opened);
    assert_int_equal(unsetenv("XDG_STATE_HOME"), 0);
    assert_int_equal(setenv("AIRLOCK_STATE_DIR", "relative", 1), 0);
    assert_int_equal(open_code(), ERROR_STATE_UNUSABLE);
}

static void a_folder_others_can_write_is_refused(void **state) {
    (void)state;
    assert_int_equal(chmod(path, 0770), 0);
    assert_int_equal(open_code(), ERROR_STATE_UNUSABLE);
    assert_non_null(strstr(err.hint, "chmod 0700"));
    assert_int_equal(chmod(path, 0700), 0);
    assert_int_equal(open_code(), ERROR_NONE);
}

static void anothers_folder_is_refused(void **state) {
    (void)state;
    if (geteuid() != 0) {
        print_message("# only root can give a folder away: NOT tried\n");
        skip();
    }
    assert_int_equal(chown(path, 12345, 12345), 0);
    assert_int_equal(open_code(), ERROR_STATE_UNUSABLE);
    assert_non_null(strstr(err.message, "12345"));
}

static void a_newer_or_foreign_version_is_refused(void **state) {
    (void)state;
    int folder = open(path, O_RDONLY | O_DIRECTORY);
    struct file_write_options options = {.mode = 0600};
    static const struct {
        const char *text;
        enum error_code code;
    } VERSIONS[] = {{"2\n", ERROR_STATE_VERSION},      {"99999\n", ERROR_STATE_VERSION},
                    {"hello\n", ERROR_STATE_UNUSABLE}, {"", ERROR_STATE_UNUSABLE},
                    {"0\n", ERROR_STATE_UNUSABLE},     {"-1\n", ERROR_STATE_VERSION}};
    for (size_t i = 0; i < sizeof VERSIONS / sizeof VERSIONS[0]; i++) {
        assert_true(status_is_ok(file_write_atomic(
            folder, "VERSION", slice_of_string(VERSIONS[i].text), &options, &err)));
        assert_int_equal(open_code(), VERSIONS[i].code);
    }
    (void)close(folder);
}

static void a_read_only_folder_is_said_to_be_one(void **state) {
    (void)state;
    assert_int_equal(open_code(), ERROR_NONE);
    if (mount(path, path, nullptr, MS_BIND, nullptr) != 0) {
        print_message("# nothing can be mounted here: the read-only folder was NOT tried\n");
        skip();
    }
    assert_int_equal(mount(nullptr, path, nullptr, MS_BIND | MS_REMOUNT | MS_RDONLY, nullptr), 0);
    assert_int_equal(open_code(), ERROR_STATE_READ_ONLY);
    char below[128];
    (void)snprintf(below, sizeof below, "%s/new", path);
    assert_int_equal(setenv("AIRLOCK_STATE_DIR", below, 1), 0);
    assert_int_equal(open_code(), ERROR_STATE_READ_ONLY);
    assert_int_equal(umount(path), 0);
}

static void a_file_in_its_place_is_refused(void **state) {
    (void)state;
    char file[128];
    (void)snprintf(file, sizeof file, "%s/file", path);
    int fd = open(file, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
    assert_true(fd >= 0);
    (void)close(fd);
    assert_int_equal(setenv("AIRLOCK_STATE_DIR", file, 1), 0);
    assert_int_equal(open_code(), ERROR_STATE_UNUSABLE);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_new_folder_is_made_private, set_up, tear_down),
        cmocka_unit_test_setup_teardown(the_order_of_places_is_kept, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_folder_others_can_write_is_refused, set_up, tear_down),
        cmocka_unit_test_setup_teardown(anothers_folder_is_refused, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_newer_or_foreign_version_is_refused, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_read_only_folder_is_said_to_be_one, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_file_in_its_place_is_refused, set_up, tear_down),
    };
    return cmocka_run_group_tests_name("state", tests, nullptr, nullptr);
}
