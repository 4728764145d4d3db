/* SPDX-License-Identifier: Apache-2.0
 *
 * A UDP listener: datagrams of each client go to one server through a socket of the client's own,
 * connected to it, so that answers find their way back by the socket that they come to, and a
 * server sees one address for one client. Sessions live as long as datagrams come, in either
 * direction; any number of answers belongs to a request.
 *
 * One worker serves a listener, since a datagram of a client has to come to who knows the client:
 * the workers share the listeners out by their numbers. A reload leaves sessions as they are where
 * name, address, upstream and limits of the listener stay the same.
 *
 * When it is full the client that was silent longest loses its session, and its socket is closed.
 * Until a client's second datagram it is sent three times its bytes at most. What the kernel does
 * not take at once is dropped and counted: whoever speaks UDP expects that.
 */
#pragma once

#include "edge/io.h"
#include "edge/log.h"
#include "edge/session_table.h"
#include "edge/source_limits.h"
#include "edge/upstream.h"

struct udp;

struct udp_options { /* everything is borrowed */
    struct io *io;
    struct metrics *metrics;
    struct log_writer *log; /* of a line for each session that ends; nullptr: none */
    struct source_limits *sources;
    struct chooser *chooser;
    const struct edge_config *config;
    const struct edge_listener *listener; /* of that configuration; echo or passthrough */
    uint16_t number;                      /* in the metrics */
    int fd;                               /* bound, non-blocking */
};

/* Serves from now on. ERROR_NO_MEMORY. */
status_t udp_open(const struct udp_options *options, struct udp **ret_udp, struct error *err);
/* Whether it could serve another configuration's listener without a session being lost. */
bool udp_fits(const struct udp *udp, const struct udp_options *options);
/* From now on it does; only where udp_fits(). What the old options named is not used any more. */
void udp_adopt(struct udp *udp, const struct udp_options *options);
void udp_drain(struct udp *udp); /* no new sessions */
/* Ends every session and closes its sockets; the listener's own stays open. nullptr is fine. */
void udp_close(struct udp *udp);
uint32_t udp_session_count(const struct udp *udp);
