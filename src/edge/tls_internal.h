/* SPDX-License-Identifier: Apache-2.0
 *
 * What tls_server.c, tls_hello.c and tls_client.c share.
 */
#pragma once

#include <openssl/ssl.h>

#include "edge/certificates.h"
#include "edge/tls_server.h"

#define TLS_SUITES "TLS_AES_256_GCM_SHA384:TLS_CHACHA20_POLY1305_SHA256:TLS_AES_128_GCM_SHA256"

enum : uint32_t {
    TLS_POST_QUANTUM = 1u << EDGE_GROUP_X25519MLKEM768 | 1u << EDGE_GROUP_SECP384R1MLKEM1024 |
                       1u << EDGE_GROUP_SECP256R1MLKEM768 | 1u << EDGE_GROUP_MLKEM1024,
    TLS_CLASSICAL = 1u << EDGE_GROUP_X25519 | 1u << EDGE_GROUP_SECP256R1,
};

struct tls_server {
    const struct edge_config *config;
    const struct edge_listener *listener;
    struct certificates *certificates; /* owned */
    SSL_CTX *context;                  /* owned */
};

int tls_on_hello(SSL *tls, int *ret_alert, void *unused);
int tls_on_alpn(SSL *tls, const unsigned char **ret_protocol, unsigned char *ret_size,
                const unsigned char *offered, unsigned offered_size, void *unused);
bool tls_alpn_has(struct slice list, struct slice protocol);

/* What both directions have in common: version, suites, groups, whom to trust, what to show. */
status_t tls_context_set(SSL_CTX *context, enum edge_pq pq, struct certificates *certificates,
                         struct error *err);
