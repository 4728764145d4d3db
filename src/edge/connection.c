/* SPDX-License-Identifier: Apache-2.0 */
#include "edge/connection.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/names.h"
#include "sys/random.h"

enum { LINGER_MS = 500 };

static struct connection *of_client(struct io_stream *stream) {
    return (struct connection *)stream;
}

static struct connection *of_server(struct io_stream *stream) {
    return (struct connection *)((uint8_t *)stream - offsetof(struct connection, server));
}

static const struct edge_limits *limits_of(const struct connection *connection) {
    return &connection->listener->config->limits;
}

static void on_client_received(struct io_stream *stream, struct slice bytes) {
    struct connection *connection = of_client(stream);
    if (connection->phase == PHASE_RELAY) {
        relay_received(connection, &connection->client, bytes);
    } else if (connection->phase != PHASE_LINGER && connection->phase != PHASE_CLOSED) {
        connection_received(connection, bytes);
    }
}

static void on_server_received(struct io_stream *stream, struct slice bytes) {
    struct connection *connection = of_server(stream);
    if (connection->phase == PHASE_RELAY) {
        relay_received(connection, &connection->server, bytes);
    } else if (connection->phase == PHASE_SERVER_HANDSHAKE) {
        connection_server_handshake(connection, bytes);
    }
}

/* The client went before anything of it could be relayed. */
static void client_left(struct connection *connection) {
    enum edge_error kind =
        connection->phase == PHASE_HANDSHAKE ? EDGE_ERROR_ABANDONED : EDGE_ERROR_CLIENT_RESET;
    if (connection->phase == PHASE_LINGER) {
        connection_close(connection, connection->end, false);
        return;
    }
    if (connection->phase == PHASE_HANDSHAKE) {
        metrics_handshake(connection->worker->metrics,
                          &(struct metric_handshake){.group = EDGE_GROUP_OTHER,
                                                     .result = EDGE_HANDSHAKE_ABANDONED,
                                                     .retried = connection->peer.hellos > 1});
    }
    connection_abort(connection, kind);
}

static void on_client_ended(struct io_stream *stream, int error) {
    struct connection *connection = of_client(stream);
    if (connection->phase == PHASE_RELAY && error == 0) {
        relay_ended(connection, &connection->client);
    } else if (connection->phase == PHASE_RELAY) {
        connection_abort(connection, EDGE_ERROR_CLIENT_RESET);
    } else if (error == 0 && (connection->phase == PHASE_CONNECT ||
                              connection->phase == PHASE_SERVER_HANDSHAKE)) {
        connection->client.has_eof = true; /* it has asked for all that it wants, and waits */
    } else if (connection->phase != PHASE_CLOSED) {
        client_left(connection);
    } else {
        io_close(connection->worker->io, stream, false); /* it will not take the rest */
    }
}

static void on_server_ended(struct io_stream *stream, int error) {
    struct connection *connection = of_server(stream);
    if (connection->phase == PHASE_RELAY && error == 0) {
        relay_ended(connection, &connection->server);
    } else if (connection->phase == PHASE_RELAY) {
        connection_abort(connection, EDGE_ERROR_UPSTREAM_RESET);
    } else if (connection->phase == PHASE_SERVER_HANDSHAKE) {
        connection->why = error != 0 ? names_errno(error) : "closed in the middle";
        connection_server_failed(connection, EDGE_HANDSHAKE_ABANDONED);
    } else if (connection->phase == PHASE_CLOSED) {
        io_close(connection->worker->io, stream, false);
    }
}

static void on_client_drained(struct io_stream *stream) {
    relay_drained(of_client(stream), &of_client(stream)->client);
}

static void on_server_drained(struct io_stream *stream) {
    relay_drained(of_server(stream), &of_server(stream)->server);
}

static void on_server_connected(struct io_stream *stream, int error) {
    connection_server_connected(of_server(stream), error);
}

static void forget(struct connection *connection) {
    struct worker *worker = connection->worker;
    connection_log(connection);
    io_timer_clear(worker->io, &connection->timer);
    if (connection->is_counted) {
        source_connection_released(worker->sources, &connection->source);
    }
    metrics_add(worker->metrics, METRIC_CONNECTIONS_LIVE,
                (struct metric_at){.label_1 = connection->listener->number}, -1);
    connection->listener->live->count--;
    leg_deinit(&connection->client);
    leg_deinit(&connection->server);
    connection_attest_forget(connection);
    if (connection->before != nullptr) {
        connection->before->next = connection->next;
    } else {
        worker->connections = connection->next;
    }
    if (connection->next != nullptr) {
        connection->next->before = connection->before;
    }
    worker->connection_count--;
    worker->live--;
    struct tenure *tenure = connection->tenure;
    free(connection);
    tenure_release(tenure);
}

