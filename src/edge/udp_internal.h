/* SPDX-License-Identifier: Apache-2.0
 *
 * What udp.c and its log share: a listener, and a session of it.
 */
#pragma once

#include "edge/udp.h"
#include "edge/udp_batch.h"

struct udp {
    struct udp_options options;
    struct io_watch watch;
    struct timer timer;
    struct session_table *table; /* nullptr: echo, which has none */
    struct udp_batch *batch;
    uint32_t upstream;
    uint32_t generation; /* of the chooser: choices of an older one mean nothing to it */
    bool is_draining;
    const char *why; /* sessions go, at this moment: for the log, a constant */
};

/* What a session has besides its counters. */
struct udp_session {
    struct io_watch watch; /* of `fd` */
    struct udp *udp;
    struct session *session;
    int fd; /* connected to the server */
    struct upstream_choice choice;
    uint32_t generation;
    uint64_t began_us;
    struct source_key source;
    struct sockaddr_storage client;
    socklen_t client_size;
};

void udp_log_session(const struct udp *udp, const struct session *session); /* it is over */
