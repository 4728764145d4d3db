/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <string.h>
#include <sys/time.h>
#include <unistd.h>

#include "edge/bench.h"
#include "sys/fd.h"

enum { PATIENCE_S = 10 };

static status_t tls_failed(const char *what, struct error *err) {
    const char *why = ERR_reason_error_string(ERR_peek_last_error());
    ERR_clear_error();
    return error_set(err, ERROR_IO, 0, "cannot %s: %s", what,
                     why != nullptr ? why : "the connection ended");
}

static status_t open_socket(const struct sockaddr_storage *to, int *ret_fd, struct error *err) {
    const int on = 1;
    const struct timeval patience = {.tv_sec = PATIENCE_S};
    socklen_t size =
        to->ss_family == AF_INET ? sizeof(struct sockaddr_in) : sizeof(struct sockaddr_in6);
    *ret_fd = socket(to->ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (*ret_fd < 0 || connect(*ret_fd, (const struct sockaddr *)to, size) != 0) {
        (void)error_set(err, ERROR_IO, errno, "cannot connect to the service that echoes");
        error_hint(err, "Leave --to out for one of our own, or start one: "
                        "socat TCP-LISTEN:7000,fork,reuseaddr EXEC:cat");
        return (status_t){(int)err->code};
    }
    (void)setsockopt(*ret_fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    (void)setsockopt(*ret_fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    (void)setsockopt(*ret_fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience);
    return STATUS_OK;
}

static status_t shake(const struct bench_edge *edge, const char *group,
                      struct bench_connection *connection, struct error *err) {
    connection->ssl = SSL_new(edge->context);
    if (connection->ssl == nullptr || SSL_set1_groups_list(connection->ssl, group) != 1 ||
        SSL_set1_host(connection->ssl, "localhost") != 1 ||
        SSL_set_tlsext_host_name(connection->ssl, "localhost") != 1 ||
        SSL_set_fd(connection->ssl, connection->fd) != 1) {
        return tls_failed("prepare TLS", err);
    }
    return SSL_connect(connection->ssl) == 1 ? STATUS_OK : tls_failed("shake hands", err);
}

status_t bench_connect(const struct bench_edge *edge, const struct sockaddr_storage *to,
                       const char *group, struct bench_connection *ret_connection,
                       struct error *err) {
    struct bench_connection connection = {.fd = -1};
    status_t status = open_socket(to, &connection.fd, err);
    if (status_is_ok(status) && group != nullptr) {
        status = shake(edge, group, &connection, err);
    }
    if (status_is_ok(status)) {
        *ret_connection = connection;
    } else {
        bench_close(&connection);
    }
    return status;
}

void bench_close(struct bench_connection *connection) {
    SSL_free(connection->ssl);
    connection->ssl = nullptr;
    fd_closep(&connection->fd);
}

static ssize_t read_some(const struct bench_connection *connection, uint8_t *bytes, size_t size) {
    return connection->ssl != nullptr ? SSL_read(connection->ssl, bytes, (int)size)
                                      : read(connection->fd, bytes, size);
}

static bool write_whole(const struct bench_connection *connection, const uint8_t *bytes,
                        size_t size) {
    return (connection->ssl != nullptr ? SSL_write(connection->ssl, bytes, (int)size)
                                       : write(connection->fd, bytes, size)) == (ssize_t)size;
}

status_t bench_echo(const struct bench_connection *connection, struct error *err) {
    static uint8_t sent[BENCH_MESSAGE_BYTES], received[BENCH_MESSAGE_BYTES];
    static uint8_t turn;
    size_t have = 0;
    memset(sent, ++turn, sizeof sent);
    if (!write_whole(connection, sent, sizeof sent)) {
        return error_set(err, ERROR_IO, errno, "cannot send to the service that echoes");
    }
    while (have < sizeof received) {
        ssize_t size = read_some(connection, received + have, sizeof received - have);
        if (size <= 0) {
            return error_set(err, ERROR_IO, size < 0 ? errno : 0,
                             "the service did not send back what it got");
        }
        have += (size_t)size;
    }
    return memcmp(sent, received, sizeof sent) == 0
               ? STATUS_OK
               : error_set(err, ERROR_IO, 0, "the service sends back something else");
}