static void forget_if_closed(struct connection *connection) {
    if (!connection->is_client_open && !connection->is_server_open) {
        forget(connection);
    }
}

static void on_client_closed(struct io_stream *stream) {
    struct connection *connection = of_client(stream);
    connection->is_client_open = false;
    forget_if_closed(connection);
}

static void on_server_closed(struct io_stream *stream) {
    struct connection *connection = of_server(stream);
    connection->is_server_open = false;
    if (connection->is_succeeded) {
        metrics_add(connection->worker->metrics, METRIC_UPSTREAM_LIVE,
                    (struct metric_at){.label_1 = connection->choice.number}, -1);
    }
    if (connection->is_to_retry && connection->phase != PHASE_CLOSED) {
        connection->is_to_retry = false;
        leg_deinit(&connection->server);
        connection_connect(connection);
        return;
    }
    forget_if_closed(connection);
}

static void on_client_passed(struct io_stream *stream, size_t size) {
    relay_passed(of_client(stream), &of_client(stream)->client, size);
}

static void on_server_passed(struct io_stream *stream, size_t size) {
    relay_passed(of_server(stream), &of_server(stream)->server, size);
}

static const struct io_stream_row CLIENT = {.received = on_client_received,
                                            .ended = on_client_ended,
                                            .drained = on_client_drained,
                                            .passed = on_client_passed,
                                            .closed = on_client_closed};
static const struct io_stream_row SERVER = {.received = on_server_received,
                                            .ended = on_server_ended,
                                            .drained = on_server_drained,
                                            .connected = on_server_connected,
                                            .passed = on_server_passed,
                                            .closed = on_server_closed};

void connection_deadline(struct connection *connection, uint32_t after_ms) {
    struct io *io = connection->worker->io;
    if (after_ms == 0) {
        io_timer_clear(io, &connection->timer);
    } else if (!io_timer_set(io, &connection->timer, after_ms)) {
        connection_abort(connection, EDGE_ERROR_MEMORY);
    }
}

void connection_close(struct connection *connection, const char *end, bool reset) {
    struct io *io = connection->worker->io;
    if (connection->phase == PHASE_CLOSED) {
        return;
    }
    connection->phase = PHASE_CLOSED;
    connection->end = end;
    io_timer_clear(io, &connection->timer);
    if (reset) {
        io_close(io, &connection->client.stream, true);
        io_close(io, &connection->server.stream, true);
        return;
    }
    io_finish(io, &connection->client.stream);
    io_finish(io, &connection->server.stream);
    /* Whoever does not take the rest is not waited for. */
    (void)io_timer_set(io, &connection->timer, limits_of(connection)->idle_ms);
}

void connection_abort(struct connection *connection, enum edge_error error) {
    struct io *io = connection->worker->io;
    if (connection->phase == PHASE_CLOSED) {
        io_close(io, &connection->client.stream, true);
        io_close(io, &connection->server.stream, true);
        return;
    }
    metrics_error(connection->worker->metrics, error);
    connection->is_refused = connection->phase < PHASE_RELAY;
    connection_close(connection, edge_error_text(error), true);
}

void connection_refuse(struct connection *connection, enum edge_refusal refusal) {
    metrics_refusal(connection->worker->metrics, refusal);
    connection->is_refused = true;
    connection_close(connection, edge_refusal_text(refusal), true);
}

/* An alert that waits in the client's receive queue is lost when this end closes with bytes unread:
 * so it goes on reading for a moment. */
void connection_linger(struct connection *connection, const char *end) {
    struct io *io = connection->worker->io;
    connection->is_refused = connection->phase < PHASE_RELAY;
    connection->phase = PHASE_LINGER;
    connection->end = end;
    io_shut(io, &connection->client.stream);
    io_read_start(io, &connection->client.stream);
    connection_deadline(connection, LINGER_MS);
}

void connection_break(struct connection *connection, enum edge_error error) {
    metrics_error(connection->worker->metrics, error);
    io_close(connection->worker->io, &connection->server.stream, true);
    connection_linger(connection, edge_error_text(error));
}

static void handshake_late(struct connection *connection) {
    bool is_begun = connection->peer.hellos > 0;
    metrics_handshake(connection->worker->metrics,
                      &(struct metric_handshake){.group = EDGE_GROUP_OTHER,
                                                 .result = EDGE_HANDSHAKE_TIMEOUT,
                                                 .retried = connection->peer.hellos > 1});
    connection_abort(connection,
                     is_begun ? EDGE_ERROR_HANDSHAKE_TIMEOUT : EDGE_ERROR_HELLO_TIMEOUT);
}

