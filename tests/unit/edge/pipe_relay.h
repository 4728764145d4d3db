/* SPDX-License-Identifier: Apache-2.0
 *
 * A relay of two joined streams, on either engine, whose far ends are in the test's hands: what
 * they write is random, and what they read is checked against it.
 */
#pragma once

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <unistd.h>

#include "edge_ends.h"

enum { MIB = 1 << 20, BLOCK = 64 << 10 };

/* A relay of two streams, and the far end of each in the test's hands, non-blocking. */
struct side {
    struct io_stream stream; /* first */
    struct relay *relay;
    struct side *other;
    int far;
    size_t copied, passed; /* bytes that came on it, by either way */
    int ended, error, closed;
    uint32_t written; /* by the far end: state of the bytes' generator, */
    uint32_t checked; /* and of what the far end has read of the other side's */
    size_t sent, got;
};

struct relay {
    struct io *io;
    struct side left, right;
    bool closes_when_passed;
};

static inline void side_received(struct io_stream *stream, struct slice bytes) {
    struct side *side = (struct side *)stream;
    side->copied += bytes.size;
    assert_true(io_send(side->relay->io, &side->other->stream, bytes));
    if (io_is_full(&side->other->stream)) {
        io_read_stop(side->relay->io, stream);
    }
}

static inline void side_drained(struct io_stream *stream) {
    struct side *side = (struct side *)stream;
    io_read_start(side->relay->io, &side->other->stream);
}

static inline void close_both(struct relay *relay) {
    io_close(relay->io, &relay->left.stream, true);
    io_close(relay->io, &relay->right.stream, true);
}

static inline void side_passed(struct io_stream *stream, size_t size) {
    struct side *side = (struct side *)stream;
    side->passed += size;
    if (side->relay->closes_when_passed) {
        close_both(side->relay);
    }
}

static inline void side_ended(struct io_stream *stream, int error) {
    struct side *side = (struct side *)stream;
    side->ended++;
    side->error = error;
    if (error == 0) {
        io_shut(side->relay->io, &side->other->stream);
    } else {
        close_both(side->relay);
    }
}

static inline void side_closed(struct io_stream *stream) {
    ((struct side *)stream)->closed++;
}

static const struct io_stream_row SIDE = {.received = side_received,
                                          .ended = side_ended,
                                          .drained = side_drained,
                                          .passed = side_passed,
                                          .closed = side_closed};

/* TCP on the loopback: a socketpair has no window, and nothing that resets it. */
static inline void make_tcp(int pair[2]) {
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof address;
    int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(listener, (struct sockaddr *)&address, size), 0);
    assert_int_equal(listen(listener, 1), 0);
    assert_int_equal(getsockname(listener, (struct sockaddr *)&address, &size), 0);
    pair[1] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(connect(pair[1], (struct sockaddr *)&address, size), 0);
    pair[0] = accept4(listener, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
    assert_true(pair[0] >= 0);
    assert_int_equal(fcntl(pair[1], F_SETFL, O_NONBLOCK), 0);
    assert_int_equal(close(listener), 0);
}

/* The same with little room: hundreds that are stuck would fill what the kernel has for all. */
static inline void make_small_tcp(int pair[2]) {
    const int bytes = 64 << 10;
    make_tcp(pair);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(setsockopt(pair[i], SOL_SOCKET, SO_SNDBUF, &bytes, sizeof bytes), 0);
        assert_int_equal(setsockopt(pair[i], SOL_SOCKET, SO_RCVBUF, &bytes, sizeof bytes), 0);
    }
}

static inline void side_init(struct side *side, struct relay *relay, struct side *other,
                             void (*make)(int[2])) {
    int pair[2];
    make(pair);
    *side = (struct side){.relay = relay, .other = other, .far = pair[1], .stream.row = &SIDE};
    assert_true(io_open(relay->io, &side->stream, pair[0]));
}

static inline void relay_init(struct relay *relay, struct io *io, void (*make)(int[2])) {
    *relay = (struct relay){.io = io};
    side_init(&relay->left, relay, &relay->right, make);
    side_init(&relay->right, relay, &relay->left, make);
    io_join(io, &relay->left.stream, &relay->right.stream);
    io_join(io, &relay->right.stream, &relay->left.stream);
    io_read_start(io, &relay->left.stream);
    io_read_start(io, &relay->right.stream);
}

static inline void relay_deinit(struct relay *relay) {
    close_both(relay);
    TURN_UNTIL(relay->io, relay->left.closed == 1 && relay->right.closed == 1);
    if (relay->left.far >= 0) {
        assert_int_equal(close(relay->left.far), 0);
    }
    assert_int_equal(close(relay->right.far), 0);
}

static inline uint32_t next(uint32_t *state) {
    *state = *state * 1664525u + 1013904223u;
    return *state >> 24;
}

/* The far end writes up to `size` bytes; what did not fit comes again the next time. */
static inline void far_write(struct side *side, size_t size) {
    static uint8_t block[4 * BLOCK];
    uint32_t state = side->written;
    size = size < sizeof block ? size : sizeof block;
    for (size_t i = 0; i < size; i++) {
        block[i] = (uint8_t)next(&state);
    }
    ssize_t written = send(side->far, block, size, MSG_NOSIGNAL);
    assert_true(written >= 0 || errno == EAGAIN);
    for (ssize_t i = 0; i < written; i++) {
        (void)next(&side->written);
    }
    side->sent += written > 0 ? (size_t)written : 0;
}

/* And reads up to `size`; false at the end. */
static inline bool far_read(struct side *side, size_t size) {
    static uint8_t block[4 * BLOCK];
    size = size < sizeof block ? size : sizeof block;
    ssize_t got = recv(side->far, block, size, 0);
    assert_true(got >= 0 || errno == EAGAIN);
    bool is_right = true;
    for (ssize_t i = 0; i < got; i++) {
        is_right = block[i] == next(&side->checked) && is_right;
    }
    assert_true(is_right);
    side->got += got > 0 ? (size_t)got : 0;
    return got != 0;
}

static inline void turn(struct io *io) {
    struct timer bound = {.fire = quit};
    assert_true(io_timer_set(io, &bound, 1));
    assert_true(io_turn(io));
    io_timer_clear(io, &bound);
}

static inline void pump(struct relay *relay, size_t total, size_t piece) {
    struct side *from = &relay->left, *to = &relay->right;
    total += from->sent;
    while (to->got < total) {
        if (from->sent < total) {
            far_write(from, total - from->sent < piece ? total - from->sent : piece);
        }
        turn(relay->io);
        (void)far_read(to, 4 * BLOCK);
    }
}
