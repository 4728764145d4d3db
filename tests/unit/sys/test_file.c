/* SPDX-License-Identifier: Apache-2.0 */
#include "sys/file.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

static char folder[] = "/tmp/airlock-test-file-XXXXXX";
static int folder_fd = -1;

static int set_up(void **state) {
    (void)state;
    if (mkdtemp(folder) == nullptr) {
        return -1;
    }
    folder_fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    return folder_fd < 0 ? -1 : 0;
}

static int tear_down(void **state) {
    (void)state;
    (void)close(folder_fd);
    return rmdir(folder);
}

static void resolution_never_leaves_the_folder(void **state) {
    (void)state;
    assert_int_equal(symlinkat("/etc/passwd", folder_fd, "out"), 0);
    assert_int_equal(file_open_beneath(folder_fd, "out", O_RDONLY, 0, false), -1);
    assert_int_equal(errno, EXDEV);
    assert_int_equal(file_open_beneath(folder_fd, "../x", O_RDONLY, 0, false), -1);
    assert_int_equal(file_open_beneath(folder_fd, "out", O_RDONLY, 0, true), -1);
    assert_int_equal(unlinkat(folder_fd, "out", 0), 0);
}

static void a_parent_is_opened_and_the_last_part_named(void **state) {
    (void)state;
    const char *name = nullptr;
    const char *path = "d/e";
    assert_int_equal(mkdirat(folder_fd, "d", 0700), 0);
    assert_int_equal(symlinkat("d", folder_fd, "link"), 0);
    assert_int_equal(file_open_parent(folder_fd, "../x", O_PATH, false, &name), -1);
    assert_int_equal(file_open_parent(folder_fd, "none/x", O_PATH, false, &name), -1);
    assert_int_equal(file_open_parent(folder_fd, "link/x", O_PATH, true, &name), -1);
    int parent = file_open_parent(folder_fd, path, O_PATH | O_DIRECTORY, true, &name);
    assert_true(parent >= 0);
    assert_ptr_equal(name, path + 2);
    (void)close(parent);
    struct stat here;
    struct stat top;
    parent = file_open_parent(folder_fd, "e", O_PATH | O_DIRECTORY, true, &name);
    assert_int_equal(fstat(parent, &here), 0);
    assert_int_equal(fstat(folder_fd, &top), 0);
    assert_int_equal(here.st_ino, top.st_ino);
    assert_string_equal(name, "e");
    (void)close(parent);
    assert_int_equal(unlinkat(folder_fd, "link", 0), 0);
    assert_int_equal(unlinkat(folder_fd, "d", AT_REMOVEDIR), 0);
}

static void atomic_write_replaces_whole_and_leaves_no_temporary(void **state) {
    (void)state;
    struct error err;
    struct file_write_options options = {.mode = 0640, .durable = true};
    assert_int_equal(file_write_atomic(folder_fd, "f", SLICE_LITERAL("one"), &options, &err).code,
                     0);
    assert_int_equal(file_write_atomic(folder_fd, "f", SLICE_LITERAL("two"), &options, &err).code,
                     0);
    struct builder builder;
    builder_init(&builder, 16);
    bool found = false;
    assert_int_equal(file_read(folder_fd, "f", &builder, &found, &err).code, 0);
    assert_true(found);
    assert_true(slice_equal(builder_slice(&builder), SLICE_LITERAL("two")));
    builder_deinit(&builder);
    struct stat there;
    assert_int_equal(fstatat(folder_fd, "f", &there, 0), 0);
    assert_int_equal(there.st_mode & 07777, 0640);
    assert_int_equal(unlinkat(folder_fd, "f", 0), 0); /* rmdir in tear_down finds leftovers */
}

static void a_file_over_its_limit_is_an_error(void **state) {
    (void)state;
    struct error err;
    struct file_write_options options = {0};
    assert_int_equal(file_write_atomic(folder_fd, "f", SLICE_LITERAL("12345"), &options, &err).code,
                     0);
    struct builder builder;
    builder_init(&builder, 4);
    bool found = false;
    assert_int_equal(file_read(folder_fd, "f", &builder, &found, &err).code, ERROR_LIMIT);
    builder_deinit(&builder);
    assert_int_equal(unlinkat(folder_fd, "f", 0), 0);
}

static void a_tree_is_removed_over_modes_and_never_through_links(void **state) {
    (void)state;
    struct error err;
    assert_int_equal(mkdirat(folder_fd, "keep", 0700), 0);
    int fd = openat(folder_fd, "keep/file", O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
    assert_true(fd >= 0);
    (void)close(fd);
    assert_int_equal(mkdirat(folder_fd, "tree", 0700), 0);
    assert_int_equal(mkdirat(folder_fd, "tree/mark", 0700), 0);
    assert_int_equal(mkdirat(folder_fd, "tree/mark/mark", 0), 0);
    assert_int_equal(symlinkat("../keep", folder_fd, "tree/link"), 0);
    char path[512] = "tree";
    for (int i = 0; i < 100; i++) {
        (void)strcat(path, "/d");
        assert_int_equal(mkdirat(folder_fd, path, 0700), 0);
    }
    assert_int_equal(file_remove_tree(folder_fd, "tree", &err).code, 0);
    assert_int_equal(faccessat(folder_fd, "tree", F_OK, 0), -1);
    assert_int_equal(faccessat(folder_fd, "keep/file", F_OK, 0), 0);
    assert_int_equal(file_remove_tree(folder_fd, "keep", &err).code, 0);
    assert_int_equal(file_remove_tree(folder_fd, "keep", &err).code, 0);
}

/* A payload makes trees deeper than any path by changing into each folder it makes. */
static void a_tree_of_any_depth_is_removed(void **state) {
    (void)state;
    struct error err;
    assert_int_equal(mkdirat(folder_fd, "deep", 0700), 0);
    int fd = openat(folder_fd, "deep", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    for (int i = 0; i < 5000; i++) {
        assert_int_equal(mkdirat(fd, "d", 0700), 0);
        int below = openat(fd, "d", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        assert_true(below >= 0);
        (void)close(fd);
        fd = below;
    }
    (void)close(fd);
    assert_int_equal(file_remove_tree(folder_fd, "deep", &err).code, 0);
    assert_int_equal(faccessat(folder_fd, "deep", F_OK, 0), -1);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(resolution_never_leaves_the_folder),
        cmocka_unit_test(a_parent_is_opened_and_the_last_part_named),
        cmocka_unit_test(atomic_write_replaces_whole_and_leaves_no_temporary),
        cmocka_unit_test(a_file_over_its_limit_is_an_error),
        cmocka_unit_test(a_tree_is_removed_over_modes_and_never_through_links),
        cmocka_unit_test(a_tree_of_any_depth_is_removed),
    };
    return cmocka_run_group_tests_name("file", tests, set_up, tear_down);
}
