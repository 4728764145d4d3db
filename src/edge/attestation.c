/* SPDX-License-Identifier: Apache-2.0
 *
 * A connection that speaks airlock-attest/1: it goes to no server. Its one request is answered with
 * evidence about this very connection, then it ends.
 */
#include <openssl/ssl.h>
#include <stdlib.h>

#include "base/limits.h"
#include "edge/connection.h"
#include "enclave/attest.h"

static_assert(sizeof TLS_EXPORTER_LABEL == sizeof EVIDENCE_EXPORTER_LABEL);

void connection_attest(struct connection *connection) {
    connection->request = malloc(sizeof *connection->request);
    if (connection->request == nullptr) {
        connection_refuse(connection, EDGE_REFUSED_MEMORY);
        return;
    }
    builder_init(connection->request, LIMIT_ATTEST_BYTES);
    connection->phase = PHASE_ATTEST;
    connection_deadline(connection, connection->listener->config->limits.hello_ms);
    connection_attest_received(connection, (struct slice){}); /* what came with the handshake */
}

/* False when this end of the connection cannot tell what it is. */
static bool answer(struct connection *connection, struct builder *ret_response,
                   enum attest_result *ret_result) {
    uint8_t exporter[EVIDENCE_EXPORTER_BYTES];
    const struct setup *setup = connection->tenure->setup;
    const struct tls_server *server = connection->peer.server;
    if (SSL_export_keying_material(connection->client.tls, exporter, sizeof exporter,
                                   TLS_EXPORTER_LABEL, sizeof TLS_EXPORTER_LABEL - 1,
                                   (const unsigned char *)"", 0, 1) != 1) {
        return false;
    }
    const struct attest_context context = {
        .binding =
            {
                .kind = EVIDENCE_KIND_CONNECTION,
                .exporter = slice_of(exporter, sizeof exporter),
                .spki_hash = slice_of(tls_server_spki(server), EDGE_SPKI_BYTES),
                .group = connection->group_code,
                .config_hash = slice_of(setup->config->digest, sizeof setup->config->digest),
            },
        .provider = &setup->provider,
        .leaf = tls_server_key(server),
    };
    *ret_result = attest_answer(builder_slice(connection->request), &context, ret_response);
    return true;
}

/* Sends the answer; the connection ends when it is sent. */
static void finish(struct connection *connection, struct slice response) {
    connection->bytes_in = connection->request->size;
    connection->bytes_out = response.size;
    io_read_stop(connection->worker->io, &connection->client.stream);
    if (!leg_say(&connection->client, response)) {
        connection_abort(connection, EDGE_ERROR_MEMORY);
        return;
    }
    leg_shut(&connection->client);
    connection_close(connection, "attested", false);
}

void connection_attest_received(struct connection *connection, struct slice bytes) {
    struct builder response;
    enum attest_result result = ATTEST_MORE;
    enum leg_result read = leg_take(&connection->client, bytes, connection->request);
    if (read == LEG_BROKEN || read == LEG_NO_MEMORY) {
        connection_abort(connection, read == LEG_BROKEN ? EDGE_ERROR_TLS : EDGE_ERROR_MEMORY);
        return;
    }
    builder_init(&response, (size_t)2 * LIMIT_ATTEST_BYTES);
    const struct stopwatch watch = connection_stopwatch();
    bool is_known = answer(connection, &response, &result);
    connection_charge(connection, &watch); /* a signature costs what a handshake's does */
    if (!is_known) {
        connection_abort(connection, EDGE_ERROR_TLS);
    } else if (result == ATTEST_ANSWERED) {
        finish(connection, builder_slice(&response));
    } else if (read == LEG_END) {
        connection_abort(connection, EDGE_ERROR_CLIENT_RESET);
    }
    builder_deinit(&response);
}

void connection_attest_forget(struct connection *connection) {
    if (connection->request != nullptr) {
        builder_deinit(connection->request);
        free(connection->request);
    }
}
