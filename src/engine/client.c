/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdio.h>

#include "base/cleanup.h"
#include "engine/client.h"
#include "engine/protocol.h"
#include "sys/fd.h"
#include "sys/program.h"
#include "sys/socket.h"

/* Messages. */

static status_t receive(struct engine *engine, struct engine_message *ret, struct error *err) {
    size_t size = 0;
    TRY(socket_receive(engine->program.socket, engine->buffer, sizeof engine->buffer, &size,
                       nullptr, err));
    if (size == 0) {
        return client_broken("ended without an answer", err);
    }
    return engine_message_decode(slice_of(engine->buffer, size), ret)
               ? STATUS_OK
               : client_broken("sent a malformed answer", err);
}

static void keep_end(struct engine *engine, const struct engine_message *message) {
    engine->has_end = true;
    engine->end = *message;
    (void)snprintf(engine->end_text, sizeof engine->end_text, "%s", message->text);
    engine->end.text = engine->end_text;
    engine->end.name = "";
}

struct question {
    struct engine_request request;
    const struct socket_fds *fds; /* nullptr: none */
    const struct engine_pull *pull;
};

/* One request and its reply, whose texts live until the next. */
static status_t ask(struct engine *engine, const struct question *question,
                    struct engine_message *ret_reply, struct error *err) {
    CLEANUP(builder_deinit) struct builder message;
    builder_init(&message, ENGINE_REQUEST_BYTES);
    if (!engine_request_encode(&question->request, &message)) {
        return error_set(err, ERROR_LIMIT, 0, "the request to the engine does not fit");
    }
    TRY(socket_send(engine->program.socket, builder_slice(&message), question->fds, err));
    for (;;) {
        TRY(receive(engine, ret_reply, err));
        if (ret_reply->kind == ENGINE_KIND_EXITED) {
            keep_end(engine, ret_reply);
        } else if (ret_reply->kind == ENGINE_KIND_REPLY) {
            return ret_reply->operation == question->request.operation
                       ? STATUS_OK
                       : client_broken("answered another question", err);
        } else if (question->pull != nullptr && question->pull->progress != nullptr) {
            int64_t percent = ret_reply->numbers[0];
            question->pull->progress(question->pull->context,
                                     percent < 0 || percent > 100 ? 100 : (unsigned)percent);
        }
    }
}

/* The same where only DONE will do. */
static status_t ask_done(struct engine *engine, const struct question *question, const char *what,
                         struct engine_message *ret_reply, struct error *err) {
    TRY(ask(engine, question, ret_reply, err));
    return ret_reply->outcome == ENGINE_DONE ? STATUS_OK
                                             : client_unanswered(engine, ret_reply, what, err);
}

static struct question question_of(enum engine_operation operation, const char *name) {
    return (struct question){
        .request = {.operation = operation, .name = name, .text = ""},
    };
}

/* Starting and ending. */

static status_t start_program(struct engine *engine, struct error *err) {
    char program[LIMIT_PATH_BYTES];
    TRY(program_require(CLIENT_PROGRAM, ERROR_ENGINE_PROGRAM, program, err));
    /* It makes itself a process group, so that Ctrl-C reaches the container through us alone. */
    const struct program_options options = {.path = program, .failed = ERROR_ENGINE_PROGRAM};
    return program_start(&options, &engine->program, err);
}

status_t engine_open(const struct engine_options *options, struct engine **ret_engine,
                     struct error *err) {
    CLEANUP(engine_closep) struct engine *engine = calloc(1, sizeof *engine);
    struct engine_message reply = {};
    if (engine == nullptr) {
        return error_set(err, ERROR_NO_MEMORY, ENOMEM, "cannot talk to an engine");
    }
    engine->kind = options->kind;
    engine->is_brief = options->is_brief;
    engine->program.socket = -1;
    (void)snprintf(engine->socket, sizeof engine->socket, "%s", options->socket);
    TRY(start_program(engine, err));
    struct question question = question_of(ENGINE_OPEN, options->socket);
    question.request.text = options->state;
    TRY(ask(engine, &question, &reply, err));
    if (reply.outcome != ENGINE_DONE) {
        (void)client_broken("could not be confined", err);
        error_hint(err, "The path of a socket has at most 107 bytes.");
        return (status_t){ERROR_ENGINE_PROGRAM};
    }
    *ret_engine = TAKE(engine);
    return STATUS_OK;
}

void engine_close(struct engine *engine) {
    if (engine == nullptr) {
        return;
    }
    program_end(&engine->program); /* it clears up and ends */
    free(engine);
}

void engine_closep(struct engine **engine) {
    engine_close(*engine);
    *engine = nullptr;
}

/* Questions. */

