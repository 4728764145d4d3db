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

#include "base/cleanup.h"
#include "sandbox/plan_format.h"

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

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_ground_invariants),
        cmocka_unit_test(test_stands_on),
    };
    return cmocka_run_group_tests(tests, nullptr, nullptr);
}
