/* SPDX-License-Identifier: Apache-2.0
 *
 * What is known of a server, for upstream.c, which keeps it, and chooser.c, which asks it. It lives
 * in a struct of its own, counted by whoever holds it: after a reload the old and the new
 * configuration share it, so that a connection begun under the old one still reports to the right
 * place, and a server that was down stays down.
 *
 * `blocked_until_ms` says all of it in one word that a worker reads without the lock. What it finds
 * may be a moment old; the lock is taken for the one server that was chosen, and its circuit has
 * the last word.
 */
#pragma once

#include <pthread.h>
#include <sys/un.h>

#include "edge/circuit.h"
#include "edge/upstream.h"

struct server_state {
    _Atomic uint32_t holders;
    char *upstream, *address; /* owned; what tells it from others */
    bool is_asked_for;
    uint16_t number;
    uint16_t port;
    struct sockaddr_un path; /* where it has one */

    pthread_mutex_t lock; /* of what follows */
    struct circuit circuit;
    bool is_up;
    struct host_address addresses[LIMIT_EGRESS_ADDRESSES];
    uint32_t address_count; /* 1 for a path */
    uint32_t turn;
    _Atomic uint64_t blocked_until_ms; /* UINT64_MAX: until somebody says otherwise */
};

struct upstream_row {
    const struct edge_upstream *config;
    uint32_t first, count; /* of the servers */
    const struct tls_client *client;
};

struct upstreams {
    struct upstream_row *rows; /* owned */
    uint32_t row_count;
    struct server_state **servers; /* owned */
    uint32_t server_count;
};

/* With the lock held, or before anybody else knows of it: after every change. */
void server_state_publish(struct server_state *state);
/* With the lock held, and an address there. */
void server_state_address(const struct server_state *state, uint32_t turn,
                          struct upstream_choice *choice);
/* Whether the server of the row would get a connection now, as far as is seen without its lock. */
bool upstream_is_open(const struct upstreams *upstreams, const struct upstream_row *row,
                      uint32_t index, uint64_t now_ms);
