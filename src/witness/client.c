/* SPDX-License-Identifier: Apache-2.0 */
#include "witness/client.h"

#include "base/cleanup.h"
#include "sys/program.h"
#include "sys/socket.h"

static const char PROGRAM[] = "airlock-witness";

static status_t exchange(int socket, struct slice message, uint8_t *buffer,
                         struct witness_reply *ret_reply, struct error *err) {
    size_t size = 0;
    TRY(socket_send(socket, message, nullptr, err));
    TRY(socket_receive(socket, buffer, WITNESS_REPLY_BYTES, &size, nullptr, err));
    if (size == 0) {
        return error_set(err, ERROR_WITNESS_FAILED, 0, "%s ended without an answer", PROGRAM);
    }
    return witness_reply_decode(slice_of(buffer, size), ret_reply)
               ? STATUS_OK
               : error_set(err, ERROR_WITNESS_FAILED, 0, "%s sent a malformed answer", PROGRAM);
}

status_t witness_ask(const struct witness_request *request, uint8_t *buffer,
                     struct witness_reply *ret_reply, struct error *err) {
    CLEANUP(builder_deinit) struct builder message;
    char program[LIMIT_PATH_BYTES];
    struct program witness;
    builder_init(&message, WITNESS_REQUEST_BYTES);
    if (!witness_request_encode(request, &message)) {
        return error_set(err, ERROR_LIMIT, 0, "the request to the witness does not fit");
    }
    TRY(program_require(PROGRAM, ERROR_WITNESS_MISSING, program, err));
    /* Ctrl-C in the caller's terminal ends it too: nobody waits for its answer any more. */
    const struct program_options options = {.path = program, .failed = ERROR_WITNESS_FAILED};
    TRY(program_start(&options, &witness, err));
    status_t status = exchange(witness.socket, builder_slice(&message), buffer, ret_reply, err);
    program_end(&witness);
    return status;
}
