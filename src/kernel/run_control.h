/* SPDX-License-Identifier: Apache-2.0
 *
 * How a live run is told from outside to stand still, to go on, or to end. The command that hosts
 * it listens on runs/<id>/control; whoever has its uid, and root, may ask. What was asked is in the
 * log before anything of it happens.
 */
#pragma once

#include "kernel/kernel.h"
#include "sandbox/protocol.h"

struct run_control;
struct run_peer;

/* Makes the socket and listens. `kernel` and `run` are borrowed until the close, what `peer` is
 * about as long as the run is served. */
status_t run_control_open(struct kernel *kernel, const struct run *run, const struct run_peer *peer,
                          struct run_control **ret_control, struct error *err);
/* Readable when there is something to serve; borrowed. */
int run_control_fd(const struct run_control *control);
/* Serves one thing. *ret_end: somebody wants the command to end, as by SIGTERM. */
status_t run_control_serve(struct run_control *control, bool *ret_end, struct error *err);
/* The launcher said LAUNCHER_PAUSED or LAUNCHER_RESUMED. */
status_t run_control_told(struct run_control *control, enum launcher_message_type type,
                          struct error *err);
/* Whoever waits for the end of the run learns of it; nullptr is fine. */
void run_control_close(struct run_control *control);

/* The other side: asks the live run for one of ASK_PAUSE, ASK_RESUME, ASK_STOP and waits until it
 * is done, for the last one until the run is over. RUN_NOT_LIVE, BUSY when it does not answer, and
 * what keeps the run from doing so. */
status_t run_control_ask(const struct run *run, enum protocol_type ask, struct error *err);
/* The live run a user means, nullptr: the only one of this workspace. RUN_NOT_LIVE,
 * RUN_AMBIGUOUS, and those of run_find(). The caller closes it. */
status_t run_control_find(const struct state *state, const char *name_or_null,
                          const char *workspace, struct run *ret_run, struct error *err);
/* Whether a live run stands still. */
bool run_is_paused(const struct state *state, const struct run *run);