status_t engine_ping(struct engine *engine, struct engine_version *ret_version, struct error *err) {
    struct question question = question_of(ENGINE_VERSION, "");
    struct engine_message reply = {.outcome = ENGINE_INTERNAL};
    question.request.numbers[0] = engine->is_brief ? LIMIT_ENGINE_PING_MS : 0;
    status_t status = ask_done(engine, &question, "say what it is", &reply, err);
    if (engine->is_brief && !status_is_ok(status) && reply.outcome == ENGINE_TIMEOUT) {
        limit_hit(LIMIT_ID_ENGINE_PING_MS);
        error_detail(err, "it did not answer for %d ms (limit ENGINE_PING_MS)",
                     (int)LIMIT_ENGINE_PING_MS);
    }
    TRY(status);
    struct engine_version version = {
        .is_podman = reply.numbers[0] == 1,
        .is_rootless = reply.numbers[1] == 1,
        .has_cgroup_v2 = reply.numbers[2] == 1,
    };
    (void)snprintf(version.name, sizeof version.name, "%s", reply.name);
    (void)snprintf(version.version, sizeof version.version, "%s", reply.text);
    *ret_version = version;
    return STATUS_OK;
}

status_t engine_image_status(struct engine *engine, const char *image,
                             struct engine_image *ret_image, struct error *err) {
    struct question question = question_of(ENGINE_IMAGE, image);
    struct engine_message reply = {};
    TRY(ask(engine, &question, &reply, err));
    if (reply.outcome != ENGINE_DONE && reply.outcome != ENGINE_MISSING) {
        return client_unanswered(engine, &reply, "look for the image", err);
    }
    struct engine_image found = {.is_found = reply.outcome == ENGINE_DONE};
    if (found.is_found) {
        (void)snprintf(found.id, sizeof found.id, "%s", reply.name);
        (void)snprintf(found.digest, sizeof found.digest, "%s", reply.text);
    }
    *ret_image = found;
    return STATUS_OK;
}

status_t engine_image_pull(struct engine *engine, const char *image, const struct engine_pull *pull,
                           struct error *err) {
    struct question question = question_of(ENGINE_PULL, image);
    struct engine_message reply = {};
    question.pull = pull;
    return ask_done(engine, &question, "fetch the image", &reply, err);
}

status_t engine_volume_create(struct engine *engine, const char *name, const char *overlay_options,
                              struct error *err) {
    struct question question = question_of(ENGINE_VOLUME_CREATE, name);
    struct engine_message reply = {};
    question.request.text = overlay_options;
    return ask_done(engine, &question, "make a volume over the workspace", &reply, err);
}

/* One that is not there is as good. */
static status_t ask_gone(struct engine *engine, const struct question *question, const char *what,
                         struct error *err) {
    struct engine_message reply = {};
    TRY(ask(engine, question, &reply, err));
    return reply.outcome == ENGINE_DONE || reply.outcome == ENGINE_MISSING
               ? STATUS_OK
               : client_unanswered(engine, &reply, what, err);
}

status_t engine_volume_remove(struct engine *engine, const char *name, struct error *err) {
    struct question question = question_of(ENGINE_VOLUME_REMOVE, name);
    return ask_gone(engine, &question, "remove the volume", err);
}

status_t engine_remove(struct engine *engine, const char *name, struct error *err) {
    struct question question = question_of(ENGINE_REMOVE, name);
    return ask_gone(engine, &question, "remove the container", err);
}

void engine_encode(const struct engine_container *container, struct builder *out) {
    if (!engine_container_encode(container, out)) {
        out->failed = true;
    }
}

status_t engine_create(struct engine *engine, const struct engine_container *container,
                       int run_lock, struct error *err) {
    CLEANUP(builder_deinit) struct builder bytes;
    CLEANUP(fd_closep) int memory = -1;
    struct engine_message reply = {};
    builder_init(&bytes, LIMIT_PLAN_BYTES);
    if (!engine_container_encode(container, &bytes)) {
        limit_hit(LIMIT_ID_PLAN_BYTES);
        return error_set(err, ERROR_LIMIT, 0, "the command does not fit");
    }
    TRY(fd_sealed_memory("container", builder_slice(&bytes), &memory, err));
    const struct socket_fds fds = {.fd = {memory, run_lock}, .count = 2};
    struct question question = question_of(ENGINE_CREATE, container->name);
    question.fds = &fds;
    return ask_done(engine, &question, "make the container", &reply, err);
}

status_t engine_start(struct engine *engine, const struct engine_start *start, struct error *err) {
    struct socket_fds fds = {.count = start->terminal ? 1 : 3};
    struct engine_message reply = {};
    for (size_t i = 0; i < fds.count; i++) {
        fds.fd[i] = start->streams[i];
        (void)fd_set_nonblocking(fds.fd[i], true); /* airlock-engine serves all of them at once */
    }
    struct question question =
        question_of(start->terminal ? ENGINE_START_TERMINAL : ENGINE_START, start->name);
    question.request.numbers[0] = (int64_t)start->wall_ms;
    question.fds = &fds;
    return ask_done(engine, &question, "start the container", &reply, err);
}

