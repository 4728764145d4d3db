/* SPDX-License-Identifier: Apache-2.0
 *
 * One line for each connection, when it is over. Those of strangers that came to nothing (no
 * handshake, or refused) are written LIMIT_EDGE_LOG_EVENTS times a second at most; connections that
 * carried something, always.
 */
#pragma once

#include <sys/socket.h>

#include "edge/log.h"

struct access_record {
    const char *listener;
    const struct sockaddr *client; /* nullptr: not known */
    bool is_tls;                   /* the handshake with the client is done */
    bool is_retried;               /* after a HelloRetryRequest */
    enum edge_group group;
    const char *tls_version; /* "TLSv1.3"; nullptr: none, here and below */
    const char *suite;
    struct slice sni; /* as the client sent it */
    struct slice alpn;
    const char *client_key; /* SHA-256 of the client's public key, in hex */
    const char *upstream;
    const char *server;
    enum edge_group upstream_group; /* where has_upstream_tls */
    bool has_upstream_tls;
    uint32_t tries;         /* servers that were tried */
    uint64_t handshake_us;  /* accepted until done; 0: was not, here and below */
    uint64_t connect_us;    /* until the server was connected */
    uint64_t first_byte_us; /* connected until the server's first byte */
    uint64_t total_us;
    uint64_t bytes_in, bytes_out; /* payload, from and to the client */
    /* "done", or the text of edge_refusal_text() or edge_error_text(). */
    const char *end;
    const char *why; /* what the system or libssl said of it; nullptr: nothing */
    bool is_refused; /* or failed before it carried anything */
};

void access_log(struct log_writer *writer, const struct access_record *record);

/* Of a UDP session. Anybody can make the first datagram come from anywhere, so that those without a
 * second one are written LIMIT_EDGE_LOG_EVENTS times a second at most. */
struct session_record {
    const char *listener;
    const struct sockaddr *client, *server;
    const char *upstream;
    uint64_t total_us;
    uint64_t datagrams_in, datagrams_out, bytes_in, bytes_out; /* from and to the client */
    const char *end;                                           /* why */
};

void session_log(struct log_writer *writer, const struct session_record *record);
