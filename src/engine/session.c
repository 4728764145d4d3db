/* SPDX-License-Identifier: Apache-2.0
 *
 * Three connections stand while a container runs: the attached streams, the wait for its end, and
 * samples of what it uses. Its end is what the wait tells; the streams are read to theirs, or until
 * nothing came for LIMIT_OUTPUT_DRAIN_MS. Then one inspection tells how it ended.
 *
 * Nothing here puts a call from within session_serve(), which calls themselves serve: what has to
 * be asked for is noted, and session_step() asks.
 */
#include "engine/session.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "engine/allowance.h"
#include "engine/api.h"
#include "engine/demux.h"
#include "engine/scan.h"
#include "engine/trickle.h"
#include "sys/fd.h"

enum { RAW_BYTES = 65536, INPUT_BYTES = 16384, WAIT_BYTES = 65536, SAMPLE_BYTES = 262144 };
enum stream { INPUT, OUTPUT, ERRORS };
enum poll_place { ATTACH_READ, ATTACH_WRITE, INPUT_READ, TARGET_WRITE, WAIT_READ, SAMPLE_READ };

struct session {
    char name[ENGINE_NAME_BYTES];
    bool is_running, is_terminal;
    int attach;               /* -1: its end came */
    int streams[3];           /* -1: nobody is there any more; a terminal has the first alone */
    bool has_input;           /* its end was not sent yet */
    struct slice rest, piece; /* of raw: to be taken apart, and to be written */
    enum stream target;
    struct demux demux;
    size_t input_begin, input_end;
    struct trickle wait, samples;
    bool has_ended, wants_kill, timed_out;
    enum engine_outcome outcome; /* of the wait */
    int os_errno;
    int64_t status;
    uint64_t drain_until_ms;
    struct allowance time;
    struct usage usage;
    uint8_t raw[RAW_BYTES], input[INPUT_BYTES];
};

static uint64_t now_ns(void) {
    struct clock clock = clock_system();
    return clock_monotonic_ns(&clock);
}

struct session *session_new(void) {
    struct session *session = calloc(1, sizeof *session);
    if (session != nullptr) {
        session->attach = -1;
        session->wait.fd = -1;
        session->samples.fd = -1;
        for (size_t i = 0; i < 3; i++) {
            session->streams[i] = -1;
        }
    }
    return session;
}

static void session_stop(struct session *session) {
    fd_closep(&session->attach);
    for (size_t i = 0; i < 3; i++) {
        fd_closep(&session->streams[i]);
    }
    trickle_stop(&session->wait);
    trickle_stop(&session->samples);
    session->is_running = false;
}

void session_free(struct session *session) {
    session_stop(session);
    free(session);
}

bool session_is_running(const struct session *session) {
    return session->is_running;
}

/* Starting. */

static void begin(struct session *session, const struct session_start *start) {
    session_stop(session);
    (void)snprintf(session->name, sizeof session->name, "%s", start->name);
    session->is_terminal = start->terminal;
    memcpy(session->streams, start->streams, sizeof session->streams);
    session->has_input = true;
    session->rest = session->piece = (struct slice){0};
    session->demux = (struct demux){0};
    session->input_begin = session->input_end = 0;
    session->has_ended = session->wants_kill = session->timed_out = false;
    session->outcome = ENGINE_DONE;
    session->os_errno = 0;
    session->status = -1;
    session->usage = (struct usage){0};
}

static void write_path(const struct session *session, const char *what, struct builder *path) {
    builder_init(path, API_PATH_BYTES);
    builder_text(path, "/containers/");
    text_percent(session->name, path);
    builder_text(path, what);
}

static int attach(struct program *program, struct answer *answer) {
    struct session *session = program->session;
    struct hijack hijack = {.buffer = session->raw, .capacity = sizeof session->raw};
    CLEANUP(builder_deinit) struct builder path;
    write_path(session, "/attach?stream=1&stdin=1&stdout=1&stderr=1", &path);
    struct call call = {.method = "POST", .path = builder_c_string(&path)};
    int fd = call_hijack(program, &call, &hijack, answer);
    session->rest = hijack.rest;
    return fd;
}

/* A request whose answer comes later; -1 with the answer. */
static int ask_later(struct program *program, const char *method, const char *what,
                     struct answer *answer) {
    CLEANUP(builder_deinit) struct builder path;
    write_path(program->session, what, &path);
    struct call call = {.method = method, .path = builder_c_string(&path)};
    return call_send(program, &call, false, answer);
}

