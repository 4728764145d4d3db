/* SPDX-License-Identifier: Apache-2.0
 *
 * airlock-engine: talks to Podman or Docker on behalf of airlock, so that airlock itself never
 * reads a byte of what they answer. It is started with a socket as fd 3 and serves one request
 * after the other (schema/engine.def). Before the first it forks the dialer, which alone can
 * connect, gives up all files, and every system call but those of seccomp.def.
 *
 * When airlock is gone, however that came, what it had made is removed: the container at once, then
 * the volume. It holds the lock of the run until then, so that nobody seals a stage that is still
 * written.
 */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "codec/json.h"
#include "engine/api.h"
#include "engine/session.h"
#include "sys/confine.h"
#include "sys/fd.h"
#include "sys/socket.h"

#include "engine_filter.h"

enum { DESCRIPTORS_MAX = 64, STATE_BYTES = 128 };

struct server {
    struct program program;
    enum engine_state state;
    char label[STATE_BYTES];                                      /* airlock.state */
    char container[ENGINE_NAME_BYTES], volume[ENGINE_NAME_BYTES]; /* made, and not removed yet */
    int lock;                                                     /* of the run */
    struct engine_message reply;
    char text[ENGINE_TEXT_BYTES], name[ENGINE_NAME_BYTES];
};

static bool message_send(struct server *server, const struct engine_message *message) {
    struct builder bytes;
    struct error ignored;
    builder_init(&bytes, ENGINE_REPLY_BYTES);
    bool is_sent =
        engine_message_encode(message, &bytes) &&
        status_is_ok(socket_send(server->program.socket, builder_slice(&bytes), nullptr, &ignored));
    builder_deinit(&bytes);
    return is_sent;
}

static void do_version(struct server *server, int64_t ms, struct answer *answer) {
    struct api_version version = {0};
    api_version(&server->program, ms > 0 && ms < INT32_MAX ? (uint32_t)ms : 0, &version, answer);
    (void)snprintf(server->name, sizeof server->name, "%s", version.name);
    (void)snprintf(server->text, sizeof server->text, "%s", version.version);
    server->reply.numbers[0] = version.is_podman;
    server->reply.numbers[1] = version.is_rootless;
    server->reply.numbers[2] = version.has_cgroup_v2;
}

static void do_image(struct server *server, const struct engine_request *request,
                     struct answer *answer) {
    struct api_image image = {0};
    api_image(&server->program, request->name, &image, answer);
    if (answer->outcome == ENGINE_DONE) {
        (void)snprintf(server->name, sizeof server->name, "%s", image.id);
        (void)snprintf(server->text, sizeof server->text, "%s", image.digest);
    }
}

static void tell_progress(void *context, unsigned percent) {
    const struct engine_message message = {
        .kind = ENGINE_KIND_PROGRESS,
        .operation = ENGINE_PULL,
        .outcome = ENGINE_DONE,
        .text = "",
        .name = "",
        .numbers = {percent},
    };
    (void)message_send(context, &message); /* when airlock is gone, the call ends by itself */
}

static void do_pull(struct server *server, const struct engine_request *request,
                    struct answer *answer) {
    const struct api_pull pull = {.progress = tell_progress, .context = server};
    api_pull(&server->program, request->name, &pull, answer, server->text);
}

static void do_volume_create(struct server *server, const struct engine_request *request,
                             struct answer *answer) {
    const char *dash = strchr(request->name, '-');
    const struct api_labels labels = {
        .run = dash != nullptr ? dash + 1 : "",
        .state = server->label,
    };
    (void)snprintf(server->volume, sizeof server->volume, "%s", request->name);
    api_volume_create(&server->program, request->name, request->text, &labels, answer);
}

static bool spec_read(int fd, struct builder *spec) {
    struct stat file;
    if (fstat(fd, &file) != 0 || file.st_size <= 0 || file.st_size > LIMIT_PLAN_BYTES) {
        return false;
    }
    for (off_t at = 0; at < file.st_size;) {
        uint8_t piece[4096];
        ssize_t got = pread(fd, piece, sizeof piece, at);
        if (got <= 0) {
            return false;
        }
        builder_bytes(spec, slice_of(piece, (size_t)got));
        at += got;
    }
    return builder_is_ok(spec);
}

static void do_create(struct server *server, struct socket_fds *fds, struct answer *answer) {
    CLEANUP(builder_deinit) struct builder spec;
    struct engine_container container;
    builder_init(&spec, (size_t)LIMIT_PLAN_BYTES + 4096);
    fd_closep(&server->lock);
    server->lock = fd_take(&fds->fd[1]);
    if (!spec_read(fds->fd[0], &spec) ||
        !engine_container_decode(builder_slice(&spec), &container)) {
        answer->outcome = ENGINE_INTERNAL;
        return;
    }
    (void)snprintf(server->container, sizeof server->container, "%s", container.name);
    api_create(&server->program, &container, server->label, answer);
    engine_container_deinit(&container);
}

