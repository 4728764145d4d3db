/* SPDX-License-Identifier: Apache-2.0
 *
 * A client, until it is known where its connection goes: the PROXY header, the ClientHello, the
 * handshake.
 */
#include <netinet/in.h>
#include <openssl/ssl.h>
#include <stdio.h>
#include <string.h>
#include <sys/un.h>
#include <time.h>

#include "base/limits.h"
#include "edge/connection.h"
#include "proxy/hello.h"
#include "sys/random.h"

enum { TRUSTED_US = 700 }; /* less than a turn of the scheduler's */

uint32_t connection_random(void) {
    uint32_t number = 0;
    random_fill(&number, sizeof number);
    return number;
}

bool connection_is_trusted(const struct edge_listener *listener, const struct sockaddr *address) {
    uint8_t bytes[16] = {[10] = 0xff, [11] = 0xff};
    if (address->sa_family == AF_UNIX) {
        return listener->proxy_from_count > 0; /* who may connect is the file's mode */
    }
    if (address->sa_family == AF_INET) {
        memcpy(bytes + 12, &((const struct sockaddr_in *)address)->sin_addr, 4);
    } else {
        memcpy(bytes, &((const struct sockaddr_in6 *)address)->sin6_addr, sizeof bytes);
    }
    for (uint32_t i = 0; i < listener->proxy_from_count; i++) {
        const struct edge_network *network = &listener->proxy_from[i];
        unsigned whole = network->bits / 8, rest = network->bits % 8;
        if (memcmp(bytes, network->bytes, whole) == 0 &&
            (rest == 0 || (bytes[whole] ^ network->bytes[whole]) >> (8 - rest) == 0)) {
            return true;
        }
    }
    return false;
}

static const struct edge_listener *config_of(const struct connection *connection) {
    return connection->listener->config;
}

static void begin_handshake(struct connection *connection) {
    connection->phase = PHASE_HANDSHAKE;
    connection->client.is_handshaken = false;
    if (connection->client.held != nullptr) {
        connection_handshake(connection, (struct slice){});
    }
}

/* Whether these are some bytes of a first record, and more of it have to come. Everything else is
 * libssl's to judge. */
static bool is_beginning(struct slice bytes) {
    static const uint8_t HEAD[] = {SSL3_RT_HANDSHAKE, SSL3_VERSION_MAJOR};
    size_t there = bytes.size < sizeof HEAD ? bytes.size : sizeof HEAD;
    if (memcmp(bytes.data, HEAD, there) != 0) {
        return false;
    }
    if (bytes.size < SSL3_RT_HEADER_LENGTH) {
        return true;
    }
    size_t size = (size_t)bytes.data[3] << 8 | bytes.data[4];
    return size <= SSL3_RT_MAX_PLAIN_LENGTH && bytes.size < SSL3_RT_HEADER_LENGTH + size;
}

/* Libssl is told of a client when its first record is whole: one that never says more than the half
 * of it costs what it said, and neither 20 KiB nor the time to fill and clear them. False: not yet,
 * or it is over. */
static bool hold_first_record(struct connection *connection, struct slice bytes) {
    struct leg *leg = &connection->client;
    if (!leg_hold(leg, bytes)) {
        connection_abort(connection, EDGE_ERROR_MEMORY);
        return false;
    }
    return leg->held != nullptr && !is_beginning(leg_held(leg));
}

static bool open_tls(struct connection *connection) {
    SSL *tls = tls_server_open(connection->listener->tls, &connection->peer);
    if (tls == nullptr || !leg_set_tls(&connection->client, tls)) {
        connection_refuse(connection, EDGE_REFUSED_MEMORY);
        return false;
    }
    return true;
}

/* Whose it is is known. */
static void begin_identified(struct connection *connection) {
    if (connection->listener->tls != nullptr) {
        begin_handshake(connection);
    } else if (connection->listener->needs_hello) {
        connection->phase = PHASE_HELLO;
        if (connection->client.held != nullptr) {
            connection_received(connection, (struct slice){});
        }
    } else {
        connection_route(connection);
    }
}

void connection_begin(struct connection *connection) {
    connection_deadline(connection, config_of(connection)->limits.hello_ms);
    if (connection->phase != PHASE_CLOSED) {
        io_read_start(connection->worker->io, &connection->client.stream);
    }
    if (connection->phase == PHASE_HELLO) {
        begin_identified(connection);
    }
}

