/* SPDX-License-Identifier: Apache-2.0
 *
 * A .git file brings in the git folder that is the workspace's own, and no other.
 */
#include "sandbox/git_folder.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "sys/file.h"

static char top[PATH_MAX];

static const char *in(const char *path) {
    static char full[4][PATH_MAX * 2];
    static unsigned next;
    char *out = full[next++ % 4];
    (void)snprintf(out, sizeof full[0], "%s/%s", top, path);
    return out;
}

static void put(const char *path, const char *content) {
    FILE *file = fopen(in(path), "w");
    assert_non_null(file);
    assert_true(fputs(content, file) >= 0);
    assert_int_equal(fclose(file), 0);
}

static void make_git_folder(const char *path) {
    char part[PATH_MAX];
    assert_int_equal(mkdir(in(path), 0755), 0);
    (void)snprintf(part, sizeof part, "%s/HEAD", path);
    put(part, "ref: refs/heads/main\n");
    (void)snprintf(part, sizeof part, "%s/objects", path);
    assert_int_equal(mkdir(in(part), 0755), 0);
    (void)snprintf(part, sizeof part, "%s/refs", path);
    assert_int_equal(mkdir(in(part), 0755), 0);
}

static int set_up(void **unused) {
    (void)unused;
    char made[] = "git-folder-XXXXXX";
    assert_non_null(mkdtemp(made));
    assert_non_null(realpath(made, top));
    assert_int_equal(mkdir(in("tree"), 0755), 0);
    assert_int_equal(mkdir(in("main"), 0755), 0);
    make_git_folder("main/.git");
    assert_int_equal(mkdir(in("main/.git/worktrees"), 0755), 0);
    assert_int_equal(mkdir(in("main/.git/worktrees/tree"), 0755), 0);
    assert_int_equal(mkdir(in("main/.git/modules"), 0755), 0);
    make_git_folder("main/.git/modules/tree");
    return 0;
}

static int tear_down(void **unused) {
    (void)unused;
    struct error err;
    return file_remove_tree(AT_FDCWD, top, &err).code;
}

static void assert_found(const char *expected) {
    char path[PATH_MAX] = "";
    struct stat status;
    bool found = git_folder_find(in("tree"), path, &status);
    assert_int_equal(found, expected != nullptr);
    if (expected != nullptr) {
        assert_string_equal(path, in(expected));
    }
}

static void point_at(const char *folder) {
    char text[PATH_MAX * 2 + 16];
    (void)snprintf(text, sizeof text, "gitdir: %s\n", in(folder));
    put("tree/.git", text);
}

static void a_linked_work_tree_is_ours_when_it_says_so(void **unused) {
    (void)unused;
    char text[PATH_MAX * 2];
    point_at("main/.git/worktrees/tree");
    assert_found(nullptr);
    (void)snprintf(text, sizeof text, "%s\n", in("elsewhere/.git"));
    put("main/.git/worktrees/tree/gitdir", text);
    assert_found(nullptr);
    (void)snprintf(text, sizeof text, "%s\n", in("tree/.git"));
    put("main/.git/worktrees/tree/gitdir", text);
    assert_found("main/.git");
    put("main/.git/worktrees/tree/gitdir", "../../../../tree/.git\n");
    assert_found("main/.git");
    put("tree/.git", "gitdir: ../main/.git/worktrees/tree\n");
    assert_found("main/.git");
}

static void a_submodule_is_ours_when_it_says_so(void **unused) {
    (void)unused;
    point_at("main/.git/modules/tree");
    assert_found(nullptr);
    put("main/.git/modules/tree/config", "[core]\n\tbare = false\n");
    assert_found(nullptr);
    put("main/.git/modules/tree/config", "[core]\n\tworktree = ../../../other\n");
    assert_found(nullptr);
    put("main/.git/modules/tree/config", "[user]\n\tworktree = ../../../../tree\n");
    assert_found(nullptr);
    put("main/.git/modules/tree/config", "[core]\n\tworktreex = ../../../../tree\n");
    assert_found(nullptr);
    put("main/.git/modules/tree/config", "[core]\n\tbare = false\n\tworktree = ../../../../tree\n");
    assert_found("main/.git/modules/tree");
    put("main/.git/modules/tree/config", "[core]\n\tworktree = \"../../../../tree\"\n");
    assert_found("main/.git/modules/tree");
}

static void another_repository_is_not_ours(void **unused) {
    (void)unused;
    point_at("main/.git");
    assert_found(nullptr);
    point_at("main/.git/worktrees");
    assert_found(nullptr);
    point_at("missing");
    assert_found(nullptr);
    put("tree/.git", "no gitdir\n");
    assert_found(nullptr);
    assert_int_equal(unlink(in("tree/.git")), 0);
    assert_int_equal(symlink(in("main/.git"), in("tree/.git")), 0);
    assert_found(nullptr);
    put("main/.git/config", "[core]\n\tworktree = ../../tree\n");
    assert_found("main/.git");
    assert_int_equal(unlink(in("tree/.git")), 0);
    assert_int_equal(mkdir(in("tree/.git"), 0755), 0); /* a folder needs nothing from elsewhere */
    assert_found(nullptr);
}

#define ROW(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void) {
    const struct CMUnitTest tests[] = {
        ROW(a_linked_work_tree_is_ours_when_it_says_so),
        ROW(a_submodule_is_ours_when_it_says_so),
        ROW(another_repository_is_not_ours),
    };
    return cmocka_run_group_tests_name("sandbox/git_folder", tests, nullptr, nullptr);
}
