/* SPDX-License-Identifier: Apache-2.0
 *
 * A configuration put in force: certificates loaded, servers known, listeners bound. All workers
 * share it; it lives until the last connection that began under it is over, so that a reload drops
 * nothing.
 */
#pragma once

#include <stdatomic.h>

#include "edge/listen.h"
#include "edge/source_limits.h"
#include "edge/tls_client.h"
#include "edge/tls_server.h"
#include "edge/upstream.h"
#include "enclave/provider.h"

/* How many connections a listener has: those that began under an earlier setup count too. */
struct setup_live {
    _Atomic uint32_t count;
    atomic_uint references; /* of setups */
};

struct setup_listener {
    const struct edge_listener *config;
    int fd;                  /* owned; shared with other setups through dup(2) */
    struct listen_path path; /* of a Unix socket */
    struct tls_server *tls;  /* owned; nullptr: none */
    uint16_t number;         /* in the metrics */
    bool needs_hello;        /* its routes ask for what only a ClientHello says */
    struct setup_live *live; /* shared with other setups' listeners of the name */
};

struct setup {
    struct evidence_provider provider; /* of quotes; where a listener attests */
    struct provider_socket provider_socket;
    atomic_uint references;
    struct edge_config *config;       /* owned */
    struct setup_listener *listeners; /* owned, as many as in the configuration */
    struct tls_client **clients;      /* owned; of each upstream, nullptr: none */
    struct upstreams *upstreams;      /* owned */
};

struct setup_options {
    struct edge_config *config; /* consumed, also on failure */
    struct slice hosts;         /* of /etc/hosts */
    struct metric_names *names;
    struct setup *previous; /* its listeners are kept where they bind the same; may be nullptr */
};
/* One reference. Errors name the listener or upstream. ERROR_PROXY_CONFIG, ERROR_IO and more. */
status_t setup_new(const struct setup_options *options, struct setup **ret_setup,
                   struct error *err);
/* Closes its sockets, once no worker accepts from them any more: whoever connects is turned away at
 * once, and the addresses are free, however long its last connections live. The paths of Unix
 * sockets go, but for those that `stays` (nullptr: nobody) listens at. With `but_udp` those of UDP
 * stay, whose sessions go on through them. By the thread that makes setups. */
void setup_stop_listening(struct setup *setup, const struct setup *stays, bool but_udp);
void setup_reference(struct setup *setup);
void setup_release(struct setup *setup); /* nullptr is fine */
