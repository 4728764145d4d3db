/* SPDX-License-Identifier: Apache-2.0
 *
 * Grounds: one that holds something of a run is refused, and so is a plan on the wrong one.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "sandbox/plan_format.h"
#include "sys/fd.h"

#include "plan_fixture.h"

static struct plan *build_ground(const struct plan_request *request) {
    CLEANUP(memory_freep) struct plan_host *host = host_of_test();
    struct plan *ground = nullptr;
    struct error err = {};
    if (!status_is_ok(plan_build_ground_on(request, host, &ground, &err))) {
        fail_msg("%s: %s", err.message, err.detail);
    }
    return ground;
}

static void break_host_root(struct plan_view *v) {
    v->host_uid = 0;
}
static void break_memory(struct plan_view *v) {
    v->limits.memory_bytes_max = 0;
}
static void break_root(struct plan_view *v) {
    v->operations[0].type = PLAN_FOLDER;
}
static void break_id(struct plan_view *v) {
    v->run_id = "../x";
}
static void break_target(struct plan_view *v) {
    find(v, PLAN_MASK)->target = "/proc/../etc";
}
static void break_relative(struct plan_view *v) {
    find(v, PLAN_BIND)->source = "usr";
}
static void break_writable(struct plan_view *v) {
    find(v, PLAN_BIND)->flags |= PLAN_FLAG_WRITABLE;
}
static void break_flags(struct plan_view *v) {
    find(v, PLAN_BIND)->flags |= 1u << 20;
}
static void break_host(struct plan_view *v) {
    find(v, PLAN_BIND)->source = "/";
}
static void break_secret(struct plan_view *v) {
    find(v, PLAN_BIND)->source = "/home/ada/.ssh/x";
}
static void break_setuid(struct plan_view *v) {
    find(v, PLAN_FILE)->mode = 04755;
}
static void add_overlay(struct plan_view *v) {
    v->operations[v->operation_count - 1] =
        (struct plan_operation){.type = PLAN_OVERLAY, .source = "/srv", .target = ""};
}
static void add_seal(struct plan_view *v) {
    v->operations[v->operation_count - 1].type = PLAN_SEAL;
}
static void add_owned(struct plan_view *v) {
    find(v, PLAN_BIND)->flags |= PLAN_FLAG_OWNED;
}
static void add_command(struct plan_view *v) {
    v->argument_count = 1;
}
static void add_folder(struct plan_view *v) {
    v->run_folder = "/state/runs/3";
}

/* A ground holds nothing that only a decision could allow. */
static void test_ground_invariants(void **state) {
    (void)state;
    static breaks *const all[] = {
        break_host_root, break_memory, break_root,  break_id,     break_target, break_relative,
        break_writable,  break_flags,  break_host,  break_secret, break_setuid, add_overlay,
        add_seal,        add_owned,    add_command, add_folder,
    };
    struct plan_request request = request_of_test();
    CLEANUP(plan_freep) struct plan *ground = build_ground(&request);
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++) {
        struct plan_view view;
        struct error err = {};
        assert_true(status_is_ok(plan_decode(plan_bytes(ground), &view, &err)));
        assert_true(status_is_ok(plan_check_ground(&view, &err)));
        all[i](&view);
        if (status_is_ok(plan_check_ground(&view, &err))) {
            fail_msg("broken invariant %zu of a ground was not seen", i);
        }
        assert_int_equal(err.code, ERROR_PLAN_INVALID);
        plan_view_deinit(&view);
    }
}

static void other_uid(struct plan_view *v) {
    v->host_uid++;
}
static void other_limits(struct plan_view *v) {
    v->limits.pid_count_max++;
}
static void other_id(struct plan_view *v) {
    v->run_id = "another";
}
static void other_seccomp(struct plan_view *v) {
    v->seccomp = SECCOMP_STRICT;
}
static void other_content(struct plan_view *v) {
    find(v, PLAN_FILE)->content = SLICE_LITERAL("root::0:0");
}
static void other_source(struct plan_view *v) {
    find(v, PLAN_BIND)->source = "/opt";
}
static void one_more(struct plan_view *v) {
    v->operation_count++;
}

/* A launcher that laid one ground takes no plan that stands on another. */
static void test_stands_on(void **state) {
    (void)state;
    static breaks *const all[] = {other_uid,     other_limits, other_id, other_seccomp,
                                  other_content, other_source, one_more};
    struct plan_request request = request_of_test();
    CLEANUP(plan_freep) struct plan *ground = build_ground(&request);
    CLEANUP(plan_freep) struct plan *plan = build(&request);
    struct plan_view whole;
    struct error err = {};
    assert_true(status_is_ok(plan_decode(plan_bytes(plan), &whole, &err)));
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++) {
        struct plan_view view;
        assert_true(status_is_ok(plan_decode(plan_bytes(ground), &view, &err)));
        assert_true(status_is_ok(plan_check_stands_on(&whole, &view, &err)));
        all[i](&view);
        if (status_is_ok(plan_check_stands_on(&whole, &view, &err))) {
            fail_msg("difference %zu was not seen", i);
        }
        assert_int_equal(err.code, ERROR_PLAN_INVALID);
        plan_view_deinit(&view);
    }
    plan_view_deinit(&whole);
}

