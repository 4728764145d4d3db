/* SPDX-License-Identifier: Apache-2.0 */
#include "keys/client.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "sys/fd.h"
#include "sys/program.h"
#include "sys/socket.h"

struct keys_client {
    const struct keys_files *files;   /* what it is called */
    struct program program;           /* owned */
    struct keys_client *second;       /* owned; nullptr: one signature is enough */
    void (*meanwhile)(void *context); /* nullptr: nothing to do */
    void *context;
};

status_t keys_client_start_program(enum keys_signer signer, const char *program, int keys_fd,
                                   struct keys_client **ret_client, struct error *err) {
    const struct keys_files *files = keys_files_of(signer);
    CLEANUP(memory_freep) struct keys_client *client = calloc(1, sizeof *client);
    if (client == nullptr) {
        return error_set(err, ERROR_NO_MEMORY, 0, "cannot start %s", files->program);
    }
    const struct program_options options = {
        .path = program,
        .fd = &keys_fd,
        .failed = ERROR_KEYS_FAILED,
        .has_streams = true,
        .has_session = true, /* Ctrl-C ends the command, not the signature it waits for */
    };
    TRY(program_start(&options, &client->program, err));
    client->files = files;
    *ret_client = TAKE(client);
    return STATUS_OK;
}

static status_t find_and_start(enum keys_signer signer, const struct state *state,
                               struct keys_client **ret_client, struct error *err) {
    char program[LIMIT_PATH_BYTES];
    TRY(program_require(keys_files_of(signer)->program, ERROR_KEYS_MISSING, program, err));
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
    fd_closep(&client->program.socket);
    if (client->second != nullptr) {
        fd_closep(&client->second->program.socket);
    }
}

static void stop_one(struct keys_client *client) {
    program_end(&client->program);
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
    status_t status = socket_send(client->program.socket, message, nullptr, err);
    if (status_is_ok(status)) {
        do_meanwhile(client);
        status = socket_receive(client->program.socket, answer, sizeof answer, &size, nullptr, err);
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
