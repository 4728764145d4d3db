/* SPDX-License-Identifier: Apache-2.0 */
#include "policy/token_scope.h"

#include "policy/glob.h"
#include "token_kit.h"

struct row {
    const char *outer;
    const char *inner;
    bool covers;
};

static void operations_lie_within_operations(void **state) {
    (void)state;
    static const struct row ROWS[] = {
        {"*", "fs.write", true},          {"*", "*", true},
        {"fs.*", "fs.write", true},       {"fs.*", "fs.*", true},
        {"fs.*", "fs.w*", true},          {"fs.w*", "fs.*", false},
        {"fs.write", "fs.write", true},   {"fs.write", "fs.*", false},
        {"fs.write", "fs.writes", false}, {"fs.*", "fs", false},
        {"fs.*", "run.exec", false},      {"fs.write", "*", false},
    };
    for (size_t i = 0; i < sizeof ROWS / sizeof ROWS[0]; i++) {
        assert_int_equal(token_operation_covers(ROWS[i].outer, ROWS[i].inner), ROWS[i].covers);
    }
}

static const struct row GLOBS[] = {
    {"src/**", "src/**", true},
    {"**", "anything", true},
    {"src/**", "src/a.c", true},
    {"src/**", "/src/a.c", true},
    {"src/**", "src/*.c", true},
    {"src/**", "src/a/**", true},
    {"src/**", "src/**/x.c", true},
    {"src/**", "src", false},
    {"src/**", "/src", false},
    {"src/**", "/src/", false},
    {"src/**", "a.c", false},
    {"src/**", "*.c", false},
    {"src/**", "lib/a.c", false},
    {"src/**", "srcs/a.c", false},
    {"src/**", "sr*/a.c", false},
    {"src/**", "**/a.c", false},
    {"src/**", "x/src/a.c", false},
    {"/src", "/src/a", true},
    {"src", "/x/src/y/*.c", true},
    {"/src", "/src/*", true},
    {"src/*.c", "src/a.c", true},
    {"src/*.c", "src/a.h", false},
    {"src/*.c", "src/a*.c", false},
    {"src/*.c", "src/a.c/**", true},
    {"src/", "/src/a", true},
    {"src/", "/src", false},
    {"**/t/**", "a/t/x*", true},
    {"**/t/**", "a/t", false},
    {"!src/**", "src/a.c", false},
    {"src/**", "!src/a.c", false},
    {"src/a\\*/**", "src/a\\*/x", false},
    {"/**", "src/a", true},
    {"src/*/x", "src/a/x", true},
    {"src/*/x", "src/a/x/**", true},
    {"src/*/x", "src/a/**", false},
};

static void globs_lie_within_globs(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof GLOBS / sizeof GLOBS[0]; i++) {
        if (token_glob_covers(GLOBS[i].outer, GLOBS[i].inner) != GLOBS[i].covers) {
            fail_msg("%s in %s", GLOBS[i].inner, GLOBS[i].outer);
        }
    }
}

static bool takes(const char *pattern, const char *path, bool is_folder) {
    struct glob glob;
    if (glob_compile(slice_of_string(pattern), 0, &glob) != nullptr) {
        return false;
    }
    bool matches = !glob.excludes && glob_match(&glob, slice_of_string(path), is_folder);
    glob_deinit(&glob);
    return matches;
}

/* Whatever the rules above say: where one glob is said to cover another, no path of a large set may
 * be taken by the inner one alone. */
