/* SPDX-License-Identifier: Apache-2.0
 *
 * The keys of one log, by which a note with several signature lines is judged: the Ed25519 key that
 * signs every checkpoint, and the ML-DSA-44 key that signs them too where the log's owner turned
 * that on. What else stands under a note is by keys nobody here vouches for.
 */
#pragma once

#include "keys/note_pq.h"

struct note_keys {
    struct note_vkey log; /* its line must be there and must fit */
    struct note_pq_vkey pq;
    bool has_pq;   /* a line by `pq` must fit when it is there */
    bool needs_pq; /* and it must be there */
};

/* Verifier keys, one a line, the last line feed may be missing: one of type Ed25519 and at most one
 * of type ML-DSA-44, in any order, both with one name. Who names a key wants its signature:
 * needs_pq is set with has_pq. false for anything else. */
bool note_keys_parse(struct slice text, struct note_keys *ret_keys);

enum note_keys_verdict : uint8_t {
    NOTE_KEYS_VALID,
    NOTE_KEYS_UNSIGNED,    /* no line is by the log's Ed25519 key */
    NOTE_KEYS_WRONG,       /* its line is wrong */
    NOTE_KEYS_UNSIGNED_PQ, /* a line by the ML-DSA-44 key is wanted and is not there */
    NOTE_KEYS_WRONG_PQ,    /* it is there and is wrong */
    NOTE_KEYS_TWICE,       /* one key has two lines */
    NOTE_KEYS_UNKNOWN,     /* all that is asked for fits, and there are lines by other keys */
};
struct note_signers {
    bool has_pq;               /* the line by the ML-DSA-44 key is there, and fits */
    unsigned unknown;          /* lines by keys that are not among these */
    struct slice unknown_name; /* of the first of them; borrowed from the note */
};

/* Judges all lines of a note; *ret_signers is set for VALID and UNKNOWN. */
enum note_keys_verdict note_keys_verify(const struct note *note, const struct note_keys *keys,
                                        struct note_signers *ret_signers);
