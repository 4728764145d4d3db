/* SPDX-License-Identifier: Apache-2.0 */
#include "sandbox/patch.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/cleanup.h"

static int parse(const char *text, struct patch *ret, struct error *err) {
    *err = (struct error){0};
    *ret = (struct patch){0};
    return patch_parse(slice_of_string(text), PATCH_WHOLE, ret, err).code;
}

static void assert_refused(const char *text, int code) {
    CLEANUP(patch_deinit) struct patch patch;
    struct error err;
    int got = parse(text, &patch, &err);
    if (got != code) {
        fail_msg("got %s (%s) for:\n%s", got == 0 ? "ok" : error_slug(err.code), err.message, text);
    }
}

static void assert_result(const char *text, const char *before, const char *after) {
    CLEANUP(patch_deinit) struct patch patch;
    CLEANUP(builder_deinit) struct builder out;
    struct error err;
    builder_init(&out, 65536);
    int code = parse(text, &patch, &err);
    if (code == 0) {
        code = patch_apply_file(&patch, &patch.files[0], slice_of_string(before), &out, &err).code;
    }
    if (code != 0) {
        fail_msg("%s: %s", error_slug(err.code), err.message);
    }
    assert_string_equal(builder_c_string(&out), after);
}

static void assert_mismatch(const char *text, const char *before) {
    CLEANUP(patch_deinit) struct patch patch;
    CLEANUP(builder_deinit) struct builder out;
    struct error err;
    builder_init(&out, 65536);
    assert_int_equal(parse(text, &patch, &err), 0);
    assert_int_equal(
        patch_apply_file(&patch, &patch.files[0], slice_of_string(before), &out, &err).code,
        ERROR_PATCH_MISMATCH);
}

#define GIT "diff --git a/f b/f\nindex 1..2 100644\n--- a/f\n+++ b/f\n"
#define PLAIN "--- f\n+++ f\n"
#define HUNK "@@ -1,3 +1,3 @@\n a\n-b\n+B\n c\n"

static void what_is_no_patch_is_refused(void **unused) {
    (void)unused;
    static const char *const texts[] = {
        "",
        "\n\n",
        "# only words\n",
        "hello\n",
        "From 1234 Mon Sep 17 00:00:00 2001\n" GIT HUNK, /* a mail is no patch */
        GIT,                                             /* no change */
        "diff --git a/f b/f\n",
        PLAIN,
        "--- f\n@@ -1 +1 @@\n-a\n+b\n",
        GIT "@@ -1,3 +1,3 @@\n a\n-b\n+B\n",              /* cut off */
        GIT "@@ -1,3 +1,3 @@\n a\n-b\n+B\n c",            /* in the middle of a line */
        GIT "@@ -1,2 +1,2 @@\n a\n-b\n+B\n c\n",          /* counts one less */
        GIT "@@ -1,4 +1,4 @@\n a\n-b\n+B\n c\n" GIT HUNK, /* counts one more */
        GIT "@@ -1,3 +1,3 @@\n a\n-b\n+B\n\n",            /* a blank context line lost its blank */
        GIT "@@ -1,1 +1,1 @@\n a\n",                      /* changes nothing */
        GIT "@@ -1,3 +2,3 @@\n a\n-b\n+B\n c\n",          /* does not add up */
        GIT HUNK "@@ -2,1 +2,1 @@\n-b\n+x\n",             /* overlaps */
        GIT HUNK "@@ -10,1 +11,1 @@\n-b\n+x\n",           /* a line too far */
        GIT "@@ -1,3 +1,3 @\n a\n-b\n+B\n c\n",
        GIT "@@ -,3 +1,3 @@\n a\n-b\n+B\n c\n",
        GIT "@@ -0,1 +1,1 @@\n-b\n+B\n",
        GIT "@@ -1,99999999999999999999 +1,1 @@\n-b\n+B\n",
        GIT "@@ -1 +1 @@\n-b\n\\ No newline at end of file\n\\ No newline at end of file\n+B\n",
        GIT HUNK "junk\n",
        GIT HUNK GIT HUNK,                             /* the same file twice */
        "diff --git a/f b/g\n--- a/f\n+++ b/g\n" HUNK, /* a rename that does not say so */
        "diff --git a/f b/f\nnew file mode 100644\n--- a/f\n+++ b/f\n" HUNK,
        "diff --git a/f b/f\n--- /dev/null\n+++ b/f\n@@ -0,0 +1 @@\n+a\n", /* does not say new */
        "diff --git a/f b/f\nnew file mode 100644\n--- /dev/null\n+++ b/f\n" HUNK,
        "--- /dev/null\n+++ /dev/null\n@@ -0,0 +1 @@\n+a\n",
        "diff --git a/f b/f\n--- f\n+++ f\n" HUNK,                    /* no a/ and b/ */
        "diff --git a/x y b/x z\nold mode 100644\nnew mode 100755\n", /* which name? */
        "diff --git a/f b/f\nold mode 100644\nnew mode 120000\n",
        "diff --git a/f b/f\nold mode 644\nnew mode 755\n",
        "diff --git a/f b/g\nrename from f\nrename to h\n--- a/f\n+++ b/g\n" HUNK,
        "diff --git a/f b/f\nrename from f\nrename to f\n",
        "diff --git a/f b/g\nrename to g\n",
        "diff --git \"a/f\\q\" \"b/f\\q\"\nold mode 100644\nnew mode 100755\n",
        "diff --git a/f b/f\n--- \"a/f\n+++ b/f\n" HUNK,
        "--- a/f\r\n+++ b/f\r\n@@ -1 +1 @@\r\n-a\r\n+b\r\n", /* a patch in DOS form */
    };
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        assert_refused(texts[i], ERROR_PATCH_MALFORMED);
    }
}