void session_start(struct program *program, const struct session_start *start,
                   struct answer *ret_answer) {
    struct session *session = program->session;
    begin(session, start);
    session->attach = attach(program, ret_answer);
    if (session->attach >= 0) {
        api_act(program, session->name, "start", ret_answer);
    }
    if (session->attach < 0 || ret_answer->outcome != ENGINE_DONE) {
        session_stop(session);
        return;
    }
    allowance_start(&session->time, now_ns(), start->wall_ms);
    trickle_start(&session->wait,
                  ask_later(program, "POST", "/wait?condition=not-running", ret_answer),
                  WAIT_BYTES);
    if (session->wait.fd < 0) {
        session_stop(session);
        return;
    }
    struct answer ignored; /* without samples the outcome says less, and that is all */
    answer_init(&ignored);
    trickle_start(&session->samples, ask_later(program, "GET", "/stats?stream=1", &ignored),
                  SAMPLE_BYTES);
    answer_deinit(&ignored);
    session->is_running = true;
    ret_answer->outcome = ENGINE_DONE;
}

void session_hold(struct session *session, bool is_held) {
    if (session->is_running && !session->has_ended) {
        allowance_hold(&session->time, now_ns(), is_held);
    }
}

/* Serving. */

void session_polls(struct session *session, struct pollfd polls[static SESSION_POLLS]) {
    for (size_t i = 0; i < SESSION_POLLS; i++) {
        polls[i] = (struct pollfd){.fd = -1};
    }
    if (!session->is_running) {
        return;
    }
    bool is_idle = session->piece.size == 0 && session->rest.size == 0;
    bool has_bytes = session->input_begin < session->input_end;
    int target = session->streams[session->is_terminal ? INPUT : session->target];
    polls[ATTACH_READ] = (struct pollfd){is_idle ? session->attach : -1, POLLIN, 0};
    polls[ATTACH_WRITE] = (struct pollfd){has_bytes ? session->attach : -1, POLLOUT, 0};
    polls[INPUT_READ] = (struct pollfd){
        session->has_input && !has_bytes && session->attach >= 0 ? session->streams[INPUT] : -1,
        POLLIN, 0};
    polls[TARGET_WRITE] = (struct pollfd){session->piece.size > 0 ? target : -1, POLLOUT, 0};
    polls[WAIT_READ] = (struct pollfd){session->wait.fd, POLLIN, 0};
    polls[SAMPLE_READ] = (struct pollfd){session->samples.fd, POLLIN, 0};
}

/* Finds the next piece to be written. What is for nobody is dropped. */
static void take_apart(struct session *session) {
    while (session->piece.size == 0 && session->rest.size > 0) {
        bool is_error = false;
        if (session->is_terminal) {
            session->piece = session->rest;
            session->rest = (struct slice){0};
        } else if (!demux_feed(&session->demux, &session->rest, &session->piece, &is_error)) {
            session->rest = (struct slice){0};
            fd_closep(&session->attach);
            session->outcome = ENGINE_MALFORMED;
            session->wants_kill = true;
            return;
        }
        session->target = is_error ? ERRORS : OUTPUT;
        if (session->streams[session->is_terminal ? INPUT : session->target] < 0) {
            session->piece = (struct slice){0};
        }
    }
}

static void read_attached(struct session *session) {
    ssize_t got = recv(session->attach, session->raw, sizeof session->raw, 0);
    if (got > 0) {
        session->rest = slice_of(session->raw, (size_t)got);
        session->drain_until_ms = call_now_ms() + (uint64_t)LIMIT_OUTPUT_DRAIN_MS;
    } else if (got == 0 || (errno != EAGAIN && errno != EINTR)) {
        fd_closep(&session->attach);
    }
}

/* Without Airlock a program that writes to a closed pipe gets SIGPIPE and most often ends. In a
 * container it would go on for nobody, so it is ended. */
static void write_piece(struct session *session) {
    int *target = &session->streams[session->is_terminal ? INPUT : session->target];
    ssize_t written = write(*target, session->piece.data, session->piece.size);
    if (written >= 0) {
        session->piece =
            slice_of(session->piece.data + written, session->piece.size - (size_t)written);
    } else if (errno != EAGAIN && errno != EINTR) {
        fd_closep(target);
        session->piece = (struct slice){0};
        session->wants_kill = true;
    }
}

static void read_input(struct session *session) {
    ssize_t got = read(session->streams[INPUT], session->input, sizeof session->input);
    if (got > 0) {
        session->input_begin = 0;
        session->input_end = (size_t)got;
    } else if (got == 0 || (errno != EAGAIN && errno != EINTR)) {
        session->has_input = false;
        (void)shutdown(session->attach, SHUT_WR);
        if (!session->is_terminal) {
            fd_closep(&session->streams[INPUT]);
        }
    }
}

static void write_input(struct session *session) {
    ssize_t sent = send(session->attach, session->input + session->input_begin,
                        session->input_end - session->input_begin, MSG_NOSIGNAL);
    if (sent >= 0) {
        session->input_begin += (size_t)sent;
    } else if (errno != EAGAIN && errno != EINTR) {
        session->input_begin = session->input_end = 0;
        session->has_input = false;
    }
}

