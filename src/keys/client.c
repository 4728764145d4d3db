/* SPDX-License-Identifier: Apache-2.0 */
#include "keys/client.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/assert.h"
#include "base/cleanup.h"
#include "keys/protocol.h"
#include "sys/fd.h"
#include "sys/program.h"
#include "sys/socket.h"

struct keys_client {
    int socket; /* owned */
    pid_t pid;
    void (*meanwhile)(void *context); /* nullptr: nothing to do */
    void *context;
};

static const char PROGRAM[] = "airlock-keys";

struct spawn {
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attributes;
};

static int spawn_prepare(struct spawn *spawn, int socket, int folder) {
    sigset_t none;
    sigset_t all;
    (void)sigemptyset(&none);
    (void)sigfillset(&all);
    /* A session of its own, so that Ctrl-C ends the command and not the signature it waits for. */
    int flags = POSIX_SPAWN_SETSID | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF;
    int failed = posix_spawnattr_setflags(&spawn->attributes, (short)flags);
    failed = failed != 0 ? failed : posix_spawnattr_setsigmask(&spawn->attributes, &none);
    failed = failed != 0 ? failed : posix_spawnattr_setsigdefault(&spawn->attributes, &all);
    failed = failed != 0
                 ? failed
                 : posix_spawn_file_actions_adddup2(&spawn->actions, socket, KEYS_FD_SOCKET);
    return failed != 0 ? failed
                       : posix_spawn_file_actions_adddup2(&spawn->actions, folder, KEYS_FD_FOLDER);
}

/* `socket` and `folder` are above the numbers they get in the child. Returns an errno. */
static int spawn_run(const char *program, int socket, int folder, pid_t *ret_pid) {
    struct spawn spawn;
    char *const arguments[] = {(char[]){"airlock-keys"}, nullptr};
    char *const environment[] = {nullptr};
    int failed = posix_spawn_file_actions_init(&spawn.actions);
    if (failed != 0) {
        return failed;
    }
    failed = posix_spawnattr_init(&spawn.attributes);
    if (failed == 0) {
        failed = spawn_prepare(&spawn, socket, folder);
        failed = failed != 0 ? failed
                             : posix_spawn(ret_pid, program, &spawn.actions, &spawn.attributes,
                                           arguments, environment);
        (void)posix_spawnattr_destroy(&spawn.attributes);
    }
    (void)posix_spawn_file_actions_destroy(&spawn.actions);
    return failed;
}

status_t keys_client_start_program(const char *program, int keys_fd,
                                   struct keys_client **ret_client, struct error *err) {
    CLEANUP(memory_freep) struct keys_client *client = calloc(1, sizeof *client);
    if (client == nullptr) {
        return error_set(err, ERROR_NO_MEMORY, 0, "cannot start %s", PROGRAM);
    }
    int pair[2];
    TRY(socket_pair(pair, err));
    CLEANUP(fd_closep) int ours = pair[0];
    CLEANUP(fd_closep) int theirs = pair[1];
    CLEANUP(fd_closep) int socket = fcntl(theirs, F_DUPFD_CLOEXEC, KEYS_FD_FOLDER + 1);
    CLEANUP(fd_closep) int folder = fcntl(keys_fd, F_DUPFD_CLOEXEC, KEYS_FD_FOLDER + 1);
    if (socket < 0 || folder < 0) {
        return error_set(err, ERROR_IO, errno, "cannot start %s", PROGRAM);
    }
    int failed = spawn_run(program, socket, folder, &client->pid);
    if (failed != 0) {
        return error_set(err, ERROR_KEYS_FAILED, failed, "cannot start %s", program);
    }
    client->socket = fd_take(&ours);
    *ret_client = TAKE(client);
    return STATUS_OK;
}

status_t keys_client_start(const struct state *state, struct keys_client **ret_client,
                           struct error *err) {
    char program[LIMIT_PATH_BYTES];
    bool found = false;
    TRY(program_find(PROGRAM, program, &found, err));
    if (!found) {
        return error_set(err, ERROR_KEYS_MISSING, ENOENT, "cannot find %s", PROGRAM);
    }
    return keys_client_start_program(program, state->keys_fd, ret_client, err);
}