static void on_deadline(struct timer *timer) {
    struct connection *connection =
        (struct connection *)((uint8_t *)timer - offsetof(struct connection, timer));
    switch (connection->phase) {
    case PHASE_HEADER:
        connection_refuse(connection, EDGE_REFUSED_PROXY_HEADER);
        break;
    case PHASE_HELLO:
        connection_abort(connection, EDGE_ERROR_HELLO_TIMEOUT);
        break;
    case PHASE_HANDSHAKE:
        handshake_late(connection);
        break;
    case PHASE_ATTEST:
        connection_abort(connection, EDGE_ERROR_IDLE_TIMEOUT);
        break;
    case PHASE_CONNECT:
    case PHASE_SERVER_HANDSHAKE:
        connection_server_failed(connection, EDGE_HANDSHAKE_TIMEOUT);
        break;
    case PHASE_RELAY:
        connection_idle(connection);
        break;
    case PHASE_LINGER:
        connection_close(connection, connection->end, false);
        break;
    case PHASE_CLOSED:
        connection_idle_at_end(connection);
        break;
    }
}

bool connection_admit(struct connection *connection, enum edge_refusal *ret_refusal) {
    struct worker *worker = connection->worker;
    const struct edge_limits *limits = limits_of(connection);
    connection->source =
        source_key_of(connection->listener->number, (const struct sockaddr *)&connection->address);
    connection->is_counted = source_connection_admit(worker->sources, &connection->source,
                                                     limits->connections_per_prefix);
    *ret_refusal = EDGE_REFUSED_PREFIX;
    return connection->is_counted;
}

static struct connection *connection_new(struct door *door, int fd) {
    struct worker *worker = door->tenure->worker;
    struct connection *connection = calloc(1, sizeof *connection);
    if (connection == nullptr) {
        return nullptr;
    }
    connection->worker = worker;
    connection->tenure = door->tenure;
    connection->listener = door->listener;
    connection->timer.fire = on_deadline;
    connection->client = (struct leg){.io = worker->io, .stream.row = &CLIENT, .stream.fd = -1};
    connection->server = (struct leg){.io = worker->io, .stream.row = &SERVER, .stream.fd = -1};
    connection->client.is_handshaken = connection->server.is_handshaken = true;
    connection->group = EDGE_GROUP_OTHER;
    connection->accepted_us = connection->last_us = io_now_us(worker->io);
    if (!io_open(worker->io, &connection->client.stream, fd)) {
        free(connection);
        return nullptr;
    }
    connection->is_client_open = true;
    return connection;
}

static void enlist(struct connection *connection) {
    struct worker *worker = connection->worker;
    connection->next = worker->connections;
    if (worker->connections != nullptr) {
        worker->connections->before = connection;
    }
    worker->connections = connection;
    worker->connection_count++;
    worker->live++;
    connection->tenure->connections++;
    connection->listener->live->count++;
    struct metric_at at = {.label_1 = connection->listener->number};
    metrics_add(worker->metrics, METRIC_CONNECTIONS, at, 1);
    metrics_add(worker->metrics, METRIC_CONNECTIONS_LIVE, at, 1);
}

void connection_accept(struct door *door, int fd) {
    enum edge_refusal refusal = EDGE_REFUSED_PREFIX;
    struct worker *worker = door->tenure->worker;
    struct connection *connection = connection_new(door, fd);
    if (connection == nullptr) {
        metrics_refusal(worker->metrics, EDGE_REFUSED_MEMORY);
        (void)close(fd);
        return;
    }
    enlist(connection);
    socklen_t size = sizeof connection->address;
    (void)getpeername(fd, (struct sockaddr *)&connection->address, &size);
    const struct edge_listener *config = door->listener->config;
    if (config->proxy_out != EDGE_PROXY_NONE) {
        size = sizeof connection->target;
        (void)getsockname(fd, (struct sockaddr *)&connection->target, &size);
    }
    if (door->listener->live->count > config->limits.connections) {
        limit_hit(LIMIT_ID_EDGE_CONNECTIONS);
        connection_refuse(connection, EDGE_REFUSED_CONNECTIONS);
        return;
    }
    if (connection_is_trusted(config, (const struct sockaddr *)&connection->address)) {
        connection->phase = PHASE_HEADER;
    } else if (!connection_admit(connection, &refusal)) {
        connection_refuse(connection, refusal);
        return;
    } else {
        connection->phase = PHASE_HELLO;
    }
    connection_begin(connection);
}