static void do_start(struct server *server, const struct engine_request *request,
                     struct socket_fds *fds, struct answer *answer) {
    bool is_terminal = request->operation == ENGINE_START_TERMINAL;
    struct session_start start = {
        .name = request->name,
        .wall_ms = (uint64_t)request->numbers[0],
        .terminal = is_terminal,
        .streams = {fd_take(&fds->fd[0]), is_terminal ? -1 : fd_take(&fds->fd[1]),
                    is_terminal ? -1 : fd_take(&fds->fd[2])},
    };
    session_start(&server->program, &start, answer);
}

static void do_inspect(struct server *server, const struct engine_request *request,
                       struct answer *answer) {
    struct api_state state = {0};
    api_inspect(&server->program, request->name, &state, answer);
    if (answer->outcome == ENGINE_DONE) {
        (void)snprintf(server->name, sizeof server->name, "%s", state.status);
        (void)snprintf(server->text, sizeof server->text, "%s", state.error);
    }
    server->reply.numbers[0] = state.is_running;
    server->reply.numbers[1] = state.is_paused;
    server->reply.numbers[2] = state.is_oom;
    server->reply.numbers[3] = state.exit_code;
}

static void do_remove(struct server *server, const struct engine_request *request,
                      struct answer *answer) {
    bool is_volume = request->operation == ENGINE_VOLUME_REMOVE;
    char *made = is_volume ? server->volume : server->container;
    if (is_volume) {
        api_volume_remove(&server->program, request->name, answer);
    } else {
        api_remove(&server->program, request->name, answer);
    }
    bool is_gone = answer->outcome == ENGINE_DONE || answer->outcome == ENGINE_MISSING;
    if (is_gone && strcmp(made, request->name) == 0) {
        made[0] = '\0';
    }
}

static void do_hold(struct program *program, const char *name, bool is_pause,
                    struct answer *answer) {
    api_act(program, name, is_pause ? "pause" : "unpause", answer);
    if (answer->outcome == ENGINE_DONE) {
        session_hold(program->session, is_pause);
    }
}

static void perform(struct server *server, const struct engine_request *request,
                    struct socket_fds *fds, struct answer *answer) {
    struct program *program = &server->program;
    switch (request->operation) {
    case ENGINE_OPEN:
    case ENGINE_OPERATION_COUNT:
        return;
    case ENGINE_VERSION:
        do_version(server, request->numbers[0], answer);
        return;
    case ENGINE_IMAGE:
        do_image(server, request, answer);
        return;
    case ENGINE_PULL:
        do_pull(server, request, answer);
        return;
    case ENGINE_VOLUME_CREATE:
        do_volume_create(server, request, answer);
        return;
    case ENGINE_CREATE:
        do_create(server, fds, answer);
        return;
    case ENGINE_START:
    case ENGINE_START_TERMINAL:
        do_start(server, request, fds, answer);
        return;
    case ENGINE_KILL:
        api_kill(program, request->name, (int)request->numbers[0], answer);
        return;
    case ENGINE_STOP:
        api_stop(program, request->name, (uint32_t)request->numbers[0], answer);
        return;
    case ENGINE_PAUSE:
    case ENGINE_RESUME:
        do_hold(program, request->name, request->operation == ENGINE_PAUSE, answer);
        return;
    case ENGINE_RESIZE:
        api_resize(program, request->name, request->numbers, answer);
        return;
    case ENGINE_INSPECT:
        do_inspect(server, request, answer);
        return;
    case ENGINE_LOGS:
        api_logs(program, request->name, fds->fd[0], answer);
        return;
    case ENGINE_VOLUME_REMOVE:
    case ENGINE_REMOVE:
        do_remove(server, request, answer);
        return;
    }
}

static bool answer_request(struct server *server, const struct engine_request *request,
                           struct socket_fds *fds) {
    struct answer answer;
    answer_init(&answer);
    server->text[0] = server->name[0] = '\0';
    server->reply = (struct engine_message){
        .kind = ENGINE_KIND_REPLY,
        .operation = request->operation,
        .text = server->text,
        .name = server->name,
    };
    perform(server, request, fds, &answer);
    server->reply.outcome = answer.outcome;
    server->reply.status = answer.status;
    server->reply.os_errno = (uint32_t)answer.os_errno;
    if ((answer.outcome == ENGINE_REFUSED || answer.outcome == ENGINE_MISSING) &&
        server->text[0] == '\0') {
        answer_text(&answer, server->text);
    }
    answer_deinit(&answer);
    return message_send(server, &server->reply);
}

