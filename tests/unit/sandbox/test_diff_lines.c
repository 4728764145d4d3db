/* SPDX-License-Identifier: Apache-2.0 */
#include "sandbox/diff_lines.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/limits.h"
#include "sandbox/diff_names.h"

static char *hunks(const char *before, const char *after) {
    struct diff_lines old;
    struct diff_lines new;
    struct error err;
    bool fits = false;
    struct builder out;
    builder_init(&out, 1 << 20);
    assert_int_equal(diff_lines_split(slice_of_string(before), &old, &fits, &err).code, 0);
    assert_true(fits);
    assert_int_equal(diff_lines_split(slice_of_string(after), &new, &fits, &err).code, 0);
    assert_true(fits);
    assert_int_equal(diff_lines_compare(&old, &new, &err).code, 0);
    diff_lines_hunks(&old, &new, false, &out);
    diff_lines_deinit(&old);
    diff_lines_deinit(&new);
    char *text = strdup(builder_c_string(&out));
    builder_deinit(&out);
    return text;
}

static void assert_hunks(const char *before, const char *after, const char *expected) {
    char *text = hunks(before, after);
    assert_string_equal(text, expected);
    free(text);
}

static void small_texts(void **unused) {
    (void)unused;
    assert_hunks("a\n", "a\n", "");
    assert_hunks("", "", "");
    assert_hunks("", "a\n", "@@ -0,0 +1 @@\n+a\n");
    assert_hunks("a\n", "", "@@ -1 +0,0 @@\n-a\n");
    assert_hunks("a\nb\nc\n", "a\nx\nc\n", "@@ -1,3 +1,3 @@\n a\n-b\n+x\n c\n");
    assert_hunks("a", "a\n", "@@ -1 +1 @@\n-a\n\\ No newline at end of file\n+a\n");
    assert_hunks("a\nb", "c\nb", "@@ -1,2 +1,2 @@\n-a\n+c\n b\n\\ No newline at end of file\n");
}

static void hunks_join_and_part(void **unused) {
    (void)unused;
    /* Six unchanged lines between: one hunk. Seven: two. */
    assert_hunks("x\n1\n2\n3\n4\n5\n6\ny\n", "X\n1\n2\n3\n4\n5\n6\nY\n",
                 "@@ -1,8 +1,8 @@\n-x\n+X\n 1\n 2\n 3\n 4\n 5\n 6\n-y\n+Y\n");
    assert_hunks("x\n1\n2\n3\n4\n5\n6\n7\ny\n", "X\n1\n2\n3\n4\n5\n6\n7\nY\n",
                 "@@ -1,4 +1,4 @@\n-x\n+X\n 1\n 2\n 3\n@@ -6,4 +6,4 @@\n 5\n 6\n 7\n-y\n+Y\n");
}

/* The length of the longest common subsequence, the slow and certain way. */
static size_t common_length(const uint8_t *a, size_t a_count, const uint8_t *b, size_t b_count) {
    static size_t table[2][128];
    memset(table, 0, sizeof table);
    for (size_t i = 1; i <= a_count; i++) {
        for (size_t j = 1; j <= b_count; j++) {
            size_t up = table[(i - 1) & 1][j];
            size_t left = table[i & 1][j - 1];
            size_t best = up > left ? up : left;
            table[i & 1][j] = a[i - 1] == b[j - 1] ? table[(i - 1) & 1][j - 1] + 1 : best;
        }
    }
    return table[a_count & 1][b_count];
}

static size_t make_text(unsigned *seed, uint8_t letters[100], char *text) {
    size_t count = (size_t)rand_r(seed) % 100;
    for (size_t i = 0; i < count; i++) {
        letters[i] = (uint8_t)('a' + rand_r(seed) % 5);
        text[2 * i] = (char)letters[i];
        text[2 * i + 1] = '\n';
    }
    text[2 * count] = '\0';
    return count;
}

