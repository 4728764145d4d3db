/* SPDX-License-Identifier: Apache-2.0 */
#include "policy/glob.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "base/limits.h"

/* What a path is to a pattern: a path that ends with a slash is a folder. */
static bool matches_with(const char *pattern, unsigned flags, const char *path) {
    struct glob glob;
    const char *problem = glob_compile(slice_of_string(pattern), flags, &glob);
    if (problem != nullptr) {
        fail_msg("%s: %s", pattern, problem);
    }
    struct slice text = slice_of_string(path);
    bool folder = text.size > 0 && text.data[text.size - 1] == '/';
    text.size -= folder ? 1 : 0;
    bool matched = glob_match(&glob, text, folder);
    glob_deinit(&glob);
    return matched;
}

struct row {
    const char *pattern;
    const char *matched[6];
    const char *missed[6];
};

static void check_rows(const struct row *rows, size_t count, unsigned flags) {
    for (size_t i = 0; i < count; i++) {
        for (size_t j = 0; j < 6 && rows[i].matched[j] != nullptr; j++) {
            if (!matches_with(rows[i].pattern, flags, rows[i].matched[j])) {
                fail_msg("%s does not match %s", rows[i].pattern, rows[i].matched[j]);
            }
        }
        for (size_t j = 0; j < 6 && rows[i].missed[j] != nullptr; j++) {
            if (matches_with(rows[i].pattern, flags, rows[i].missed[j])) {
                fail_msg("%s matches %s", rows[i].pattern, rows[i].missed[j]);
            }
        }
    }
}

static void patterns_mean_what_gitignore_says(void **state) {
    (void)state;
    static const struct row rows[] = {
        {"a", {"a", "x/a", "a/x", "x/a/y"}, {"b", "ab", "ba/c", ""}},
        {"/a", {"a", "a/x/y"}, {"x/a"}},
        {"a/b", {"a/b", "a/b/c"}, {"x/a/b", "a", "a/x/b"}},
        {"a/", {"a/", "a/x", "x/a/y"}, {"a", "x/a"}},
        {"*.md", {"x.md", ".md", "d/x.md", "x.md/inside"}, {"x.mdx", "xmd", "x.m/d"}},
        {"*", {"x", ".x", "d/x"}, {""}},
        {"**", {"x", "d/e/f"}, {""}},
        {"**/a", {"a", "x/a", "x/y/a", "x/a/z"}, {"xa", "b"}},
        {"a/**", {"a/x", "a/x/y", "a/.x"}, {"a", "a/", "b/a/x"}},
        {"a/**/b", {"a/b", "a/x/b", "a/x/y/b", "a/x/b/c"}, {"a/xb", "x/a/b", "a"}},
        {"a/**/", {"a/x/", "a/x/y"}, {"a/x", "a/"}},
        {"a**b", {"ab", "axxb", "d/ab"}, {"a/b"}},
        {"a/b**", {"a/b", "a/bc", "a/bc/d"}, {"a/c"}},
        {"a/*/c", {"a/b/c", "a/.b/c"}, {"a/c", "a/b/b/c"}},
        {"?", {"a", ".", "d/a"}, {"aa"}},
        {"a?c", {"abc", "a?c"}, {"ac", "a/c"}},
        {"*ab", {"aab", "abab"}, {"aba", "b"}}, /* the star has to give up what it took */
        {"a*bc*d", {"abbcd", "abcbcdd"}, {"abbd", "acbd"}},
        {"**/a/b", {"a/a/b", "a/b", "a/x/a/a/b/c"}, {"a/a", "a/x/b"}},
        {"x/**/a/b/**/c", {"x/a/a/b/c", "x/a/b/b/c", "x/y/a/b/z/c"}, {"x/a/b", "x/a/c/b"}},
        {"src/*.[ch]", {"src/a.c", "src/a.h"}, {"src/a.o", "src/d/a.c"}},
    };
    check_rows(rows, sizeof rows / sizeof rows[0], 0);
}

static void classes_and_escapes(void **state) {
    (void)state;
    static const struct row rows[] = {
        {"[a-c]x", {"ax", "bx", "cx"}, {"dx", "-x", "x"}},
        {"[!a-c]x", {"dx", "-x", "Ax"}, {"ax", "bx"}},
        {"[^a]", {"b"}, {"a"}},
        {"[]a]", {"]", "a"}, {"b", "[]a]"}},
        {"[!]a]", {"b"}, {"]", "a"}},
        {"[a-]", {"a", "-"}, {"b"}},
        {"[\\]]", {"]"}, {"\\"}},
        {"[[:digit:]_]", {"0", "9", "_"}, {"a", ":"}},
        {"[[:alpha:]][[:space:]]", {"a ", "Z\t"}, {"1 ", "ab"}},
        {"[z-a]", {nullptr}, {"a", "z", "m"}},
        {"\\*", {"*"}, {"a", "\\*"}},
        {"\\!a", {"!a"}, {"a"}},
        {"\\a", {"a"}, {"\\a"}},
        {"#a ", {"#a "}, {"a", "#a"}},
        {"[\x80-\xff]", {"\xc3", "\xff"}, {"a"}},
    };
    check_rows(rows, sizeof rows / sizeof rows[0], 0);
}

