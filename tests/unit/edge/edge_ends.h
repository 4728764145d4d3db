/* SPDX-License-Identifier: Apache-2.0
 *
 * Ends of streams that count what befalls them, on either engine.
 */
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include <sys/socket.h>

#include "edge/io.h"

/* An end that counts what befalls it, and does what a test wants of it. */
struct end {
    struct io_stream stream; /* first */
    struct io *io;
    uint8_t *kept;
    size_t kept_size, seen;
    uint64_t sum; /* of position and byte, so that order counts */
    int ended, error, connected, connect_error, drained, closed;
    bool echoes, closes_when_received, finishes_when_received, stops_when_received;
};

static inline void add(struct end *end, struct slice bytes) {
    for (size_t i = 0; i < bytes.size; i++) {
        end->sum += (end->seen + i + 1) * bytes.data[i];
    }
    end->seen += bytes.size;
}

static inline void on_received(struct io_stream *stream, struct slice bytes) {
    struct end *end = (struct end *)stream;
    add(end, bytes);
    if (end->echoes) {
        assert_true(io_send(end->io, stream, bytes));
        if (io_is_full(stream)) {
            io_read_stop(end->io, stream);
        }
    }
    if (end->stops_when_received) {
        io_read_stop(end->io, stream);
    }
    if (end->finishes_when_received) {
        io_finish(end->io, stream);
    }
    if (end->closes_when_received) {
        io_close(end->io, stream, false);
    }
}

static inline void on_ended(struct io_stream *stream, int error) {
    struct end *end = (struct end *)stream;
    end->ended++;
    end->error = error;
    if (end->echoes) {
        io_shut(end->io, stream);
    }
}

static inline void on_drained(struct io_stream *stream) {
    struct end *end = (struct end *)stream;
    end->drained++;
    if (end->echoes) {
        io_read_start(end->io, stream);
    }
}

static inline void on_connected(struct io_stream *stream, int error) {
    struct end *end = (struct end *)stream;
    end->connected++;
    end->connect_error = error;
}

static inline void on_closed(struct io_stream *stream) {
    ((struct end *)stream)->closed++;
}

static const struct io_stream_row ROW = {.received = on_received,
                                         .ended = on_ended,
                                         .drained = on_drained,
                                         .connected = on_connected,
                                         .closed = on_closed};

struct fixture {
    struct io *io;
    enum edge_engine engine;
};

static inline int set_up(void **state, enum edge_engine engine) {
    struct fixture *fixture = calloc(1, sizeof *fixture);
    char reason[IO_REASON_BYTES];
    struct error err;
    if (fixture == nullptr) {
        return -1;
    }
    fixture->engine = engine;
    if (!status_is_ok(io_new(engine, &fixture->io, reason, &err))) {
        (void)printf("# io_uring cannot be had here: %s\n", reason);
        fixture->io = nullptr;
    }
    *state = fixture;
    return 0;
}

static inline int set_up_epoll(void **state) {
    return set_up(state, EDGE_ENGINE_EPOLL);
}

static inline int set_up_uring(void **state) {
    return set_up(state, EDGE_ENGINE_IO_URING);
}

static inline int tear_down(void **state) {
    struct fixture *fixture = *state;
    io_free(fixture->io);
    free(fixture);
    return 0;
}

static inline struct io *io_of(void **state) {
    struct fixture *fixture = *state;
    if (fixture->io == nullptr) {
        skip();
    }
    return fixture->io;
}

static inline void make_pair(int pair[2]) {
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, pair), 0);
}

static inline void end_init(struct end *end, struct io *io, int fd) {
    *end = (struct end){.io = io, .stream.row = &ROW};
    assert_true(io_open(io, &end->stream, fd));
}

static inline void quit(struct timer *timer) {
    (void)timer;
}

/* Turns until the condition holds; a timer bounds how long one turn may wait. */
#define TURN_UNTIL(io, condition)                        \
    do {                                                 \
        struct timer bound = {.fire = quit};             \
        for (int turn = 0; !(condition); turn++) {       \
            assert_true(turn < 100000);                  \
            assert_true(io_timer_set((io), &bound, 50)); \
            assert_true(io_turn(io));                    \
            io_timer_clear((io), &bound);                \
        }                                                \
    } while (0)

static inline void close_end(struct end *end) {
    io_close(end->io, &end->stream, false);
    TURN_UNTIL(end->io, end->closed == 1);
    assert_int_equal(end->stream.fd, -1);
}

#define ON_BOTH(test)                                              \
    {"epoll: " #test, test, set_up_epoll, tear_down, nullptr}, {   \
        "io_uring: " #test, test, set_up_uring, tear_down, nullptr \
    }