int engine_fd(const struct engine *engine) {
    return engine->program.socket;
}

bool engine_has_message(const struct engine *engine) {
    return engine->has_end;
}

status_t engine_receive(struct engine *engine, struct engine_end *ret_end, struct error *err) {
    while (!engine->has_end) {
        struct engine_message message = {};
        TRY(receive(engine, &message, err));
        if (message.kind != ENGINE_KIND_EXITED) {
            return client_broken("answered what nobody asked", err);
        }
        keep_end(engine, &message);
    }
    engine->has_end = false;
    const int64_t *numbers = engine->end.numbers;
    if (engine->end.outcome != ENGINE_DONE) {
        return client_lost(engine, err);
    }
    *ret_end = (struct engine_end){
        .status = (int)(numbers[ENGINE_EXIT_STATUS] & 0xff),
        .is_oom = (numbers[ENGINE_EXIT_FLAGS] & ENGINE_EXIT_OOM) != 0,
        .is_timeout = (numbers[ENGINE_EXIT_FLAGS] & ENGINE_EXIT_TIMED_OUT) != 0,
        .wall_ns = (uint64_t)numbers[ENGINE_EXIT_WALL_NS],
        .paused_ns = (uint64_t)numbers[ENGINE_EXIT_PAUSED_NS],
        .memory_peak_bytes = (uint64_t)numbers[ENGINE_EXIT_MEMORY],
        .cpu_user_us = (uint64_t)numbers[ENGINE_EXIT_CPU_USER] / 1000,
        .cpu_system_us = (uint64_t)numbers[ENGINE_EXIT_CPU_SYSTEM] / 1000,
    };
    return STATUS_OK;
}

/* 409: it does not run any more, or not in a state to do this. */
static status_t ask_running(struct engine *engine, const struct question *question,
                            const char *what, struct error *err) {
    enum { CONFLICT = 409 };
    struct engine_message reply = {};
    TRY(ask(engine, question, &reply, err));
    bool is_over = reply.outcome == ENGINE_MISSING ||
                   (reply.outcome == ENGINE_REFUSED && reply.status == CONFLICT);
    return reply.outcome == ENGINE_DONE || is_over ? STATUS_OK
                                                   : client_unanswered(engine, &reply, what, err);
}

status_t engine_kill(struct engine *engine, const char *name, int signal_number,
                     struct error *err) {
    struct question question = question_of(ENGINE_KILL, name);
    question.request.numbers[0] = signal_number;
    return ask_running(engine, &question, "send a signal", err);
}

status_t engine_stop(struct engine *engine, const char *name, unsigned grace_s, struct error *err) {
    struct question question = question_of(ENGINE_STOP, name);
    question.request.numbers[0] = grace_s;
    return ask_running(engine, &question, "stop the container", err);
}

status_t engine_pause(struct engine *engine, const char *name, struct error *err) {
    struct question question = question_of(ENGINE_PAUSE, name);
    return ask_running(engine, &question, "pause the container", err);
}

status_t engine_resume(struct engine *engine, const char *name, struct error *err) {
    struct question question = question_of(ENGINE_RESUME, name);
    return ask_running(engine, &question, "resume the container", err);
}

status_t engine_resize(struct engine *engine, const char *name, unsigned rows, unsigned columns,
                       struct error *err) {
    struct question question = question_of(ENGINE_RESIZE, name);
    question.request.numbers[0] = rows;
    question.request.numbers[1] = columns;
    return ask_running(engine, &question, "resize the terminal", err);
}

status_t engine_inspect(struct engine *engine, const char *name, struct engine_status *ret_state,
                        struct error *err) {
    struct question question = question_of(ENGINE_INSPECT, name);
    struct engine_message reply = {};
    TRY(ask(engine, &question, &reply, err));
    if (reply.outcome != ENGINE_DONE && reply.outcome != ENGINE_MISSING) {
        return client_unanswered(engine, &reply, "inspect the container", err);
    }
    struct engine_status state = {
        .is_found = reply.outcome == ENGINE_DONE,
        .is_running = reply.numbers[0] == 1,
        .is_paused = reply.numbers[1] == 1,
        .is_oom = reply.numbers[2] == 1,
        .exit_code = (int)reply.numbers[3],
    };
    (void)snprintf(state.status, sizeof state.status, "%.31s", state.is_found ? reply.name : "");
    *ret_state = state;
    return STATUS_OK;
}

status_t engine_logs(struct engine *engine, const char *name, int fd, struct error *err) {
    const struct socket_fds fds = {.fd = {fd}, .count = 1};
    struct question question = question_of(ENGINE_LOGS, name);
    struct engine_message reply = {};
    question.fds = &fds;
    return ask_done(engine, &question, "hand over the logs", &reply, err);
}