static void set_endpoint(struct sockaddr_storage *address, const struct proxy_endpoint *endpoint) {
    *address = (struct sockaddr_storage){};
    if (endpoint->address.size == 4) {
        struct sockaddr_in *in = (struct sockaddr_in *)address;
        in->sin_family = AF_INET;
        in->sin_port = htons(endpoint->port);
        memcpy(&in->sin_addr, endpoint->address.bytes, 4);
    } else if (endpoint->address.size == 16) {
        struct sockaddr_in6 *in = (struct sockaddr_in6 *)address;
        in->sin6_family = AF_INET6;
        in->sin6_port = htons(endpoint->port);
        memcpy(&in->sin6_addr, endpoint->address.bytes, 16);
    }
}

static void read_header(struct connection *connection) {
    struct proxy_header header;
    size_t size = 0;
    enum edge_refusal refusal = EDGE_REFUSED_PROXY_HEADER;
    switch (proxy_protocol_decode(leg_held(&connection->client), &header, &size)) {
    case PROXY_PROTOCOL_MORE:
        return;
    case PROXY_PROTOCOL_MALFORMED:
        connection_refuse(connection, EDGE_REFUSED_PROXY_HEADER);
        return;
    case PROXY_PROTOCOL_DONE:
        break;
    }
    if (!header.is_local && header.source.address.size > 0) {
        set_endpoint(&connection->address, &header.source);
        set_endpoint(&connection->target, &header.destination);
    }
    leg_drop(&connection->client, size);
    /* The header names whom the limits are about: not the proxy that passed it on. */
    if (!connection_admit(connection, &refusal)) {
        connection_refuse(connection, refusal);
        return;
    }
    begin_identified(connection);
}

/* Of a connection that is passed through unopened. */
static void read_hello(struct connection *connection) {
    static thread_local uint8_t scratch[HELLO_BYTES_MAX];
    struct hello hello;
    enum hello_result result = hello_parse_all(leg_held(&connection->client), scratch, &hello);
    if (result == HELLO_MORE) {
        return;
    }
    struct host host = {};
    if (result == HELLO_NAME &&
        (host_parse(hello.name, false, &host) != nullptr || host.is_address)) {
        result = HELLO_MALFORMED;
    }
    if (result == HELLO_MALFORMED) {
        connection_abort(connection, EDGE_ERROR_HELLO);
        return;
    }
    (void)snprintf(connection->peer.sni, sizeof connection->peer.sni, "%s", host.text);
    if (!edge_route_find(config_of(connection), connection->peer.sni, hello.alpn,
                         &connection->peer.route)) {
        connection_refuse(connection, EDGE_REFUSED_ROUTE);
        return;
    }
    connection_route(connection);
}

void connection_received(struct connection *connection, struct slice bytes) {
    if (connection->phase == PHASE_HANDSHAKE) {
        connection_handshake(connection, bytes);
        return;
    }
    if (connection->phase == PHASE_ATTEST) {
        connection_attest_received(connection, bytes);
        return;
    }
    if (!leg_hold(&connection->client, bytes)) {
        connection_abort(connection, EDGE_ERROR_MEMORY);
        return;
    }
    if (connection->phase == PHASE_HEADER) {
        read_header(connection);
    } else if (connection->phase == PHASE_HELLO) {
        read_hello(connection);
    }
}

static uint64_t cpu_us(void) {
    struct timespec now;
    (void)clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return (uint64_t)now.tv_sec * 1000000u + (uint64_t)now.tv_nsec / 1000u;
}

/* The thread's own clock is a system call, the other one is not. What took no longer than the
 * scheduler lets others wait was ours alone. */
struct stopwatch connection_stopwatch(void) {
    return (struct stopwatch){cpu_us(), io_fresh_us()};
}

static uint64_t stopwatch_us(const struct stopwatch *watch) {
    uint64_t passed_us = io_fresh_us() - watch->fresh_us;
    return passed_us < TRUSTED_US ? passed_us : cpu_us() - watch->cpu_us;
}

void connection_charge(struct connection *connection, const struct stopwatch *watch) {
    uint64_t used_us = stopwatch_us(watch) + 1; /* it is never nothing */
    connection->cpu_us += used_us;
    source_handshake_charged(connection->worker->sources, &connection->source,
                             config_of(connection)->limits.handshake_us_per_s, used_us);
}