static char root_folder[] = "/tmp/plan_root_XXXXXX";

static const struct plan_host_entry *entry_of(const struct plan_host *host, const char *path) {
    for (uint32_t i = 0; i < host->entry_count; i++) {
        if (strcmp(host->entry[i].path, path) == 0) {
            return &host->entry[i];
        }
    }
    fail_msg("%s is looked for nowhere", path);
    return nullptr;
}

static int remove_one(const char *path, const struct stat *status, int kind, struct FTW *place) {
    (void)status, (void)kind, (void)place;
    return remove(path);
}

/* A link at the end of a path is shown as the link that it is; one on the way has to stay inside.
 */
static void test_links_of_another_root(void **state) {
    (void)state;
    static const struct {
        const char *link; /* what /etc/ssl is; nullptr: a folder */
        enum plan_host_kind kind;
    } ROWS[] = {
        {nullptr, PLAN_HOST_FOLDER},
        {"inside", PLAN_HOST_FOLDER},
        {"../etc/inside", PLAN_HOST_FOLDER},
        {"/etc/ssl", PLAN_HOST_NONE}, /* the host's own */
        {"../../../../../../../../etc/ssl", PLAN_HOST_NONE},
        {"/proc/self/root/etc/ssl", PLAN_HOST_NONE},
        {"nowhere", PLAN_HOST_NONE},
    };
    struct plan_request request = request_of_test();
    CLEANUP(memory_freep) struct plan_host *host = calloc(1, sizeof *host);
    struct stat certs;
    assert_non_null(host);
    assert_non_null(mkdtemp(root_folder));
    CLEANUP(fd_closep) int root = open(root_folder, O_PATH | O_DIRECTORY | O_CLOEXEC);
    request.root = root_folder;
    assert_int_equal(mkdirat(root, "etc", 0755), 0);
    assert_int_equal(mkdirat(root, "etc/inside", 0755), 0);
    assert_int_equal(mkdirat(root, "etc/inside/certs", 0755), 0);
    assert_int_equal(symlinkat("/usr/bin", root, "bin"), 0);
    for (size_t i = 0; i < sizeof ROWS / sizeof ROWS[0]; i++) {
        if (ROWS[i].link != nullptr) {
            assert_int_equal(symlinkat(ROWS[i].link, root, "etc/ssl"), 0);
        } else {
            assert_int_equal(mkdirat(root, "etc/ssl", 0755), 0);
            assert_int_equal(mkdirat(root, "etc/ssl/certs", 0755), 0);
        }
        plan_host_read_ground(&request, host);
        const struct plan_host_entry *entry = entry_of(host, "/etc/ssl/certs");
        if (entry->kind != ROWS[i].kind) {
            fail_msg("etc/ssl -> %s: %d", ROWS[i].link, entry->kind);
        }
        if (entry->kind == PLAN_HOST_FOLDER) {
            assert_int_equal(fstatat(root, "etc/ssl/certs", &certs, 0), 0);
            assert_true(entry->dev == certs.st_dev && entry->ino == certs.st_ino);
        }
        assert_int_equal(entry_of(host, "/bin")->kind, PLAN_HOST_LINK);
        assert_string_equal(entry_of(host, "/bin")->link, "/usr/bin");
        assert_int_equal(entry_of(host, "/usr")->kind, PLAN_HOST_NONE);
        if (ROWS[i].link == nullptr) {
            assert_int_equal(unlinkat(root, "etc/ssl/certs", AT_REMOVEDIR), 0);
        }
        assert_int_equal(unlinkat(root, "etc/ssl", ROWS[i].link == nullptr ? AT_REMOVEDIR : 0), 0);
    }
    assert_int_equal(nftw(root_folder, remove_one, 8, FTW_DEPTH | FTW_PHYS), 0);
}

/* The mount goes by a path, so what it finds there has to be what was looked at. */
static void test_another_root_is_known_by_identity(void **state) {
    (void)state;
    CLEANUP(memory_freep) struct plan_host *host = host_of_test();
    struct plan_request request = request_of_test();
    CLEANUP(plan_freep) struct plan *ground = nullptr;
    struct plan_view view;
    struct error err = {};
    request.root = "/other";
    for (uint32_t i = 0; i < host->entry_count; i++) {
        host->entry[i].dev = 7;
        host->entry[i].ino = 100 + i;
    }
    assert_int_equal(plan_build_ground_on(&request, host, &ground, &err).code, 0);
    assert_true(status_is_ok(plan_decode(plan_bytes(ground), &view, &err)));
    const struct plan_operation *bind = find(&view, PLAN_BIND);
    assert_memory_equal(bind->source, "/other/", 7);
    assert_true(bind->dev == 7 && bind->ino >= 100);
    plan_view_deinit(&view);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_ground_invariants),
        cmocka_unit_test(test_stands_on),
        cmocka_unit_test(test_links_of_another_root),
        cmocka_unit_test(test_another_root_is_known_by_identity),
    };
    return cmocka_run_group_tests(tests, nullptr, nullptr);
}
