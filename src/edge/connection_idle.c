/* SPDX-License-Identifier: Apache-2.0
 *
 * A relay where nothing comes any more. Megabytes of what came may be on their way still, here and
 * in the kernel, to somebody who reads slowly: as long as he does, it is not idle. The kernel is
 * asked when a deadline is over, not before: so who stops reading is given two of them.
 */
#include "edge/connection.h"

static const struct edge_limits *limits_of(const struct connection *connection) {
    return &connection->listener->config->limits;
}

/* Whether some of what waits to be sent, or did at the last look, got to where it goes since. */
static bool is_delivering(struct connection *connection) {
    uint64_t to_client = 0, to_server = 0;
    bool did_wait = connection->is_delivering;
    bool waits = io_is_sending(&connection->client.stream, &to_client);
    waits = io_is_sending(&connection->server.stream, &to_server) || waits;
    bool has_moved = to_client + to_server != connection->delivered;
    connection->delivered = to_client + to_server;
    connection->is_delivering = waits;
    return (waits || did_wait) && has_moved;
}

/* Timers count in milliseconds, and may be one early for what is measured in microseconds. */
void connection_idle(struct connection *connection) {
    const struct edge_limits *limits = limits_of(connection);
    uint64_t now_us = io_now_us(connection->worker->io);
    uint64_t idle_us = now_us - connection->last_us;
    uint64_t limit_us = (uint64_t)limits->idle_ms * 1000u;
    uint64_t left_us = idle_us < limit_us ? limit_us - idle_us : 0;
    if (limits->first_byte_ms > 0 && !connection->has_first_byte) {
        uint64_t until_us = connection->connected_us + (uint64_t)limits->first_byte_ms * 1000u;
        if (now_us >= until_us) {
            connection_blame_silence(connection);
            connection_abort(connection, EDGE_ERROR_FIRST_BYTE_TIMEOUT);
            return;
        }
        left_us = until_us - now_us < left_us ? until_us - now_us : left_us;
    }
    if (left_us == 0 && is_delivering(connection)) {
        connection->last_us = now_us;
        left_us = limit_us;
    }
    if (left_us == 0) {
        connection_abort(connection, EDGE_ERROR_IDLE_TIMEOUT);
    } else {
        connection_deadline(connection, (uint32_t)(left_us / 1000u) + 1);
    }
}

void connection_idle_at_end(struct connection *connection) {
    if (is_delivering(connection)) {
        connection_deadline(connection, limits_of(connection)->idle_ms);
    } else {
        connection_abort(connection, EDGE_ERROR_IDLE_TIMEOUT);
    }
}
