/* SPDX-License-Identifier: Apache-2.0
 *
 * TLS towards servers: one context for each upstream that has `tls`. A server is trusted for its
 * name and who signed its certificate, or for its key (pins), or not at all.
 */
#pragma once

#include <openssl/types.h>

#include "edge/config.h"

struct tls_client;

/* `upstream` is borrowed for its life. Errors as tls_server_new(). */
status_t tls_client_new(const struct edge_upstream *upstream, struct tls_client **ret_client,
                        struct error *err);
void tls_client_free(struct tls_client *client); /* nullptr is fine */
/* A connection's end, ready to begin. `protocol`: what the client negotiated, and what the server
 * has to agree to; empty: the upstream's own list is offered. nullptr when memory runs out. */
SSL *tls_client_open(const struct tls_client *client, const struct edge_server *server,
                     struct slice protocol);
