/* SPDX-License-Identifier: Apache-2.0
 *
 * keys/last_checkpoint, the highest tree that was signed, and keys/last_checkpoint_pq, the highest
 * one that has the second signature too.
 */
#pragma once

#include "keys/note_keys.h"
#include "store/state.h"

/* What was signed last; size 0 when nothing was. Its signature is not checked here: that needs
 * libcrypto's providers, and whoever can change this file can change the log too. */
status_t checkpoint_last(const struct state *state, struct checkpoint *ret_checkpoint,
                         struct error *err);
/* The same with its text, appended to `out`. */
status_t checkpoint_last_text(const struct state *state, struct builder *out,
                              struct checkpoint *ret_checkpoint, struct error *err);
/* keys/last_checkpoint_pq: the highest tree with both signatures; size 0 when there is none. */
status_t checkpoint_second_text(const struct state *state, struct builder *out,
                                struct checkpoint *ret_checkpoint, struct error *err);
/* What receipts and exports carry: the newest note with all the signatures that are wanted. Size 0
 * when there is none. */
status_t checkpoint_published_text(const struct state *state, struct builder *out,
                                   struct checkpoint *ret_checkpoint, struct error *err);
/* The log's own verifier key, keys/log.vkey. KEYS_FAILED when there is none yet. */
status_t checkpoint_own_vkey(const struct state *state, struct note_vkey *ret_vkey,
                             struct error *err);
/* The same, and keys/log_pq.vkey when it is there. A line by that key must fit where there is one;
 * it need not be there, because the log may be older than the key. */
status_t checkpoint_own_keys(const struct state *state, struct note_keys *ret_keys,
                             struct error *err);

/* Whether a note is a checkpoint of the log with these keys. Lines by other keys are refused unless
 * `allow_unknown`; they are counted either way. Errors: RECEIPT_KEY, RECEIPT_SIGNATURE,
 * RECEIPT_MALFORMED. */
status_t checkpoint_judge(const struct note *note, const struct note_keys *keys, bool allow_unknown,
                          struct note_signers *ret_signers, struct error *err);
