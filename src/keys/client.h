/* SPDX-License-Identifier: Apache-2.0
 *
 * The kernel's side of airlock-keys, the only process that holds the log key. It speaks fixed-size
 * messages, parses nothing else, and signs a checkpoint only when a consistency proof leads from
 * the last one it signed to the new one: it cannot be talked into signing two histories.
 */
#pragma once

#include "crypto/merkle.h"
#include "store/state.h"

struct keys_client;

/* Starts airlock-keys (found beside the running program, or in AIRLOCK's libexec folder). Returns
 * at once; it makes the log key at first use. The process ends with the client. */
status_t keys_client_start(const struct state *state, struct keys_client **ret_client,
                           struct error *err);
/* The same with the program named and keys/ as an open folder, borrowed for the call. */
status_t keys_client_start_program(const char *program, int keys_fd,
                                   struct keys_client **ret_client, struct error *err);
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
 * in keys/last_checkpoint. */
status_t keys_client_sign(struct keys_client *client, uint64_t old_size, uint64_t size,
                          const struct digest *root, const struct merkle_proof *proof,
                          enum keys_sign_result *ret_result, struct error *err);
