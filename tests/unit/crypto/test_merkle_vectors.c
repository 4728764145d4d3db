/* SPDX-License-Identifier: Apache-2.0
 *
 * The cases of transparency-dev/merkle (Apache-2.0), good and tampered, found through
 * AIRLOCK_VECTORS; without it the tests say that they were skipped.
 */
#include <ftw.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbit.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "codec/json.h"
#include "codec/text.h"
#include "crypto/merkle.h"
#include "sys/file.h"

static unsigned cases;
static unsigned good;  /* how many of them are to be accepted */
static unsigned other; /* how many are about something Airlock does not do */

static bool digest_of(const char *base64, struct digest *ret_digest) {
    struct builder bytes;
    builder_init(&bytes, 256);
    bool fits = base64 != nullptr && text_unbase64(slice_of_string(base64), &bytes) &&
                bytes.size == DIGEST_BYTES;
    if (fits) {
        memcpy(ret_digest->bytes, bytes.data, DIGEST_BYTES);
    }
    builder_deinit(&bytes);
    return fits;
}

static bool proof_of(const struct json *list, struct merkle_proof *ret_proof) {
    size_t count = json_array_count(list);
    if (count > LIMIT_PROOF_HASHES) {
        return false;
    }
    for (size_t i = 0; i < count; i++) {
        if (!digest_of(json_as_text(json_array_at(list, i)), &ret_proof->hashes[i])) {
            return false;
        }
    }
    ret_proof->count = (unsigned)count;
    return true;
}

static bool inclusion_holds(const struct json *test) {
    int64_t index;
    int64_t size;
    struct digest leaf;
    struct digest root;
    struct digest computed;
    struct merkle_proof proof;
    return json_get_integer(test, "leafIdx", &index) && index >= 0 &&
           json_get_integer(test, "treeSize", &size) && size >= 0 &&
           digest_of(json_get_text(test, "leafHash"), &leaf) &&
           digest_of(json_get_text(test, "root"), &root) &&
           proof_of(json_get(test, "proof"), &proof) &&
           merkle_root_from_inclusion((uint64_t)index, (uint64_t)size, &leaf, &proof, &computed) &&
           digest_equal(&computed, &root);
}

/* A subtree [start, end) begins at a multiple of the power of two that is not smaller than it, and
 * is a tree of its own: what proves a leaf in it is an ordinary proof, counted from `start`. */
static bool subtree_inclusion_holds(const struct json *test) {
    int64_t index;
    int64_t start;
    int64_t end;
    struct digest leaf;
    struct digest root;
    struct digest computed;
    struct merkle_proof proof;
    if (!json_get_integer(test, "leafIdx", &index) || !json_get_integer(test, "start", &start) ||
        !json_get_integer(test, "end", &end) || start < 0 || index < start || index >= end) {
        return false;
    }
    uint64_t size = (uint64_t)(end - start);
    return (uint64_t)start % stdc_bit_ceil(size) == 0 &&
           digest_of(json_get_text(test, "leafHash"), &leaf) &&
           digest_of(json_get_text(test, "root"), &root) &&
           proof_of(json_get(test, "proof"), &proof) &&
           merkle_root_from_inclusion((uint64_t)(index - start), size, &leaf, &proof, &computed) &&
           digest_equal(&computed, &root);
}

/* Their library calls a proof from the empty tree useless and refuses it. Ours is asked for one by
 * the C2SP witness protocol ("old 0: empty proof"), so that very form holds here. */
static bool is_from_nothing(const struct json *test, int64_t size1, int64_t size2) {
    return size1 == 0 && size2 > 0 && json_array_count(json_get(test, "proof")) == 0;
}

/* A subtree that begins at 0 is an older tree, and its consistency the ordinary one. The proof for
 * any other subtree is a construction of its own that nothing of Airlock makes or takes, and the
 * one of an empty subtree leaves the tree's root unchecked: those cases are counted apart. */