static void count_offers(struct connection *connection) {
    for (uint8_t i = 0; i < EDGE_GROUP_COUNT; i++) {
        if ((connection->peer.offers & 1u << i) != 0) {
            metrics_add(connection->worker->metrics, METRIC_OFFERS,
                        (struct metric_at){.label_1 = i}, 1);
        }
    }
}

static void handshake_done(struct connection *connection) {
    struct metrics *metrics = connection->worker->metrics;
    if (!tls_peer_finish(connection->client.tls, &connection->peer)) {
        connection_abort(connection, EDGE_ERROR_MEMORY);
        return;
    }
    connection->group = tls_group(connection->client.tls, &connection->group_code);
    uint64_t now_us = io_fresh_us();
    connection->handshaken_us = now_us;
    metrics_handshake(metrics, &(struct metric_handshake){
                                   .group = connection->group,
                                   .result = EDGE_HANDSHAKE_OK,
                                   .retried = connection->peer.hellos > 1,
                                   .wall_us = now_us - connection->accepted_us,
                                   .cpu_us = connection->cpu_us,
                               });
    if (!edge_group_row(connection->group)->is_post_quantum) {
        metrics_add(metrics, METRIC_FALLBACKS,
                    (struct metric_at){.label_1 = tls_fallback(&connection->peer)}, 1);
    }
    /* Who looked whether somebody is here, or ran away, costs no server a connection. */
    if (!leg_has_more(&connection->client) && io_is_gone(&connection->client.stream)) {
        connection_abort(connection, EDGE_ERROR_CLIENT_RESET);
        return;
    }
    connection_route(connection);
}

/* The peer is told why by an alert that libssl has written already. */
static void handshake_failed(struct connection *connection) {
    struct metrics *metrics = connection->worker->metrics;
    struct tls_peer *peer = &connection->peer;
    if (!peer->is_refused && tls_peer_is_unwanted(peer)) {
        peer->is_refused = true;
        peer->refusal = EDGE_REFUSED_CLIENT;
    }
    metrics_handshake(
        metrics, &(struct metric_handshake){
                     .group = EDGE_GROUP_OTHER,
                     .result = peer->is_refused ? EDGE_HANDSHAKE_REFUSED : EDGE_HANDSHAKE_FAILED,
                     .retried = peer->hellos > 1,
                 });
    if (!peer->is_refused || peer->refusal == EDGE_REFUSED_CLIENT) {
        connection->why = tls_why(connection->client.tls);
    }
    if (peer->is_refused) {
        metrics_refusal(metrics, peer->refusal);
        connection_linger(connection, edge_refusal_text(peer->refusal));
        return;
    }
    enum edge_error error = peer->hellos > 0 ? EDGE_ERROR_HANDSHAKE : EDGE_ERROR_HELLO;
    metrics_error(metrics, error);
    connection_linger(connection, edge_error_text(error));
}

void connection_handshake(struct connection *connection, struct slice bytes) {
    const struct edge_limits *limits = &config_of(connection)->limits;
    uint8_t hellos = connection->peer.hellos;
    if (connection->cpu_us == 0 &&
        !source_handshake_admit(connection->worker->sources, &connection->source,
                                limits->handshake_us_per_s, io_now_us(connection->worker->io))) {
        connection_refuse(connection, EDGE_REFUSED_BUDGET);
        return;
    }
    bool is_first = connection->client.tls == nullptr;
    if (is_first && !hold_first_record(connection, bytes)) {
        return;
    }
    bytes = is_first ? (struct slice){} : bytes; /* they are held */
    const struct stopwatch watch = connection_stopwatch();
    if (is_first && !open_tls(connection)) {
        return;
    }
    enum leg_result result = leg_handshake(&connection->client, bytes);
    connection_charge(connection, &watch);
    if (hellos == 0 && connection->peer.hellos > 0) {
        count_offers(connection);
        connection_deadline(connection, limits->handshake_ms);
    }
    if (connection->phase != PHASE_HANDSHAKE || result == LEG_MORE) {
        return;
    }
    if (result == LEG_DONE) {
        handshake_done(connection);
    } else if (result == LEG_NO_MEMORY) {
        connection_abort(connection, EDGE_ERROR_MEMORY);
    } else {
        handshake_failed(connection);
    }
}
