/* SPDX-License-Identifier: Apache-2.0 */
#include "proxy/client.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "sys/fd.h"
#include "sys/program.h"
#include "sys/socket.h"

enum { BUFFER_BYTES = 1 << 20 };

struct egress_client {
    pid_t pid;
    int socket;
    uint8_t message[LIMIT_EGRESS_MESSAGE_BYTES]; /* the last one received */
};

/* The program gets the socket and nothing else: no environment, no terminal. It leads a session of
 * its own, so that no Ctrl-C of the caller's terminal reaches it. */
static int spawn(const char *program, int socket, pid_t *ret_pid) {
    posix_spawn_file_actions_t files;
    posix_spawnattr_t attributes;
    sigset_t none;
    sigset_t defaults;
    char *const arguments[] = {(char[]){"airlock-proxy"}, (char[]){"--egress"}, nullptr};
    char *const environment[] = {nullptr};
    (void)sigemptyset(&none);
    (void)sigfillset(&defaults);
    int failed = posix_spawn_file_actions_init(&files);
    if (failed != 0) {
        return failed;
    }
    (void)posix_spawnattr_init(&attributes);
    (void)posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSID | POSIX_SPAWN_SETSIGMASK |
                                                    POSIX_SPAWN_SETSIGDEF);
    (void)posix_spawnattr_setsigmask(&attributes, &none);
    (void)posix_spawnattr_setsigdefault(&attributes, &defaults);
    for (int fd = 0; fd <= 2 && failed == 0; fd++) {
        failed = posix_spawn_file_actions_addopen(&files, fd, "/dev/null", O_RDWR, 0);
    }
    failed =
        failed != 0 ? failed : posix_spawn_file_actions_adddup2(&files, socket, EGRESS_FD_SOCKET);
    failed = failed != 0
                 ? failed
                 : posix_spawn(ret_pid, program, &files, &attributes, arguments, environment);
    (void)posix_spawnattr_destroy(&attributes);
    (void)posix_spawn_file_actions_destroy(&files);
    return failed;
}

static status_t start_program(struct egress_client *client, struct error *err) {
    char program[LIMIT_PATH_BYTES];
    bool found = false;
    int pair[2];
    int bytes = BUFFER_BYTES;
    TRY(program_find("airlock-proxy", program, &found, err));
    if (!found) {
        return error_set(err, ERROR_PROXY_MISSING, ENOENT, "cannot find airlock-proxy");
    }
    TRY(socket_pair(pair, err));
    client->socket = pair[0];
    CLEANUP(fd_closep) int theirs = pair[1];
    CLEANUP(fd_closep) int high = fcntl(theirs, F_DUPFD_CLOEXEC, EGRESS_FD_SOCKET + 1);
    (void)setsockopt(client->socket, SOL_SOCKET, SO_SNDBUF, &bytes, sizeof bytes);
    (void)setsockopt(theirs, SOL_SOCKET, SO_SNDBUF, &bytes, sizeof bytes);
    int failed = high < 0 ? errno : spawn(program, high, &client->pid);
    if (failed != 0) {
        client->pid = 0;
        return error_set(err, ERROR_PROXY_FAILED, failed, "cannot start %s", program);
    }
    return STATUS_OK;
}

status_t egress_client_start(const struct egress_config *config, struct egress_client **ret_client,
                             struct error *err) {
    struct builder message;
    builder_init(&message, LIMIT_EGRESS_MESSAGE_BYTES);
    egress_config_encode(config, &message);
    CLEANUP(egress_client_closep) struct egress_client *client = calloc(1, sizeof *client);
    status_t status = STATUS_OK;
    if (client == nullptr || !builder_is_ok(&message)) {
        status = error_set(err, ERROR_LIMIT, 0, "the network groups of the run are too long");
    } else {
        client->socket = -1;
        status = start_program(client, err);
    }
    if (status_is_ok(status)) {
        status = socket_send(client->socket, builder_slice(&message), nullptr, err);
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
    TRY(socket_receive(client->socket, client->message, sizeof client->message, &size, nullptr,
                       err));
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
    return socket_send(client->socket, slice_of(&type, sizeof type), &fds, err);
}

bool egress_client_finish(struct egress_client *client, struct egress_report *ret_report) {
    const uint8_t type = EGRESS_END;
    struct slice message;
    struct error ignored;
    struct pollfd answer = {.fd = client->socket, .events = POLLIN};
    return status_is_ok(
               socket_send(client->socket, slice_of(&type, sizeof type), nullptr, &ignored)) &&
           poll(&answer, 1, LIMIT_EGRESS_REPORT_MS) == 1 &&
           status_is_ok(receive(client, &message, &ignored)) &&
           egress_report_decode(message, ret_report);
}

void egress_client_close(struct egress_client *client) {
    if (client == nullptr) {
        return;
    }
    fd_closep(&client->socket);
    if (client->pid > 0) {
        /* Whatever it is at: what it had to say it has said. */
        (void)kill(client->pid, SIGKILL);
        while (waitpid(client->pid, nullptr, 0) < 0 && errno == EINTR) {
        }
    }
    free(client);
}

void egress_client_closep(struct egress_client **client) {
    egress_client_close(*client);
    *client = nullptr;
}
