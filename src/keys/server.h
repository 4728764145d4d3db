/* SPDX-License-Identifier: Apache-2.0
 *
 * What airlock-keys and airlock-keys-pq do with a request. The whole of the state of each is one
 * key and one folder. They differ in their scheme: what the key is, which files are its own, and
 * whether it may sign before another one has.
 */
#pragma once

#include "crypto/mldsa.h"
#include "keys/note.h"
#include "keys/note_pq.h"
#include "keys/protocol.h"
#include "keys/seed_file.h"

struct signer_scheme;

struct signer {
    int folder; /* keys/; borrowed */
    const struct signer_scheme *scheme;
    struct ed25519_key *key;     /* KEYS_SIGNER_LOG only */
    struct mldsa44_key *pq_key;  /* KEYS_SIGNER_PQ only */
    bool has_signed;             /* as far as known: a checkpoint must be there */
    struct note_vkey vkey;       /* the log's Ed25519 key; its name is the log's origin */
    struct note_pq_vkey pq_vkey; /* KEYS_SIGNER_PQ only */
    /* SHA-256 of the checkpoint text whose signature was verified last; zero: none. The one that is
     * there at the start is verified before a request comes, when nobody waits. */
    struct digest verified;
    int newest; /* the slot of the checkpoint that was read last */
};

struct signer_scheme {
    enum keys_signer signer;
    struct seed_form form; /* follows: it signs only what the log's Ed25519 key has signed */
    /* Makes key and vkey(s) from what was read. */
    status_t (*load)(struct signer *signer, const char *origin, const struct seed *seed,
                     struct error *err);
    void (*unload)(struct signer *signer);
    void (*vkey_format)(const struct signer *signer, struct builder *out);
    bool (*has_signed)(const struct signer *signer, const struct note *note);
    /* Appends the signature line(s) to the body of the checkpoint and an empty line. `first` are
     * those of the key it follows, empty when it follows none. */
    status_t (*sign)(const struct signer *signer, const struct checkpoint *checkpoint,
                     struct slice first, struct builder *text, struct error *err);
};
extern const struct signer_scheme SIGNER_SCHEME_LOG; /* scheme_log.c */
extern const struct signer_scheme SIGNER_SCHEME_PQ;  /* scheme_pq.c, which needs libcrypto's EVP */

/* Loads the key from keys/, making key, origin and vkey at first use. A key that follows the log's
 * can be made when that one is there. */
status_t signer_open(const struct signer_scheme *scheme, int folder, struct signer *ret_signer,
                     struct error *err);
void signer_close(struct signer *signer);

/* Signs and keeps the checkpoint, or says why not. Holds the checkpoint's lock meanwhile, so that
 * two key processes never sign two trees side by side. */
void signer_answer(struct signer *signer, const struct keys_request *request,
                   struct keys_reply *ret_reply);
