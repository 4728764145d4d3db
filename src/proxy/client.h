/* SPDX-License-Identifier: Apache-2.0
 *
 * airlock's side of `airlock-proxy --egress`. Order: start, ready, listen, finish. Closing the
 * client at any moment ends the proxy.
 */
#pragma once

#include "base/error.h"
#include "proxy/protocol.h"

struct egress_client;

/* Starts the program and tells it what may be reached. ERROR_PROXY_MISSING, ERROR_PROXY_FAILED,
 * ERROR_LIMIT. */
status_t egress_client_start(const struct egress_config *config, struct egress_client **ret_client,
                             struct error *err);
/* Waits until it is confined. *ret_ca borrows from the client: PEM, or empty. */
status_t egress_client_ready(struct egress_client *client, struct slice *ret_ca, struct error *err);
/* Hands over the socket that listens in the sandbox, which stays the caller's. */
status_t egress_client_listen(struct egress_client *client, int listener, struct error *err);
/* The sandbox is gone: ends the proxy and takes its report, which borrows from the client. The
 * caller deinits it. False: the proxy died before. */
bool egress_client_finish(struct egress_client *client, struct egress_report *ret_report);
void egress_client_close(struct egress_client *client);
void egress_client_closep(struct egress_client **client);
