/* SPDX-License-Identifier: Apache-2.0
 *
 * The index arithmetic of crypto/merkle.h. Hashes are any bytes here: what is proved is which
 * subtrees are read, in what order, how many there are, and that no array is overrun.
 */
#include "proof.h"

#include "crypto/merkle.c"

enum {
    FRONTIER_BITS_HERE = 16, /* trees of up to 2^16 leaves, for appending */
    PROVER_BITS_HERE = 5,    /* for making proofs */
    VERIFIER_BITS_HERE = 8,  /* for following them, and for roots */
};

struct digest nondet_digest(void);

struct slice slice_of(const void *data, size_t size) {
    return (struct slice){data, size};
}

void sha256_init(struct sha256 *hash) {
    (void)hash;
}

void sha256_update(struct sha256 *hash, struct slice bytes) {
    (void)hash;
    (void)bytes;
}

void sha256_final(struct sha256 *hash, struct digest *ret_digest) {
    (void)hash;
    *ret_digest = nondet_digest();
}

void sha256_of(struct slice bytes, struct digest *ret_digest) {
    (void)bytes;
    *ret_digest = nondet_digest();
}

bool digest_equal(const struct digest *a, const struct digest *b) {
    (void)a;
    (void)b;
    return nondet_bool();
}

static unsigned ones(uint64_t value) {
    unsigned count = 0;
    for (unsigned bit = 0; bit < 64; bit++) {
        count += (unsigned)(value >> bit & 1);
    }
    return count;
}

static unsigned width_of(uint64_t value) {
    unsigned width = 0;
    for (unsigned bit = 0; bit < 64; bit++) {
        width = (value >> bit & 1) != 0 ? bit + 1 : width;
    }
    return width;
}

/* Appending to a tree keeps one root per set bit of its size. */
void proof_merkle_append(void) {
    static struct merkle_frontier frontier;
    static struct digest completed[64];
    unsigned carries = 0;
    struct digest leaf = nondet_digest();
    frontier.size = nondet_u64();
    frontier.count = ones(frontier.size);
    suppose(frontier.size < UINT64_C(1) << FRONTIER_BITS_HERE);
    uint64_t size = frontier.size;
    merkle_frontier_append(&frontier, &leaf, completed, &carries);
    prove(frontier.size == size + 1);
    prove(frontier.count == ones(frontier.size));
    prove(carries < 64 && (size & ((UINT64_C(1) << carries) - 1)) == (UINT64_C(1) << carries) - 1);
    prove((size >> carries & 1) == 0);
}

/* What was read so far: leaves [low, at) but for the hole. */
struct reads {
    uint64_t covered; /* how many leaves */
    uint64_t next;    /* where the next read must begin, when in order */
    uint64_t size;
    uint64_t index; /* must never be covered; UINT64_MAX: none */
};

static status_t note_read(void *context, unsigned level, uint64_t index, struct digest *ret,
                          struct error *err) {
    struct reads *reads = context;
    (void)err;
    prove(level < 63 && index <= (UINT64_MAX >> level));
    uint64_t first = index << level;
    uint64_t width = UINT64_C(1) << level;
    prove(first < reads->size && width <= reads->size - first);
    prove(reads->index < first || reads->index - first >= width);
    reads->covered += width;
    reads->next = first == reads->next ? first + width : UINT64_MAX;
    *ret = nondet_digest();
    return STATUS_OK;
}

/* The root of any size is made of full subtrees that lie side by side from the first leaf to the
 * last. */
void proof_merkle_root(void) {
    struct reads reads = {.size = nondet_u64(), .index = UINT64_MAX};
    struct digest root;
    struct error err;
    suppose(reads.size <= UINT64_C(1) << VERIFIER_BITS_HERE);
    status_t status = merkle_root_of_size(reads.size, note_read, &reads, &root, &err);
    prove(status_is_ok(status));
    prove(reads.covered == reads.size && reads.next == reads.size);
}

/* An inclusion proof reads every leaf but the one it is for, once, and has the length of the path.
 */
void proof_merkle_inclusion(void) {
    struct reads reads = {.size = nondet_u64(), .index = nondet_u64()};
    static struct merkle_proof proof;
    struct error err;
    suppose(reads.size <= UINT64_C(1) << PROVER_BITS_HERE && reads.index < reads.size);
    status_t status =
        merkle_prove_inclusion(reads.index, reads.size, note_read, &reads, &proof, &err);
    prove(status_is_ok(status));
    prove(reads.covered == reads.size - 1);
    unsigned inner = width_of(reads.index ^ (reads.size - 1));
    prove(proof.count == inner + ones(reads.index >> inner));
}

/* A proof is followed to a root only when its length is that of the path. */
void proof_merkle_verify_inclusion(void) {
    static struct merkle_proof proof;
    struct digest leaf = nondet_digest();
    struct digest root;
    uint64_t index = nondet_u64();
    uint64_t size = nondet_u64();
    proof.count = nondet_u32();
    suppose(size <= UINT64_C(1) << VERIFIER_BITS_HERE);
    bool leads = merkle_root_from_inclusion(index, size, &leaf, &proof, &root);
    if (index >= size) {
        prove(!leads);
        return;
    }
    unsigned inner = width_of(index ^ (size - 1));
    prove(leads == (proof.count == inner + ones(index >> inner)));
}

/* A consistency proof that is accepted is no longer than a path, and none is for a smaller tree. */
void proof_merkle_verify_consistency(void) {
    static struct merkle_proof proof;
    struct digest old_root = nondet_digest();
    struct digest root = nondet_digest();
    uint64_t old_size = nondet_u64();
    uint64_t size = nondet_u64();
    proof.count = nondet_u32();
    suppose(size <= UINT64_C(1) << VERIFIER_BITS_HERE);
    bool holds = merkle_verify_consistency(old_size, size, &old_root, &root, &proof);
    prove(!holds || old_size <= size);
    if (holds && (old_size == 0 || old_size == size)) {
        prove(proof.count == 0);
    } else if (holds) {
        prove(proof.count <= 1 + width_of(size - 1));
        prove(proof.count > 0);
    }
}
