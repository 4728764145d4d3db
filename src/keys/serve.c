/* SPDX-License-Identifier: Apache-2.0
 *
 * A key process is started by the kernel with a socket as fd 3 and the folder keys/ as fd 4,
 * answers fixed-size requests, and ends when the socket does. The key is loaded before the first
 * request is read, because the process is started long before the first signature is needed; what
 * cannot be loaded then is tried again with each request, because a key that follows another one
 * cannot be made before that one is there.
 */
#include "keys/serve.h"

#include <stdio.h>
#include <sys/stat.h>

#include "keys/confine.h"
#include "sys/socket.h"

static bool fds_are_ours(void) {
    struct stat socket;
    struct stat folder;
    return fstat(KEYS_FD_SOCKET, &socket) == 0 && S_ISSOCK(socket.st_mode) &&
           fstat(KEYS_FD_FOLDER, &folder) == 0 && S_ISDIR(folder.st_mode);
}

/* One request and its answer; false when there is no more to do. */
static bool serve(const struct signer_scheme *scheme, struct signer *signer) {
    uint8_t message[KEYS_REQUEST_BYTES];
    uint8_t answer[KEYS_REPLY_BYTES];
    struct error err = {0};
    struct keys_request request;
    size_t size;
    if (!status_is_ok(
            socket_receive(KEYS_FD_SOCKET, message, sizeof message, &size, nullptr, &err)) ||
        size == 0 || !keys_request_decode(slice_of(message, size), &request)) {
        return false;
    }
    struct keys_reply reply = {KEYS_ANSWER_NO_KEY, 0};
    if (signer->scheme != nullptr ||
        status_is_ok(signer_open(scheme, KEYS_FD_FOLDER, signer, &err))) {
        signer_answer(signer, &request, &reply);
    } else {
        reply.os_errno = (uint32_t)err.os_errno;
    }
    keys_reply_encode(&reply, answer);
    return status_is_ok(
        socket_send(KEYS_FD_SOCKET, slice_of(answer, sizeof answer), nullptr, &err));
}

int keys_serve(const struct signer_scheme *scheme) {
    if (!fds_are_ours()) {
        (void)fprintf(stderr, "%s is started by airlock, not by hand\n",
                      keys_files_of(scheme->signer)->program);
        return 2;
    }
    if (!confine_to_folder(KEYS_FD_FOLDER) || !confine_calls()) {
        return 1;
    }
    struct signer signer = {.folder = -1};
    struct error ignored = {0}; /* told with the first request, when it is still so */
    (void)!status_is_ok(signer_open(scheme, KEYS_FD_FOLDER, &signer, &ignored));
    while (serve(scheme, &signer)) {
    }
    signer_close(&signer);
    return 0;
}
