/* SPDX-License-Identifier: Apache-2.0
 *
 * The connection's other half: a server is chosen, connected to, told whose the connection is, and
 * spoken TLS with where it has to be.
 */
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/ssl.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/names.h"
#include "crypto/hash.h"
#include "edge/connection.h"
#include "sys/fd.h"

static const struct edge_limits *limits_of(const struct connection *connection) {
    return &connection->listener->config->limits;
}

void connection_route(struct connection *connection) {
    const struct edge_listener *config = connection->listener->config;
    if (connection->peer.is_attestation) {
        connection_attest(connection);
        return;
    }
    if (config->mode == EDGE_ECHO) {
        connection_relay(connection);
        return;
    }
    bool is_named = connection->client.tls != nullptr || connection->listener->needs_hello;
    if (!is_named && !edge_route_find(config, "", (struct slice){}, &connection->peer.route)) {
        connection_refuse(connection, EDGE_REFUSED_ROUTE);
        return;
    }
    io_read_stop(connection->worker->io, &connection->client.stream);
    connection->upstream = config->routes[connection->peer.route].upstream;
    connection->choice = (struct upstream_choice){.upstream = connection->upstream};
    connection->phase = PHASE_CONNECT;
    connection_connect(connection);
}

enum start : uint8_t { START_DONE, START_REFUSED, START_NO_SOCKET };

