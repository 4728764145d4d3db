/* SPDX-License-Identifier: Apache-2.0
 *
 * The socket never blocks; whoever must wait waits in one place, at most until the deadline. TLS is
 * 1.3 alone with libssl's own list of groups, which begins with X25519MLKEM768. A server that ends
 * its stream without saying so (no close_notify) has not ended it: what came is cut short.
 */
#include "witness/connection.h"

#include <errno.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "sys/fd.h"

/* Where distributions keep the certificates they trust. */
static const char *const SYSTEM_CA[] = {
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/ca-bundle.pem",
    "/etc/ssl/cert.pem",
};

static uint64_t now_ms(void) {
    struct clock clock = clock_system();
    return clock_monotonic_ns(&clock) / 1000000;
}

static bool ca_load(SSL_CTX *context, const char *ca) {
    if (ca[0] != '\0') {
        return SSL_CTX_load_verify_file(context, ca) == 1;
    }
    for (size_t i = 0; i < sizeof SYSTEM_CA / sizeof SYSTEM_CA[0]; i++) {
        if (SSL_CTX_load_verify_file(context, SYSTEM_CA[i]) == 1) {
            return true;
        }
    }
    return false;
}

static enum witness_outcome tls_prepare(struct connection *connection, const struct url *url,
                                        const char *ca) {
    const uint64_t options = OPENSSL_INIT_NO_LOAD_CONFIG | OPENSSL_INIT_NO_ATEXIT;
    if (OPENSSL_init_ssl(options, nullptr) != 1) {
        return WITNESS_INTERNAL;
    }
    connection->context = SSL_CTX_new(TLS_client_method());
    if (connection->context == nullptr ||
        SSL_CTX_set_min_proto_version(connection->context, TLS1_3_VERSION) != 1) {
        return WITNESS_INTERNAL;
    }
    SSL_CTX_set_verify(connection->context, SSL_VERIFY_PEER, nullptr);
    if (!ca_load(connection->context, ca)) {
        return WITNESS_NO_CA;
    }
    connection->tls = SSL_new(connection->context);
    if (connection->tls == nullptr) {
        return WITNESS_INTERNAL;
    }
    X509_VERIFY_PARAM *checks = SSL_get0_param(connection->tls);
    X509_VERIFY_PARAM_set_hostflags(checks, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
    bool is_set = url->is_literal ? X509_VERIFY_PARAM_set1_ip_asc(checks, url->host) == 1
                                  : SSL_set1_host(connection->tls, url->host) == 1 &&
                                        SSL_set_tlsext_host_name(connection->tls, url->host) == 1;
    return is_set && SSL_set_fd(connection->tls, connection->fd) == 1 ? WITNESS_ANSWERED
                                                                      : WITNESS_INTERNAL;
}

enum witness_outcome connection_prepare(struct connection *connection, const struct url *url,
                                        const struct url_address *address, const char *ca) {
    connection->deadline_ms = now_ms() + (uint64_t)LIMIT_WITNESS_MS;
    connection->fd =
        socket(address->any.sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, IPPROTO_TCP);
    if (connection->fd < 0) {
        connection->os_errno = errno;
        return WITNESS_UNREACHABLE;
    }
    return url->is_tls ? tls_prepare(connection, url, ca) : WITNESS_ANSWERED;
}

/* Waits until the socket can be read or written (`events`). */
static enum witness_outcome wait_for(struct connection *connection, short events) {
    for (;;) {
        uint64_t now = now_ms();
        if (now >= connection->deadline_ms) {
            limit_hit(LIMIT_ID_WITNESS_MS);
            return WITNESS_TIMEOUT;
        }
        struct pollfd poller = {.fd = connection->fd, .events = events};
        int ready = poll(&poller, 1, (int)(connection->deadline_ms - now));
        if (ready > 0) {
            return WITNESS_ANSWERED;
        }
        if (ready < 0 && errno != EINTR) {
            connection->os_errno = errno;
            return WITNESS_UNREACHABLE;
        }
    }
}

/* Waits for what a TLS call that returned `result` wants; anything else has failed. */
static enum witness_outcome tls_wait(struct connection *connection, int result) {
    int reason = SSL_get_error(connection->tls, result);
    if (reason == SSL_ERROR_WANT_READ) {
        return wait_for(connection, POLLIN);
    }
    if (reason == SSL_ERROR_WANT_WRITE) {
        return wait_for(connection, POLLOUT);
    }
    long verified = SSL_get_verify_result(connection->tls);
    const char *text = verified != X509_V_OK ? X509_verify_cert_error_string(verified)
                                             : ERR_reason_error_string(ERR_peek_error());
    (void)snprintf(connection->text, sizeof connection->text, "%s",
                   text != nullptr ? text : "the server ended the connection");
    return WITNESS_UNTRUSTED;
}

static enum witness_outcome tls_open(struct connection *connection) {
    for (;;) {
        ERR_clear_error();
        int result = SSL_connect(connection->tls);
        if (result == 1) {
            return WITNESS_ANSWERED;
        }
        enum witness_outcome outcome = tls_wait(connection, result);
        if (outcome != WITNESS_ANSWERED) {
            return outcome;
        }
    }
}

enum witness_outcome connection_open(struct connection *connection,
                                     const struct url_address *address) {
    if (connect(connection->fd, &address->any, address->size) != 0) {
        if (errno != EINPROGRESS) {
            connection->os_errno = errno;
            return WITNESS_UNREACHABLE;
        }
        enum witness_outcome outcome = wait_for(connection, POLLOUT);
        if (outcome != WITNESS_ANSWERED) {
            return outcome;
        }
        socklen_t size = sizeof connection->os_errno;
        if (getsockopt(connection->fd, SOL_SOCKET, SO_ERROR, &connection->os_errno, &size) != 0 ||
            connection->os_errno != 0) {
            return WITNESS_UNREACHABLE;
        }
    }
    return connection->tls != nullptr ? tls_open(connection) : WITNESS_ANSWERED;
}

/* One attempt; *ret_size 0 with ANSWERED: try again. */
static enum witness_outcome send_some(struct connection *connection, struct slice bytes,
                                      size_t *ret_size) {
    *ret_size = 0;
    if (connection->tls != nullptr) {
        ERR_clear_error();
        int result = SSL_write_ex(connection->tls, bytes.data, bytes.size, ret_size);
        return result == 1 ? WITNESS_ANSWERED : tls_wait(connection, result);
    }
    ssize_t sent = send(connection->fd, bytes.data, bytes.size, MSG_NOSIGNAL);
    if (sent < 0) {
        if (errno == EAGAIN || errno == EINTR) {
            return wait_for(connection, POLLOUT);
        }
        connection->os_errno = errno;
        return WITNESS_UNREACHABLE;
    }
    *ret_size = (size_t)sent;
    return WITNESS_ANSWERED;
}

enum witness_outcome connection_send(struct connection *connection, struct slice bytes) {
    while (bytes.size > 0) {
        size_t sent;
        enum witness_outcome outcome = send_some(connection, bytes, &sent);
        if (outcome != WITNESS_ANSWERED) {
            return outcome;
        }
        bytes = slice_of(bytes.data + sent, bytes.size - sent);
    }
    return WITNESS_ANSWERED;
}

/* One attempt; *ret_again: nothing came yet. */
static enum witness_outcome receive_some(struct connection *connection, void *buffer, size_t size,
                                         size_t *ret_size, bool *ret_again) {
    *ret_again = false;
    if (connection->tls != nullptr) {
        ERR_clear_error();
        int result = SSL_read_ex(connection->tls, buffer, size, ret_size);
        if (result == 1) {
            return WITNESS_ANSWERED;
        }
        if (SSL_get_error(connection->tls, result) == SSL_ERROR_ZERO_RETURN) {
            *ret_size = 0;
            return WITNESS_ANSWERED;
        }
        *ret_again = true;
        return tls_wait(connection, result);
    }
    ssize_t got = recv(connection->fd, buffer, size, 0);
    if (got < 0) {
        *ret_again = errno == EAGAIN || errno == EINTR;
        connection->os_errno = *ret_again ? 0 : errno;
        return *ret_again ? wait_for(connection, POLLIN) : WITNESS_UNREACHABLE;
    }
    *ret_size = (size_t)got;
    return WITNESS_ANSWERED;
}

enum witness_outcome connection_receive(struct connection *connection, void *buffer, size_t size,
                                        size_t *ret_size) {
    enum witness_outcome outcome;
    bool again;
    do {
        outcome = receive_some(connection, buffer, size, ret_size, &again);
    } while (outcome == WITNESS_ANSWERED && again);
    return outcome;
}

void connection_close(struct connection *connection) {
    SSL_free(connection->tls);
    SSL_CTX_free(connection->context);
    fd_closep(&connection->fd);
    connection->tls = nullptr;
    connection->context = nullptr;
}
