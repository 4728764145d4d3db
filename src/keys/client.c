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
#include "sys/fd.h"
#include "sys/program.h"
#include "sys/socket.h"

struct keys_client {
    const struct keys_files *files; /* what it is called */
    int socket;                     /* owned */
    pid_t pid;
    struct keys_client *second;       /* owned; nullptr: one signature is enough */
    void (*meanwhile)(void *context); /* nullptr: nothing to do */
    void *context;
};

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
    char name[LIMIT_PATH_BYTES];
    (void)snprintf(name, sizeof name, "%s", program);
    char *const arguments[] = {name, nullptr};
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

status_t keys_client_start_program(enum keys_signer signer, const char *program, int keys_fd,
                                   struct keys_client **ret_client, struct error *err) {
    const struct keys_files *files = keys_files_of(signer);
    CLEANUP(memory_freep) struct keys_client *client = calloc(1, sizeof *client);
    if (client == nullptr) {
        return error_set(err, ERROR_NO_MEMORY, 0, "cannot start %s", files->program);
    }
    int pair[2];
    TRY(socket_pair(pair, err));
    CLEANUP(fd_closep) int ours = pair[0];
    CLEANUP(fd_closep) int theirs = pair[1];
    CLEANUP(fd_closep) int socket = fcntl(theirs, F_DUPFD_CLOEXEC, KEYS_FD_FOLDER + 1);
    CLEANUP(fd_closep) int folder = fcntl(keys_fd, F_DUPFD_CLOEXEC, KEYS_FD_FOLDER + 1);
    if (socket < 0 || folder < 0) {
        return error_set(err, ERROR_IO, errno, "cannot start %s", files->program);
    }
    int failed = spawn_run(program, socket, folder, &client->pid);
    if (failed != 0) {
        return error_set(err, ERROR_KEYS_FAILED, failed, "cannot start %s", program);
    }
    client->files = files;
    client->socket = fd_take(&ours);
    *ret_client = TAKE(client);
    return STATUS_OK;
}

static status_t find_and_start(enum keys_signer signer, const struct state *state,
                               struct keys_client **ret_client, struct error *err) {
    const char *name = keys_files_of(signer)->program;
    char program[LIMIT_PATH_BYTES];
    bool found = false;
    TRY(program_find(name, program, &found, err));
    if (!found) {
        return error_set(err, ERROR_KEYS_MISSING, ENOENT, "cannot find %s", name);
    }
    return keys_client_start_program(signer, program, state->keys_fd, ret_client, err);
}

status_t keys_client_start(const struct state *state, struct keys_client **ret_client,
                           struct error *err) {
    CLEANUP(keys_client_stopp) struct keys_client *client = nullptr;
    TRY(find_and_start(KEYS_SIGNER_LOG, state, &client, err));
    if (state->pq_signatures) {
        TRY(find_and_start(KEYS_SIGNER_PQ, state, &client->second, err));
    }
    *ret_client = TAKE(client);
    return STATUS_OK;
}

struct keys_client *keys_client_second(struct keys_client *client) {
    return client->second;
}

void keys_client_finish(struct keys_client *client) {
    fd_closep(&client->socket);
    if (client->second != nullptr) {
        fd_closep(&client->second->socket);
    }
}

static void stop_one(struct keys_client *client) {
    while (waitpid(client->pid, nullptr, 0) < 0 && errno == EINTR) {
    }
    free(client);
}

void keys_client_stop(struct keys_client *client) {
    if (client == nullptr) {
        return;
    }
    /* The end of its socket is its order to end. A signature under way is finished first. */
    keys_client_finish(client);
    if (client->second != nullptr) {
        stop_one(client->second);
    }
    stop_one(client);
}

void keys_client_stopp(struct keys_client **client) {
    keys_client_stop(*client);
    *client = nullptr;
}

static status_t no_key(const struct keys_files *files, int reason, struct error *err) {
    bool is_second = files == keys_files_of(KEYS_SIGNER_PQ);
    status_t status = error_set(err, ERROR_KEYS_FAILED, reason, "%s cannot use keys/%s",
                                files->program, files->seed);
    if (is_second) {
        error_hint(err, "It is missing, damaged, not readable or of another log. Put it back from "
                        "a backup, or go on without second signatures: in config.yaml, keys: "
                        "{pq_signatures: false}");
    } else {
        error_hint(err, "keys/log.key and keys/origin in the state folder are missing, damaged or "
                        "not readable. A new log begins in another AIRLOCK_STATE_DIR.");
    }
    return status;
}

