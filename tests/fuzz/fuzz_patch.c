/* SPDX-License-Identifier: Apache-2.0
 *
 * A patch that a tool hands over, and what it makes of a file.
 */
#include <stdlib.h>
#include <string.h>

#include "base/assert.h"
#include "fuzz.h"
#include "sandbox/hunks.h"
#include "sandbox/patch.h"

static const char old_text[] = "one\ntwo\nthree\nfour\nfive\nsix\n";

bool fuzz_seed(unsigned number, struct builder *out) {
    static const char *const seeds[] = {
        "diff --git a/f b/f\nindex 1..2 100644\n--- a/f\n+++ b/f\n"
        "@@ -1,3 +1,3 @@\n one\n-two\n+TWO\n three\n@@ -6 +6,2 @@\n six\n+seven\n",
        "--- f\t2024\n+++ f\t2024\n@@ -6 +6 @@\n-six\n+six\n\\ No newline at end of file\n",
        "diff --git \"a/\\303\\244\" \"b/\\303\\244\"\nold mode 100644\nnew mode 100755\n# note\n"
        "diff --git a/o b/n\nsimilarity index 90%\nrename from o\nrename to n\n--- a/o\n+++ b/n\n"
        "@@ -1 +1 @@\n-one\n+1\n",
        "diff --git a/n b/n\nnew file mode 100644\n--- /dev/null\n+++ b/n\n@@ -0,0 +1 @@\n+x\n"
        "diff --git a/d b/d\ndeleted file mode 100644\n--- a/d\n+++ /dev/null\n@@ -1 +0,0 @@\n-x\n",
    };
    if (number >= sizeof seeds / sizeof seeds[0]) {
        return false;
    }
    builder_text(out, seeds[number]);
    return true;
}

/* What is read is what was there: paths that may be taken, hunks in order that count their lines.
 */
static void check(const struct patch *patch) {
    for (size_t i = 0; i < patch->file_count; i++) {
        const struct patch_file *file = &patch->files[i];
        ASSERT(file->old_path == nullptr || patch_path_refusal(file->old_path) == nullptr);
        ASSERT(file->new_path == nullptr || patch_path_refusal(file->new_path) == nullptr);
        ASSERT(file->first_hunk + file->hunk_count <= patch->hunk_count);
        for (size_t k = 0; k < file->hunk_count; k++) {
            const struct patch_hunk *hunk = &patch->hunks[file->first_hunk + k];
            size_t old_count = 0;
            size_t new_count = 0;
            ASSERT(hunk->first_line + hunk->line_count <= patch->line_count);
            for (size_t l = 0; l < hunk->line_count; l++) {
                old_count += patch->lines[hunk->first_line + l].mark != '+';
                new_count += patch->lines[hunk->first_line + l].mark != '-';
            }
            ASSERT(old_count == hunk->old_count && new_count == hunk->new_count);
        }
    }
}

/* A patch of a text chooses all blocks of the comparison of that text with what it makes of it, or
 * it is laid out in another way than ours; never less, and never with another result. */
static void apply(const struct patch *patch, const struct patch_file *file) {
    struct error err = {};
    struct builder out;
    struct hunk_set set = {};
    struct slice old = slice_of_string(old_text);
    bool fits = false;
    builder_init(&out, 1 << 20);
    if (status_is_ok(patch_apply_file(patch, file, old, &out, &err)) &&
        status_is_ok(hunk_set_make(old, builder_slice(&out), &set, &fits, &err)) && fits) {
        uint8_t *chosen = calloc(set.count + 1, 1);
        ASSERT(chosen != nullptr);
        if (status_is_ok(hunk_set_choose(&set, patch, file, chosen, &err))) {
            struct builder again;
            builder_init(&again, 1 << 20);
            hunk_set_content(&set, chosen, &again);
            ASSERT(slice_equal(builder_slice(&again), builder_slice(&out)));
            builder_deinit(&again);
        }
        free(chosen);
        hunk_set_deinit(&set);
    }
    builder_deinit(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    for (int form = PATCH_WHOLE; form <= PATCH_PART; form++) {
        struct error err = {};
        struct patch patch = {};
        if (!status_is_ok(patch_parse(slice_of(data, size), (enum patch_form)form, &patch, &err))) {
            ASSERT(err.code != ERROR_NONE);
            continue;
        }
        check(&patch);
        for (size_t i = 0; i < patch.file_count; i++) {
            apply(&patch, &patch.files[i]);
        }
        patch_deinit(&patch);
    }
    return 0;
}