static bool confine(void) {
    static const struct {
        __rlimit_resource_t resource;
        struct rlimit limit;
    } LIMITS[] = {
        {RLIMIT_FSIZE, {0, 0}},
        {RLIMIT_NOFILE, {DESCRIPTORS_MAX, DESCRIPTORS_MAX}},
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
        {RLIMIT_AS, {512UL << 20, 512UL << 20}}, /* shadow memory is larger than that */
#endif
    };
    bool is_set = confine_no_files();
    for (size_t i = 0; i < sizeof LIMITS / sizeof LIMITS[0]; i++) {
        is_set = is_set && setrlimit(LIMITS[i].resource, &LIMITS[i].limit) == 0;
    }
    return is_set &&
           confine_calls_to(filter_engine, sizeof filter_engine / sizeof filter_engine[0]);
}

static bool do_open(struct server *server, const struct engine_request *request) {
    struct engine_message reply = {
        .kind = ENGINE_KIND_REPLY,
        .operation = ENGINE_OPEN,
        .outcome = ENGINE_DONE,
        .text = "",
        .name = "",
    };
    (void)snprintf(server->label, sizeof server->label, "%s", request->text);
    json_free(json_object_new()); /* the first one reads /dev/urandom */
    server->program.session = session_new();
    if (server->program.session == nullptr ||
        !dialer_start(&server->program.dialer, request->name) || !confine()) {
        reply.outcome = ENGINE_INTERNAL;
    }
    server->state = ENGINE_STATE_IDLE;
    return message_send(server, &reply) && reply.outcome == ENGINE_DONE;
}

/* False: airlock is gone, or sent what it may not. */
static bool serve_request(struct server *server) {
    static uint8_t bytes[ENGINE_REQUEST_BYTES];
    struct engine_request request;
    struct socket_fds fds = {0};
    struct error ignored;
    size_t size = 0;
    if (!status_is_ok(
            socket_receive(server->program.socket, bytes, sizeof bytes, &size, &fds, &ignored)) ||
        size == 0) {
        return false;
    }
    enum engine_state state = server->state;
    if (state == ENGINE_STATE_IDLE && session_is_running(server->program.session)) {
        state = ENGINE_STATE_RUNNING;
    }
    bool is_fine = engine_request_decode(slice_of(bytes, size), &request) &&
                   engine_is_permitted(request.operation, state) &&
                   fds.count == engine_fd_count(request.operation);
    if (is_fine) {
        is_fine = request.operation == ENGINE_OPEN ? do_open(server, &request)
                                                   : answer_request(server, &request, &fds);
    }
    socket_fds_close(&fds);
    return is_fine;
}

static int wait_ms(const struct session *session) {
    uint64_t wake = session == nullptr ? UINT64_MAX : session_wake_ms(session);
    uint64_t now = call_now_ms();
    if (wake == UINT64_MAX) {
        return -1;
    }
    uint64_t left = wake > now ? wake - now : 0;
    return left < INT32_MAX ? (int)left : INT32_MAX;
}

static void serve(struct server *server) {
    for (bool goes_on = true; goes_on;) {
        struct session *session = server->program.session;
        struct pollfd polls[1 + SESSION_POLLS] = {{.fd = server->program.socket, .events = POLLIN}};
        for (size_t i = 1; i <= SESSION_POLLS; i++) {
            polls[i].fd = -1;
        }
        if (session != nullptr) {
            session_polls(session, polls + 1);
        }
        int ready = poll(polls, 1 + SESSION_POLLS, wait_ms(session));
        if (ready < 0 && errno != EINTR) {
            return;
        }
        if (session != nullptr && ready > 0) {
            session_serve(session, polls + 1);
        }
        struct engine_message exited;
        if (session != nullptr && session_step(&server->program, &exited, server->text)) {
            goes_on = message_send(server, &exited);
        }
        if (ready > 0 && polls[0].revents != 0) {
            goes_on = serve_request(server) && goes_on;
        }
    }
}

static void clear_up(struct server *server) {
    struct answer answer;
    if (server->program.session != nullptr) {
        session_free(server->program.session);
    }
    server->program.session = session_new();
    server->program.is_orphan = true;
    answer_init(&answer);
    if (server->program.session != nullptr && server->container[0] != '\0') {
        api_remove(&server->program, server->container, &answer);
    }
    if (server->program.session != nullptr && server->volume[0] != '\0') {
        api_volume_remove(&server->program, server->volume, &answer);
    }
    answer_deinit(&answer);
    dialer_stop(&server->program.dialer);
}

int main(void) {
    static struct server server = {
        .program = {.socket = ENGINE_FD_SOCKET, .dialer = {.fd = -1}},
        .lock = -1,
    };
    struct stat socket;
    if (fstat(ENGINE_FD_SOCKET, &socket) != 0 || !S_ISSOCK(socket.st_mode)) {
        (void)fputs("airlock-engine is started by airlock, not by hand\n", stderr);
        return 2;
    }
    /* What a terminal sends to airlock reaches airlock, and through it the container. */
    if (signal(SIGPIPE, SIG_IGN) == SIG_ERR || setpgid(0, 0) != 0) {
        return 1;
    }
    serve(&server);
    clear_up(&server);
    return 0;
}
