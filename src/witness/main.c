/* SPDX-License-Identifier: Apache-2.0
 *
 * airlock-witness: asks one witness to cosign one checkpoint, over HTTP, and hands airlock what it
 * answered. It is started for one request with a socket as fd 3. What it reads from files (the
 * names in /etc/hosts, the certificates) it reads first; then it gives up all files, and only then
 * touches the network. It holds no secret, and decides nothing: airlock checks the cosignature.
 */
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>

#include "base/cleanup.h"
#include "sys/fd.h"
#include "sys/file.h"
#include "sys/socket.h"
#include "witness/confine.h"
#include "witness/connection.h"
#include "witness/response.h"

enum { HOSTS_BYTES_MAX = 1 << 20, PIECE_BYTES = 16384 };

static enum witness_outcome find_address(const struct url *url, struct url_address *ret_address) {
    struct builder hosts;
    struct error err = {0};
    builder_init(&hosts, HOSTS_BYTES_MAX);
    CLEANUP(fd_closep) int fd = url->is_literal ? -1 : open("/etc/hosts", O_RDONLY | O_CLOEXEC);
    if (fd >= 0) { /* without the file "localhost" is still known */
        (void)!status_is_ok(fd_read_to_end(fd, "/etc/hosts", &hosts, &err));
    }
    bool is_known = url_resolve(url, builder_slice(&hosts), ret_address);
    builder_deinit(&hosts);
    return is_known ? WITNESS_ANSWERED : WITNESS_UNKNOWN_HOST;
}

static enum witness_outcome send_request(struct connection *connection, const struct url *url,
                                         struct slice body) {
    struct builder text;
    builder_init(&text, WITNESS_BODY_BYTES + 4096);
    builder_format(&text,
                   "POST %s/add-checkpoint HTTP/1.1\r\nHost: %s\r\nUser-Agent: airlock\r\n"
                   "Content-Type: text/plain\r\nContent-Length: %zu\r\nConnection: close\r\n\r\n",
                   url->path, url->authority, body.size);
    builder_bytes(&text, body);
    enum witness_outcome outcome =
        builder_is_ok(&text) ? connection_send(connection, builder_slice(&text)) : WITNESS_INTERNAL;
    builder_deinit(&text);
    return outcome;
}

static enum witness_outcome outcome_of(enum response_result result) {
    switch (result) {
    case RESPONSE_WHOLE:
        return WITNESS_ANSWERED;
    case RESPONSE_TOO_LONG:
        limit_hit(LIMIT_ID_WITNESS_BYTES);
        return WITNESS_TOO_LONG;
    case RESPONSE_MORE:
    case RESPONSE_MALFORMED:
        break;
    }
    return WITNESS_MALFORMED;
}

static enum witness_outcome receive_response(struct connection *connection,
                                             struct response *response) {
    struct builder bytes;
    builder_init(&bytes, LIMIT_WITNESS_BYTES + PIECE_BYTES);
    enum witness_outcome outcome = WITNESS_ANSWERED;
    enum response_result result = RESPONSE_MORE;
    while (outcome == WITNESS_ANSWERED && result == RESPONSE_MORE) {
        uint8_t piece[PIECE_BYTES];
        size_t size = 0;
        outcome = connection_receive(connection, piece, sizeof piece, &size);
        if (outcome == WITNESS_ANSWERED) {
            builder_bytes(&bytes, slice_of(piece, size));
            result = response_parse(builder_slice(&bytes), size == 0, response);
        }
    }
    builder_deinit(&bytes);
    return outcome == WITNESS_ANSWERED ? outcome_of(result) : outcome;
}

static enum witness_outcome ask(const struct witness_request *request,
                                struct connection *connection, struct response *response) {
    struct url url;
    struct url_address address;
    if (!url_parse(request->url, &url)) {
        return WITNESS_BAD_URL;
    }
    enum witness_outcome outcome = find_address(&url, &address);
    if (outcome == WITNESS_ANSWERED) {
        outcome = connection_prepare(connection, &url, &address, request->ca);
    }
    if (outcome == WITNESS_ANSWERED && !confine_to_port(url.port)) {
        outcome = WITNESS_INTERNAL;
    }
    if (outcome == WITNESS_ANSWERED) {
        outcome = connection_open(connection, &address);
    }
    if (outcome == WITNESS_ANSWERED) {
        outcome = send_request(connection, &url, request->body);
    }
    return outcome == WITNESS_ANSWERED ? receive_response(connection, response) : outcome;
}

static bool answer(const struct witness_request *request) {
    struct connection connection = {.fd = -1};
    struct response response = {0};
    struct builder message;
    struct error err = {0};
    builder_init(&response.body, LIMIT_WITNESS_BYTES);
    builder_init(&message, WITNESS_REPLY_BYTES);
    struct witness_reply reply = {.outcome = ask(request, &connection, &response)};
    reply.os_errno = (uint32_t)connection.os_errno;
    reply.text = connection.text;
    if (reply.outcome == WITNESS_ANSWERED) {
        reply.status = response.status;
        reply.is_size = response.is_size;
        reply.body = builder_slice(&response.body);
    }
    bool is_sent =
        witness_reply_encode(&reply, &message) &&
        status_is_ok(socket_send(WITNESS_FD_SOCKET, builder_slice(&message), nullptr, &err));
    connection_close(&connection);
    builder_deinit(&message);
    builder_deinit(&response.body);
    return is_sent;
}

int main(void) {
    static uint8_t message[WITNESS_REQUEST_BYTES];
    struct stat socket;
    struct witness_request request;
    struct error err = {0};
    size_t size = 0;
    if (fstat(WITNESS_FD_SOCKET, &socket) != 0 || !S_ISSOCK(socket.st_mode)) {
        (void)fputs("airlock-witness is started by airlock, not by hand\n", stderr);
        return 2;
    }
    /* libssl writes with write(2): a server that is gone is an error, not a signal. It compares
     * times with mktime(3), which looks for the time zone's file unless a zone is known. */
    if (setenv("TZ", "UTC0", 1) != 0) {
        return 1;
    }
    tzset();
    if (signal(SIGPIPE, SIG_IGN) == SIG_ERR ||
        !status_is_ok(
            socket_receive(WITNESS_FD_SOCKET, message, sizeof message, &size, nullptr, &err)) ||
        !witness_request_decode(slice_of(message, size), &request)) {
        return 1;
    }
    return answer(&request) ? 0 : 1;
}
