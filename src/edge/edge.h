/* SPDX-License-Identifier: Apache-2.0
 *
 * The process of the data plane, from its configuration to its end.
 */
#pragma once

#include "base/error.h"

struct edge_options {
    const char *file; /* the configuration */
    int log_fd;       /* borrowed; -1: no log */
    /* Keeps what it could give up: files, system calls, capabilities. For where the walls around it
     * are another's and these cannot be had: an enclave, a container that forbids seccomp. */
    bool is_unconfined;
};

/* Serves until SIGTERM or SIGINT, then drains: whoever is being served may finish, as long as
 * `drain` says; a second signal ends that. SIGHUP reads the configuration again; one that cannot be
 * put in force changes nothing, and the log says why. Blocks these signals for the process's life.
 * Errors: what made it impossible to begin. */
status_t edge_run(const struct edge_options *options, struct error *err);
