/* SPDX-License-Identifier: Apache-2.0
 *
 * The RFC 6962 Merkle tree, as pure arithmetic over hashes that the caller stores.
 * leaf = SHA-256(0x00 || entry), node = SHA-256(0x01 || left || right), empty = SHA-256("").
 */
#pragma once

#include "base/error.h"
#include "base/limits.h"
#include "crypto/hash.h"

void merkle_leaf(struct slice entry, struct digest *ret_leaf);
void merkle_node(const struct digest *left, const struct digest *right, struct digest *ret_node);

/* The roots of the full subtrees that make up a tree, largest first: one per set bit of `size`. */
struct merkle_frontier {
    uint64_t size;
    struct digest hashes[64];
    unsigned count;
};

void merkle_frontier_init(struct merkle_frontier *frontier);
/* Appends a leaf. The subtrees it completes (levels 1, 2, ...) are written to ret_completed,
 * lowest first; their number is the number of trailing one bits of the old size. */
void merkle_frontier_append(struct merkle_frontier *frontier, const struct digest *leaf,
                            struct digest ret_completed[static 64], unsigned *ret_completed_count);
void merkle_frontier_root(const struct merkle_frontier *frontier, struct digest *ret_root);

/* Reads the stored hash of the full subtree (level, index): leaves are level 0. */
typedef status_t merkle_read(void *context, unsigned level, uint64_t index, struct digest *ret,
                             struct error *err);

/* The root of the first `size` leaves, out of stored hashes. */
status_t merkle_root_of_size(uint64_t size, merkle_read *read, void *context,
                             struct digest *ret_root, struct error *err);

struct merkle_proof {
    struct digest hashes[LIMIT_PROOF_HASHES];
    unsigned count;
};

/* Inclusion proof (RFC 9162, 2.1.3.1) of leaf `index` in the tree of `size`; index < size. */
status_t merkle_prove_inclusion(uint64_t index, uint64_t size, merkle_read *read, void *context,
                                struct merkle_proof *ret_proof, struct error *err);
/* Consistency proof (RFC 9162, 2.1.4.1); old_size <= size. Empty for old_size 0 or size. */
status_t merkle_prove_consistency(uint64_t old_size, uint64_t size, merkle_read *read,
                                  void *context, struct merkle_proof *ret_proof, struct error *err);
/* The root a proof leads to (RFC 9162, 2.1.3.2); false when the proof has the wrong form. */
bool merkle_root_from_inclusion(uint64_t index, uint64_t size, const struct digest *leaf,
                                const struct merkle_proof *proof, struct digest *ret_root);
bool merkle_verify_consistency(uint64_t old_size, uint64_t size, const struct digest *old_root,
                               const struct digest *root, const struct merkle_proof *proof);
