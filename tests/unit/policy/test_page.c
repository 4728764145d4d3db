/* SPDX-License-Identifier: Apache-2.0
 *
 * docs/policy.md against the code: its fields are those of the table, its files load, its messages
 * are the ones a person gets, its globs match what it says.
 */
#include "../page_kit.h"
#include "load_kit.h"

#include "policy/glob.h"

static char page[1 << 16];

static int read_page(void **state) {
    (void)state;
    page_read("policy.md", page, sizeof page);
    return 0;
}

static void the_fields_are_those_of_the_table(void **state) {
    (void)state;
    static const char *const rows[] = {
#define POLICY_FIELD(name, text, kind, meaning) "\n| `" text "` | " #kind " | " meaning " |\n",
#include "policy_fields.def"
#undef POLICY_FIELD
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        char row[512];
        (void)snprintf(row, sizeof row, "%s", rows[i]);
        char *kind = strchr(row, '|');
        kind = strchr(kind + 1, '|');
        for (char *at = kind; *at != '\0' && (at == kind || *at != '|'); at++) {
            *at = (char)(*at >= 'A' && *at <= 'Z' ? *at - 'A' + 'a' : *at);
        }
        if (strstr(page, row) == nullptr) {
            fail_msg("docs/policy.md lacks the row:%s", row);
        }
    }
}

/* The text between ```LANGUAGE and ``` from `from` on; nullptr when there is none. */
static const char *next_block(const char *from, const char *language, char *ret, size_t size) {
    char fence[32];
    (void)snprintf(fence, sizeof fence, "\n```%s\n", language);
    const char *start = strstr(from, fence);
    if (start == nullptr) {
        return nullptr;
    }
    start += strlen(fence);
    const char *end = strstr(start, "```\n");
    assert_non_null(end);
    assert_true((size_t)(end - start) < size);
    memcpy(ret, start, (size_t)(end - start));
    ret[end - start] = '\0';
    return end;
}

/* A file is followed by what is said about it, or nothing is. */
static void the_examples_are_true(void **state) {
    (void)state;
    const char *at = page;
    char text[1 << 12];
    char said[1 << 12];
    int count = 0;
    while ((at = next_block(at, "yaml", text, sizeof text)) != nullptr) {
        static const char follows[] = "```\n\n```text\n";
        said[0] = '\0';
        if (strncmp(at, follows, sizeof follows - 1) == 0) {
            (void)next_block(at, "text", said, sizeof said);
        }
        shows(text, said);
        count++;
    }
    assert_int_equal(count, 5);
}

static bool matches(const char *pattern, const char *path) {
    struct glob glob;
    assert_null(glob_compile(slice_of_string(pattern), 0, &glob));
    bool matched = glob_match(&glob, slice_of_string(path), false);
    glob_deinit(&glob);
    return matched;
}

static void the_globs_match_what_it_says(void **state) {
    (void)state;
    assert_true(matches("*.md", "a.md") && matches("*.md", "docs/x/a.md"));
    assert_false(matches("*.md", "a.mdx"));
    assert_true(matches("src/*.c", "src/a.c"));
    assert_false(matches("src/*.c", "src/x/a.c") || matches("src/*.c", "lib/src/a.c"));
    assert_true(matches("src/**", "src/a.c") && matches("src/**", "src/x/a.c"));
    assert_false(matches("src/**", "src") || matches("src/**", "lib/src/a.c"));
    assert_true(matches("**/test/", "test/a") && matches("**/test/", "x/y/test/a/b"));
    assert_false(matches("**/test/", "test"));
    assert_true(matches("/Makefile", "Makefile"));
    assert_false(matches("/Makefile", "lib/Makefile"));
    assert_true(matches("file[0-9]?.txt", "file1a.txt"));
    assert_false(matches("file[0-9]?.txt", "file1.txt"));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_fields_are_those_of_the_table),
        cmocka_unit_test(the_examples_are_true),
        cmocka_unit_test(the_globs_match_what_it_says),
    };
    return cmocka_run_group_tests_name("policy/page", tests, read_page, nullptr);
}
