/* SPDX-License-Identifier: Apache-2.0
 *
 * The state folder: where it is, that it is ours, and its layout (audit.db, keys/, runs/,
 * workspaces/, tiles/, VERSION).
 */
#pragma once

#include "base/error.h"
#include "base/limits.h"
#include "crypto/secret.h"

struct state {
    char path[LIMIT_PATH_BYTES]; /* absolute, symlinks resolved */
    int fd;                      /* the folder itself; owned */
    int runs_fd;                 /* runs/; owned */
    int keys_fd;                 /* keys/; owned */
    struct secret *log_key;      /* of audit.db; owned; nullptr: it is plain. state_open() leaves it
                                    empty, kernel/config.h sets it. */
    bool pq_signatures; /* checkpoints get a second signature, by ML-DSA-44; set there too */
};

/* Opens the state folder, making it (mode 0700) when it is not there. Order: $AIRLOCK_STATE_DIR,
 * then $XDG_STATE_HOME/airlock, then for root /var/lib/airlock, else ~/.local/state/airlock.
 * Refuses one that another uid owns or can write, one on a network filesystem, and one with a
 * newer VERSION. */
status_t state_open(struct state *ret_state, struct error *err);
void state_close(struct state *state);
