/* SPDX-License-Identifier: Apache-2.0
 *
 * Both legs stand: bytes go from each to the other, never further ahead than the receiver lets
 * them, until both have said that they send no more.
 */
#include <openssl/ssl.h>

#include "edge/connection.h"

static struct leg *other(struct connection *connection, const struct leg *leg) {
    if (connection->listener->config->mode == EDGE_ECHO) {
        return &connection->client;
    }
    return leg == &connection->client ? &connection->server : &connection->client;
}

static bool is_open(const struct connection *connection) {
    return connection->phase == PHASE_RELAY;
}

static void first_byte(struct connection *connection) {
    uint64_t now_us = io_now_us(connection->worker->io);
    connection->has_first_byte = true;
    connection->first_byte_us = now_us;
    metrics_observe(connection->worker->metrics, METRIC_FIRST_BYTE_SECONDS, (struct metric_at){},
                    now_us - connection->connected_us);
}

static void count(struct connection *connection, const struct leg *from, uint64_t moved) {
    struct metrics *metrics = connection->worker->metrics;
    if (moved == 0) {
        return;
    }
    bool is_in = from == &connection->client;
    if (is_in) {
        connection->bytes_in += moved;
        metrics_bytes(metrics, connection->listener->number, EDGE_IN, moved);
    }
    if (!is_in || connection->listener->config->mode == EDGE_ECHO) {
        connection->bytes_out += moved;
        metrics_bytes(metrics, connection->listener->number, EDGE_OUT, moved);
    }
    connection->last_us = io_now_us(connection->worker->io);
    if (!is_in && !connection->has_first_byte) {
        first_byte(connection);
    }
}

/* Nothing more comes from `from`, and all that came was passed on. */
static void pass_end_on(struct connection *connection, struct leg *from) {
    struct leg *to = other(connection, from);
    from->is_ended = true;
    leg_shut(to);
    if (to->is_ended) {
        /* A client that leaves first may not have let the server say anything. */
        bool is_silent = from == &connection->client && !connection->has_first_byte;
        if (is_silent && connection->is_succeeded && connection->bytes_in > 0) {
            connection_blame_silence(connection);
            metrics_error(connection->worker->metrics, EDGE_ERROR_UPSTREAM_SILENT);
            connection_close(connection, edge_error_text(EDGE_ERROR_UPSTREAM_SILENT), false);
            return;
        }
        connection_close(connection, "done", false);
    }
}

static void move(struct connection *connection, struct leg *from, struct slice bytes) {
    uint64_t moved = 0;
    bool is_client = from == &connection->client;
    enum leg_result result = leg_move(from, bytes, other(connection, from), &moved);
    count(connection, from, moved);
    switch (result) {
    case LEG_DONE:
    case LEG_MORE:
        break;
    case LEG_FULL:
        io_read_stop(connection->worker->io, &from->stream);
        break;
    case LEG_END:
        io_read_stop(connection->worker->io, &from->stream);
        pass_end_on(connection, from);
        break;
    case LEG_BROKEN:
        connection->why = tls_why(from->tls);
        if (is_client) {
            connection_break(connection, EDGE_ERROR_TLS);
        } else {
            connection_abort(connection, EDGE_ERROR_UPSTREAM_TLS);
        }
        break;
    case LEG_NO_MEMORY:
        connection_abort(connection, EDGE_ERROR_MEMORY);
        break;
    }
}

static void added(struct connection *connection) {
    struct worker *worker = connection->worker;
    metrics_observe(worker->metrics, METRIC_ADDED_SECONDS, (struct metric_at){},
                    io_fresh_us() - io_now_us(worker->io));
}

void relay_passed(struct connection *connection, struct leg *from, size_t size) {
    enum edge_direction direction = from == &connection->client ? EDGE_IN : EDGE_OUT;
    count(connection, from, size);
    metrics_add(connection->worker->metrics, METRIC_SPLICED,
                (struct metric_at){.label_1 = connection->listener->number, .label_2 = direction},
                (int64_t)size);
    added(connection);
}

