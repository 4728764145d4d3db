/* SPDX-License-Identifier: Apache-2.0
 *
 * A UDP relay with its servers and clients, all of them sockets of this process.
 */
#pragma once

#include <arpa/inet.h>
#include <netinet/in.h>
#include <string.h>
#include <unistd.h>

#include "edge/udp.h"
#include "edge_ends.h"

enum { CLIENTS = 3, BYTES_MAX = 2048 };

static struct error err;

/* A listener in front of one or two servers, and clients of it. */
struct relay {
    struct io *io;
    struct edge_server servers[2];
    struct edge_upstream upstream;
    struct edge_route route;
    struct edge_listener listener;
    struct edge_config config;
    char text[2][32];
    struct metric_names *names;
    struct metrics *metrics;
    struct log_writer *log; /* nullptr: there is none */
    struct metric_sources sources;
    struct source_limits *limits;
    struct upstreams *upstreams;
    struct chooser *chooser;
    struct udp *udp;
    int fd;
    int server[2];
    int client[CLIENTS];
};

static inline int udp_socket(struct sockaddr_in *ret_address) {
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    socklen_t size = sizeof *ret_address;
    *ret_address = (struct sockaddr_in){.sin_family = AF_INET};
    ret_address->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    assert_int_equal(bind(fd, (struct sockaddr *)ret_address, size), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)ret_address, &size), 0);
    return fd;
}

static inline struct udp_options options_of(struct relay *relay) {
    return (struct udp_options){
        .io = relay->io,
        .metrics = relay->metrics,
        .log = relay->log,
        .sources = relay->limits,
        .chooser = relay->chooser,
        .config = &relay->config,
        .listener = &relay->listener,
        .number = metric_names_listener(relay->names, "dns"),
        .fd = relay->fd,
    };
}

static inline void make_servers(struct relay *relay) {
    for (unsigned i = 0; i < 2; i++) {
        struct sockaddr_in address;
        relay->server[i] = udp_socket(&address);
        (void)snprintf(relay->text[i], sizeof relay->text[i], "127.0.0.1:%u",
                       (unsigned)ntohs(address.sin_port));
        relay->servers[i] = (struct edge_server){.address = relay->text[i],
                                                 .host = "127.0.0.1",
                                                 .path = "",
                                                 .port = ntohs(address.sin_port),
                                                 .weight = i == 0 ? 1 : 0};
    }
}

static inline void make_clients(struct relay *relay) {
    struct sockaddr_in address;
    struct sockaddr_in listener;
    relay->fd = udp_socket(&listener);
    for (unsigned i = 0; i < CLIENTS; i++) {
        relay->client[i] = udp_socket(&address);
        assert_int_equal(connect(relay->client[i], (struct sockaddr *)&listener, sizeof listener),
                         0);
    }
}

static inline void make_chooser(struct relay *relay) {
    struct upstreams_options options = {.config = &relay->config, .names = relay->names};
    assert_true(status_is_ok(upstreams_new(&options, &relay->upstreams, &err)));
    assert_true(status_is_ok(chooser_new(relay->upstreams, relay->metrics, &relay->chooser, &err)));
}

/* Everything but the relay itself, whose listener a test may change first. */
static inline struct relay *relay_new(void **state) {
    struct io *io = io_of(state);
    struct relay *relay = calloc(1, sizeof *relay);
    assert_non_null(relay);
    relay->io = io;
    make_servers(relay);
    make_clients(relay);
    relay->upstream =
        (struct edge_upstream){.name = "names", .servers = relay->servers, .server_count = 2};
    relay->route = (struct edge_route){.sni = "", .alpn = "", .upstream = 0};
    relay->listener = (struct edge_listener){
        .name = "dns",
        .bind = {.transport = EDGE_UDP, .text = "udp://127.0.0.1:53"},
        .mode = EDGE_PASSTHROUGH,
        .routes = &relay->route,
        .route_count = 1,
        .limits = {.sessions = 2, .session_idle_ms = 600000, .connections_per_prefix = 100},
    };
    relay->config = (struct edge_config){.listeners = &relay->listener,
                                         .listener_count = 1,
                                         .upstreams = &relay->upstream,
                                         .upstream_count = 1};
    assert_true(status_is_ok(metric_names_new(&relay->names, &err)));
    assert_true(status_is_ok(metrics_new(&relay->metrics, &err)));
    assert_true(status_is_ok(source_limits_new(64, &relay->limits, &err)));
    relay->sources = (struct metric_sources){
        .threads = (const struct metrics *const *)&relay->metrics, .thread_count = 1};
    make_chooser(relay);
    return relay;
}

static inline void relay_open(struct relay *relay) {
    struct udp_options options = options_of(relay);
    assert_true(status_is_ok(udp_open(&options, &relay->udp, &err)));
}

static inline int64_t counted(const struct relay *relay, enum metric metric, uint16_t label_2) {
    return metrics_value(&relay->sources, metric,
                         (struct metric_at){.label_1 = metric_names_listener(relay->names, "dns"),
                                            .label_2 = label_2});
}

static inline void relay_free(struct relay *relay) {
    udp_close(relay->udp);
    assert_int_equal(counted(relay, METRIC_UDP_SESSIONS_LIVE, 0), 0);
    chooser_free(relay->chooser);
    upstreams_free(relay->upstreams);
    source_limits_free(relay->limits);
    metrics_free(relay->metrics);
    metric_names_free(relay->names);
    for (unsigned i = 0; i < 2; i++) {
        (void)close(relay->server[i]);
    }
    for (unsigned i = 0; i < CLIENTS; i++) {
        (void)close(relay->client[i]);
    }
    (void)close(relay->fd);
    free(relay);
}

static inline void say(int fd, size_t size, uint8_t byte) {
    uint8_t bytes[BYTES_MAX];
    memset(bytes, byte, sizeof bytes);
    assert_int_equal(send(fd, bytes, size, 0), size);
}

/* Turns until a datagram is there; its size, its first byte, and who sent it. */
static inline size_t hear(struct relay *relay, int fd, uint8_t *ret_byte,
                          struct sockaddr_in *ret_from) {
    uint8_t bytes[BYTES_MAX] = {};
    socklen_t size = sizeof *ret_from;
    ssize_t got = -1;
    TURN_UNTIL(relay->io, (got = recvfrom(fd, bytes, sizeof bytes, 0, (struct sockaddr *)ret_from,
                                          &size)) >= 0);
    *ret_byte = bytes[0];
    return (size_t)got;
}

static inline size_t hear_size(struct relay *relay, int fd) {
    uint8_t byte;
    struct sockaddr_in from;
    return hear(relay, fd, &byte, &from);
}

static inline void answer(int fd, const struct sockaddr_in *to, size_t size, uint8_t byte) {
    uint8_t bytes[BYTES_MAX];
    memset(bytes, byte, sizeof bytes);
    assert_int_equal(sendto(fd, bytes, size, 0, (const struct sockaddr *)to, sizeof *to), size);
}
