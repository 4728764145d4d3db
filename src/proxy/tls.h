/* SPDX-License-Identifier: Apache-2.0
 *
 * TLS for hosts to which a header is added: the proxy is the server for the sandbox, with a
 * certificate that only this run trusts, and a client that verifies the real server. The key that
 * signs those certificates exists until they are made, which is before the proxy is confined.
 */
#pragma once

#include <openssl/types.h>

#include "base/error.h"
#include "proxy/protocol.h"

struct tls {
    SSL_CTX *upstream;                    /* owned; nullptr: nothing is intercepted */
    SSL_CTX *served[LIMIT_EGRESS_INJECT]; /* owned; beside the config's injects */
    struct builder ca;                    /* PEM of what the sandbox has to trust */
};

/* Makes everything when the config has a TLS host. Reads the certificates to trust: the config's
 * file, or the system's. ERROR_IO with what is missing. */
status_t tls_prepare(const struct egress_config *config, struct tls *ret_tls, struct error *err);
/* The context of a target; nullptr: it is not intercepted. */
SSL_CTX *tls_served(const struct tls *tls, const struct egress_config *config, const char *host,
                    uint16_t port);
/* A session's end towards the sandbox, and towards the server of that name. nullptr: memory. */
SSL *tls_accept(SSL_CTX *served, int fd);
SSL *tls_connect(const struct tls *tls, const char *host, int fd);

enum tls_step : uint8_t { TLS_DONE, TLS_READ, TLS_WRITE, TLS_FAILED };
/* Goes on with a handshake. */
enum tls_step tls_shake(SSL *ssl);
/* Why the last one failed. Constant text. */
const char *tls_reason(const SSL *ssl);
