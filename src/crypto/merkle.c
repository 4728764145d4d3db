/* SPDX-License-Identifier: Apache-2.0
 *
 * A tree of n leaves is a row of full subtrees, one per set bit of n, largest first; its root folds
 * that row from the right. Appending a leaf is adding one to a binary number: every carry makes a
 * node. A proof names ranges of leaves, and each range is again such a row, so all it ever reads
 * are hashes of full subtrees, which never change once they are there.
 */
#include "crypto/merkle.h"

#include <string.h>

#include "base/assert.h"
#include "base/bits.h"

void merkle_leaf(struct slice entry, struct digest *ret_leaf) {
    struct sha256 hash;
    sha256_init(&hash);
    sha256_update(&hash, slice_of("\x00", 1));
    sha256_update(&hash, entry);
    sha256_final(&hash, ret_leaf);
}

void merkle_node(const struct digest *left, const struct digest *right, struct digest *ret_node) {
    uint8_t bytes[1 + 2 * DIGEST_BYTES];
    bytes[0] = 1;
    memcpy(bytes + 1, left->bytes, DIGEST_BYTES);
    memcpy(bytes + 1 + DIGEST_BYTES, right->bytes, DIGEST_BYTES);
    sha256_of(slice_of(bytes, sizeof bytes), ret_node);
}

void merkle_frontier_init(struct merkle_frontier *frontier) {
    *frontier = (struct merkle_frontier){0};
}

void merkle_frontier_append(struct merkle_frontier *frontier, const struct digest *leaf,
                            struct digest ret_completed[static 64], unsigned *ret_completed_count) {
    ASSERT(frontier->size < UINT64_MAX);
    unsigned carries = bits_trailing_ones(frontier->size);
    ASSERT(frontier->count == bits_count(frontier->size) && frontier->count >= carries);
    struct digest node = *leaf;
    for (unsigned i = 0; i < carries; i++) {
        frontier->count--;
        merkle_node(&frontier->hashes[frontier->count], &node, &node);
        ret_completed[i] = node;
    }
    frontier->hashes[frontier->count++] = node;
    frontier->size++;
    *ret_completed_count = carries;
}

void merkle_frontier_root(const struct merkle_frontier *frontier, struct digest *ret_root) {
    if (frontier->count == 0) {
        sha256_of((struct slice){nullptr, 0}, ret_root);
        return;
    }
    struct digest root = frontier->hashes[frontier->count - 1];
    for (unsigned i = frontier->count - 1; i > 0; i--) {
        merkle_node(&frontier->hashes[i - 1], &root, &root);
    }
    *ret_root = root;
}

/* Leaves [low, high). Every range that comes up here begins at a multiple of the largest power of
 * two that fits into it. */
struct range {
    uint64_t low;
    uint64_t high;
};

struct source {
    merkle_read *read;
    void *context;
};

static status_t range_root(struct range range, const struct source *source, struct digest *ret_root,
                           struct error *err) {
    struct merkle_frontier row = {.size = range.high - range.low};
    uint64_t at = range.low;
    while (at < range.high) {
        unsigned level = bits_width(range.high - at) - 1;
        ASSERT(level < 64 && (at & ((UINT64_C(1) << level) - 1)) == 0);
        TRY(source->read(source->context, level, at >> level, &row.hashes[row.count++], err));
        at += UINT64_C(1) << level;
    }
    merkle_frontier_root(&row, ret_root);
    return STATUS_OK;
}

status_t merkle_root_of_size(uint64_t size, merkle_read *read, void *context,
                             struct digest *ret_root, struct error *err) {
    return range_root((struct range){0, size}, &(struct source){read, context}, ret_root, err);
}

static status_t proof_add(struct merkle_proof *proof, struct range range,
                          const struct source *source, struct error *err) {
    ASSERT(proof->count < LIMIT_PROOF_HASHES);
    TRY(range_root(range, source, &proof->hashes[proof->count], err));
    proof->count++;
    return STATUS_OK;
}

/* Proofs are gathered from the root down and stand from the leaf up. */
static void proof_reverse(struct merkle_proof *proof) {
    for (unsigned i = 0; i < proof->count / 2; i++) {
        struct digest swapped = proof->hashes[i];
        proof->hashes[i] = proof->hashes[proof->count - 1 - i];
        proof->hashes[proof->count - 1 - i] = swapped;
    }
}