static void exclusions_are_marked(void **state) {
    (void)state;
    struct glob glob;
    assert_null(glob_compile(SLICE_LITERAL("!tests/"), 0, &glob));
    assert_true(glob.excludes);
    assert_true(glob.folder_only);
    assert_true(glob_match(&glob, SLICE_LITERAL("tests/x"), false));
    assert_false(glob_match(&glob, SLICE_LITERAL("tests"), false));
    glob_deinit(&glob);
}

static void folded_patterns_meet_folded_paths(void **state) {
    (void)state;
    static const struct row rows[] = {
        {"Secrets/**", {"secrets/x"}, {"Secrets/x", "secret/x"}},
        {"*.PEM", {"a.pem"}, {"a.Pem"}},
        {"[A-C]x", {"ax", "cx"}, {"dx"}},
        {"[!A]x", {"bx", "ax"}, {nullptr}}, /* folding lets more through, never less */
    };
    check_rows(rows, sizeof rows / sizeof rows[0], GLOB_FOLD);
}

static void what_can_never_match_is_an_error(void **state) {
    (void)state;
    static const char *const patterns[] = {
        "",        "!",   "/",     "!/",    "//",   "a//b", "[a",     "[",    "[!",
        "[]",      "a\\", "a\\/b", "[a/b]", ".",    "..",   "a/../b", "./a",  "a/.",
        "[[:x:]]", "[[:", "[[:a",  "[[:a:", "a/[b", "[\\",  "[a-",    "[a-\\"};
    for (size_t i = 0; i < sizeof patterns / sizeof patterns[0]; i++) {
        struct glob glob = {.part_count = 7};
        if (glob_compile(slice_of_string(patterns[i]), 0, &glob) == nullptr) {
            fail_msg("%s is taken", patterns[i]);
        }
        assert_int_equal(glob.part_count, 7); /* untouched */
    }
    struct glob glob;
    assert_non_null(glob_compile(slice_of("a\0b", 3), 0, &glob));
}

static void the_length_has_a_limit(void **state) {
    (void)state;
    char text[LIMIT_POLICY_GLOB_BYTES + 1];
    memset(text, 'a', sizeof text);
    struct glob glob;
    uint64_t before = limit_hit_count(LIMIT_ID_POLICY_GLOB_BYTES);
    assert_non_null(glob_compile(slice_of(text, sizeof text), 0, &glob));
    assert_int_equal(limit_hit_count(LIMIT_ID_POLICY_GLOB_BYTES), before + 1);
    assert_null(glob_compile(slice_of(text, sizeof text - 1), 0, &glob));
    assert_true(glob_match(&glob, slice_of(text, sizeof text - 1), false));
    glob_deinit(&glob);
}

/* Repeats `unit` up to the limit of a pattern or path, then adds `end`. */
static struct slice repeat(char *out, size_t size, const char *unit, const char *end) {
    size_t used = 0;
    while (used + strlen(unit) + strlen(end) <= size) {
        memcpy(out + used, unit, strlen(unit));
        used += strlen(unit);
    }
    memcpy(out + used, end, strlen(end));
    return slice_of(out, used + strlen(end));
}

/* Exponential matchers would not come back from these; ours takes pattern x path steps, 16 million
 * at the limits. The watchdog is the test's own time limit. */
static void hostile_patterns_come_to_an_end(void **state) {
    (void)state;
    static const char *const hostile[][4] = {
        {"a*", "b", "a", "a"},    {"*a", "b", "a", "a"},
        {"?*", "b", "a", "a"},    {"[ab]*", "c", "a", "a"},
        {"**/", "b", "a/", "a"},  {"**/a/", "b", "a/", "a"},
        {"a*/", "b", "aa/", "a"}, {"**/a*a*/", "b", "aaaa/", "a"},
        {"*/", "b", "a/", "a"},   {"a*a*a*/**/", "b", "aaaaaaa/", "a"},
    };
    static char pattern[LIMIT_POLICY_GLOB_BYTES];
    static char path[LIMIT_PATH_BYTES];
    for (size_t i = 0; i < sizeof hostile / sizeof hostile[0]; i++) {
        struct glob glob;
        assert_null(
            glob_compile(repeat(pattern, sizeof pattern, hostile[i][0], hostile[i][1]), 0, &glob));
        assert_false(
            glob_match(&glob, repeat(path, sizeof path, hostile[i][2], hostile[i][3]), false));
        glob_deinit(&glob);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(patterns_mean_what_gitignore_says),
        cmocka_unit_test(classes_and_escapes),
        cmocka_unit_test(exclusions_are_marked),
        cmocka_unit_test(folded_patterns_meet_folded_paths),
        cmocka_unit_test(what_can_never_match_is_an_error),
        cmocka_unit_test(the_length_has_a_limit),
        cmocka_unit_test(hostile_patterns_come_to_an_end),
    };
    return cmocka_run_group_tests(tests, nullptr, nullptr);
}