static void no_path_escapes_a_glob_that_covers(void **state) {
    (void)state;
    static const char *const NAMES[] = {"src", "a", "a.c", "x", "t", "lib", "srcs", "a*", "docs"};
    static const char *const PATTERNS[] = {
        "**",          "*",        "src",        "/src",    "src/",    "src/**",   "/src/**",
        "src/*",       "src/*.c",  "src/a.c",    "src/*/x", "src/a/x", "src/a/**", "**/a",
        "**/t/**",     "/*/a",     "a",          "/a/",     "s*/a",    "src/**/x", "[s]rc/a",
        "src/?",       "x/src/**", "src/a/x/**", "src/a/",  "/**",     "/**/x",    "src/a\\*/x",
        "src/a\\*/**", "a/*/**",   "/src/a*/",
    };
    enum { NAME_COUNT = sizeof NAMES / sizeof NAMES[0] };
    enum { PATTERN_COUNT = sizeof PATTERNS / sizeof PATTERNS[0] };
    unsigned covering = 0;
    for (size_t pair = 0; pair < PATTERN_COUNT * PATTERN_COUNT; pair++) {
        const char *outer = PATTERNS[pair / PATTERN_COUNT];
        const char *inner = PATTERNS[pair % PATTERN_COUNT];
        if (!token_glob_covers(outer, inner)) {
            continue;
        }
        covering++;
        for (size_t n = 0; n < 2 * NAME_COUNT * NAME_COUNT * NAME_COUNT * 3; n++) {
            char path[64];
            size_t k = n / 2;
            size_t depth = k % 3;
            const char *one = NAMES[k / 3 % NAME_COUNT];
            const char *two = NAMES[k / 3 / NAME_COUNT % NAME_COUNT];
            const char *three = NAMES[k / 3 / NAME_COUNT / NAME_COUNT];
            (void)snprintf(path, sizeof path, "%s%s%s%s%s", one, depth > 0 ? "/" : "",
                           depth > 0 ? two : "", depth > 1 ? "/" : "", depth > 1 ? three : "");
            if (takes(inner, path, n % 2 == 1) && !takes(outer, path, n % 2 == 1)) {
                fail_msg("%s is in %s and not in %s", path, inner, outer);
            }
        }
    }
    assert_true(covering > PATTERN_COUNT + 20); /* more than each itself and by chance */
}

static void a_caveat_is_held_against_all_before_it(void **state) {
    (void)state;
    struct kit kit;
    struct error err = {0};
    struct token_grant grant = kit_grant();
    kit_init(&kit);
    kit_issue(&kit, &grant);
    struct token_caveat narrow = {.kind = TOKEN_CAVEAT_PATHS,
                                  .paths = {.globs = {"src/a/**", "!x"}, .count = 2}};
    struct token_caveat wide = {.kind = TOKEN_CAVEAT_PATHS,
                                .paths = {.globs = {"src/b/**"}, .count = 1}};
    assert_true(token_scope_covers(&kit.token, &wide));
    assert_true(status_is_ok(kit_attenuate(&kit, &narrow, &err)));
    assert_false(token_scope_covers(&kit.token, &wide)); /* the root would let it, the caveat not */
    struct token_facts facts = kit_facts();
    facts.path = "src/b/y";
    struct token_verdict verdict = token_judge(kit.authority, &kit.token, &facts);
    assert_int_equal(verdict.result, TOKEN_WRONG_PATH);
    assert_int_equal(verdict.caveat, 0);
    facts.path = "src/a/x";
    assert_int_equal(kit_judge(&kit, &facts), TOKEN_WRONG_PATH);
    facts.path = "src/a/y";
    assert_int_equal(kit_judge(&kit, &facts), TOKEN_VALID);
    struct token_caveat not_a_glob = {.kind = TOKEN_CAVEAT_PATHS,
                                      .paths = {.globs = {"src/a/../../etc"}, .count = 1}};
    assert_false(status_is_ok(kit_attenuate(&kit, &not_a_glob, &err)));
    assert_int_equal(err.code, ERROR_USAGE);
    kit_deinit(&kit);
}

static void a_caveat_that_fails_is_named(void **state) {
    (void)state;
    struct kit kit;
    struct error err = {0};
    struct token_grant grant = kit_grant();
    struct token_facts facts = kit_facts();
    kit_init(&kit);
    kit_issue(&kit, &grant);
    struct token_caveat ops = {.kind = TOKEN_CAVEAT_OPS, .max_ops = 1};
    struct token_caveat read = {.kind = TOKEN_CAVEAT_OPERATION, .operation = "fs.read"};
    assert_true(status_is_ok(kit_attenuate(&kit, &ops, &err)));
    assert_true(status_is_ok(kit_attenuate(&kit, &read, &err)));
    struct token_verdict verdict = token_check(kit.authority, &kit.token, &facts);
    assert_int_equal(verdict.result, TOKEN_WRONG_OPERATION);
    assert_int_equal(verdict.caveat, 1);
    facts.operation = "fs.read";
    assert_int_equal(kit_check(&kit, &facts), TOKEN_VALID);
    verdict = token_check(kit.authority, &kit.token, &facts);
    assert_int_equal(verdict.result, TOKEN_USED_UP);
    assert_int_equal(verdict.caveat, 0);
    kit_deinit(&kit);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(operations_lie_within_operations),
        cmocka_unit_test(globs_lie_within_globs),
        cmocka_unit_test(no_path_escapes_a_glob_that_covers),
        cmocka_unit_test(a_caveat_is_held_against_all_before_it),
        cmocka_unit_test(a_caveat_that_fails_is_named),
    };
    return cmocka_run_group_tests_name("scope of tokens", tests, nullptr, nullptr);
}
