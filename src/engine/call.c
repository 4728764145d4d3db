/* SPDX-License-Identifier: Apache-2.0
 *
 * Every request has a connection of its own and asks for its end, so that no answer can be taken
 * for another's. Waiting happens in one place, where a running container's streams are served too:
 * a full pipe must not hold up the call that is to end it.
 */
#include "engine/call.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "engine/scan.h"
#include "engine/session.h"
#include "sys/fd.h"

enum { PIECE_BYTES = 16384, REQUEST_HEAD_BYTES = 8192 };

const struct http_options CALL_RESPONSES = {.head_bytes_max = LIMIT_ENGINE_HEAD_BYTES};

uint64_t call_now_ms(void) {
    struct clock clock = clock_system();
    return clock_monotonic_ns(&clock) / 1000000;
}

void answer_init(struct answer *answer) {
    *answer = (struct answer){.outcome = ENGINE_INTERNAL};
    builder_init(&answer->body, LIMIT_ENGINE_BYTES);
}

void answer_deinit(struct answer *answer) {
    builder_deinit(&answer->body);
}

void text_printable(struct slice bytes, char *ret_text, size_t size) {
    size_t count = bytes.size < size - 1 ? bytes.size : size - 1;
    for (size_t i = 0; i < count; i++) {
        bool is_printable = bytes.data[i] >= ' ' && bytes.data[i] <= '~';
        ret_text[i] = (char)(is_printable ? bytes.data[i] : '?');
    }
    ret_text[count] = '\0';
}