static void end_wait(struct session *session, enum http_result result) {
    struct scan_want code = {.path = "StatusCode", .kind = SCAN_INTEGER};
    unsigned status = session->wait.response.status;
    bool is_told = result == HTTP_WHOLE && status == 200 &&
                   scan_json(builder_slice(&session->wait.body), &code, 1) && code.is_found;
    session->status = is_told ? code.number : -1;
    if (session->outcome == ENGINE_DONE && !is_told) {
        bool is_broken = result != HTTP_WHOLE && result != HTTP_TOO_LONG && status != 404;
        session->outcome = status == 404 ? ENGINE_MISSING
                           : is_broken   ? ENGINE_UNREACHABLE
                                         : ENGINE_MALFORMED;
    }
    session->has_ended = true;
    allowance_end(&session->time, now_ns());
    session->drain_until_ms = session->time.ended_ns / 1000000 + (uint64_t)LIMIT_OUTPUT_DRAIN_MS;
    fd_closep(&session->wait.fd);
}

void session_serve(struct session *session, const struct pollfd polls[static SESSION_POLLS]) {
    if (!session->is_running) {
        return;
    }
    if (polls[TARGET_WRITE].revents != 0) {
        write_piece(session);
    }
    if (polls[ATTACH_READ].revents != 0) {
        read_attached(session);
    }
    take_apart(session);
    if (polls[ATTACH_WRITE].revents != 0 && session->attach >= 0) {
        write_input(session);
    }
    if (polls[INPUT_READ].revents != 0 && session->attach >= 0) {
        read_input(session);
    }
    if (polls[SAMPLE_READ].revents != 0) {
        enum http_result result = trickle_read(&session->samples);
        usage_take(&session->usage, &session->samples);
        if (result != HTTP_MORE) {
            fd_closep(&session->samples.fd);
        }
    }
    if (polls[WAIT_READ].revents != 0) {
        enum http_result result = trickle_read(&session->wait);
        if (result != HTTP_MORE) {
            end_wait(session, result);
        }
    }
}

static bool is_delivered(const struct session *session) {
    return session->piece.size == 0 && session->rest.size == 0;
}

uint64_t session_wake_ms(const struct session *session) {
    if (!session->is_running) {
        return UINT64_MAX;
    }
    if (session->wants_kill && !session->has_ended) {
        return 0;
    }
    if (session->has_ended) {
        uint64_t over_ms = session->attach < 0 ? 0 : session->drain_until_ms;
        return is_delivered(session) ? over_ms : UINT64_MAX;
    }
    uint64_t wake_ns = allowance_wake_ns(&session->time);
    return session->timed_out || wake_ns == UINT64_MAX ? UINT64_MAX : wake_ns / 1000000 + 1;
}

static void kill_container(struct program *program) {
    struct answer answer;
    answer_init(&answer);
    api_kill(program, program->session->name, SIGKILL, &answer);
    answer_deinit(&answer);
}

/* How it ended, as far as the engine still knows. */
static void finish(struct program *program, struct engine_message *ret,
                   char ret_text[static ENGINE_TEXT_BYTES]) {
    struct session *session = program->session;
    struct api_state state = {0};
    struct answer answer;
    answer_init(&answer);
    if (session->outcome == ENGINE_DONE) {
        api_inspect(program, session->name, &state, &answer);
        session->outcome = answer.outcome;
        session->os_errno = answer.os_errno;
    }
    int64_t flags =
        (state.is_oom ? ENGINE_EXIT_OOM : 0) | (session->timed_out ? ENGINE_EXIT_TIMED_OUT : 0);
    *ret = (struct engine_message){
        .kind = ENGINE_KIND_EXITED,
        .operation = ENGINE_START,
        .outcome = session->outcome,
        .os_errno = (uint32_t)session->os_errno,
        .text = ret_text,
        .name = "",
        .numbers =
            {
                [ENGINE_EXIT_STATUS] = session->status,
                [ENGINE_EXIT_FLAGS] = flags,
                [ENGINE_EXIT_WALL_NS] = (int64_t)allowance_wall_ns(&session->time),
                [ENGINE_EXIT_PAUSED_NS] = (int64_t)session->time.held_ns,
                [ENGINE_EXIT_MEMORY] = session->usage.memory_peak,
                [ENGINE_EXIT_CPU_USER] = session->usage.cpu_user_ns,
                [ENGINE_EXIT_CPU_SYSTEM] = session->usage.cpu_system_ns,
            },
    };
    text_printable(slice_of_string(state.error), ret_text, ENGINE_TEXT_BYTES);
    answer_deinit(&answer);
    session_stop(session);
}

bool session_step(struct program *program, struct engine_message *ret_message,
                  char ret_text[static ENGINE_TEXT_BYTES]) {
    struct session *session = program->session;
    if (!session->is_running) {
        return false;
    }
    if (session->has_ended) {
        bool is_over = session->attach < 0 || call_now_ms() >= session->drain_until_ms;
        if (is_over && is_delivered(session)) {
            finish(program, ret_message, ret_text);
            return true;
        }
        return false;
    }
    if (!session->timed_out && now_ns() >= allowance_wake_ns(&session->time)) {
        session->timed_out = true;
        session->wants_kill = true;
    }
    if (session->wants_kill) {
        session->wants_kill = false;
        kill_container(program);
    }
    return false;
}