/* The largest power of two below a range's size, which is at least 2. */
static uint64_t range_split(struct range range) {
    return bits_floor(range.high - range.low - 1);
}

status_t merkle_prove_inclusion(uint64_t index, uint64_t size, merkle_read *read, void *context,
                                struct merkle_proof *ret_proof, struct error *err) {
    ASSERT(index < size && size <= (uint64_t)INT64_MAX);
    const struct source source = {read, context};
    struct merkle_proof proof = {.count = 0};
    struct range range = {0, size};
    while (range.high - range.low > 1) {
        uint64_t middle = range.low + range_split(range);
        struct range left = {range.low, middle};
        struct range right = {middle, range.high};
        bool goes_left = index < middle;
        TRY(proof_add(&proof, goes_left ? right : left, &source, err));
        range = goes_left ? left : right;
    }
    proof_reverse(&proof);
    *ret_proof = proof;
    return STATUS_OK;
}

status_t merkle_prove_consistency(uint64_t old_size, uint64_t size, merkle_read *read,
                                  void *context, struct merkle_proof *ret_proof,
                                  struct error *err) {
    ASSERT(old_size <= size && size <= (uint64_t)INT64_MAX);
    const struct source source = {read, context};
    struct merkle_proof proof = {.count = 0};
    struct range range = {0, size};
    /* Down to the subtree whose right edge is the old tree's right edge. */
    while (old_size > 0 && old_size != range.high) {
        uint64_t middle = range.low + range_split(range);
        struct range left = {range.low, middle};
        struct range right = {middle, range.high};
        bool goes_left = old_size <= middle;
        TRY(proof_add(&proof, goes_left ? right : left, &source, err));
        range = goes_left ? left : right;
    }
    if (range.low > 0) { /* else that subtree is the old tree itself, whose root is known */
        TRY(proof_add(&proof, range, &source, err));
    }
    proof_reverse(&proof);
    *ret_proof = proof;
    return STATUS_OK;
}

bool merkle_root_from_inclusion(uint64_t index, uint64_t size, const struct digest *leaf,
                                const struct merkle_proof *proof, struct digest *ret_root) {
    if (index >= size || proof->count > LIMIT_PROOF_HASHES) {
        return false;
    }
    uint64_t node = index;
    uint64_t last = size - 1;
    struct digest root = *leaf;
    for (unsigned i = 0; i < proof->count; i++) {
        if (last == 0) {
            return false;
        }
        if ((node & 1) != 0 || node == last) {
            merkle_node(&proof->hashes[i], &root, &root);
            while ((node & 1) == 0 && node != 0) {
                node >>= 1;
                last >>= 1;
            }
        } else {
            merkle_node(&root, &proof->hashes[i], &root);
        }
        node >>= 1;
        last >>= 1;
    }
    if (last != 0) {
        return false;
    }
    *ret_root = root;
    return true;
}

bool merkle_verify_consistency(uint64_t old_size, uint64_t size, const struct digest *old_root,
                               const struct digest *root, const struct merkle_proof *proof) {
    if (old_size > size || proof->count > LIMIT_PROOF_HASHES) {
        return false;
    }
    if (old_size == size) {
        return proof->count == 0 && digest_equal(old_root, root);
    }
    if (old_size == 0) {
        return proof->count == 0;
    }
    /* An old tree that is one full subtree is its own first hash, and the proof leaves it out. */
    unsigned used = 0;
    struct digest first = *old_root;
    if (!bits_has_one(old_size)) {
        if (proof->count == 0) {
            return false;
        }
        first = proof->hashes[used++];
    }
    unsigned shift = bits_trailing_ones(old_size - 1);
    uint64_t node = (old_size - 1) >> shift;
    uint64_t last = (size - 1) >> shift;
    struct digest old_is = first;
    struct digest new_is = first;
    for (; used < proof->count; used++) {
        const struct digest *next = &proof->hashes[used];
        if (last == 0) {
            return false;
        }
        if ((node & 1) != 0 || node == last) {
            merkle_node(next, &old_is, &old_is);
            merkle_node(next, &new_is, &new_is);
            while ((node & 1) == 0 && node != 0) {
                node >>= 1;
                last >>= 1;
            }
        } else {
            merkle_node(&new_is, next, &new_is);
        }
        node >>= 1;
        last >>= 1;
    }
    return last == 0 && digest_equal(&old_is, old_root) && digest_equal(&new_is, root);
}
