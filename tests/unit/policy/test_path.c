/* SPDX-License-Identifier: Apache-2.0 */
#include "policy/path.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static void assert_folds_to(const char *path, const char *first, const char *second) {
    struct policy_path parsed;
    policy_path_parse(path, &parsed);
    assert_false(parsed.overflow);
    assert_int_equal(parsed.count, second != nullptr ? 2 : 1);
    assert_string_equal(parsed.component[0], first);
    if (second != nullptr) {
        assert_string_equal(parsed.component[1], second);
    }
}

static void spellings_of_one_name_fold_to_it(void **state) {
    (void)state;
    assert_folds_to(".git/hooks", ".git", "hooks");
    assert_folds_to(".GIT/Hooks", ".git", "hooks");
    assert_folds_to("./.git//hooks/", ".git", "hooks");
    assert_folds_to(".git. ./hooks ", ".git", "hooks");
    assert_folds_to("GIT~1/hooks", ".git", "hooks");
    assert_folds_to(".git::$INDEX_ALLOCATION/hooks", ".git", "hooks");
    assert_folds_to(".g\xe2\x80\x8cit/hooks", ".git", "hooks");
    assert_folds_to("\xef\xbb\xbf.git/hooks", ".git", "hooks");
    assert_folds_to("a/../.git/hooks", ".git", "hooks");
}

static void other_names_stay_other_names(void **state) {
    (void)state;
    assert_folds_to("git", "git", nullptr);
    assert_folds_to(".gitx", ".gitx", nullptr);
    assert_folds_to("x.git", "x.git", nullptr);
    assert_folds_to("git~2", "git~2", nullptr);
    assert_folds_to("\xe2\x82\xac", "\xe2\x82\xac", nullptr);
}

static void leaving_the_top_is_seen(void **state) {
    (void)state;
    struct policy_path parsed;
    policy_path_parse("../x", &parsed);
    assert_true(parsed.escapes);
    policy_path_parse("a/../../x", &parsed);
    assert_true(parsed.escapes);
    policy_path_parse("a/../x", &parsed);
    assert_false(parsed.escapes);
}

static void too_much_overflows(void **state) {
    (void)state;
    struct policy_path parsed;
    char deep[2 * (POLICY_COMPONENT_COUNT_MAX + 2)];
    for (size_t i = 0; i + 2 < sizeof deep; i += 2) {
        memcpy(deep + i, "a/", 2);
    }
    deep[sizeof deep - 2] = '\0';
    policy_path_parse(deep, &parsed);
    assert_true(parsed.overflow);
    char *wide = malloc(POLICY_PATH_BYTES_MAX + 2);
    assert_non_null(wide);
    memset(wide, 'a', POLICY_PATH_BYTES_MAX + 1);
    wide[POLICY_PATH_BYTES_MAX + 1] = '\0';
    policy_path_parse(wide, &parsed);
    assert_true(parsed.overflow);
    free(wide);
}

static void links_are_followed_by_text(void **state) {
    (void)state;
    struct policy_path target;
    policy_path_resolve_link("a/b", "c", "/ws", &target);
    assert_int_equal(target.count, 2);
    assert_string_equal(target.component[1], "c");
    policy_path_resolve_link("a/b", "../../c", "/ws", &target);
    assert_true(target.escapes);
    policy_path_resolve_link("a/b", "/ws/.git/hooks", "/ws", &target);
    assert_false(target.escapes);
    assert_string_equal(target.component[0], ".git");
    policy_path_resolve_link("a", "/wsx/c", "/ws", &target);
    assert_true(target.escapes);
    policy_path_resolve_link("a", "/etc/passwd", nullptr, &target);
    assert_true(target.escapes);
    policy_path_resolve_link("a", "/ws", "/ws", &target);
    assert_false(target.escapes);
    assert_int_equal(target.count, 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(spellings_of_one_name_fold_to_it),
        cmocka_unit_test(other_names_stay_other_names),
        cmocka_unit_test(leaving_the_top_is_seen),
        cmocka_unit_test(too_much_overflows),
        cmocka_unit_test(links_are_followed_by_text),
    };
    return cmocka_run_group_tests(tests, nullptr, nullptr);
}
