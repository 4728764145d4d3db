/* SPDX-License-Identifier: Apache-2.0
 *
 * A new log after a damaged one. Nothing is repaired: audit.db and the log key are set aside,
 * read-only, in set-aside/<n>/ of the state folder, and a new log begins with a new origin
 * (<origin>/2, then /3 ...), a new key, and a first entry, audit_chain_break, that holds the old
 * head. Restoring instead would let one key sign two trees of one size.
 */
#pragma once

#include "audit/log.h"

/* Whether the log is whole, by opening and recomputing all of it. When it is not, *ret_why says
 * what is wrong. Also not whole: a renewal that was cut short, and a log whose key has been made
 * while its last checkpoint is gone. Other errors (no memory, a busy lock) are errors. */
status_t audit_renew_is_whole(const struct state *state, const struct clock *clock, bool *ret_whole,
                              struct error *ret_why, struct error *err);

struct audit_renewal {
    char aside[64];    /* where the old log stands, below the state folder */
    char origin[256];  /* of the new log; "" when its key process draws one */
    uint64_t old_size; /* what had been signed */
};

/* Starts the new log. The caller has asked, and made sure that no other command has the log open.
 * A crash or a full disk on the way leaves a state that every command refuses and that a second
 * call finishes. */
status_t audit_renew(const struct state *state, const struct clock *clock, const char *reason,
                     struct audit_renewal *ret_renewal, struct error *err);
