/* SPDX-License-Identifier: Apache-2.0
 *
 * What the pool decides: how many, which, and when one is of no use any more. The launchers are
 * scripts that take what comes and say nothing, or end at once; tests/e2e/pool.sh has real ones.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka needs those before it */
#include <cmocka.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "sandbox/pool.h"

static char folder[] = "airlock-pool-XXXXXX";
static char silent[64];
static char ending[64];
static uint64_t now_ns;

static uint64_t wall_ms(void *context) {
    (void)context;
    return 1700000000000u;
}

static uint64_t monotonic_ns(void *context) {
    (void)context;
    return now_ns;
}

static const struct clock still = {.wall_ms = wall_ms, .monotonic_ns = monotonic_ns};

static void write_script(char *path, size_t size, const char *name, const char *line) {
    (void)snprintf(path, size, "./%s/%s", folder, name);
    FILE *file = fopen(path, "we");
    assert_non_null(file);
    assert_true(fprintf(file, "#!/bin/sh\n%s\n", line) > 0);
    assert_int_equal(fclose(file), 0);
    assert_int_equal(chmod(path, 0700), 0);
}

static int set_up(void **state) {
    (void)state;
    assert_non_null(mkdtemp(folder));
    write_script(silent, sizeof silent, "silent", "exec cat <&3 >/dev/null");
    write_script(ending, sizeof ending, "ending", "exit 0");
    return 0;
}

static int tear_down(void **state) {
    (void)state;
    (void)unlink(silent);
    (void)unlink(ending);
    return rmdir(folder);
}

static struct plan_request kind_of(const char *template_name, const char *home) {
    return (struct plan_request){
        .template_row = template_find(template_name),
        .home = home,
        .uid = geteuid(),
        .gid = getegid(),
    };
}

static void must(status_t status, const struct error *err) {
    if (!status_is_ok(status)) {
        fail_msg("%s: %s", err->message, err->detail);
    }
}

static struct pool *make(const char *program) {
    struct error err = {};
    struct pool *pool = nullptr;
    must(pool_new(still, program, &pool, &err), &err);
    return pool;
}

/* Until every launcher of a pool had time to end. */
static void wait_for_end(const struct pooled *pooled) {
    struct pollfd fd = {.fd = launcher_fd(pooled->launcher), .events = POLLIN};
    assert_int_equal(poll(&fd, 1, 20000), 1);
}

static void test_none_wanted_is_cold(void **state) {
    (void)state;
    struct error err = {};
    struct pool *pool = make(silent);
    struct plan_request kind = kind_of("code-executor", "/home/user");
    struct pooled pooled = {};
    must(pool_tend(pool, &err), &err);
    must(pool_take(pool, &kind, &pooled, &err), &err);
    assert_int_equal(pool_counts(pool).cold, 1);
    assert_int_equal(pool_counts(pool).warm, 0);
    assert_true(id_is_valid(pooled.run_id));
    pooled_deinit(&pooled);
    pool_free(pool);
}

static void test_kept_ones_are_warm_and_all_different(void **state) {
    (void)state;
    struct error err = {};
    struct pool *pool = make(silent);
    struct plan_request kind = kind_of("code-executor", "/home/user");
    must(pool_keep(pool, &kind, 3, &err), &err);
    assert_int_equal(pool_ready(pool), 0); /* keeping is not making */
    must(pool_tend(pool, &err), &err);
    assert_int_equal(pool_ready(pool), 3);
    struct pooled taken[4] = {};
    for (size_t i = 0; i < 4; i++) {
        must(pool_take(pool, &kind, &taken[i], &err), &err);
        for (size_t k = 0; k < i; k++) {
            assert_string_not_equal(taken[i].run_id, taken[k].run_id);
            assert_true(geteuid() != 0 || taken[i].host_uid != taken[k].host_uid);
        }
    }
    assert_int_equal(pool_counts(pool).warm, 3);
    assert_int_equal(pool_counts(pool).cold, 1);
    must(pool_tend(pool, &err), &err);
    assert_int_equal(pool_ready(pool), 3);
    for (size_t i = 0; i < 4; i++) {
        pooled_deinit(&taken[i]);
    }
    pool_free(pool);
}

