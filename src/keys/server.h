/* SPDX-License-Identifier: Apache-2.0
 *
 * What airlock-keys does with a request. The whole of its state is one key and one folder.
 */
#pragma once

#include "keys/note.h"
#include "keys/protocol.h"

struct signer {
    int folder; /* keys/; borrowed */
    struct ed25519_key *key;
    bool has_signed;       /* as far as known: a checkpoint must be there */
    struct note_vkey vkey; /* its name is the log's origin */
    /* SHA-256 of the checkpoint text whose signature was verified last; zero: none. The one that is
     * there at the start is verified before a request comes, when nobody waits. */
    struct digest verified;
};

/* Loads the log key from keys/, making key, origin and vkey at first use. */
status_t signer_open(int folder, struct signer *ret_signer, struct error *err);
void signer_close(struct signer *signer);

/* Signs and keeps the checkpoint, or says why not. Holds keys/last_checkpoint.lock meanwhile, so
 * that two key processes never sign two trees side by side. */
void signer_answer(struct signer *signer, const struct keys_request *request,
                   struct keys_reply *ret_reply);