static status_t lost(const struct keys_files *files, struct error *err) {
    bool is_second = files == keys_files_of(KEYS_SIGNER_PQ);
    status_t status = error_set(err, ERROR_KEYS_FAILED, 0, "%s refuses to sign: keys/%s is gone",
                                files->program, files->checkpoint);
    error_detail(err, "this key has signed before; without that file it would sign any tree");
    error_hint(err, "Put keys/%s back from a backup that is not older than the last receipt, or %s",
               files->checkpoint,
               is_second ? "go on without second signatures: in config.yaml, keys: "
                           "{pq_signatures: false}"
                         : "begin a new log: airlock log renew");
    return status;
}

static status_t refused(const struct keys_files *files, const struct keys_reply *reply,
                        struct error *err) {
    int reason = (int)reply->os_errno;
    switch (reply->answer) {
    case KEYS_ANSWER_REWRITTEN: {
        status_t status = error_set(err, ERROR_KEYS_FAILED, 0,
                                    "%s refuses to sign: the log was rewritten", files->program);
        error_detail(err, "no consistency proof leads from the last signed checkpoint to this log");
        error_hint(err, "It is never repaired in place. Check it with: airlock log verify");
        return status;
    }
    case KEYS_ANSWER_NO_KEY:
        return no_key(files, reason, err);
    case KEYS_ANSWER_DAMAGED:
        return error_set(err, ERROR_AUDIT_DAMAGED, reason,
                         "keys/%s is no checkpoint that this key signed", files->checkpoint);
    case KEYS_ANSWER_IO:
        return error_set(err, ERROR_IO, reason, "%s cannot write keys/%s", files->program,
                         files->checkpoint);
    case KEYS_ANSWER_LOST:
        return lost(files, err);
    case KEYS_ANSWER_NOT_FIRST:
        return error_set(err, ERROR_AUDIT_DAMAGED, reason,
                         "keys/%s is no checkpoint that airlock-keys signed", KEYS_FILE_CHECKPOINT);
    case KEYS_ANSWER_SIGNED:
    case KEYS_ANSWER_STALE:
        break;
    }
    return error_set(err, ERROR_KEYS_FAILED, 0, "%s gave an answer without sense", files->program);
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

static status_t ended(const struct keys_client *client, struct error *err) {
    return error_set(err, ERROR_KEYS_FAILED, 0, "%s ended without an answer",
                     client->files->program);
}

/* Sends the request and receives the answer, with the caller's own work in between. */
static status_t exchange(struct keys_client *client, struct slice message,
                         struct keys_reply *ret_reply, struct error *err) {
    uint8_t answer[KEYS_REPLY_BYTES];
    size_t size = 0;
    status_t status = socket_send(client->socket, message, nullptr, err);
    if (status_is_ok(status)) {
        do_meanwhile(client);
        status = socket_receive(client->socket, answer, sizeof answer, &size, nullptr, err);
    }
    if (!status_is_ok(status)) {
        return err->os_errno == EPIPE || err->os_errno == ECONNRESET ? ended(client, err) : status;
    }
    if (size == 0) {
        return ended(client, err);
    }
    return keys_reply_decode(slice_of(answer, size), ret_reply)
               ? STATUS_OK
               : error_set(err, ERROR_KEYS_FAILED, 0, "%s sent a malformed answer",
                           client->files->program);
}

status_t keys_client_sign(struct keys_client *client, uint64_t old_size, uint64_t size,
                          const struct digest *root, const struct merkle_proof *proof,
                          enum keys_sign_result *ret_result, struct error *err) {
    struct keys_request request = {old_size, size, *root, *proof};
    struct keys_reply reply;
    uint8_t message[KEYS_REQUEST_BYTES];
    keys_request_encode(&request, message);
    TRY(exchange(client, slice_of(message, sizeof message), &reply, err));
    if (reply.answer != KEYS_ANSWER_SIGNED && reply.answer != KEYS_ANSWER_STALE) {
        return refused(client->files, &reply, err);
    }
    *ret_result = reply.answer == KEYS_ANSWER_SIGNED ? KEYS_SIGNED : KEYS_STALE;
    return STATUS_OK;
}
