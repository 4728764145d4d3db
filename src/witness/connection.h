/* SPDX-License-Identifier: Apache-2.0
 *
 * One connection to a witness, in clear or in TLS 1.3, with one deadline for all of it.
 */
#pragma once

#include <openssl/types.h>

#include "witness/protocol.h"
#include "witness/url.h"

struct connection {
    int fd;           /* owned; -1 when there is none */
    SSL_CTX *context; /* owned; nullptr without TLS */
    SSL *tls;         /* owned */
    uint64_t deadline_ms;
    char text[WITNESS_TEXT_BYTES]; /* why TLS failed */
    int os_errno;
};

/* What needs files and new descriptors: the socket, libssl, the certificates of the file `ca` (""
 * for the system's). Before confinement. Zero `connection` with fd -1 is enough for a close. */
enum witness_outcome connection_prepare(struct connection *connection, const struct url *url,
                                        const struct url_address *address, const char *ca);
/* Connects; with TLS, checks the server's certificate and that it is for the URL's host. */
enum witness_outcome connection_open(struct connection *connection,
                                     const struct url_address *address);
enum witness_outcome connection_send(struct connection *connection, struct slice bytes);
/* Reads what is there, at least one byte; *ret_size 0 is the end. */
enum witness_outcome connection_receive(struct connection *connection, void *buffer, size_t size,
                                        size_t *ret_size);
void connection_close(struct connection *connection);
