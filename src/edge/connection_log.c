/* SPDX-License-Identifier: Apache-2.0
 *
 * What is written about a connection when it is over.
 */
#include <openssl/ssl.h>
#include <stdio.h>

#include "codec/text.h"
#include "edge/access_log.h"
#include "edge/connection.h"

static const char *end_of(const struct connection *connection) {
    return connection->end != nullptr ? connection->end : "done";
}

static void fill_tls(const struct connection *connection, struct access_record *record) {
    const SSL *tls = connection->client.tls;
    const struct tls_peer *peer = &connection->peer;
    record->sni = slice_of_string(peer->sni);
    record->alpn = slice_of(peer->alpn, peer->alpn_size);
    if (tls == nullptr || connection->handshaken_us == 0) {
        return;
    }
    record->is_tls = true;
    record->is_retried = peer->hellos > 1;
    record->group = connection->group;
    record->tls_version = SSL_get_version(tls);
    record->suite = SSL_get_cipher_name(tls);
    record->handshake_us = connection->handshaken_us - connection->accepted_us;
}

void connection_log(const struct connection *connection) {
    char client_key[2 * EDGE_SPKI_BYTES + 1];
    const struct upstream_choice *choice = &connection->choice;
    struct access_record record = {
        .listener = connection->listener->config->name,
        .client = (const struct sockaddr *)&connection->address,
        .tries = choice->tries,
        .total_us = io_now_us(connection->worker->io) - connection->accepted_us,
        .bytes_in = connection->bytes_in,
        .bytes_out = connection->bytes_out,
        .end = end_of(connection),
        .why = connection->end != nullptr ? connection->why : nullptr,
        .is_refused = connection->is_refused,
    };
    fill_tls(connection, &record);
    if (connection->peer.has_certificate) {
        struct builder hex;
        builder_init(&hex, sizeof client_key);
        text_hex(slice_of(connection->peer.spki, sizeof connection->peer.spki), &hex);
        (void)snprintf(client_key, sizeof client_key, "%s", builder_c_string(&hex));
        builder_deinit(&hex);
        record.client_key = client_key;
    }
    if (choice->config != nullptr) {
        record.upstream = connection->tenure->setup->config->upstreams[connection->upstream].name;
        record.server = choice->config->address;
    }
    if (connection->connected_us > 0) {
        record.connect_us = connection->connected_us - connection->connecting_us;
    }
    if (connection->first_byte_us > 0) {
        record.first_byte_us = connection->first_byte_us - connection->connected_us;
    }
    if (connection->server.tls != nullptr && connection->server.is_handshaken) {
        record.has_upstream_tls = true;
        record.upstream_group = tls_group(connection->server.tls, nullptr);
    }
    access_log(connection->worker->log, &record);
}
