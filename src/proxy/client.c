/* SPDX-License-Identifier: Apache-2.0 */
#include "proxy/client.h"

#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "sys/fd.h"
#include "sys/program.h"
#include "sys/socket.h"

enum { BUFFER_BYTES = 1 << 20 };

struct egress_client {
    struct program program;
    uint8_t message[LIMIT_EGRESS_MESSAGE_BYTES]; /* the last one received */
};

static status_t start_program(struct egress_client *client, struct error *err) {
    char path[LIMIT_PATH_BYTES];
    TRY(program_require("airlock-proxy", ERROR_PROXY_MISSING, path, err));
    const struct program_options options = {
        .path = path,
        .argument = "--egress",
        .buffer_bytes = BUFFER_BYTES,
        .failed = ERROR_PROXY_FAILED,
        .has_session = true,
    };
    return program_start(&options, &client->program, err);
}

status_t egress_client_start(const struct egress_config *config, struct egress_client **ret_client,
                             struct error *err) {
    struct builder message;
    builder_init(&message, LIMIT_EGRESS_MESSAGE_BYTES);
    egress_config_encode(config, &message);
    CLEANUP(egress_client_closep) struct egress_client *client = calloc(1, sizeof *client);
    status_t status = STATUS_OK;
    if (client == nullptr || !builder_is_ok(&message)) {
        (void)limit_past(client != nullptr, LIMIT_ID_EGRESS_MESSAGE_BYTES);
        status = error_set(err, ERROR_LIMIT, 0, "the network groups of the run are too long");
    } else {
        client->program.socket = -1;
        status = start_program(client, err);
    }
    if (status_is_ok(status)) {
        status = socket_send(client->program.socket, builder_slice(&message), nullptr, err);
    }
    if (message.data != nullptr) {
        explicit_bzero(message.data, message.capacity);
    }
    builder_deinit(&message);
    TRY(status);
    *ret_client = TAKE(client);
    return STATUS_OK;
}

static status_t receive(struct egress_client *client, struct slice *ret_message,
                        struct error *err) {
    size_t size = 0;
    TRY(socket_receive(client->program.socket, client->message, sizeof client->message, &size,
                       nullptr, err));
    if (size == 0) {
        return error_set(err, ERROR_PROXY_FAILED, 0, "airlock-proxy ended without a word");
    }
    *ret_message = slice_of(client->message, size);
    return STATUS_OK;
}

status_t egress_client_ready(struct egress_client *client, struct slice *ret_ca,
                             struct error *err) {
    struct slice message;
    struct egress_ready ready;
    TRY(receive(client, &message, err));
    if (!egress_ready_decode(message, &ready)) {
        return error_set(err, ERROR_PROXY_FAILED, 0, "airlock-proxy sent a malformed answer");
    }
    if (!ready.is_ready) {
        return error_set(err, ERROR_PROXY_FAILED, 0, "airlock-proxy: %.300s", ready.text);
    }
    *ret_ca = ready.ca;
    return STATUS_OK;
}

status_t egress_client_listen(struct egress_client *client, int listener, struct error *err) {
    const uint8_t type = EGRESS_LISTEN;
    struct socket_fds fds = {.fd = {listener}, .count = 1};
    return socket_send(client->program.socket, slice_of(&type, sizeof type), &fds, err);
}

bool egress_client_finish(struct egress_client *client, struct egress_report *ret_report) {
    const uint8_t type = EGRESS_END;
    struct slice message;
    struct error ignored;
    struct pollfd answer = {.fd = client->program.socket, .events = POLLIN};
    if (!status_is_ok(
            socket_send(client->program.socket, slice_of(&type, sizeof type), nullptr, &ignored))) {
        return false;
    }
    int ready = poll(&answer, 1, LIMIT_EGRESS_REPORT_MS);
    (void)limit_past(ready == 0, LIMIT_ID_EGRESS_REPORT_MS);
    return ready == 1 && status_is_ok(receive(client, &message, &ignored)) &&
           egress_report_decode(message, ret_report);
}

void egress_client_close(struct egress_client *client) {
    if (client == nullptr) {
        return;
    }
    fd_closep(&client->program.socket);
    if (client->program.pid > 0) {
        /* Whatever it is at: what it had to say it has said. */
        (void)kill(client->program.pid, SIGKILL);
    }
    program_end(&client->program);
    free(client);
}

void egress_client_closep(struct egress_client **client) {
    egress_client_close(*client);
    *client = nullptr;
}
