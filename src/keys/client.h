/* SPDX-License-Identifier: Apache-2.0
 *
 * The kernel's side of airlock-keys, the only process that holds the log key, and of
 * airlock-keys-pq, which holds a second one where the log's owner wants a second signature. Both
 * speak fixed-size messages, parse nothing else, and sign a checkpoint only when a consistency
 * proof leads from the last one they signed to the new one: they cannot be talked into signing two
 * histories.
 */
#pragma once

#include "keys/protocol.h"
#include "store/state.h"

struct keys_client;

/* Starts airlock-keys (found beside the running program, or in AIRLOCK's libexec folder), and
 * airlock-keys-pq when `state` says that its signature is wanted. Returns at once; they make their
 * keys at first use. The processes end with the client. */
status_t keys_client_start(const struct state *state, struct keys_client **ret_client,
                           struct error *err);
/* Starts one of them, with the program named and keys/ as an open folder, borrowed for the call. */
status_t keys_client_start_program(enum keys_signer signer, const char *program, int keys_fd,
                                   struct keys_client **ret_client, struct error *err);
/* The client of airlock-keys-pq that was started with this one, which owns it; else nullptr. */
struct keys_client *keys_client_second(struct keys_client *client);
/* There is nothing more to sign: the process ends by itself while the caller goes on. */
void keys_client_finish(struct keys_client *client);
void keys_client_stop(struct keys_client *client); /* nullptr is fine */
void keys_client_stopp(struct keys_client **client);

/* What the caller has to do anyway, to be done in the next keys_client_sign() while the answer is
 * on its way: a signature waits for the disk most of the time. Called at most once, and not at all
 * when the request cannot be sent. */
void keys_client_meanwhile(struct keys_client *client, void (*run)(void *context), void *context);

enum keys_sign_result : uint8_t {
    KEYS_SIGNED,
    KEYS_STALE, /* another process had a larger tree signed meanwhile: read the head again */
};

/* Asks for a signature over the tree (size, root). `proof` leads from `old_size`, the size of the
 * present keys/last_checkpoint (0 when there is none). On KEYS_SIGNED the signed note is durable
 * in keys/last_checkpoint. For the second client that is keys/last_checkpoint_pq, whose notes carry
 * both signatures, and the tree must be the one of keys/last_checkpoint. */
status_t keys_client_sign(struct keys_client *client, uint64_t old_size, uint64_t size,
                          const struct digest *root, const struct merkle_proof *proof,
                          enum keys_sign_result *ret_result, struct error *err);
