/* SPDX-License-Identifier: Apache-2.0
 *
 * Checkpoints, receipts and their verification. Formats: docs/receipts.md.
 */
#pragma once

#include "audit/log.h"
#include "keys/client.h"
#include "keys/note_keys.h"

/* Has the key process sign the log's present head when the last checkpoint does not cover `seq`
 * yet, and the second one sign the same tree where that is wanted. Durable in keys/ on return.
 * `keys` may be nullptr when it is covered. */
status_t receipt_checkpoint(struct audit_log *log, struct keys_client *keys, uint64_t seq,
                            struct error *err);

/* Whether a checkpoint with all the signatures that are wanted covers `seq` already. */
status_t receipt_is_covered(struct audit_log *log, uint64_t seq, bool *ret_covered,
                            struct error *err);

/* Writes the receipt of entry `seq`, proved against the newest checkpoint with all the
 * signatures that are wanted, which must cover it. */
status_t receipt_write(struct audit_log *log, uint64_t seq, struct builder *out, struct error *err);

/* What a receipt is made of: the entry, and the proof with its checkpoint from the line "index" on,
 * which is the whole of a .spicy file. */
struct receipt_parts {
    struct builder entry; /* owned */
    struct builder proof; /* owned */
};
status_t receipt_parts_make(struct audit_log *log, uint64_t seq, struct receipt_parts *ret_parts,
                            struct error *err);
void receipt_parts_deinit(struct receipt_parts *parts);

struct receipt_result {
    uint64_t seq;
    uint64_t tree_size;
    char origin[256];
    struct json *entry; /* owned by the caller */
    struct digest root; /* of the tree */
    struct digest leaf; /* of the entry */
    bool has_pq;        /* its ML-DSA-44 signature is there, and fits */
    unsigned unknown;   /* signatures by other keys, which were not checked */
};

/* Verifies a receipt offline against the keys of a log. Errors: RECEIPT_MALFORMED, RECEIPT_ENTRY,
 * RECEIPT_ROOT, RECEIPT_SIGNATURE, RECEIPT_KEY. */
status_t receipt_verify(struct slice receipt, const struct note_keys *keys, bool allow_unknown,
                        struct receipt_result *ret_result, struct error *err);

/* The log's own Ed25519 verifier key as text. KEYS_FAILED when no key was made yet. */
status_t receipt_own_vkey(const struct state *state, struct builder *out, struct error *err);