void keys_client_finish(struct keys_client *client) {
    fd_closep(&client->socket);
}

void keys_client_stop(struct keys_client *client) {
    if (client == nullptr) {
        return;
    }
    /* The end of its socket is its order to end. A signature under way is finished first. */
    fd_closep(&client->socket);
    while (waitpid(client->pid, nullptr, 0) < 0 && errno == EINTR) {
    }
    free(client);
}

void keys_client_stopp(struct keys_client **client) {
    keys_client_stop(*client);
    *client = nullptr;
}

static status_t refused(const struct keys_reply *reply, struct error *err) {
    int reason = (int)reply->os_errno;
    switch (reply->answer) {
    case KEYS_ANSWER_REWRITTEN: {
        status_t status = error_set(err, ERROR_KEYS_FAILED, 0,
                                    "airlock-keys refuses to sign: the log was rewritten");
        error_detail(err, "no consistency proof leads from the last signed checkpoint to this log");
        error_hint(err, "It is never repaired in place. Check it with: airlock log verify");
        return status;
    }
    case KEYS_ANSWER_NO_KEY: {
        status_t status =
            error_set(err, ERROR_KEYS_FAILED, reason, "airlock-keys cannot use the log key");
        error_hint(err, "keys/log.key and keys/origin in the state folder are missing, damaged or "
                        "not readable. A new log begins in another AIRLOCK_STATE_DIR.");
        return status;
    }
    case KEYS_ANSWER_DAMAGED:
        return error_set(err, ERROR_AUDIT_DAMAGED, reason,
                         "keys/last_checkpoint is no checkpoint that the log key signed");
    case KEYS_ANSWER_IO:
        return error_set(err, ERROR_IO, reason, "airlock-keys cannot write keys/last_checkpoint");
    case KEYS_ANSWER_LOST: {
        status_t status = error_set(err, ERROR_KEYS_FAILED, 0,
                                    "airlock-keys refuses to sign: keys/last_checkpoint is gone");
        error_detail(err, "this key has signed before; without that file it would sign any tree");
        error_hint(err, "Put keys/last_checkpoint back from a backup that is not older than the "
                        "last receipt, or begin a new log: airlock log renew");
        return status;
    }
    case KEYS_ANSWER_SIGNED:
    case KEYS_ANSWER_STALE:
        break;
    }
    return error_set(err, ERROR_KEYS_FAILED, 0, "airlock-keys gave an answer without sense");
}

void keys_client_meanwhile(struct keys_client *client, void (*run)(void *context), void *context) {
    client->meanwhile = run;
    client->context = context;
}

static void do_meanwhile(struct keys_client *client) {
    if (client->meanwhile != nullptr) {
        void (*run)(void *context) = client->meanwhile;
        client->meanwhile = nullptr;
        run(client->context);
    }
}

status_t keys_client_sign(struct keys_client *client, uint64_t old_size, uint64_t size,
                          const struct digest *root, const struct merkle_proof *proof,
                          enum keys_sign_result *ret_result, struct error *err) {
    struct keys_request request = {old_size, size, *root, *proof};
    uint8_t message[KEYS_REQUEST_BYTES];
    keys_request_encode(&request, message);
    TRY(socket_send(client->socket, slice_of(message, sizeof message), nullptr, err));
    do_meanwhile(client);
    uint8_t answer[KEYS_REPLY_BYTES];
    size_t answer_size;
    struct keys_reply reply;
    TRY(socket_receive(client->socket, answer, sizeof answer, &answer_size, nullptr, err));
    if (answer_size == 0) {
        return error_set(err, ERROR_KEYS_FAILED, 0, "airlock-keys ended without an answer");
    }
    if (!keys_reply_decode(slice_of(answer, answer_size), &reply)) {
        return error_set(err, ERROR_KEYS_FAILED, 0, "airlock-keys sent a malformed answer");
    }
    if (reply.answer != KEYS_ANSWER_SIGNED && reply.answer != KEYS_ANSWER_STALE) {
        return refused(&reply, err);
    }
    *ret_result = reply.answer == KEYS_ANSWER_SIGNED ? KEYS_SIGNED : KEYS_STALE;
    return STATUS_OK;
}