static void test_another_kind_is_never_given(void **state) {
    (void)state;
    struct error err = {};
    struct pool *pool = make(silent);
    struct plan_request kinds[] = {
        kind_of("code-executor", "/home/user"),  kind_of("small", "/home/user"),
        kind_of("code-executor", "/home/other"), kind_of("code-executor", "/home/user"),
        kind_of("code-executor", "/home/user"),
    };
    kinds[3].root = "/srv/root";
    kinds[4].wall_ms_max = 1000;
    must(pool_keep(pool, &kinds[0], 1, &err), &err);
    must(pool_tend(pool, &err), &err);
    for (size_t i = 1; i < sizeof kinds / sizeof kinds[0]; i++) {
        struct pooled pooled = {};
        must(pool_take(pool, &kinds[i], &pooled, &err), &err);
        assert_int_equal(pool_counts(pool).warm, 0);
        pooled_deinit(&pooled);
    }
    /* The names are looked at, not where they lie. */
    char home[] = "/home/user";
    struct plan_request same = kind_of("code-executor", home);
    struct pooled pooled = {};
    must(pool_take(pool, &same, &pooled, &err), &err);
    assert_int_equal(pool_counts(pool).warm, 1);
    pooled_deinit(&pooled);
    pool_free(pool);
}

static void test_old_ones_are_let_go(void **state) {
    (void)state;
    struct error err = {};
    struct pool *pool = make(silent);
    struct plan_request kind = kind_of("code-executor", "/home/user");
    must(pool_keep(pool, &kind, 2, &err), &err);
    must(pool_tend(pool, &err), &err);
    now_ns += ((uint64_t)LIMIT_POOL_AGE_MS - 1) * 1000000u;
    must(pool_tend(pool, &err), &err);
    assert_int_equal(pool_counts(pool).aged, 0);
    now_ns += 1000000u;
    struct pooled pooled = {};
    must(pool_take(pool, &kind, &pooled, &err), &err);
    assert_int_equal(pool_counts(pool).aged, 2);
    assert_int_equal(limit_hit_count(LIMIT_ID_POOL_AGE_MS), 2);
    assert_int_equal(pool_counts(pool).warm, 0);
    assert_int_equal(pool_counts(pool).cold, 1);
    pooled_deinit(&pooled);
    pool_free(pool);
}

static void test_dead_ones_are_not_given(void **state) {
    (void)state;
    struct error err = {};
    struct pool *pool = make(ending);
    struct plan_request kind = kind_of("code-executor", "/home/user");
    struct pooled pooled = {};
    /* It may end before its ground is sent, or after: both are counted. */
    must(pool_keep(pool, &kind, 1, &err), &err);
    (void)status_is_ok(pool_tend(pool, &err));
    if (status_is_ok(pool_take(pool, &kind, &pooled, &err))) {
        wait_for_end(&pooled);
        pooled_deinit(&pooled);
    }
    for (int i = 0; i < 200 && pool_counts(pool).dead == 0; i++) {
        (void)usleep(10000);
        (void)status_is_ok(pool_tend(pool, &err));
    }
    assert_true(pool_counts(pool).dead > 0);
    pool_free(pool);
}

static void test_limits(void **state) {
    (void)state;
    struct error err = {};
    struct pool *pool = make(silent);
    struct plan_request kind = kind_of("code-executor", "/home/user");
    struct plan_request small = kind_of("small", "/home/user");
    assert_int_equal(pool_keep(pool, &kind, LIMIT_POOL_READY + 1, &err).code, ERROR_LIMIT);
    must(pool_keep(pool, &kind, LIMIT_POOL_READY, &err), &err);
    must(pool_keep(pool, &kind, LIMIT_POOL_READY, &err), &err); /* not twice */
    assert_int_equal(pool_keep(pool, &small, 1, &err).code, ERROR_LIMIT);
    must(pool_keep(pool, &kind, 0, &err), &err);
    for (int i = 1; i < LIMIT_POOL_KINDS; i++) {
        char home[32];
        (void)snprintf(home, sizeof home, "/home/%d", i);
        struct plan_request other = kind_of("small", home);
        must(pool_keep(pool, &other, 0, &err), &err);
    }
    assert_int_equal(pool_keep(pool, &small, 0, &err).code, ERROR_LIMIT);
    pool_free(pool);
}

static void test_fewer_wanted(void **state) {
    (void)state;
    struct error err = {};
    struct pool *pool = make(silent);
    struct plan_request kind = kind_of("code-executor", "/home/user");
    must(pool_keep(pool, &kind, 3, &err), &err);
    must(pool_tend(pool, &err), &err);
    must(pool_keep(pool, &kind, 1, &err), &err);
    must(pool_tend(pool, &err), &err);
    assert_int_equal(pool_ready(pool), 1);
    pool_free(pool);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_none_wanted_is_cold),
        cmocka_unit_test(test_kept_ones_are_warm_and_all_different),
        cmocka_unit_test(test_another_kind_is_never_given),
        cmocka_unit_test(test_old_ones_are_let_go),
        cmocka_unit_test(test_dead_ones_are_not_given),
        cmocka_unit_test(test_limits),
        cmocka_unit_test(test_fewer_wanted),
    };
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