/* A socket on its way to the server that was chosen. */
static enum start start_connect(struct connection *connection) {
    const int on = 1;
    const struct upstream_choice *choice = &connection->choice;
    CLEANUP(fd_closep)
    int fd = socket(choice->address.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0) {
        return START_NO_SOCKET;
    }
    if (choice->address.ss_family != AF_UNIX) {
        (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
        (void)setsockopt(fd, SOL_SOCKET, SO_OOBINLINE, &on, sizeof on); /* as in listen.c */
    }
    connection->connecting_us = io_now_us(connection->worker->io);
    connection->connected_us = 0; /* what is known of the server before is not this one's */
    connection->is_server_open =
        io_connect(connection->worker->io, &connection->server.stream, fd,
                   (const struct sockaddr *)&choice->address, choice->size);
    if (connection->is_server_open) {
        (void)fd_take(&fd);
    }
    return connection->is_server_open ? START_DONE : START_REFUSED;
}

static void tell_left_alone(struct connection *connection) {
    const struct edge_config *config = connection->tenure->setup->config;
    LOG_EVENT(connection->worker->log, PROXY_EVENT_CIRCUIT_OPENED,
              {"upstream", config->upstreams[connection->upstream].name, 0},
              {"server", connection->choice.config->address, 0});
}

static void blame_server(struct connection *connection) {
    if (upstream_failed(connection->tenure->chooser, &connection->choice,
                        io_now_ms(connection->worker->io), connection_random())) {
        tell_left_alone(connection);
    }
}

void connection_blame_silence(struct connection *connection) {
    if (upstream_was_silent(connection->tenure->chooser, &connection->choice,
                            io_now_ms(connection->worker->io), connection_random())) {
        tell_left_alone(connection);
    }
}

void connection_connect(struct connection *connection) {
    struct worker *worker = connection->worker;
    connection->phase = PHASE_CONNECT;
    connection->server.is_handshaken = true;
    while (
        upstream_choose(connection->tenure->chooser, &connection->choice, io_now_ms(worker->io))) {
        connection->server_error = EDGE_ERROR_CONNECT;
        switch (start_connect(connection)) {
        case START_DONE:
            connection_deadline(connection, limits_of(connection)->connect_ms);
            return;
        case START_REFUSED:
            blame_server(connection);
            break;
        case START_NO_SOCKET: /* descriptors or memory ran out here: no fault of the server's */
            connection_refuse(connection, EDGE_REFUSED_MEMORY);
            return;
        }
    }
    if (connection->choice.tries == 0) {
        connection_refuse(connection, EDGE_REFUSED_SERVER);
    } else {
        connection_abort(connection, connection->server_error);
    }
}

static void count_handshake(struct connection *connection, enum edge_handshake result) {
    struct metrics *metrics = connection->worker->metrics;
    enum edge_group group =
        result == EDGE_HANDSHAKE_OK ? tls_group(connection->server.tls, nullptr) : EDGE_GROUP_OTHER;
    metrics_add(metrics, METRIC_UPSTREAM_HANDSHAKES,
                (struct metric_at){.label_1 = group, .label_2 = result}, 1);
    if (result == EDGE_HANDSHAKE_OK) {
        metrics_observe(metrics, METRIC_UPSTREAM_HANDSHAKE_SECONDS,
                        (struct metric_at){.label_1 = group},
                        io_now_us(connection->worker->io) - connection->connected_us);
    }
}

void connection_server_failed(struct connection *connection, enum edge_handshake how) {
    if (connection->phase == PHASE_SERVER_HANDSHAKE) {
        count_handshake(connection, how);
        connection->server_error = EDGE_ERROR_UPSTREAM_HANDSHAKE;
    } else if (how == EDGE_HANDSHAKE_TIMEOUT) {
        connection->server_error = EDGE_ERROR_CONNECT_TIMEOUT;
    }
    blame_server(connection);
    connection->is_to_retry = true;
    io_timer_clear(connection->worker->io, &connection->timer);
    io_close(connection->worker->io, &connection->server.stream, true);
}

static void server_ready(struct connection *connection) {
    struct worker *worker = connection->worker;
    struct metric_at at = {.label_1 = connection->choice.number};
    connection->why = nullptr; /* it was that of a server before */
    upstream_succeeded(connection->tenure->chooser, &connection->choice, io_now_ms(worker->io));
    connection->is_succeeded = true;
    metrics_add(worker->metrics, METRIC_UPSTREAM_LIVE, at, 1);
    connection_relay(connection);
}

static bool begin_server_handshake(struct connection *connection, const struct tls_client *client) {
    SSL *tls = tls_client_open(client, connection->choice.config,
                               slice_of(connection->peer.alpn, connection->peer.alpn_size));
    if (tls == nullptr || !leg_set_tls(&connection->server, tls)) {
        return false;
    }
    connection->phase = PHASE_SERVER_HANDSHAKE;
    connection_deadline(connection, limits_of(connection)->handshake_ms);
    io_read_start(connection->worker->io, &connection->server.stream);
    connection_server_handshake(connection, (struct slice){});
    return true;
}

void connection_server_connected(struct connection *connection, int error) {
    struct worker *worker = connection->worker;
    if (connection->phase != PHASE_CONNECT) {
        return;
    }
    if (error != 0) {
        connection->why = names_errno(error);
        connection_server_failed(connection, EDGE_HANDSHAKE_FAILED);
        return;
    }
    connection->connected_us = io_now_us(worker->io);
    metrics_observe(worker->metrics, METRIC_CONNECT_SECONDS, (struct metric_at){},
                    connection->connected_us - connection->connecting_us);
    const struct tls_client *client = connection->tenure->setup->clients[connection->upstream];
    if (!connection_send_header(connection) ||
        (client != nullptr && !begin_server_handshake(connection, client))) {
        connection_abort(connection, EDGE_ERROR_MEMORY);
    } else if (client == nullptr) {
        server_ready(connection);
    }
}

void connection_server_handshake(struct connection *connection, struct slice bytes) {
    enum leg_result result = leg_handshake(&connection->server, bytes);
    if (connection->phase != PHASE_SERVER_HANDSHAKE || result == LEG_MORE) {
        return;
    }
    if (result == LEG_DONE) {
        count_handshake(connection, EDGE_HANDSHAKE_OK);
        server_ready(connection);
    } else {
        connection->why = result == LEG_BROKEN ? tls_why(connection->server.tls) : nullptr;
        connection_server_failed(connection, EDGE_HANDSHAKE_FAILED);
    }
}

static struct proxy_endpoint endpoint_of(const struct sockaddr_storage *address) {
    struct proxy_endpoint endpoint = {};
    if (address->ss_family == AF_INET) {
        const struct sockaddr_in *in = (const struct sockaddr_in *)address;
        endpoint.address.size = 4;
        memcpy(endpoint.address.bytes, &in->sin_addr, 4);
        endpoint.port = ntohs(in->sin_port);
    } else if (address->ss_family == AF_INET6) {
        const struct sockaddr_in6 *in = (const struct sockaddr_in6 *)address;
        bool is_mapped = IN6_IS_ADDR_V4MAPPED(&in->sin6_addr);
        endpoint.address.size = is_mapped ? 4 : 16;
        memcpy(endpoint.address.bytes, in->sin6_addr.s6_addr + (is_mapped ? 12 : 0),
               endpoint.address.size);
        endpoint.port = ntohs(in->sin6_port);
    }
    return endpoint;
}

static enum proxy_family family_of(const struct proxy_endpoint *endpoint) {
    switch (endpoint->address.size) {
    case 4:
        return PROXY_FAMILY_IPV4;
    case 16:
        return PROXY_FAMILY_IPV6;
    default:
        return PROXY_FAMILY_NONE;
    }
}

static bool add_tls(const struct connection *connection, struct proxy_header *header) {
    SSL *tls = connection->client.tls;
    if (tls == nullptr) {
        return true;
    }
    header->alpn = slice_of(connection->peer.alpn, connection->peer.alpn_size);
    header->authority = slice_of_string(connection->peer.sni);
    header->ssl = (struct proxy_ssl){
        .is_there = true,
        .client = PROXY_SSL_USED,
        .verify = connection->peer.has_certificate ? 0 : 1,
        .version = slice_of_string(SSL_get_version(tls)),
        .cipher = slice_of_string(SSL_get_cipher_name(tls)),
    };
    if (connection->peer.has_certificate) {
        header->ssl.client |= PROXY_SSL_CERT_CONNECTION | PROXY_SSL_CERT_SESSION;
        header->has_spki = true;
        memcpy(header->spki, connection->peer.spki, sizeof header->spki);
    }
    header->has_group = true;
    header->group = connection->group_code;
    header->has_exporter = true;
    return SSL_export_keying_material(tls, header->exporter, sizeof header->exporter,
                                      TLS_EXPORTER_LABEL, sizeof TLS_EXPORTER_LABEL - 1, nullptr, 0,
                                      0) == 1;
}

bool connection_send_header(struct connection *connection) {
    enum edge_proxy_version version = connection->listener->config->proxy_out;
    if (version == EDGE_PROXY_NONE) {
        return true;
    }
    struct proxy_header header = {
        .transport = PROXY_TRANSPORT_STREAM,
        .source = endpoint_of(&connection->address),
        .destination = endpoint_of(&connection->target),
    };
    header.family = family_of(&header.source);
    if (header.family != family_of(&header.destination)) {
        header.family = PROXY_FAMILY_NONE; /* one of them is a Unix socket, or they are two kinds */
    }
    if (header.family == PROXY_FAMILY_NONE) {
        header.transport = PROXY_TRANSPORT_NONE;
    }
    CLEANUP(builder_deinit) struct builder text;
    builder_init(&text, LIMIT_PROXY_HEADER_BYTES);
    if (!add_tls(connection, &header)) {
        return false;
    }
    proxy_protocol_encode(&header, version == EDGE_PROXY_V1 ? PROXY_PROTOCOL_V1 : PROXY_PROTOCOL_V2,
                          &text);
    return builder_is_ok(&text) &&
           io_send(connection->worker->io, &connection->server.stream, builder_slice(&text));
}