void relay_received(struct connection *connection, struct leg *from, struct slice bytes) {
    if (from->is_ended) {
        return; /* behind a close_notify */
    }
    move(connection, from, bytes); /* it may close the connection, but not free it */
    added(connection);
}

void relay_ended(struct connection *connection, struct leg *from) {
    if (from->is_ended) {
        return;
    }
    if (leg_has_more(from) && io_is_full(&other(connection, from)->stream)) {
        from->has_eof = true; /* told once what is held was passed on */
        return;
    }
    /* What is left while there is room is part of a record whose rest will never come. */
    if (from->tls == nullptr) {
        pass_end_on(connection, from);
        return;
    }
    /* An end without close_notify may be anybody's doing. Where the other side speaks TLS it is
     * passed on as it came, behind what came before it; else as an abort, the only end in clear
     * that says the same. After the server's end there is nothing left that could be missing; after
     * a client's there is, the rest of its answer, and one in TLS sees that no close_notify comes.
     */
    const struct leg *to = other(connection, from);
    if (to->is_ended && (from == &connection->client || to->tls != nullptr)) {
        from->is_ended = true;
        connection_close(connection, "done", false);
        return;
    }
    if (to->tls == nullptr) {
        connection_abort(connection, EDGE_ERROR_TRUNCATED);
        return;
    }
    metrics_error(connection->worker->metrics, EDGE_ERROR_TRUNCATED);
    connection_close(connection, edge_error_text(EDGE_ERROR_TRUNCATED), false);
}

void relay_drained(struct connection *connection, struct leg *to) {
    if (!is_open(connection)) {
        return;
    }
    struct leg *from = other(connection, to);
    if (from->is_ended) {
        return;
    }
    move(connection, from, (struct slice){});
    if (!is_open(connection) || from->is_ended || io_is_full(&to->stream)) {
        return;
    }
    if (from->has_eof) {
        from->has_eof = false;
        relay_ended(connection, from);
        return;
    }
    io_read_start(connection->worker->io, &from->stream);
}

/* Where nothing is opened or sealed, the kernel may move bytes by itself. */
static void join(struct connection *connection) {
    struct leg *client = &connection->client, *server = &connection->server;
    bool is_clear = client->tls == nullptr && server->tls == nullptr;
    if (is_clear && connection->listener->config->mode != EDGE_ECHO && is_open(connection)) {
        io_join(connection->worker->io, &client->stream, &server->stream);
        io_join(connection->worker->io, &server->stream, &client->stream);
    }
}

void connection_relay(struct connection *connection) {
    struct io *io = connection->worker->io;
    const struct edge_limits *limits = &connection->listener->config->limits;
    connection->phase = PHASE_RELAY;
    connection->last_us = io_now_us(io);
    if (connection->listener->config->mode == EDGE_ECHO) {
        connection->has_first_byte = true;
    }
    bool waits = limits->first_byte_ms > 0 && limits->first_byte_ms < limits->idle_ms &&
                 !connection->has_first_byte;
    connection_deadline(connection, waits ? limits->first_byte_ms : limits->idle_ms);
    join(connection);
    /* What came with the handshake of either is passed on before anything else is read. */
    if (connection->server.tls != nullptr && is_open(connection)) {
        move(connection, &connection->server, (struct slice){});
    }
    if (is_open(connection)) {
        move(connection, &connection->client, (struct slice){});
    }
    if (is_open(connection) && connection->client.has_eof) {
        connection->client.has_eof = false;
        relay_ended(connection, &connection->client); /* or it waits for room */
    }
    if (!is_open(connection)) {
        return;
    }
    if (connection->is_server_open && !connection->server.is_ended &&
        !io_is_full(&connection->client.stream)) {
        io_read_start(io, &connection->server.stream);
    }
    if (!connection->client.is_ended &&
        !io_is_full(&other(connection, &connection->client)->stream)) {
        io_read_start(io, &connection->client.stream);
    }
}
