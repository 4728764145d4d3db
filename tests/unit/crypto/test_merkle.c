/* SPDX-License-Identifier: Apache-2.0 */
#include "crypto/merkle.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "codec/text.h"

/* The eight reference leaves of Certificate Transparency, and the roots of the trees over the first
 * n of them (certificate-transparency, merkle_tree_test.cc; transparency-dev/merkle testdata). */
static const char *const LEAVES[] = {
    "",
    "00",
    "10",
    "2021",
    "3031",
    "40414243",
    "5051525354555657",
    "606162636465666768696a6b6c6d6e6f",
};
static const struct {
    unsigned size;
    const char *root;
} ROOTS[] = {
    {0, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"},
    {1, "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d"},
    {2, "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125"},
    {3, "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77"},
    {4, "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7"},
    {5, "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4"},
    {6, "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef"},
    {7, "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c"},
    {8, "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328"},
};

static struct digest unhex(const char *text) {
    struct digest digest;
    assert_true(text_unhex(slice_of_string(text), digest.bytes, DIGEST_BYTES));
    return digest;
}

static struct digest reference_leaf(unsigned index) {
    uint8_t bytes[32];
    struct digest leaf;
    size_t size = strlen(LEAVES[index]) / 2;
    assert_true(text_unhex(slice_of_string(LEAVES[index]), bytes, size));
    merkle_leaf(slice_of(bytes, size), &leaf);
    return leaf;
}

/* Any leaf for larger trees: its number. */
static struct digest numbered_leaf(uint64_t number) {
    struct digest leaf;
    merkle_leaf(slice_of(&number, sizeof number), &leaf);
    return leaf;
}

enum { TREE_MAX = 300, LEVELS = 10 };

/* A tree as a log stores it: every full subtree's hash. */
struct tree {
    struct digest levels[LEVELS][TREE_MAX];
    struct digest roots[TREE_MAX + 1];
};

static void tree_build(struct tree *tree, uint64_t size) {
    struct merkle_frontier frontier;
    merkle_frontier_init(&frontier);
    merkle_frontier_root(&frontier, &tree->roots[0]);
    for (uint64_t i = 0; i < size; i++) {
        struct digest leaf = numbered_leaf(i);
        struct digest completed[64];
        unsigned count;
        merkle_frontier_append(&frontier, &leaf, completed, &count);
        tree->levels[0][i] = leaf;
        for (unsigned level = 1; level <= count; level++) {
            tree->levels[level][((i + 1) >> level) - 1] = completed[level - 1];
        }
        merkle_frontier_root(&frontier, &tree->roots[i + 1]);
    }
}

static status_t tree_read(void *context, unsigned level, uint64_t index, struct digest *ret,
                          struct error *err) {
    (void)err;
    const struct tree *tree = context;
    assert_true(level < LEVELS && index < TREE_MAX);
    *ret = tree->levels[level][index];
    return STATUS_OK;
}

/* RFC 9162, section 2.1.1, word for word: the slow definition that the fast code must equal. */
static struct digest definition(uint64_t first, uint64_t size) {
    struct digest root;
    if (size == 1) {
        return numbered_leaf(first);
    }
    uint64_t split = 1;
    while (split * 2 < size) {
        split *= 2;
    }
    struct digest left = definition(first, split);
    struct digest right = definition(first + split, size - split);
    merkle_node(&left, &right, &root);
    return root;
}

static void reference_roots_come_out(void **state) {
    (void)state;
    struct merkle_frontier frontier;
    merkle_frontier_init(&frontier);
    for (size_t i = 0; i < sizeof ROOTS / sizeof ROOTS[0]; i++) {
        struct digest root;
        struct digest expected = unhex(ROOTS[i].root);
        assert_int_equal(frontier.size, ROOTS[i].size);
        merkle_frontier_root(&frontier, &root);
        assert_true(digest_equal(&root, &expected));
        if (i < sizeof LEAVES / sizeof LEAVES[0]) {
            struct digest leaf = reference_leaf((unsigned)i);
            struct digest completed[64];
            unsigned count;
            merkle_frontier_append(&frontier, &leaf, completed, &count);
        }
    }
}

static void roots_equal_the_definition(void **state) {
    static struct tree tree;
    (void)state;
    struct error err;
    tree_build(&tree, TREE_MAX);
    for (uint64_t size = 1; size <= TREE_MAX; size++) {
        struct digest expected = definition(0, size);
        struct digest root;
        assert_true(digest_equal(&tree.roots[size], &expected));
        assert_true(status_is_ok(merkle_root_of_size(size, tree_read, &tree, &root, &err)));
        assert_true(digest_equal(&root, &expected));
    }
}

static void every_inclusion_proof_verifies_and_no_other(void **state) {
    static struct tree tree;
    (void)state;
    struct error err;
    tree_build(&tree, 70);
    for (uint64_t size = 1; size <= 70; size++) {
        for (uint64_t index = 0; index < size; index++) {
            struct merkle_proof proof;
            struct digest root;
            struct digest *leaf = &tree.levels[0][index];
            assert_true(
                status_is_ok(merkle_prove_inclusion(index, size, tree_read, &tree, &proof, &err)));
            assert_true(merkle_root_from_inclusion(index, size, leaf, &proof, &root));
            assert_true(digest_equal(&root, &tree.roots[size]));
            /* Another place, another size, one hash more, one less, one bit off. */
            struct digest *other = &tree.levels[0][(index + 1) % size];
            if (size > 1) {
                assert_false(merkle_root_from_inclusion(index, size, other, &proof, &root) &&
                             digest_equal(&root, &tree.roots[size]));
                proof.hashes[0].bytes[5] ^= 1;
                assert_false(merkle_root_from_inclusion(index, size, leaf, &proof, &root) &&
                             digest_equal(&root, &tree.roots[size]));
                proof.hashes[0].bytes[5] ^= 1;
                proof.count--;
                assert_false(merkle_root_from_inclusion(index, size, leaf, &proof, &root));
                proof.count++;
            }
            proof.count++;
            assert_false(merkle_root_from_inclusion(index, size, leaf, &proof, &root));
        }
    }
    struct merkle_proof none = {.count = 0};
    struct digest root;
    assert_false(merkle_root_from_inclusion(0, 0, &tree.levels[0][0], &none, &root));
    assert_false(merkle_root_from_inclusion(1, 1, &tree.levels[0][0], &none, &root));
    assert_false(
        merkle_root_from_inclusion(UINT64_MAX, UINT64_MAX, &tree.levels[0][0], &none, &root));
}

static void every_consistency_proof_verifies_and_no_other(void **state) {
    static struct tree tree;
    (void)state;
    struct error err;
    tree_build(&tree, 70);
    for (uint64_t size = 1; size <= 70; size++) {
        for (uint64_t old = 1; old <= size; old++) {
            struct merkle_proof proof;
            const struct digest *old_root = &tree.roots[old];
            const struct digest *root = &tree.roots[size];
            assert_true(
                status_is_ok(merkle_prove_consistency(old, size, tree_read, &tree, &proof, &err)));
            assert_true(merkle_verify_consistency(old, size, old_root, root, &proof));
            assert_false(merkle_verify_consistency(old, size, root, old_root, &proof) &&
                         old != size);
            assert_false(merkle_verify_consistency(size + 1, old, old_root, root, &proof));
            for (unsigned i = 0; i < proof.count; i++) {
                proof.hashes[i].bytes[31] ^= 0x80;
                assert_false(merkle_verify_consistency(old, size, old_root, root, &proof));
                proof.hashes[i].bytes[31] ^= 0x80;
            }
            proof.count++;
            assert_false(merkle_verify_consistency(old, size, old_root, root, &proof));
        }
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reference_roots_come_out),
        cmocka_unit_test(roots_equal_the_definition),
        cmocka_unit_test(every_inclusion_proof_verifies_and_no_other),
        cmocka_unit_test(every_consistency_proof_verifies_and_no_other),
    };
    return cmocka_run_group_tests_name("merkle", tests, nullptr, nullptr);
}
