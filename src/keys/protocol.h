/* SPDX-License-Identifier: Apache-2.0
 *
 * The two messages between the kernel and airlock-keys or airlock-keys-pq, both of fixed size, over
 * the SOCK_SEQPACKET socket that the key process finds as fd 3; fd 4 is the folder keys/.
 */
#pragma once

#include "crypto/merkle.h"

enum {
    KEYS_FD_SOCKET = 3,
    KEYS_FD_FOLDER = 4,
    KEYS_REQUEST_BYTES = 4 + 4 + 8 + 8 + DIGEST_BYTES + LIMIT_PROOF_HASHES * DIGEST_BYTES,
    KEYS_REPLY_BYTES = 8,
};

/* Files in keys/. */
#define KEYS_FILE_ORIGIN "origin"
#define KEYS_FILE_SEED "log.key"
#define KEYS_FILE_VKEY "log.vkey"
#define KEYS_FILE_CHECKPOINT "last_checkpoint"
#define KEYS_FILE_PQ_SEED "log_pq.key"
#define KEYS_FILE_PQ_VKEY "log_pq.vkey"
#define KEYS_FILE_PQ_CHECKPOINT "last_checkpoint_pq"

/* The two programs that hold a key each. */
enum keys_signer : uint8_t {
    KEYS_SIGNER_LOG, /* airlock-keys: Ed25519 */
    KEYS_SIGNER_PQ,  /* airlock-keys-pq: ML-DSA-44, after it */
};
struct keys_files {
    const char *program;
    const char *seed;
    const char *vkey;
    const char *checkpoint;
    const char *lock;
};
const struct keys_files *keys_files_of(enum keys_signer signer);

/* "Sign the tree (size, root); the proof leads to it from the tree of old_size." */
struct keys_request {
    uint64_t old_size;
    uint64_t size;
    struct digest root;
    struct merkle_proof proof;
};

enum keys_answer : uint32_t {
    KEYS_ANSWER_SIGNED = 1,
    KEYS_ANSWER_STALE,     /* the last checkpoint is not of old_size, or larger than size */
    KEYS_ANSWER_REWRITTEN, /* the proof fails: this log is not the one signed before */
    KEYS_ANSWER_NO_KEY,    /* the key or origin cannot be made, read or understood */
    KEYS_ANSWER_DAMAGED,   /* the last checkpoint is there and is none of this key */
    KEYS_ANSWER_IO,        /* the last checkpoint cannot be read or written; see os_errno */
    KEYS_ANSWER_LOST,      /* the key has signed before, and its last checkpoint is gone */
    KEYS_ANSWER_NOT_FIRST, /* airlock-keys-pq: airlock-keys has not signed this tree */
};

struct keys_reply {
    enum keys_answer answer;
    uint32_t os_errno;
};

void keys_request_encode(const struct keys_request *request,
                         uint8_t ret_bytes[static KEYS_REQUEST_BYTES]);
bool keys_request_decode(struct slice bytes, struct keys_request *ret_request);
void keys_reply_encode(const struct keys_reply *reply, uint8_t ret_bytes[static KEYS_REPLY_BYTES]);
bool keys_reply_decode(struct slice bytes, struct keys_reply *ret_reply);
