/* SPDX-License-Identifier: Apache-2.0 */
#include "sandbox/protocol.h"

#include <stdio.h>
#include <string.h>

#define AT(state) (1u << PROTOCOL_STATE_##state)

struct protocol_row {
    const char *name;
    enum protocol_direction direction;
    unsigned states;
    uint8_t fd_min;
    uint8_t fd_max;
};

static const struct protocol_row rows[PROTOCOL_TYPE_COUNT] = {
#define IPC(name, direction, states, fd_min, fd_max) \
    [PROTOCOL_##name] = {#name, PROTOCOL_##direction, states, fd_min, fd_max},
#include "ipc.def"
#undef IPC
};

bool protocol_is_permitted(uint8_t type, enum protocol_direction direction,
                           enum protocol_state state, size_t fd_count) {
    if (type >= PROTOCOL_TYPE_COUNT) {
        return false;
    }
    const struct protocol_row *row = &rows[type];
    return row->direction == direction && (row->states & (1u << state)) != 0 &&
           fd_count >= row->fd_min && fd_count <= row->fd_max;
}

status_t protocol_send(int socket, const struct protocol_message *message, int fd,
                       struct error *err) {
    struct protocol_message out = *message;
    out.version = PROTOCOL_VERSION;
    struct socket_fds fds = {.fd = {fd}, .count = fd >= 0 ? 1 : 0};
    return socket_send(socket, slice_of(&out, sizeof out), &fds, err);
}

status_t protocol_receive(int socket, enum protocol_direction direction, enum protocol_state state,
                          struct protocol_message *ret_message, struct socket_fds *ret_fds,
                          bool *ret_open, struct error *err) {
    struct protocol_message message = {};
    struct socket_fds fds = {};
    size_t size = 0;
    TRY(socket_receive(socket, &message, sizeof message, &size, &fds, err));
    if (size == 0) {
        *ret_open = false;
        return STATUS_OK;
    }
    if (size != sizeof message || message.version != PROTOCOL_VERSION ||
        !protocol_is_permitted(message.type, direction, state, fds.count)) {
        socket_fds_close(&fds);
        return error_set(err, ERROR_JAIL_PROTOCOL, 0,
                         "message %u of %zu bytes is not permitted in state %u",
                         (unsigned)message.type, size, (unsigned)state);
    }
    *ret_open = true;
    *ret_message = message;
    *ret_fds = fds;
    return STATUS_OK;
}

struct protocol_message protocol_failure_of(const struct error *err) {
    struct protocol_message message = {.type = PROTOCOL_FAILED};
    message.failure.code = err->code;
    message.failure.os_errno = err->os_errno;
    (void)snprintf(message.failure.message, PROTOCOL_TEXT_BYTES, "%.*s", PROTOCOL_TEXT_BYTES - 1,
                   err->message);
    (void)snprintf(message.failure.detail, PROTOCOL_TEXT_BYTES, "%.*s", PROTOCOL_TEXT_BYTES - 1,
                   err->detail);
    (void)snprintf(message.failure.hint, PROTOCOL_TEXT_BYTES, "%.*s", PROTOCOL_TEXT_BYTES - 1,
                   err->hint);
    return message;
}

status_t protocol_failure_to_error(const struct protocol_message *message, struct error *err) {
    struct protocol_failure failure = message->failure;
    failure.message[PROTOCOL_TEXT_BYTES - 1] = '\0';
    failure.detail[PROTOCOL_TEXT_BYTES - 1] = '\0';
    failure.hint[PROTOCOL_TEXT_BYTES - 1] = '\0';
    enum error_code code = ERROR_JAIL_FAILED;
    if (failure.code > ERROR_NONE && failure.code < ERROR_CODE_COUNT) {
        code = (enum error_code)failure.code;
    }
    status_t status = error_set(err, code, failure.os_errno, "%s", failure.message);
    if (failure.detail[0] != '\0') {
        error_detail(err, "%s", failure.detail);
    }
    if (failure.hint[0] != '\0') {
        error_hint(err, "%s", failure.hint);
    }
    return status;
}
