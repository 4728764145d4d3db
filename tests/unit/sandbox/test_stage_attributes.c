/* SPDX-License-Identifier: Apache-2.0
 *
 * Attributes and modes without content.
 */
#include "stage_fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>

#include <cmocka.h>

static bool set_attribute(const char *path, const char *name, const char *value) {
    char full[900];
    (void)snprintf(full, sizeof full, "%s/%s", fixture_folder, path);
    return setxattr(full, name, value, strlen(value), 0) == 0;
}

static void assert_attribute(const char *path, const char *name, const char *expected) {
    char full[900];
    char value[64] = "";
    (void)snprintf(full, sizeof full, "%s/%s", fixture_folder, path);
    ssize_t size = getxattr(full, name, value, sizeof value - 1);
    assert_int_equal(size, expected == nullptr ? -1 : (ssize_t)strlen(expected));
    assert_string_equal(value, expected == nullptr ? "" : expected);
}

static void assert_shown(const struct run *run, const char *line) {
    char *text = diff_text(run, &(struct diff_options){0});
    if (strstr(text, line) == nullptr) {
        fail_msg("the diff does not say %s: %s", line, text);
    }
    free(text);
}

static void attributes_of_a_folder_are_written(void **unused) {
    (void)unused;
    char upper[128];
    char path[200];
    put_file("work/d/a", "1\n", 0644);
    if (!set_attribute("work/d", "user.old", "o") || !set_attribute("work/d", "user.both", "b")) {
        skip();
    }
    struct run run = start_run(nullptr, upper);
    (void)snprintf(path, sizeof path, "%s/d", upper);
    put_folder(path, 0755);
    assert_true(set_attribute(path, "user.both", "changed"));
    assert_true(set_attribute(path, "user.new", "n"));
    (void)seal_run(&run);
    assert_shown(&run, "# other attributes (user.*) d\n");
    struct apply_result result;
    struct error err;
    assert_int_equal(apply_all(&run, &result, &err).code, 0);
    assert_int_equal(result.applied, 1);
    assert_attribute("work/d", "user.old", nullptr);
    assert_attribute("work/d", "user.both", "changed");
    assert_attribute("work/d", "user.new", "n");
    assert_tree_is("work", "d/ 0755\nd/a 0644 1\\n\n"); /* and no temporary is left */
    run_close(&run);
}

static void attributes_of_a_file_are_written(void **unused) {
    (void)unused;
    char upper[128];
    char path[200];
    put_file("work/a", "1\n", 0644);
    if (!set_attribute("work/a", "user.old", "o")) {
        skip();
    }
    struct run run = start_run(nullptr, upper);
    (void)snprintf(path, sizeof path, "%s/a", upper);
    put_file(path, "1\n", 0644);
    assert_true(set_attribute(path, "user.new", "n"));
    (void)seal_run(&run);
    assert_shown(&run, "# other attributes (user.*) a\n");
    struct apply_result result;
    struct error err;
    assert_int_equal(apply_all(&run, &result, &err).code, 0);
    assert_attribute("work/a", "user.old", nullptr);
    assert_attribute("work/a", "user.new", "n");
    assert_tree_is("work", "a 0644 1\\n\n");
    run_close(&run);
}

static void modes_alone_are_written(void **unused) {
    (void)unused;
    char upper[128];
    char path[200];
    put_file("work/a", "1\n", 0644);
    put_folder("work/d", 0755);
    struct run run = start_run(nullptr, upper);
    (void)snprintf(path, sizeof path, "%s/a", upper);
    put_file(path, "1\n", 0755);
    (void)snprintf(path, sizeof path, "%s/d", upper);
    put_folder(path, 0700);
    (void)seal_run(&run);
    assert_shown(&run, "# folder mode d 0755 -> 0700\n");
    struct apply_result result;
    struct error err;
    assert_int_equal(apply_all(&run, &result, &err).code, 0);
    assert_tree_is("work", "a 0755 1\\n\nd/ 0700\n");
    run_close(&run);
}

/* rw for the owner and for one other user, and a mask. */
static bool set_access_list(const char *path, unsigned char other) {
    const unsigned char list[] = {2,    0, 0, 0,                           /* version */
                                  1,    0, 6, 0, 0xff,  0xff, 0xff, 0xff,  /* owner */
                                  2,    0, 6, 0, other, 0,    0,    0,     /* user */
                                  4,    0, 4, 0, 0xff,  0xff, 0xff, 0xff,  /* group */
                                  0x10, 0, 6, 0, 0xff,  0xff, 0xff, 0xff,  /* mask */
                                  0x20, 0, 4, 0, 0xff,  0xff, 0xff, 0xff}; /* others */
    char full[900];
    (void)snprintf(full, sizeof full, "%s/%s", fixture_folder, path);
    return setxattr(full, "system.posix_acl_access", list, sizeof list, 0) == 0;
}

static bool has_access_list(const char *path) {
    char full[900];
    (void)snprintf(full, sizeof full, "%s/%s", fixture_folder, path);
    return getxattr(full, "system.posix_acl_access", nullptr, 0) > 0;
}

static char told[3][64];
static size_t told_count;

static void tell(void *context, const char *path) {
    (void)context;
    assert_true(told_count < 3);
    (void)snprintf(told[told_count++], sizeof told[0], "%s", path);
}

static void access_lists_stay_the_users(void **unused) {
    (void)unused;
    char upper[128];
    char path[200];
    put_file("work/kept", "1\n", 0644);
    put_file("work/changed", "1\n", 0644);
    if (!set_access_list("work/kept", 7)) {
        skip();
    }
    struct run run = start_run(nullptr, upper);
    (void)snprintf(path, sizeof path, "%s/kept", upper);
    put_file(path, "2\n", 0644); /* overlayfs copies the list up */
    assert_true(set_access_list(path, 7));
    (void)snprintf(path, sizeof path, "%s/changed", upper);
    put_file(path, "1\n", 0644);
    assert_true(set_access_list(path, 8));
    (void)snprintf(path, sizeof path, "%s/new", upper);
    put_file(path, "n\n", 0644);
    assert_true(set_access_list(path, 9));
    (void)seal_run(&run);
    assert_shown(&run, "# access list, not carried over: changed\n");
    assert_shown(&run, "# access list, not carried over: new\n");
    struct apply_options options = {.not_carried = tell};
    struct apply_result result;
    struct error err;
    told_count = 0;
    assert_int_equal(stage_apply(&fixture_state, &run, &options, &result, &err).code, 0);
    assert_int_equal(told_count, 2);
    assert_string_equal(told[0], "changed");
    assert_string_equal(told[1], "new");
    assert_true(has_access_list("work/kept"));
    assert_false(has_access_list("work/changed"));
    assert_false(has_access_list("work/new"));
    run_close(&run);
}

#define ROW(name) cmocka_unit_test_setup_teardown(name, fixture_set_up, fixture_tear_down)

int main(void) {
    const struct CMUnitTest tests[] = {
        ROW(attributes_of_a_folder_are_written),
        ROW(attributes_of_a_file_are_written),
        ROW(modes_alone_are_written),
        ROW(access_lists_stay_the_users),
    };
    return cmocka_run_group_tests_name("sandbox/stage_attributes", tests, nullptr, nullptr);
}
