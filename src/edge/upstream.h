/* SPDX-License-Identifier: Apache-2.0
 *
 * Which server gets a connection. The servers' state (addresses, up or down, circuit) is shared by
 * all workers; the turn of smooth weighted round robin is each worker's own, since workers that
 * shared it would take a lock to be no fairer.
 *
 * A server is passed over while it is down (health.h), drained (weight 0), without an address, or
 * its circuit is open (circuit.h). A connection that could not be made is tried on another server,
 * or on another address of the only one, LIMIT_EDGE_CONNECT_TRIES times in all.
 *
 * Literal addresses, Unix paths and the names of /etc/hosts have their addresses at once; others
 * get them from names.h, which asks again and again. Time and randomness are handed in.
 */
#pragma once

#include <sys/socket.h>

#include "base/limits.h"
#include "codec/host.h"
#include "edge/config.h"
#include "edge/metrics.h"

struct tls_client; /* tls_client.h */
struct upstreams;  /* of one configuration */
struct chooser;    /* of one worker, on them */

struct upstreams_options {
    const struct edge_config *config; /* borrowed until upstreams_free() */
    struct slice hosts;               /* the text of /etc/hosts; read while it is made, and after */
    struct metric_names *names;
    /* Of the configuration before: a server that is in both keeps what is known of it. May be
     * nullptr. */
    struct upstreams *previous;
    /* TLS towards each upstream, nullptr where it has none, as long as the configuration; for
     * checks. May be nullptr: nobody has any. */
    struct tls_client *const *clients;
};
status_t upstreams_new(const struct upstreams_options *options, struct upstreams **ret_upstreams,
                       struct error *err);
void upstreams_free(struct upstreams *upstreams); /* nullptr is fine; its choosers go first */

status_t chooser_new(struct upstreams *upstreams, struct metrics *metrics,
                     struct chooser **ret_chooser, struct error *err);
void chooser_free(struct chooser *chooser);

/* A connection that is being made. Starts as {.upstream = N}. */
struct upstream_choice {
    uint32_t upstream;
    uint32_t tries; /* made so far */
    uint32_t server;
    uint16_t number;                          /* the server's, in the metrics */
    const struct edge_server *config;         /* borrowed from the configuration */
    uint32_t tried[LIMIT_EDGE_CONNECT_TRIES]; /* servers */
    socklen_t size;
    struct sockaddr_storage address;
};

/* The next server to try. False: there is none (any more); a refusal (EDGE_REFUSED_SERVER) if
 * `tries` is 0, and the last failure else. A try that is not the first counts in METRIC_RETRIES.
 * Whoever got true reports once how it went. */
[[nodiscard]] bool upstream_choose(struct chooser *chooser, struct upstream_choice *choice,
                                   uint64_t now_ms);
/* It is connected, and spoke TLS where it has to. */
void upstream_succeeded(struct chooser *chooser, const struct upstream_choice *choice,
                        uint64_t now_ms);
/* It could not be connected to or did not speak TLS. `random` from the caller. True: from now on it
 * is left alone, which is worth PROXY_EVENT_CIRCUIT_OPENED. */
bool upstream_failed(struct chooser *chooser, const struct upstream_choice *choice, uint64_t now_ms,
                     uint32_t random);
/* The same, after it counted as succeeded, for one that closed or stalled without a first byte.
 * Clients can bring that about, with nonsense or by saying nothing: so it is left alone for that
 * only while half of the upstream's servers, or more, stay usable. */
bool upstream_was_silent(struct chooser *chooser, const struct upstream_choice *choice,
                         uint64_t now_ms, uint32_t random);

/* What health.h, names.h and side.h need. Servers are counted through all upstreams. */
struct upstream_server_view {
    const struct edge_upstream *upstream;
    const struct edge_server *server;
    uint32_t upstream_index;
    const struct tls_client *client; /* TLS towards it; nullptr: none */
    uint16_t number;                 /* in the metrics */
    bool is_up;                      /* as far as checks say; true where there are none */
    bool is_circuit_open;            /* left alone now */
    bool is_asked_for; /* its name stands in no file, so that the DNS has to know it */
    uint32_t address_count;
};
uint32_t upstreams_server_count(const struct upstreams *upstreams);
void upstreams_server(struct upstreams *upstreams, uint32_t server, uint64_t now_ms,
                      struct upstream_server_view *ret_view);
/* True: it was the other way before. */
bool upstreams_set_up(struct upstreams *upstreams, uint32_t server, bool up);
/* At least one. True: not the ones of before, in whatever order. */
bool upstreams_set_addresses(struct upstreams *upstreams, uint32_t server,
                             const struct host_address *addresses, size_t count);
/* Where the server is to be reached; `turn` counts through its addresses. False: it has none. */
bool upstreams_address(struct upstreams *upstreams, uint32_t server, uint32_t turn,
                       struct upstream_choice *ret_choice);
/* Whether some server of the upstream would get a connection now. */
bool upstreams_is_usable(struct upstreams *upstreams, uint32_t upstream, uint64_t now_ms);