static void what_is_never_taken_is_refused(void **unused) {
    (void)unused;
    static const char *const paths[] = {
        "../f",         "a/../f",        "/etc/passwd",    "./f",      "a//f",
        "a/",           ".git/config",   "x/.git/hooks/y", "x/.GIT/y", ".airlock/policy.yaml",
        "a/.airlock/x", ".airlock-1234",
    };
    for (size_t i = 0; i < sizeof paths / sizeof paths[0]; i++) {
        char text[512];
        (void)snprintf(text, sizeof text, "diff --git a/%s b/%s\n--- a/%s\n+++ b/%s\n" HUNK,
                       paths[i], paths[i], paths[i], paths[i]);
        assert_refused(text, ERROR_PATCH_REFUSED);
        (void)snprintf(text, sizeof text, "diff --git a/f b/%s\nrename from f\nrename to %s\n",
                       paths[i], paths[i]);
        assert_refused(text, ERROR_PATCH_REFUSED);
    }
    assert_refused("--- /etc/passwd\n+++ /etc/passwd\n" HUNK, ERROR_PATCH_REFUSED);
    assert_refused("--- a/f\n+++ b/f\n" HUNK "--- a/x\n+++ b/../x\n" HUNK, ERROR_PATCH_MALFORMED);
    assert_refused("diff --git a/f b/f\nindex 1..2 100644\nBinary files a/f and b/f differ\n",
                   ERROR_PATCH_REFUSED);
    assert_refused("diff --git a/f b/f\nindex 1..2 100644\nGIT binary patch\nliteral 1\nIcmZ\n",
                   ERROR_PATCH_REFUSED);
    assert_refused("Binary files x and y differ\n", ERROR_PATCH_REFUSED);
    assert_refused("diff --git a/m b/m\nnew file mode 160000\n--- /dev/null\n+++ b/m\n"
                   "@@ -0,0 +1 @@\n+Subproject commit 1\n",
                   ERROR_PATCH_REFUSED);
    assert_refused("diff --git a/f b/f\nold mode 100644\nnew mode 104755\n", ERROR_PATCH_REFUSED);
}

static void text_is_changed_as_it_says(void **unused) {
    (void)unused;
    assert_result(GIT HUNK, "a\nb\nc\nd\n", "a\nB\nc\nd\n");
    assert_result(PLAIN HUNK, "a\nb\nc\n", "a\nB\nc\n");
    assert_result("--- f\t2024-01-01 10:00:00\n+++ f\t2024-01-01 10:00:01\n" HUNK, "a\nb\nc\n",
                  "a\nB\nc\n");
    assert_result(GIT "@@ -1 +1 @@ function()\n-a\n+A\n@@ -5,0 +6,2 @@\n+x\n+y\n",
                  "a\nb\nc\nd\ne\nf\n", "A\nb\nc\nd\ne\nx\ny\nf\n");
    assert_result(GIT "@@ -2 +1,0 @@\n-b\n", "a\nb\n", "a\n");
    assert_result(GIT "@@ -1,2 +0,0 @@\n-a\n-b\n", "a\nb\n", "");
    assert_result("diff --git a/f b/f\nnew file mode 100755\n--- /dev/null\n+++ b/f\n"
                  "@@ -0,0 +1,2 @@\n+a\n+b\n",
                  "", "a\nb\n");
}

static void newlines_are_kept_as_they_are(void **unused) {
    (void)unused;
    assert_result(GIT "@@ -1 +1 @@\n-a\r\n+b\r\n", "a\r\n", "b\r\n");
    assert_mismatch(GIT "@@ -1 +1 @@\n-a\n+b\n", "a\r\n");
    assert_mismatch(GIT "@@ -1 +1 @@\n-a\r\n+b\r\n", "a\n");
    assert_result(GIT "@@ -1 +1 @@\n-a\n\\ No newline at end of file\n+b\n", "a", "b\n");
    assert_result(GIT "@@ -1 +1 @@\n-a\n+b\n\\ No newline at end of file\n", "a\n", "b");
    assert_result(GIT "@@ -1,2 +1,2 @@\n-a\n+A\n b\n\\ No newline at end of file\n", "a\nb",
                  "A\nb");
    assert_mismatch(GIT "@@ -1 +1 @@\n-a\n+b\n", "a");
    assert_mismatch(GIT "@@ -1 +1 @@\n-a\n\\ No newline at end of file\n+b\n", "a\n");
    /* A line that loses its newline cannot have one after it. */
    assert_mismatch(GIT "@@ -1 +1,2 @@\n-a\n+b\n\\ No newline at end of file\n+c\n", "a\n");
    assert_mismatch(GIT "@@ -1 +1 @@\n-a\n+b\n\\ No newline at end of file\n", "a\nc\n");
}

