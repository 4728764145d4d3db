/* SPDX-License-Identifier: Apache-2.0 */
#include "witness/client.h"

#include <errno.h>
#include <fcntl.h>
#include <spawn.h>
#include <sys/wait.h>

#include "base/cleanup.h"
#include "sys/fd.h"
#include "sys/program.h"
#include "sys/socket.h"

static const char PROGRAM[] = "airlock-witness";

/* The program gets the socket and nothing else: no environment, no terminal to write to. */
static int run(const char *program, int socket, pid_t *ret_pid) {
    posix_spawn_file_actions_t files;
    char *const arguments[] = {(char[]){"airlock-witness"}, nullptr};
    char *const environment[] = {nullptr};
    int failed = posix_spawn_file_actions_init(&files);
    if (failed != 0) {
        return failed;
    }
    for (int fd = 0; fd <= 2 && failed == 0; fd++) {
        failed = posix_spawn_file_actions_addopen(&files, fd, "/dev/null", O_RDWR, 0);
    }
    failed =
        failed != 0 ? failed : posix_spawn_file_actions_adddup2(&files, socket, WITNESS_FD_SOCKET);
    failed = failed != 0 ? failed
                         : posix_spawn(ret_pid, program, &files, nullptr, arguments, environment);
    (void)posix_spawn_file_actions_destroy(&files);
    return failed;
}

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
    bool found = false;
    int pair[2];
    pid_t pid = -1;
    builder_init(&message, WITNESS_REQUEST_BYTES);
    if (!witness_request_encode(request, &message)) {
        return error_set(err, ERROR_LIMIT, 0, "the request to the witness does not fit");
    }
    TRY(program_find(PROGRAM, program, &found, err));
    if (!found) {
        return error_set(err, ERROR_WITNESS_MISSING, ENOENT, "cannot find %s", PROGRAM);
    }
    TRY(socket_pair(pair, err));
    CLEANUP(fd_closep) int ours = pair[0];
    CLEANUP(fd_closep) int theirs = pair[1];
    CLEANUP(fd_closep) int socket = fcntl(theirs, F_DUPFD_CLOEXEC, WITNESS_FD_SOCKET + 1);
    int failed = socket < 0 ? errno : run(program, socket, &pid);
    if (failed != 0) {
        return error_set(err, ERROR_WITNESS_FAILED, failed, "cannot start %s", program);
    }
    fd_closep(&theirs);
    fd_closep(&socket);
    status_t status = exchange(ours, builder_slice(&message), buffer, ret_reply, err);
    fd_closep(&ours);
    while (waitpid(pid, nullptr, 0) < 0 && errno == EINTR) {
    }
    return status;
}