static bool consistency_holds(const struct json *test) {
    bool is_subtree = json_get(test, "end") != nullptr;
    int64_t size1;
    int64_t size2;
    struct digest root1;
    struct digest root2;
    struct merkle_proof proof;
    return json_get_integer(test, is_subtree ? "end" : "size1", &size1) && size1 >= 0 &&
           json_get_integer(test, is_subtree ? "size" : "size2", &size2) && size2 >= 0 &&
           !is_from_nothing(test, size1, size2) &&
           digest_of(json_get_text(test, "root1"), &root1) &&
           digest_of(json_get_text(test, "root2"), &root2) &&
           proof_of(json_get(test, "proof"), &proof) &&
           merkle_verify_consistency((uint64_t)size1, (uint64_t)size2, &root1, &root2, &proof);
}

static bool is_other(const struct json *test) {
    int64_t start = 0;
    int64_t end = 0;
    return json_get(test, "leafIdx") == nullptr && json_get_integer(test, "start", &start) &&
           json_get_integer(test, "end", &end) && (start != 0 || end == 0);
}

static bool case_holds(const struct json *test) {
    if (json_get(test, "leafIdx") == nullptr) {
        return consistency_holds(test);
    }
    return json_get(test, "start") != nullptr ? subtree_inclusion_holds(test)
                                              : inclusion_holds(test);
}

static int run_case(const char *path, [[maybe_unused]] const struct stat *file, int type,
                    [[maybe_unused]] struct FTW *walk) {
    if (type != FTW_F || strstr(path, ".json") == nullptr) {
        return 0;
    }
    struct error err;
    struct builder text;
    bool found = false;
    bool wants_error = false;
    CLEANUP(json_freep) struct json *test = nullptr;
    builder_init(&text, 65536);
    assert_int_equal(path[0], '/');
    CLEANUP(memory_freep) char *folder = strdup(path);
    *strrchr(folder, '/') = '\0';
    int fd = -1;
    assert_true(status_is_ok(file_open_folder(-1, folder, false, 0, &fd, &err)));
    assert_true(status_is_ok(file_read(fd, strrchr(path, '/') + 1, &text, &found, &err)));
    (void)close(fd);
    status_t parsed = json_parse(builder_slice(&text), "a test case", &test, &err);
    builder_deinit(&text);
    cases++;
    if (!status_is_ok(parsed)) { /* sizes past 2^53 appear in cases that are to fail */
        return 0;
    }
    assert_non_null(json_get(test, "wantErr"));
    wants_error = json_as_bool(json_get(test, "wantErr"));
    struct digest root;
    const char *root1 = json_get_text(test, "root1");
    if (root1 != nullptr && !wants_error && !digest_of(root1, &root)) {
        return 0; /* their roots are any bytes; ours are hashes */
    }
    if (is_other(test)) {
        other++;
        return 0;
    }
    bool holds = case_holds(test);
    if (holds == wants_error) {
        fail_msg("%s: %s", path, holds ? "accepted" : "refused");
    }
    good += holds;
    return 0;
}

static void run_folder(const char *name) {
    const char *folder = getenv("AIRLOCK_VECTORS");
    char path[4096];
    if (folder == nullptr) {
        print_message("# AIRLOCK_VECTORS is not set: the outside cases were NOT run\n");
        skip();
    }
    (void)snprintf(path, sizeof path, "%s/merkle/%s", folder, name);
    cases = 0;
    good = 0;
    other = 0;
    assert_int_equal(nftw(path, run_case, 16, FTW_PHYS), 0);
    print_message("# %s: %u cases, %u of them good, %u not applicable\n", name, cases, good, other);
    assert_true(cases > 50 && good >= 5);
}

static void inclusion_cases(void **state) {
    (void)state;
    run_folder("inclusion");
}

static void consistency_cases(void **state) {
    (void)state;
    run_folder("consistency");
}

static void subtree_inclusion_cases(void **state) {
    (void)state;
    run_folder("subtreeinclusion");
    assert_int_equal(other, 0);
}

static void subtree_consistency_cases(void **state) {
    (void)state;
    run_folder("subtreeconsistency");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(inclusion_cases),
        cmocka_unit_test(consistency_cases),
        cmocka_unit_test(subtree_inclusion_cases),
        cmocka_unit_test(subtree_consistency_cases),
    };
    return cmocka_run_group_tests_name("merkle vectors", tests, nullptr, nullptr);
}