void text_percent(const char *text, struct builder *out) {
    static const char PLAIN[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~/:";
    for (; *text != '\0'; text++) {
        if (strchr(PLAIN, *text) != nullptr) {
            builder_u8(out, (uint8_t)*text);
        } else {
            builder_format(out, "%%%02X", (unsigned)(unsigned char)*text);
        }
    }
}

void answer_text(const struct answer *answer, char ret_text[static ENGINE_TEXT_BYTES]) {
    struct scan_want message = {.path = "message", .kind = SCAN_TEXT};
    bool is_json = scan_json(builder_slice(&answer->body), &message, 1);
    const char *text = is_json && message.is_found ? message.text : "";
    text_printable(slice_of_string(text), ret_text, ENGINE_TEXT_BYTES);
}

/* Waits for the connection, serving the session; false at the deadline or when airlock is gone. */
static bool wait_for(struct program *program, int fd, short events, uint64_t deadline,
                     struct answer *answer) {
    for (;;) {
        struct pollfd polls[2 + SESSION_POLLS] = {
            {.fd = fd, .events = events},
            {.fd = program->socket, .events = 0},
        };
        uint64_t now = call_now_ms();
        if (now >= deadline) {
            limit_hit(LIMIT_ID_ENGINE_CALL_MS);
            answer->outcome = ENGINE_TIMEOUT;
            return false;
        }
        session_polls(program->session, polls + 2);
        uint64_t left = deadline - now;
        int ready = poll(polls, 2 + SESSION_POLLS, left < INT32_MAX ? (int)left : INT32_MAX);
        if (ready > 0) {
            session_serve(program->session, polls + 2);
        }
        if (ready > 0 && polls[0].revents != 0) {
            return true;
        }
        if ((ready > 0 && polls[1].revents != 0 && !program->is_orphan) ||
            (ready < 0 && errno != EINTR)) {
            answer->outcome = ENGINE_UNREACHABLE;
            answer->os_errno = ready < 0 ? errno : ECONNABORTED;
            return false;
        }
    }
}

static bool send_all(struct program *program, int fd, struct slice bytes, uint64_t deadline,
                     struct answer *answer) {
    while (bytes.size > 0) {
        ssize_t sent = send(fd, bytes.data, bytes.size, MSG_NOSIGNAL);
        if (sent >= 0) {
            bytes = slice_of(bytes.data + sent, bytes.size - (size_t)sent);
        } else if (errno != EAGAIN && errno != EINTR) {
            answer->outcome = ENGINE_UNREACHABLE;
            answer->os_errno = errno;
            return false;
        } else if (!wait_for(program, fd, POLLOUT, deadline, answer)) {
            return false;
        }
    }
    return true;
}

static void write_request(const struct call *call, bool hijacks, struct builder *out) {
    builder_format(out, "%s %s HTTP/1.1\r\nHost: engine\r\nUser-Agent: airlock\r\n", call->method,
                   call->path);
    builder_text(out,
                 hijacks ? "Connection: Upgrade\r\nUpgrade: tcp\r\n" : "Connection: close\r\n");
    if (call->body.size > 0) {
        builder_text(out, "Content-Type: application/json\r\n");
    }
    builder_format(out, "Content-Length: %zu\r\n\r\n", call->body.size);
    builder_bytes(out, call->body);
}

int call_send(struct program *program, const struct call *call, bool hijacks,
              struct answer *ret_answer) {
    CLEANUP(builder_deinit) struct builder request;
    builder_init(&request, call->body.size + REQUEST_HEAD_BYTES);
    write_request(call, hijacks, &request);
    if (!builder_is_ok(&request)) {
        ret_answer->outcome = ENGINE_INTERNAL;
        return -1;
    }
    CLEANUP(fd_closep) int fd = dialer_connect(&program->dialer, &ret_answer->os_errno);
    if (fd < 0) {
        ret_answer->outcome = ENGINE_UNREACHABLE;
        return -1;
    }
    uint32_t ms = call->deadline_ms != 0 ? call->deadline_ms : (uint32_t)LIMIT_ENGINE_CALL_MS;
    bool is_sent = send_all(program, fd, builder_slice(&request), call_now_ms() + ms, ret_answer);
    return is_sent ? fd_take(&fd) : -1;
}

/* Gives pieces of the body to whom they belong. */
static enum engine_outcome take_body(const struct call *call, unsigned status, struct slice piece,
                                     struct answer *answer) {
    if (call->sink != nullptr && status < 400) {
        return call->sink(call->context, piece) ? ENGINE_DONE : ENGINE_MALFORMED;
    }
    builder_bytes(&answer->body, piece);
    if (!builder_is_ok(&answer->body)) {
        limit_hit(LIMIT_ID_ENGINE_BYTES);
        return ENGINE_TOO_LONG;
    }
    return ENGINE_DONE;
}

static enum engine_outcome outcome_of(enum http_result result, unsigned status) {
    if (result == HTTP_TOO_LONG) {
        limit_hit(LIMIT_ID_ENGINE_HEAD_BYTES);
        return ENGINE_TOO_LONG;
    }
    if (result != HTTP_WHOLE || (status >= 300 && status < 400 && status != 304)) {
        return ENGINE_MALFORMED;
    }
    if (status == 404) {
        return ENGINE_MISSING;
    }
    return status < 400 ? ENGINE_DONE : ENGINE_REFUSED;
}

/* A response on its way in. */
struct reading {
    const struct call *call;
    struct http_response response;
    struct hijack *hijack; /* nullptr: none is asked for */
};

/* Takes what came; true when the call has ended. */
static bool take_bytes(struct reading *reading, struct slice bytes, struct answer *answer) {
    bool hijacks = reading->hijack != nullptr;
    for (;;) {
        struct slice piece;
        enum http_result result = http_feed(&reading->response, hijacks, &bytes, &piece);
        unsigned status = reading->response.status;
        answer->status = status;
        if (hijacks && status != 0 && status < 300 && reading->response.phase == HTTP_PHASE_REST) {
            reading->hijack->rest = result == HTTP_BODY ? piece : (struct slice){0};
            answer->outcome = ENGINE_DONE;
            return true;
        }
        if (result == HTTP_MORE) {
            return false;
        }
        if (result != HTTP_BODY) {
            answer->outcome = outcome_of(result, status);
            return true;
        }
        enum engine_outcome outcome = take_body(reading->call, status, piece, answer);
        if (outcome != ENGINE_DONE) {
            answer->outcome = outcome;
            return true;
        }
    }
}

/* The connection is at its end, or broken. */
static void take_end(const struct reading *reading, int number, struct answer *answer) {
    bool has_ended = number == 0 && builder_slice(&reading->response.head).size > 0;
    answer->outcome = has_ended ? outcome_of(http_end(&reading->response), reading->response.status)
                                : ENGINE_UNREACHABLE;
    answer->os_errno = has_ended ? 0 : (number != 0 ? number : ECONNRESET);
}

static void receive_all(struct program *program, struct reading *reading, int fd,
                        struct answer *answer) {
    uint8_t own[PIECE_BYTES];
    struct hijack *hijack = reading->hijack;
    uint8_t *buffer = hijack != nullptr ? hijack->buffer : own;
    size_t capacity = hijack != nullptr ? hijack->capacity : sizeof own;
    uint32_t ms = reading->call->deadline_ms;
    uint64_t deadline = call_now_ms() + (ms != 0 ? ms : (uint32_t)LIMIT_ENGINE_CALL_MS);
    http_init(&reading->response, &CALL_RESPONSES);
    for (bool is_done = false; !is_done;) {
        ssize_t got = recv(fd, buffer, capacity, 0);
        if (got > 0) {
            is_done = take_bytes(reading, slice_of(buffer, (size_t)got), answer);
        } else if (got == 0 || (errno != EAGAIN && errno != EINTR)) {
            take_end(reading, got == 0 ? 0 : errno, answer);
            is_done = true;
        } else {
            is_done = !wait_for(program, fd, POLLIN, deadline, answer);
        }
    }
    http_deinit(&reading->response);
}

static void answer_reset(struct answer *answer) {
    builder_reset(&answer->body);
    answer->status = 0;
    answer->os_errno = 0;
}

void call_put(struct program *program, const struct call *call, struct answer *ret_answer) {
    struct reading reading = {.call = call};
    answer_reset(ret_answer);
    CLEANUP(fd_closep) int fd = call_send(program, call, false, ret_answer);
    if (fd >= 0) {
        receive_all(program, &reading, fd, ret_answer);
    }
}

int call_hijack(struct program *program, const struct call *call, struct hijack *hijack,
                struct answer *ret_answer) {
    struct reading reading = {.call = call, .hijack = hijack};
    answer_reset(ret_answer);
    hijack->rest = (struct slice){0};
    CLEANUP(fd_closep) int fd = call_send(program, call, true, ret_answer);
    if (fd < 0) {
        return -1;
    }
    receive_all(program, &reading, fd, ret_answer);
    bool is_ours = ret_answer->outcome == ENGINE_DONE &&
                   (ret_answer->status == 101 || ret_answer->status == 200);
    if (!is_ours && ret_answer->outcome == ENGINE_DONE) {
        ret_answer->outcome = ENGINE_MALFORMED; /* an answer where the connection was asked for */
    }
    return is_ours ? fd_take(&fd) : -1;
}