/* What is unchanged on both sides is the same text, and as long as it can be. */
static void the_shortest_edit_is_found(void **unused) {
    (void)unused;
    unsigned seed = 1;
    for (int round = 0; round < 2000; round++) {
        uint8_t a[100];
        uint8_t b[100];
        char a_text[201];
        char b_text[201];
        size_t a_count = make_text(&seed, a, a_text);
        size_t b_count = make_text(&seed, b, b_text);
        struct diff_lines old;
        struct diff_lines new;
        struct error err;
        bool fits;
        assert_int_equal(diff_lines_split(slice_of_string(a_text), &old, &fits, &err).code, 0);
        assert_int_equal(diff_lines_split(slice_of_string(b_text), &new, &fits, &err).code, 0);
        assert_int_equal(diff_lines_compare(&old, &new, &err).code, 0);
        size_t kept = 0;
        size_t j = 0;
        for (size_t i = 0; i < a_count; i++) {
            if (old.changed[i]) {
                continue;
            }
            while (j < b_count && new.changed[j]) {
                j++;
            }
            assert_true(j < b_count && a[i] == b[j]);
            j++;
            kept++;
        }
        while (j < b_count) {
            assert_true(new.changed[j++]);
        }
        assert_int_equal(kept, common_length(a, a_count, b, b_count));
        diff_lines_deinit(&old);
        diff_lines_deinit(&new);
    }
}

static void too_many_lines_are_replaced_whole(void **unused) {
    (void)unused;
    size_t size = (size_t)LIMIT_DIFF_LINES + 1;
    char *text = malloc(size);
    memset(text, '\n', size);
    struct diff_lines lines;
    struct error err;
    bool fits = true;
    assert_int_equal(diff_lines_split(slice_of(text, size), &lines, &fits, &err).code, 0);
    assert_false(fits);
    free(text);
    struct builder out;
    builder_init(&out, 1 << 16);
    diff_lines_replace(SLICE_LITERAL("a\nb"), SLICE_LITERAL("c\n"), false, &out);
    assert_string_equal(builder_c_string(&out),
                        "@@ -1,2 +1 @@\n-a\n-b\n\\ No newline at end of file\n+c\n");
    builder_reset(&out);
    diff_lines_replace(SLICE_LITERAL(""), SLICE_LITERAL("c\n"), false, &out);
    assert_string_equal(builder_c_string(&out), "@@ -0,0 +1 @@\n+c\n");
    builder_deinit(&out);
}

static void terminals_get_no_control_characters(void **unused) {
    (void)unused;
    struct builder out;
    builder_init(&out, 1 << 16);
    diff_lines_replace(SLICE_LITERAL(""), SLICE_LITERAL("\033]52;c;x\007\n"), true, &out);
    assert_non_null(strstr(builder_c_string(&out), "+^[]52;c;x^G"));
    builder_reset(&out);
    diff_lines_replace(SLICE_LITERAL(""),
                       SLICE_LITERAL("\xc2\x9b"
                                     "2K \xe2\x80\xae \xe2\x81\xa6 \xc3\xa9\r\n"),
                       true, &out);
    assert_non_null(strstr(builder_c_string(&out), "+<U+009B>2K <U+202E> <U+2066> \xc3\xa9^M"));
    builder_reset(&out);
    diff_name("a/", "\033[2J\n\xe2\x80\xae", &out);
    assert_string_equal(builder_c_string(&out), "\"a/\\033[2J\\n\\342\\200\\256\"");
    builder_deinit(&out);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(small_texts),
        cmocka_unit_test(hunks_join_and_part),
        cmocka_unit_test(the_shortest_edit_is_found),
        cmocka_unit_test(too_many_lines_are_replaced_whole),
        cmocka_unit_test(terminals_get_no_control_characters),
    };
    return cmocka_run_group_tests_name("sandbox/diff_lines", tests, nullptr, nullptr);
}
