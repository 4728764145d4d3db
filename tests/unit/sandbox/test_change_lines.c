/* SPDX-License-Identifier: Apache-2.0 */
#include "sandbox/change_lines.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "stage_fixture.h"

static struct change_lines compare(struct slice before, struct slice after) {
    struct change_lines lines;
    struct error err;
    assert_int_equal(change_lines_compare(before, after, &lines, &err).code, 0);
    return lines;
}

static struct change_lines compare_texts(const char *before, const char *after) {
    return compare(slice_of_string(before), slice_of_string(after));
}

static void both_sides_count(void **state) {
    (void)state;
    struct change_lines lines = compare_texts("a\nb\nc\n", "a\nB\nc\nd");
    assert_null(lines.unreadable);
    assert_int_equal(lines.added, 2);
    assert_int_equal(lines.deleted, 1);
    lines = compare_texts("", "a\n\n\tb\r\nä\n");
    assert_null(lines.unreadable);
    assert_int_equal(lines.added, 4);
    assert_int_equal(lines.deleted, 0);
    lines = compare_texts("a\nb\n", "");
    assert_int_equal(lines.deleted, 2);
    lines = compare_texts("a", "a\n"); /* the newline at the end is a change of that line */
    assert_int_equal(lines.added + lines.deleted, 2);
    lines = compare_texts("", "");
    assert_int_equal(lines.added + lines.deleted, 0);
}

static void what_is_not_seen_is_no_line(void **state) {
    (void)state;
    static const char nul_late[] = "a\n\0b\n";
    assert_string_equal(compare(slice_of_string(""), slice_of(nul_late, 5)).unreadable,
                        "it is binary");
    assert_string_equal(compare(slice_of(nul_late, 5), slice_of_string("")).unreadable,
                        "it is binary");
    const char *const hidden[] = {
        "a\x1b[2Kb\n",
        "a\rb\n",
        "a\xe2\x80\xae"
        "b\n",
        "a\xe2\x80\x8b"
        "b\n",
        "\xff\n",
        "a\xc3",
    };
    for (size_t i = 0; i < sizeof hidden / sizeof hidden[0]; i++) {
        assert_string_equal(compare_texts("", hidden[i]).unreadable,
                            "it has characters that are not seen");
        assert_null(compare_texts(hidden[i], hidden[i]).unreadable); /* it was there before */
    }
}

static void a_line_is_no_longer_than_its_limit(void **state) {
    (void)state;
    char line[LIMIT_AUTO_LINE_BYTES + 3];
    memset(line, 'x', sizeof line);
    line[LIMIT_AUTO_LINE_BYTES] = '\n';
    assert_null(compare(slice_of_string(""), slice_of(line, LIMIT_AUTO_LINE_BYTES + 1)).unreadable);
    assert_int_equal(limit_hit_count(LIMIT_ID_AUTO_LINE_BYTES), 0);
    line[LIMIT_AUTO_LINE_BYTES] = 'x';
    line[LIMIT_AUTO_LINE_BYTES + 1] = '\n';
    assert_string_equal(
        compare(slice_of_string(""), slice_of(line, LIMIT_AUTO_LINE_BYTES + 2)).unreadable,
        "it has a line that is too long to count as one");
    assert_int_equal(limit_hit_count(LIMIT_ID_AUTO_LINE_BYTES), 1);
}

static void more_lines_than_can_be_compared_are_none(void **state) {
    (void)state;
    char *text = malloc((size_t)LIMIT_DIFF_LINES + 1);
    assert_non_null(text);
    memset(text, '\n', (size_t)LIMIT_DIFF_LINES + 1);
    assert_string_equal(
        compare(slice_of_string(""), slice_of(text, (size_t)LIMIT_DIFF_LINES + 1)).unreadable,
        "it has too many lines to compare");
    free(text);
}

/* Of a stage: one change by its path. */
static struct change_lines count(const struct run *run, const char *path) {
    struct merge merge;
    struct change_lines lines;
    struct error err;
    assert_int_equal(merge_open(&fixture_state, run, &merge, &err).code, 0);
    const struct change *change = change_list_find(&merge.list, path);
    assert_non_null(change);
    assert_int_equal(change_lines_count(&merge, change, &lines, &err).code, 0);
    merge_close(&merge);
    return lines;
}

static void put_inside(const char *upper, const char *name, const char *content, unsigned mode) {
    char path[256];
    (void)snprintf(path, sizeof path, "%s/%s", upper, name);
    put_file(path, content, mode);
}

static void changes_of_a_stage(void **state) {
    (void)state;
    char upper[128];
    char path[256];
    put_file("work/text", "one\ntwo\n", 0644);
    put_file("work/mode", "same\n", 0644);
    put_file("work/kind", "file\n", 0644);
    struct run run = start_run(nullptr, upper);
    put_inside(upper, "text", "one\nzwei\n", 0644);
    put_inside(upper, "mode", "same\n", 0755);
    put_inside(upper, "new", "1\n2\n3\n", 0755);
    (void)snprintf(path, sizeof path, "%s/link", upper);
    put_link(path, "text");
    (void)snprintf(path, sizeof path, "%s/folder", upper);
    put_folder(path, 0755);
    (void)snprintf(path, sizeof path, "%s/kind", upper);
    put_link(path, "text");
    (void)seal_run(&run);
    struct change_lines lines = count(&run, "text");
    assert_null(lines.unreadable);
    assert_int_equal(lines.added, 1);
    assert_int_equal(lines.deleted, 1);
    lines = count(&run, "new");
    assert_null(lines.unreadable);
    assert_int_equal(lines.added, 3);
    lines = count(&run, "folder");
    assert_null(lines.unreadable);
    assert_int_equal(lines.added + lines.deleted, 0);
    assert_string_equal(count(&run, "mode").unreadable, "its permissions change");
    assert_string_equal(count(&run, "link").unreadable, "it is a symbolic link");
    assert_string_equal(count(&run, "kind").unreadable, "it is a symbolic link");
    run_close(&run);
}

static void what_is_deleted_counts(void **state) {
    (void)state;
    char upper[128];
    char path[256];
    put_file("work/text", "one\ntwo\n", 0644);
    put_file("work/folder/below", "three\n", 0644);
    struct run run = start_run(nullptr, upper);
    (void)snprintf(path, sizeof path, "%s/text", upper);
    bool can = put_whiteout(path);
    (void)snprintf(path, sizeof path, "%s/folder", upper);
    can = can && put_whiteout(path);
    (void)seal_run(&run);
    if (can) {
        assert_int_equal(count(&run, "text").deleted, 2);
        assert_int_equal(count(&run, "folder").deleted, 0);
        assert_int_equal(count(&run, "folder/below").deleted, 1);
    }
    run_close(&run);
    if (!can) {
        skip();
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(both_sides_count),
        cmocka_unit_test(what_is_not_seen_is_no_line),
        cmocka_unit_test(a_line_is_no_longer_than_its_limit),
        cmocka_unit_test(more_lines_than_can_be_compared_are_none),
        cmocka_unit_test_setup_teardown(changes_of_a_stage, fixture_set_up, fixture_tear_down),
        cmocka_unit_test_setup_teardown(what_is_deleted_counts, fixture_set_up, fixture_tear_down),
    };
    return cmocka_run_group_tests_name("sandbox/change_lines", tests, nullptr, nullptr);
}
