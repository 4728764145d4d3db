/* SPDX-License-Identifier: Apache-2.0
 *
 * keys/last_checkpoint, the highest tree that was signed.
 */
#pragma once

#include "keys/note.h"
#include "store/state.h"

/* What was signed last; size 0 when nothing was. Its signature is not checked here: that needs
 * libcrypto's providers, and whoever can change this file can change the log too. */
status_t checkpoint_last(const struct state *state, struct checkpoint *ret_checkpoint,
                         struct error *err);
/* The same with its text, appended to `out`. */
status_t checkpoint_last_text(const struct state *state, struct builder *out,
                              struct checkpoint *ret_checkpoint, struct error *err);
/* The log's own verifier key, keys/log.vkey. KEYS_FAILED when there is none yet. */
status_t checkpoint_own_vkey(const struct state *state, struct note_vkey *ret_vkey,
                             struct error *err);
