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

static inline uint64_t udp_now_ms(const struct udp *udp) {
    return io_now_ms(udp->options.io);
}

static inline struct metric_at udp_at_listener(const struct udp *udp) {
    return (struct metric_at){.label_1 = udp->options.number};
}

static inline void udp_count_drops(const struct udp *udp, enum edge_udp_drop why, unsigned count) {
    if (count > 0) {
        metrics_add(udp->options.metrics, METRIC_UDP_DROPS,
                    (struct metric_at){.label_1 = udp->options.number, .label_2 = why}, count);
    }
}

/* udp_session.c */
/* nullptr when there is no room or no server for it; that was counted. */
struct udp_session *udp_begin_session(struct udp *udp, const struct session_key *key,
                                      unsigned index);
void udp_server_failed(struct udp_session *one); /* nobody listens there: the session goes */
void udp_on_gone(void *context, struct session *session); /* what the table calls */
void udp_await_silence(struct udp *udp);
void udp_on_silence(struct timer *timer);
/* udp.c */
void udp_on_server_ready(struct io_watch *watch, uint32_t events);

void udp_log_session(const struct udp *udp, const struct session *session); /* it is over */
