/* SPDX-License-Identifier: Apache-2.0
 *
 * Bytes between the user and a payload: stdin, stdout, stderr over pipes, or a pty; signals
 * forwarded; output kept in the run's folder.
 */
#pragma once

#include <signal.h>

#include "kernel/run_exec.h"

struct streams;

struct streams_options {
    bool terminal;     /* a pty instead of pipes; stdin and stdout are terminals */
    bool raw_terminal; /* output to the terminal is not filtered */
};

/* Blocks the signals that are relayed, ignores SIGPIPE, and makes the pipes. *ret_payload holds the
 * payload's ends, which the caller owns (-1 for a terminal). */
status_t streams_open(const struct streams_options *options, struct streams **ret_streams,
                      struct launcher_streams *ret_payload, struct error *err);
/* A run_exec_request.relay; context is the struct streams. */
status_t streams_relay(void *context, const struct run_exec_relay *relay, struct error *err);
/* The terminal is as it was before; nullptr is fine. */
void streams_close(struct streams *streams);
