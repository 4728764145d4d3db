/* SPDX-License-Identifier: Apache-2.0
 *
 * What `airlock proxy bench` measures with: a service that echoes, an edge in front of it, and a
 * client. Each is a process of its own on this machine's loopback, as they are in use; the edge is
 * edge_run(), not a part of it.
 */
#pragma once

#include <netinet/in.h>
#include <openssl/types.h>
#include <sys/types.h>

#include "base/error.h"
#include "codec/host.h"

enum { BENCH_MESSAGE_BYTES = 1024 };

struct bench_edge {
    pid_t service; /* -1: somebody else's */
    pid_t edge;
    struct sockaddr_storage direct, through, handshakes; /* where each is reached */
    socklen_t direct_size;
    SSL_CTX *context; /* trusts the edge's certificate; owned */
};

/* Starts both. `to` is an echo service to be used instead of ours; nullptr: ours. Both end with the
 * caller. Errors: ERROR_IO, ERROR_PROXY_CONFIG ... */
status_t bench_start(const char *to, struct bench_edge *ret_edge, struct error *err);
void bench_stop(struct bench_edge *edge);

/* A connection that is kept; TLS when `ssl` is there. */
struct bench_connection {
    int fd;
    SSL *ssl;
};
/* `group`: nullptr is no TLS. ERROR_IO; *ret_connection is closed with bench_close(). */
status_t bench_connect(const struct bench_edge *edge, const struct sockaddr_storage *to,
                       const char *group, struct bench_connection *ret_connection,
                       struct error *err);
void bench_close(struct bench_connection *connection);
/* Sends a message and reads it back. */
status_t bench_echo(const struct bench_connection *connection, struct error *err);
