/* SPDX-License-Identifier: Apache-2.0 */
#include "stage_fixture.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "codec/text.h"
#include "sandbox/stage_view.h"
#include "sys/fd.h"
#include "sys/file.h"

struct state fixture_state;
char fixture_folder[256];
char fixture_workspace[280];

static int root_fd = -1;

static void check(bool ok, const char *what) {
    if (!ok) {
        fail_msg("%s: %s", what, strerror(errno));
    }
}

/* The build folder, not /tmp: a disk file system takes user.* attributes and has no size limit. */
int fixture_set_up(void **unused) {
    (void)unused;
    const char *build = getenv("AIRLOCK_BUILD_DIR");
    (void)snprintf(fixture_folder, sizeof fixture_folder, "%s/stage-test-XXXXXX",
                   build != nullptr ? build : "/tmp");
    if (mkdtemp(fixture_folder) == nullptr) {
        return -1;
    }
    root_fd = open(fixture_folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    (void)snprintf(fixture_workspace, sizeof fixture_workspace, "%s/work", fixture_folder);
    (void)snprintf(fixture_state.path, sizeof fixture_state.path, "%s/state", fixture_folder);
    if (root_fd < 0 || mkdirat(root_fd, "work", 0755) != 0 ||
        mkdirat(root_fd, "state", 0700) != 0 || mkdirat(root_fd, "state/runs", 0700) != 0) {
        return -1;
    }
    fixture_state.fd = openat(root_fd, "state", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    fixture_state.runs_fd = openat(root_fd, "state/runs", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    fixture_state.keys_fd = -1;
    return fixture_state.runs_fd < 0 ? -1 : 0;
}

int fixture_tear_down(void **unused) {
    (void)unused;
    struct error err;
    merge_test_hook = nullptr;
    fd_closep(&fixture_state.fd);
    fd_closep(&fixture_state.runs_fd);
    fd_closep(&root_fd);
    return file_remove_tree(AT_FDCWD, fixture_folder, &err).code;
}

static void make_parents(const char *path) {
    char folder[LIMIT_PATH_BYTES];
    for (const char *slash = strchr(path, '/'); slash != nullptr; slash = strchr(slash + 1, '/')) {
        (void)snprintf(folder, sizeof folder, "%.*s", (int)(slash - path), path);
        if (mkdirat(root_fd, folder, 0755) != 0) {
            check(errno == EEXIST, folder);
        }
    }
}

void put_bytes(const char *path, const void *bytes, size_t size) {
    make_parents(path);
    (void)unlinkat(root_fd, path, 0);
    int fd = openat(root_fd, path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    check(fd >= 0 && write(fd, bytes, size) == (ssize_t)size && fchmod(fd, 0644) == 0, path);
    check(close(fd) == 0, path);
}

void put_file(const char *path, const char *content, unsigned mode) {
    put_bytes(path, content, strlen(content));
    check(fchmodat(root_fd, path, mode, 0) == 0, path);
}

void put_link(const char *path, const char *target) {
    make_parents(path);
    (void)unlinkat(root_fd, path, 0);
    check(symlinkat(target, root_fd, path) == 0, path);
}

void put_folder(const char *path, unsigned mode) {
    make_parents(path);
    if (mkdirat(root_fd, path, mode) != 0) {
        check(errno == EEXIST, path);
    }
    check(fchmodat(root_fd, path, mode, 0) == 0, path);
}

void remove_path(const char *path) {
    struct error err;
    assert_int_equal(file_remove_tree(root_fd, path, &err).code, 0);
}

bool put_whiteout(const char *path) {
    make_parents(path);
    return mknodat(root_fd, path, S_IFCHR, makedev(0, 0)) == 0;
}

bool put_opaque(const char *folder) {
    put_folder(folder, 0755);
    int fd = openat(root_fd, folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    bool ok = fsetxattr(fd, "user.overlay.opaque", "y", 1, 0) == 0;
    (void)close(fd);
    return ok;
}

struct run start_run(const char *parent, char ret_upper[static 128]) {
    struct clock clock = clock_system();
    struct error err;
    struct run run;
    struct run_create_options options = {
        .workspace = fixture_workspace,
        .parent = parent,
        .host_uid = geteuid(),
        .host_gid = getegid(),
    };
    status_t status = run_create(&fixture_state, &clock, &options, &run, &err);
    if (!status_is_ok(status)) {
        fail_msg("run_create: %s: %s", err.message, strerror(err.os_errno));
    }
    (void)snprintf(ret_upper, 128, "state/runs/%s/upper", run.id);
    return run;
}

struct stage_summary seal_run(struct run *run) {
    struct error err;
    struct stage_summary summary;
    status_t status = stage_seal(&fixture_state, run, &summary, &err);
    if (!status_is_ok(status)) {
        fail_msg("stage_seal: %s: %s", err.message, strerror(err.os_errno));
    }
    assert_int_equal(run_save(run, false, &err).code, 0);
    fd_closep(&run->lock_fd);
    return summary;
}

struct run reopen(const struct run *run) {
    struct run again;
    struct error err;
    assert_int_equal(run_open(&fixture_state, run->id, &again, &err).code, 0);
    return again;
}

/* Trees as text. */

static void tree_add(int fd, const char *path, struct builder *out) {
    struct entry_state state;
    struct error err;
    assert_int_equal(entry_look(fd, path, ENTRY_STAT, &state, &err).code, 0);
    text_escape(slice_of_string(path), out);
    if (state.kind == ENTRY_LINK) {
        char target[LIMIT_PATH_BYTES];
        assert_true(entry_read_link(fd, path, target, sizeof target));
        builder_format(out, " -> %s", target);
    } else if (state.kind == ENTRY_FOLDER) {
        builder_format(out, "/ %04o", state.mode);
    } else {
        CLEANUP(builder_deinit) struct builder content;
        int file = openat(fd, path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
        builder_init(&content, 1 << 24);
        assert_true(file >= 0);
        assert_int_equal(fd_read_to_end(file, path, &content, &err).code, 0);
        (void)close(file);
        builder_format(out, " %04o ", state.mode);
        text_escape(builder_slice(&content), out);
    }
    builder_u8(out, '\n');
}

char *tree_text(const char *path) {
    CLEANUP(builder_deinit) struct builder out;
    CLEANUP(name_list_deinit) struct name_list todo = {0};
    CLEANUP(name_list_deinit) struct name_list all = {0};
    CLEANUP(fd_closep) int fd = openat(root_fd, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    struct error err;
    builder_init(&out, 1 << 28);
    assert_int_equal(name_list_add(&todo, "", 0, &err).code, 0);
    while (todo.count > 0) {
        CLEANUP(memory_freep) char *folder = todo.names[--todo.count];
        CLEANUP(name_list_deinit) struct name_list names = {0};
        CLEANUP(fd_closep) int here = entry_open_folder(fd, folder[0] == '\0' ? "." : folder, true);
        assert_int_equal(name_list_read(here, folder, &names, &err).code, 0);
        for (size_t i = 0; i < names.count; i++) {
            char child[LIMIT_PATH_BYTES];
            struct entry_state state;
            assert_true(path_join(child, folder, names.names[i]));
            assert_int_equal(name_list_add(&all, child, strlen(child), &err).code, 0);
            assert_int_equal(entry_look(fd, child, ENTRY_STAT, &state, &err).code, 0);
            if (state.kind == ENTRY_FOLDER) {
                assert_int_equal(name_list_add(&todo, child, strlen(child), &err).code, 0);
            }
        }
    }
    name_list_sort(&all);
    for (size_t i = 0; i < all.count; i++) {
        tree_add(fd, all.names[i], &out);
    }
    return strdup(builder_c_string(&out));
}

void assert_tree_is(const char *path, const char *expected) {
    char *text = tree_text(path);
    assert_string_equal(text, expected);
    free(text);
}

char *diff_text(const struct run *run, const struct diff_options *options) {
    static const struct diff_options all = {0};
    char *text = nullptr;
    size_t size = 0;
    struct error err;
    FILE *out = open_memstream(&text, &size);
    assert_non_null(out);
    status_t status =
        stage_diff(&fixture_state, run, options != nullptr ? options : &all, out, &err);
    assert_int_equal(fclose(out), 0);
    if (!status_is_ok(status)) {
        fail_msg("stage_diff: %s: %s", err.message, strerror(err.os_errno));
    }
    return text;
}

status_t apply_all(struct run *run, struct apply_result *ret, struct error *err) {
    struct apply_options options = {0};
    return stage_apply(&fixture_state, run, &options, ret, err);
}
