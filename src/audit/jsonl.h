/* SPDX-License-Identifier: Apache-2.0
 *
 * The log as lines of JSON, for whoever reads it with other tools. Callers are salted: in their
 * place stands a commitment, the same one for the same caller throughout one export, and the
 * openings go to a file of their own, which its owner keeps or hands to whom it wants.
 *
 * First line: {"airlock_export":1,"checkpoint":"<signed note>","origin":...,"size":...}. Then one
 * line per entry, {"entry":{...},"leaf":"<hex>","seq":n}; no "entry" where retention deleted it.
 * Openings: {"caller":...,"commitment":...,"salt":...} a line. The commitment is that of
 * crypto/commitment.h, kind "caller".
 *
 * An export can be read and checked, never be put back into a log: a restored log would let its key
 * sign two trees of one size.
 */
#pragma once

#include <stdio.h>

#include "audit/log.h"
#include "keys/note_keys.h"

struct audit_jsonl_result {
    uint64_t size;    /* entries, all those the last checkpoint covers */
    uint64_t gone;    /* of them without bytes */
    uint64_t callers; /* different ones */
};
/* Writes the tree of the last checkpoint. The streams stay open and are not flushed. */
status_t audit_jsonl_write(struct audit_log *log, FILE *out, FILE *openings,
                           struct audit_jsonl_result *ret_result, struct error *err);

struct audit_jsonl_check {
    uint64_t size;
    uint64_t gone;
    uint64_t salted; /* entries whose content could not be held against their hash */
    char origin[256];
    bool has_pq;      /* the ML-DSA-44 signature is there, and fits */
    unsigned unknown; /* signatures by other keys, which were not checked */
};
/* Checks an export against the keys of its log: hashes, chain, tree and signature, and the content
 * of every entry whose caller can be opened (or that has none). `openings` may be nullptr. Errors
 * name the line: RECEIPT_MALFORMED, RECEIPT_ENTRY, RECEIPT_ROOT, RECEIPT_SIGNATURE, RECEIPT_KEY. */
status_t audit_jsonl_check(FILE *in, FILE *openings, const struct note_keys *keys,
                           struct audit_jsonl_check *ret_check, struct error *err);
