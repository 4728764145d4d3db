/* SPDX-License-Identifier: Apache-2.0 */
#include "sandbox/hunks.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "sandbox/patch.h"

static struct hunk_set make(const char *before, const char *after) {
    struct hunk_set set;
    struct error err;
    bool fits = false;
    assert_int_equal(
        hunk_set_make(slice_of_string(before), slice_of_string(after), &set, &fits, &err).code, 0);
    assert_true(fits);
    return set;
}

static const char old_text[] = "1\n2\n3\n4\n5\n6\n7\n8\n9\n10\n11\n12\n13\n14\n15\n";
static const char new_text[] = "1\nTWO\n3\n4\n5\nfive-a\n6\n7\n8\n9\n10\n11\n12\n13\n15\n";

static void assert_content(const struct hunk_set *set, const uint8_t *chosen, const char *wanted) {
    CLEANUP(builder_deinit) struct builder out;
    builder_init(&out, 4096);
    hunk_set_content(set, chosen, &out);
    assert_string_equal(builder_c_string(&out), wanted);
}

static void blocks_can_be_taken_one_by_one(void **unused) {
    (void)unused;
    CLEANUP(hunk_set_deinit) struct hunk_set set = make(old_text, new_text);
    assert_int_equal(set.count, 3);
    assert_content(&set, (uint8_t[]){0, 0, 0}, old_text);
    assert_content(&set, (uint8_t[]){1, 1, 1}, new_text);
    assert_content(&set, (uint8_t[]){1, 0, 0},
                   "1\nTWO\n3\n4\n5\n6\n7\n8\n9\n10\n11\n12\n13\n14\n15\n");
    assert_content(&set, (uint8_t[]){0, 1, 1},
                   "1\n2\n3\n4\n5\nfive-a\n6\n7\n8\n9\n10\n11\n12\n13\n15\n");
}

static void near_blocks_are_one_hunk(void **unused) {
    (void)unused;
    CLEANUP(hunk_set_deinit) struct hunk_set set = make(old_text, new_text);
    assert_int_equal(hunk_set_group(&set, 0), 2);
    assert_int_equal(hunk_set_group(&set, 2), 1);
    CLEANUP(builder_deinit) struct builder out;
    builder_init(&out, 4096);
    hunk_set_print(&set, 0, 1, false, &out);
    assert_string_equal(builder_c_string(&out), "@@ -1,5 +1,5 @@\n 1\n-2\n+TWO\n 3\n 4\n 5\n");
}

static void ends_without_a_newline(void **unused) {
    (void)unused;
    CLEANUP(hunk_set_deinit) struct hunk_set set = make("a\nb\nc", "A\nb\nc\nd\n");
    assert_int_equal(set.count, 2);
    assert_content(&set, (uint8_t[]){1, 0}, "A\nb\nc");
    assert_content(&set, (uint8_t[]){0, 1}, "a\nb\nc\nd\n");
}

static void nothing_and_all(void **unused) {
    (void)unused;
    CLEANUP(hunk_set_deinit) struct hunk_set none = make("same\n", "same\n");
    assert_int_equal(none.count, 0);
    CLEANUP(hunk_set_deinit) struct hunk_set from_empty = make("", "x\n");
    assert_int_equal(from_empty.count, 1);
    assert_content(&from_empty, (uint8_t[]){1}, "x\n");
    assert_content(&from_empty, (uint8_t[]){0}, "");
}

static int choose(const char *patch_text, uint8_t chosen[3]) {
    CLEANUP(hunk_set_deinit) struct hunk_set set = make(old_text, new_text);
    CLEANUP(patch_deinit) struct patch patch = {0};
    struct error err = {0};
    memset(chosen, 0, 3);
    assert_int_equal(patch_parse(slice_of_string(patch_text), PATCH_PART, &patch, &err).code, 0);
    return hunk_set_choose(&set, &patch, &patch.files[0], chosen, &err).code;
}

#define NAMES "--- a/f\n+++ b/f\n"

static void a_patch_chooses_what_it_names(void **unused) {
    (void)unused;
    uint8_t chosen[3];
    assert_int_equal(choose(NAMES "@@ -1,3 +1,3 @@\n 1\n-2\n+TWO\n 3\n", chosen), 0);
    assert_memory_equal(chosen, "\1\0\0", 3);
    /* The numbers of the new side are those of the whole diff: hunks were taken out. */
    assert_int_equal(choose(NAMES "@@ -13,3 +14,2 @@\n 13\n-14\n 15\n", chosen), 0);
    assert_memory_equal(chosen, "\0\0\1", 3);
    assert_int_equal(choose(NAMES "@@ -1,7 +1,8 @@\n 1\n-2\n+TWO\n 3\n 4\n 5\n+five-a\n 6\n 7\n"
                                  "@@ -14 +15,0 @@\n-14\n",
                            chosen),
                     0);
    assert_memory_equal(chosen, "\1\1\1", 3);
}

static void a_patch_that_is_no_part_is_refused(void **unused) {
    (void)unused;
    uint8_t chosen[3];
    static const char *const others[] = {
        NAMES "@@ -1,3 +1,3 @@\n 1\n-2\n+DOS\n 3\n", /* another line */
        NAMES "@@ -1,3 +1,2 @@\n 1\n-2\n 3\n",       /* half of a block */
        NAMES "@@ -2 +2,2 @@\n-2\n+TWO\n+more\n",    /* more than the block */
        NAMES "@@ -3 +3 @@\n-3\n+three\n",           /* a change of its own */
        NAMES "@@ -1,3 +1,3 @@\n x\n-2\n+TWO\n 3\n", /* wrong context */
        NAMES "@@ -2,3 +2,3 @@\n 1\n-2\n+TWO\n 3\n", /* another place */
        NAMES "@@ -1,3 +1,4 @@\n 1\n 2\n+TWO\n 3\n", /* a deletion made context */
        NAMES "@@ -15 +15,2 @@\n 15\n+16\n",         /* past the last change */
        NAMES "@@ -15,2 +15 @@\n 15\n-16\n",         /* past the end */
    };
    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++) {
        if (choose(others[i], chosen) != ERROR_PATCH_NO_SUBSET) {
            fail_msg("patch %zu was taken", i);
        }
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(blocks_can_be_taken_one_by_one),
        cmocka_unit_test(near_blocks_are_one_hunk),
        cmocka_unit_test(ends_without_a_newline),
        cmocka_unit_test(nothing_and_all),
        cmocka_unit_test(a_patch_chooses_what_it_names),
        cmocka_unit_test(a_patch_that_is_no_part_is_refused),
    };
    return cmocka_run_group_tests_name("sandbox/hunks", tests, nullptr, nullptr);
}
