/* SPDX-License-Identifier: Apache-2.0
 *
 * What a witness says about a checkpoint (C2SP tlog-cosignature v1): an Ed25519 signature, of type
 * 0x04, over a time and the body of the checkpoint. Parsing is strict: one spelling only.
 */
#pragma once

#include "keys/note.h"

enum {
    COSIGNATURE_TYPE_ED25519 = 4,
    COSIGNATURE_BYTES = 8 + ED25519_SIGNATURE_BYTES, /* time in seconds, signature */
    /* How far a witness's clock may be ahead of ours. */
    COSIGNATURE_AHEAD_S = 300,
};

/* Computes the key id of a witness; `name` is valid. */
void cosignature_vkey_make(const char *name, const uint8_t public_key[static ED25519_PUBLIC_BYTES],
                           struct note_vkey *ret_vkey);
/* A witness's verifier key: name+hex(key id)+base64(0x04 || public key). False for anything else,
 * a log's key (type 0x01) too. */
bool cosignature_vkey_parse(struct slice text, struct note_vkey *ret_vkey);

/* What is signed: "cosignature/v1", the time, the body. */
void cosignature_message(uint64_t time_s, struct slice body, struct builder *out);

enum cosignature_verdict : uint8_t {
    COSIGNATURE_VALID,
    COSIGNATURE_MALFORMED, /* not signature lines, or too many of them */
    COSIGNATURE_MISSING,   /* no line is by this key */
    COSIGNATURE_WRONG,     /* a line claims this key, and its signature does not fit */
    COSIGNATURE_TIME,      /* signed for a time that has not come, or for none */
};
struct cosignature {
    struct slice line; /* the line that counts, with its line feed; borrowed from the text */
    uint64_t time_s;
};

/* Checks signature lines, as a witness answers with them, against one witness's key. `body` is the
 * checkpoint's three lines; `now_s` our own clock. Lines by other keys are left out of account. */
enum cosignature_verdict cosignature_check(struct slice lines, struct slice body,
                                           const struct note_vkey *vkey, uint64_t now_s,
                                           struct cosignature *ret);
