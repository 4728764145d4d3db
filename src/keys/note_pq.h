/* SPDX-License-Identifier: Apache-2.0
 *
 * The second signature of a checkpoint: ML-DSA-44, as C2SP tlog-cosignature specifies its signature
 * type 0x06 and C2SP tlog-checkpoint recommends it to logs. Unlike the Ed25519 line it is not over
 * the text of the note but over a structure that is made from it (label "subtree/v1", name of the
 * key, time, origin, start 0, end = size, root), and carries its time. The name of the key is the
 * log's origin. Parsing is strict: one spelling only.
 */
#pragma once

#include "crypto/mldsa.h"
#include "keys/note.h"

enum {
    NOTE_TYPE_MLDSA44 = 6,
    NOTE_PQ_SIGNATURE_BYTES = 8 + MLDSA44_SIGNATURE_BYTES, /* time in seconds, signature */
    NOTE_PQ_VKEY_TEXT = 2048,     /* one verifier key as text fits, with a line feed */
    NOTE_PQ_MESSAGE_BYTES = 1024, /* what is signed fits, with two names of NOTE_NAME_BYTES */
};

struct note_pq_vkey {
    char name[NOTE_NAME_BYTES];
    uint8_t key_id[NOTE_KEY_ID_BYTES];
    uint8_t public_key[MLDSA44_PUBLIC_BYTES];
};

/* Computes the key id; `name` is valid. */
void note_pq_vkey_make(const char *name, const uint8_t public_key[static MLDSA44_PUBLIC_BYTES],
                       struct note_pq_vkey *ret_vkey);
/* false for anything but a well-formed ML-DSA-44 key (type 0x06) whose id is right. */
bool note_pq_vkey_parse(struct slice text, struct note_pq_vkey *ret_vkey);
void note_pq_vkey_format(const struct note_pq_vkey *vkey, struct builder *out);

/* What is signed for a checkpoint. `out` has room for NOTE_PQ_MESSAGE_BYTES. */
void note_pq_message(const char *name, uint64_t time_s, const struct checkpoint *checkpoint,
                     struct builder *out);
/* One signature line. */
void note_pq_format(const struct note_pq_vkey *vkey, uint64_t time_s,
                    const uint8_t signature[static MLDSA44_SIGNATURE_BYTES], struct builder *out);

/* Whether the line is by this key, going by its name and key id alone. */
bool note_pq_claims(const struct note_line *line, const struct note_pq_vkey *vkey);
/* As note_verify(). The time is not judged: a log's clock is its own word. */
enum note_verdict note_pq_verify(const struct note *note, const struct note_pq_vkey *vkey);
