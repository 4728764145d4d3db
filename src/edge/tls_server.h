/* SPDX-License-Identifier: Apache-2.0
 *
 * TLS towards clients: one context for each listener that has a certificate. TLS 1.3 alone, no
 * tickets, no early data, the groups that `pq` lets through.
 *
 * What a client offers is looked at once its ClientHello is there, and again when it had to send a
 * second one: who is refused, and why, is known before anything expensive is done for it.
 */
#pragma once

#include <openssl/types.h>

#include "codec/host.h"
#include "crypto/hash.h"
#include "edge/metrics.h"

struct tls_server;

/* RFC 9266: what binds something to one connection. */
#define TLS_EXPORTER_LABEL "EXPORTER-Channel-Binding"

/* What TLS knows of a client; in its connection, at one place as long as the SSL is. */
struct tls_peer {
    const struct tls_server *server;
    uint32_t offers;       /* bits of enum edge_group: in supported_groups */
    uint8_t hellos;        /* 2: after a HelloRetryRequest */
    struct digest hello;   /* of what may not change in the second one */
    const char *complaint; /* about its ClientHello; a constant, or nullptr */
    bool is_refused;       /* for `refusal` */
    enum edge_refusal refusal;
    bool has_certificate; /* accepted; `spki` is the SHA-256 of its public key */
    uint8_t spki[EDGE_SPKI_BYTES];
    bool is_attestation; /* it speaks airlock-attest/1 */
    uint32_t route;      /* index among the listener's, where it has some */
    uint8_t alpn_size;
    uint8_t alpn[255];
    char sni[HOST_TEXT_BYTES]; /* in lower case; "" when it named none */
};

/* `config` is borrowed for its life. Errors: what certificates_load() says, ERROR_PROXY_CONFIG. */
status_t tls_server_new(const struct edge_config *config, const struct edge_listener *listener,
                        struct tls_server **ret_server, struct error *err);
void tls_server_free(struct tls_server *server); /* nullptr is fine */
/* Seconds since 1970 when its certificate ends. */
int64_t tls_server_expiry(const struct tls_server *server);
/* SHA-256 of its certificate's public key. */
const uint8_t *tls_server_spki(const struct tls_server *server);
EVP_PKEY *tls_server_key(const struct tls_server *server);

/* A connection's end; nullptr when memory runs out. `peer` is emptied. */
SSL *tls_server_open(const struct tls_server *server, struct tls_peer *peer);

/* After the handshake: what certificate the client showed. False when memory runs out. */
bool tls_peer_finish(SSL *tls, struct tls_peer *peer);
/* Right after a handshake failed: because of the client's certificate, or because it had none. */
bool tls_peer_is_unwanted(const struct tls_peer *peer);

/* The group of a finished handshake; its code point too when `ret_code` is not nullptr. */
enum edge_group tls_group(SSL *tls, uint16_t *ret_code);
/* Right after a handshake or a read failed: what we or libssl say of it, in words; nullptr when
 * there is nothing to say. A constant. */
const char *tls_why(const SSL *tls);
/* Why an established handshake is classical. */
enum edge_fallback tls_fallback(const struct tls_peer *peer);

/* The route for a name and what the client speaks, a list in the form of RFC 7301 (nullptr: it
 * named none). False: none fits. */
bool edge_route_find(const struct edge_listener *listener, const char *sni, struct slice alpn,
                     uint32_t *ret_route);