static void nothing_is_searched_for(void **unused) {
    (void)unused;
    assert_mismatch(GIT HUNK, "x\na\nb\nc\n"); /* one line further down */
    assert_mismatch(GIT HUNK, "a\nb\n");
    assert_mismatch(GIT HUNK, "");
    assert_mismatch(GIT HUNK, "a\nb \nc\n");
    assert_mismatch(GIT "@@ -9 +9 @@\n-a\n+b\n", "a\n");
}

static void names_are_read_in_every_form(void **unused) {
    (void)unused;
    static const struct {
        const char *text, *old_path, *new_path;
        enum patch_kind kind;
    } rows[] = {
        {GIT HUNK, "f", "f", PATCH_MODIFY},
        {"--- x/a\n+++ x/a\n" HUNK, "x/a", "x/a", PATCH_MODIFY},
        {"--- a/x\n+++ a/x\n" HUNK, "a/x", "a/x", PATCH_MODIFY},
        {"diff --git a/a b b/a b\nold mode 100644\nnew mode 100755\n", "a b", "a b", PATCH_MODIFY},
        {"diff --git a/a b b/a b\n--- a/a b\t\n+++ b/a b\t\n" HUNK, "a b", "a b", PATCH_MODIFY},
        {"diff --git \"a/\\303\\244\\t\" \"b/\\303\\244\\t\"\nold mode 100644\nnew mode 100755\n",
         "\303\244\t", "\303\244\t", PATCH_MODIFY},
        {"diff --git a/e b/e\nnew file mode 100644\nindex 0..e69de29\n", nullptr, "e", PATCH_ADD},
        {"diff --git a/e b/e\ndeleted file mode 100644\nindex e69de29..0\n", "e", nullptr,
         PATCH_DELETE},
        {"diff --git a/o b/n\nsimilarity index 100%\nrename from o\nrename to n\n", "o", "n",
         PATCH_RENAME},
        {"diff --git a/o b/n\nsimilarity index 100%\ncopy from o\ncopy to n\n", "o", "n",
         PATCH_COPY},
        {"--- /dev/null\n+++ b/n\n@@ -0,0 +1 @@\n+a\n", nullptr, "n", PATCH_ADD},
        {"--- a/n\n+++ /dev/null\n@@ -1 +0,0 @@\n-a\n", "n", nullptr, PATCH_DELETE},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        CLEANUP(patch_deinit) struct patch patch;
        struct error err;
        if (parse(rows[i].text, &patch, &err) != 0) {
            fail_msg("row %zu: %s", i, err.message);
        }
        assert_int_equal(patch.file_count, 1);
        assert_int_equal(patch.files[0].kind, rows[i].kind);
        const char *got[] = {patch.files[0].old_path, patch.files[0].new_path};
        const char *wanted[] = {rows[i].old_path, rows[i].new_path};
        for (size_t side = 0; side < 2; side++) {
            assert_int_equal(got[side] == nullptr, wanted[side] == nullptr);
            if (wanted[side] != nullptr) {
                assert_string_equal(got[side], wanted[side]);
            }
        }
    }
}

static void limits_hold(void **unused) {
    (void)unused;
    size_t size = (size_t)LIMIT_PATCH_BYTES + 1;
    CLEANUP(memory_freep) char *text = malloc(size);
    struct patch patch;
    struct error err;
    assert_non_null(text);
    memset(text, '\n', size);
    assert_int_equal(patch_parse(slice_of(text, size), PATCH_WHOLE, &patch, &err).code,
                     ERROR_LIMIT);
    CLEANUP(builder_deinit) struct builder many;
    builder_init(&many, 1 << 24);
    for (int i = 0; i <= LIMIT_PATCH_FILES; i++) {
        builder_format(&many, "diff --git a/%d b/%d\nold mode 100644\nnew mode 100755\n", i, i);
    }
    assert_int_equal(patch_parse(builder_slice(&many), PATCH_WHOLE, &patch, &err).code,
                     ERROR_LIMIT);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_no_patch_is_refused),
        cmocka_unit_test(what_is_never_taken_is_refused),
        cmocka_unit_test(text_is_changed_as_it_says),
        cmocka_unit_test(newlines_are_kept_as_they_are),
        cmocka_unit_test(nothing_is_searched_for),
        cmocka_unit_test(names_are_read_in_every_form),
        cmocka_unit_test(limits_hold),
    };
    return cmocka_run_group_tests_name("sandbox/patch", tests, nullptr, nullptr);
}
