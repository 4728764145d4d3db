/* SPDX-License-Identifier: Apache-2.0
 *
 * The same tests on each engine.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <unistd.h>

#include "base/limits.h"
#include "edge/io.h"

/* An end that counts what befalls it, and does what a test wants of it. */
struct end {
    struct io_stream stream; /* first */
    struct io *io;
    uint8_t *kept;
    size_t kept_size, seen;
    uint64_t sum; /* of position and byte, so that order counts */
    int ended, error, connected, connect_error, drained, closed;
    bool echoes, closes_when_received, stops_when_received;
};

static void add(struct end *end, struct slice bytes) {
    for (size_t i = 0; i < bytes.size; i++) {
        end->sum += (end->seen + i + 1) * bytes.data[i];
    }
    end->seen += bytes.size;
}

static void on_received(struct io_stream *stream, struct slice bytes) {
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
    if (end->closes_when_received) {
        io_close(end->io, stream, false);
    }
}

static void on_ended(struct io_stream *stream, int error) {
    struct end *end = (struct end *)stream;
    end->ended++;
    end->error = error;
    if (end->echoes) {
        io_shut(end->io, stream);
    }
}

static void on_drained(struct io_stream *stream) {
    struct end *end = (struct end *)stream;
    end->drained++;
    if (end->echoes) {
        io_read_start(end->io, stream);
    }
}

static void on_connected(struct io_stream *stream, int error) {
    struct end *end = (struct end *)stream;
    end->connected++;
    end->connect_error = error;
}

static void on_closed(struct io_stream *stream) {
    ((struct end *)stream)->closed++;
}

static const struct io_stream_row ROW = {on_received, on_ended, on_drained, on_connected,
                                         on_closed};

struct fixture {
    struct io *io;
    enum edge_engine engine;
};

static int set_up(void **state, enum edge_engine engine) {
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

static int set_up_epoll(void **state) {
    return set_up(state, EDGE_ENGINE_EPOLL);
}

static int set_up_uring(void **state) {
    return set_up(state, EDGE_ENGINE_IO_URING);
}

static int tear_down(void **state) {
    struct fixture *fixture = *state;
    io_free(fixture->io);
    free(fixture);
    return 0;
}

static struct io *io_of(void **state) {
    struct fixture *fixture = *state;
    if (fixture->io == nullptr) {
        skip();
    }
    return fixture->io;
}

static void make_pair(int pair[2]) {
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, pair), 0);
}

static void end_init(struct end *end, struct io *io, int fd) {
    *end = (struct end){.io = io, .stream.row = &ROW};
    assert_true(io_open(io, &end->stream, fd));
}

static void quit(struct timer *timer) {
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

static void close_end(struct end *end) {
    io_close(end->io, &end->stream, false);
    TURN_UNTIL(end->io, end->closed == 1);
    assert_int_equal(end->stream.fd, -1);
}

static void nothing_is_read_before_it_is_wanted(void **state) {
    struct io *io = io_of(state);
    int pair[2];
    struct end end;
    make_pair(pair);
    end_init(&end, io, pair[0]);
    assert_int_equal(write(pair[1], "hello", 5), 5);
    int turns = 0;
    TURN_UNTIL(io, turns++ == 3);
    assert_int_equal(end.seen, 0);
    io_read_start(io, &end.stream);
    TURN_UNTIL(io, end.seen == 5);
    close_end(&end);
    assert_int_equal(close(pair[1]), 0);
}

static void an_echo_gives_everything_back_in_order(void **state) {
    enum { TOTAL = 20 << 20 };
    struct io *io = io_of(state);
    int pair[2];
    struct end end, peer;
    uint8_t block[5000];
    struct end expected = {};
    make_pair(pair);
    end_init(&end, io, pair[0]);
    end_init(&peer, io, pair[1]);
    end.echoes = true;
    io_read_start(io, &end.stream);
    io_read_start(io, &peer.stream);
    for (size_t sent = 0, n = 0; sent < TOTAL; sent += sizeof block) {
        for (size_t i = 0; i < sizeof block; i++, n++) {
            block[i] = (uint8_t)(n * 7 + (n >> 9));
        }
        add(&expected, slice_of(block, sizeof block));
        TURN_UNTIL(io, !io_is_full(&peer.stream));
        assert_true(io_send(io, &peer.stream, slice_of(block, sizeof block)));
    }
    io_shut(io, &peer.stream);
    TURN_UNTIL(io, peer.ended == 1);
    assert_int_equal(end.ended, 1);
    assert_int_equal(end.error, 0);
    assert_int_equal(peer.seen, expected.seen);
    assert_true(peer.sum == expected.sum);
    close_end(&end);
    close_end(&peer);
}

static void a_peer_that_reads_nothing_stops_the_source_and_fills_no_memory(void **state) {
    struct io *io = io_of(state);
    int pair[2];
    struct end end;
    static const uint8_t block[8192];
    make_pair(pair);
    end_init(&end, io, pair[0]);
    size_t taken = 0;
    int turns = 0;
    while (!io_is_full(&end.stream)) {
        assert_true(io_send(io, &end.stream, slice_of(block, sizeof block)));
        taken += sizeof block;
        turns = 0;
        TURN_UNTIL(io, turns++ == 1);
    }
    while (io_send(io, &end.stream, slice_of(block, sizeof block))) {
        taken += sizeof block;
        assert_true(taken < (size_t)16 << 20);
    }
    assert_true(end.stream.waiting >= (size_t)LIMIT_EDGE_OUTPUT_BYTES);
    assert_true(end.stream.waiting < (size_t)LIMIT_EDGE_OUTPUT_BYTES + (64 << 10));
    assert_int_equal(end.drained, 0);
    uint8_t sink[65536];
    for (size_t got = 0; got < taken;) {
        ssize_t size = read(pair[1], sink, sizeof sink);
        got += size > 0 ? (size_t)size : 0;
        turns = 0;
        TURN_UNTIL(io, turns++ == 1 || end.stream.waiting == 0);
        if (end.stream.waiting == 0 && size <= 0) {
            break;
        }
    }
    assert_int_equal(end.drained, 1);
    close_end(&end);
    assert_int_equal(close(pair[1]), 0);
}

static void what_stops_is_not_read_and_goes_on_later(void **state) {
    struct io *io = io_of(state);
    int pair[2];
    struct end end;
    make_pair(pair);
    end_init(&end, io, pair[0]);
    end.stops_when_received = true;
    io_read_start(io, &end.stream);
    assert_int_equal(write(pair[1], "a", 1), 1);
    TURN_UNTIL(io, end.seen == 1);
    int turns = 0;
    TURN_UNTIL(io, turns++ == 2);
    assert_int_equal(write(pair[1], "b", 1), 1);
    turns = 0;
    TURN_UNTIL(io, turns++ == 2);
    assert_int_equal(end.seen, 1);
    for (size_t i = 2; i < 50; i++) { /* stop and start at every moment of an operation */
        io_read_start(io, &end.stream);
        TURN_UNTIL(io, end.seen == i);
        io_read_start(io, &end.stream);
        io_read_stop(io, &end.stream);
        assert_int_equal(write(pair[1], "c", 1), 1);
    }
    close_end(&end);
    assert_int_equal(close(pair[1]), 0);
}

static void an_end_is_told_once_and_only_who_reads_hears_of_it(void **state) {
    struct io *io = io_of(state);
    int pair[2];
    struct end end;
    make_pair(pair);
    end_init(&end, io, pair[0]);
    assert_int_equal(write(pair[1], "last", 4), 4);
    assert_int_equal(close(pair[1]), 0);
    int turns = 0;
    TURN_UNTIL(io, turns++ == 3);
    assert_int_equal(end.ended, 0);
    io_read_start(io, &end.stream);
    TURN_UNTIL(io, end.ended == 1);
    assert_int_equal(end.seen, 4);
    assert_int_equal(end.error, 0);
    turns = 0;
    TURN_UNTIL(io, turns++ == 3);
    assert_int_equal(end.ended, 1);
    /* Writing to it is an error that is told too. */
    assert_true(io_send(io, &end.stream, SLICE_LITERAL("x")));
    TURN_UNTIL(io, end.ended == 2);
    assert_int_equal(end.error, EPIPE);
    assert_false(io_send(io, &end.stream, SLICE_LITERAL("x")));
    close_end(&end);
}

static void closing_from_within_a_call_ends_the_calls(void **state) {
    struct io *io = io_of(state);
    int pair[2];
    struct end end;
    make_pair(pair);
    end_init(&end, io, pair[0]);
    end.closes_when_received = true;
    io_read_start(io, &end.stream);
    assert_true(io_send(io, &end.stream, SLICE_LITERAL("never mind")));
    assert_int_equal(write(pair[1], "x", 1), 1);
    TURN_UNTIL(io, end.closed == 1);
    assert_int_equal(end.seen, 1);
    assert_int_equal(end.ended, 0);
    assert_int_equal(close(pair[1]), 0);
}

struct door {
    struct io_acceptor acceptor; /* first */
    int fds[64];
    int count, failures;
};

static void on_accepted(struct io_acceptor *acceptor, int fd) {
    struct door *door = (struct door *)acceptor;
    assert_true(door->count < 64);
    assert_true((fcntl(fd, F_GETFL) & O_NONBLOCK) != 0);
    door->fds[door->count++] = fd;
}

static void on_failed(struct io_acceptor *acceptor, int error) {
    (void)error;
    ((struct door *)acceptor)->failures++;
}

static int listen_on_loopback(struct sockaddr_in *ret_address) {
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    socklen_t size = sizeof *ret_address;
    *ret_address = (struct sockaddr_in){.sin_family = AF_INET};
    ret_address->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    assert_int_equal(bind(fd, (struct sockaddr *)ret_address, size), 0);
    assert_int_equal(listen(fd, 128), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)ret_address, &size), 0);
    return fd;
}

static int tcp_socket(void) {
    return socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
}

static void connections_are_accepted_until_it_is_stopped(void **state) {
    struct io *io = io_of(state);
    struct sockaddr_in address;
    struct door door = {.acceptor = {.accepted = on_accepted, .failed = on_failed}};
    struct end ends[40];
    int listener = listen_on_loopback(&address);
    door.acceptor.fd = listener;
    assert_true(io_accept_start(io, &door.acceptor));
    for (int i = 0; i < 40; i++) {
        ends[i] = (struct end){.io = io, .stream.row = &ROW};
        assert_true(io_connect(io, &ends[i].stream, tcp_socket(), (struct sockaddr *)&address,
                               sizeof address));
    }
    TURN_UNTIL(io, door.count == 40);
    for (int i = 0; i < 40; i++) {
        TURN_UNTIL(io, ends[i].connected == 1);
        assert_int_equal(ends[i].connect_error, 0);
        assert_int_equal(close(door.fds[i]), 0);
        close_end(&ends[i]);
    }
    io_accept_stop(io, &door.acceptor);
    int turns = 0;
    TURN_UNTIL(io, turns++ == 2);
    int late = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(connect(late, (struct sockaddr *)&address, sizeof address), 0);
    turns = 0;
    TURN_UNTIL(io, turns++ == 3);
    assert_int_equal(door.count, 40);
    assert_int_equal(close(late), 0);
    assert_int_equal(close(listener), 0);
}

static void a_connection_that_is_refused_says_so(void **state) {
    struct io *io = io_of(state);
    struct sockaddr_in address;
    struct end end = {.io = io, .stream.row = &ROW};
    assert_int_equal(close(listen_on_loopback(&address)), 0);
    int fd = tcp_socket();
    if (io_connect(io, &end.stream, fd, (struct sockaddr *)&address, sizeof address)) {
        TURN_UNTIL(io, end.connected == 1);
        assert_int_equal(end.connect_error, ECONNREFUSED);
        close_end(&end);
    } else {
        assert_int_equal(errno, ECONNREFUSED);
        assert_int_equal(close(fd), 0);
    }
}

static void output_before_the_connection_stands_waits_for_it(void **state) {
    struct io *io = io_of(state);
    struct sockaddr_in address;
    struct end end = {.io = io, .stream.row = &ROW};
    int listener = listen_on_loopback(&address);
    assert_true(
        io_connect(io, &end.stream, tcp_socket(), (struct sockaddr *)&address, sizeof address));
    assert_true(io_send(io, &end.stream, SLICE_LITERAL("early")));
    io_read_start(io, &end.stream);
    io_shut(io, &end.stream);
    TURN_UNTIL(io, end.connected == 1);
    int peer = accept(listener, nullptr, nullptr);
    assert_true(peer >= 0);
    TURN_UNTIL(io, end.stream.waiting == 0);
    char text[16];
    assert_int_equal(read(peer, text, sizeof text), 5);
    assert_int_equal(read(peer, text, sizeof text), 0);
    assert_int_equal(write(peer, "yes", 3), 3);
    TURN_UNTIL(io, end.seen == 3);
    close_end(&end);
    assert_int_equal(close(peer), 0);
    assert_int_equal(close(listener), 0);
}

static void a_reset_is_an_error(void **state) {
    struct io *io = io_of(state);
    struct sockaddr_in address;
    struct end end = {.io = io, .stream.row = &ROW};
    int listener = listen_on_loopback(&address);
    assert_true(
        io_connect(io, &end.stream, tcp_socket(), (struct sockaddr *)&address, sizeof address));
    TURN_UNTIL(io, end.connected == 1);
    io_read_start(io, &end.stream);
    int peer = accept(listener, nullptr, nullptr);
    const struct linger now = {.l_onoff = 1};
    assert_int_equal(setsockopt(peer, SOL_SOCKET, SO_LINGER, &now, sizeof now), 0);
    assert_int_equal(close(peer), 0);
    TURN_UNTIL(io, end.ended == 1);
    assert_int_equal(end.error, ECONNRESET);
    close_end(&end);
    assert_int_equal(close(listener), 0);
}

struct eye {
    struct io_watch watch; /* first */
    struct io *io;
    int count;
    bool removes;
};

static void on_ready(struct io_watch *watch, uint32_t events) {
    struct eye *eye = (struct eye *)watch;
    assert_true((events & POLLIN) != 0);
    eye->count++;
    if (eye->removes) {
        io_watch_remove(eye->io, watch);
    }
}

static void a_watch_is_called_as_long_as_it_holds_and_not_after(void **state) {
    struct io *io = io_of(state);
    int pipes[2];
    char byte;
    struct eye eye = {.watch = {.fd = -1, .ready = on_ready}, .io = io};
    assert_int_equal(pipe2(pipes, O_NONBLOCK | O_CLOEXEC), 0);
    assert_true(io_watch_add(io, &eye.watch, pipes[0], POLLIN));
    int turns = 0;
    TURN_UNTIL(io, turns++ == 2);
    assert_int_equal(eye.count, 0);
    assert_int_equal(write(pipes[1], "x", 1), 1);
    TURN_UNTIL(io, eye.count >= 3); /* level-triggered */
    io_watch_set(io, &eye.watch, 0);
    int count = eye.count;
    turns = 0;
    TURN_UNTIL(io, turns++ == 3);
    assert_int_equal(eye.count, count);
    eye.removes = true;
    io_watch_set(io, &eye.watch, POLLIN);
    TURN_UNTIL(io, eye.count == count + 1);
    turns = 0;
    TURN_UNTIL(io, turns++ == 3);
    assert_int_equal(eye.count, count + 1);
    assert_int_equal(read(pipes[0], &byte, 1), 1);
    assert_true(io_watch_add(io, &eye.watch, pipes[0], POLLIN));
    io_watch_remove(io, &eye.watch);
    turns = 0;
    TURN_UNTIL(io, turns++ == 3);
    assert_int_equal(close(pipes[0]), 0);
    assert_int_equal(close(pipes[1]), 0);
}

static void the_engine_that_is_asked_for_is_the_one(void **state) {
    struct fixture *fixture = *state;
    struct io *io = io_of(state);
    assert_string_equal(io_name(io), fixture->engine == EDGE_ENGINE_EPOLL ? "epoll" : "io_uring");
}

#define ON_BOTH(test)                                              \
    {"epoll: " #test, test, set_up_epoll, tear_down, nullptr}, {   \
        "io_uring: " #test, test, set_up_uring, tear_down, nullptr \
    }

int main(void) {
    const struct CMUnitTest tests[] = {
        ON_BOTH(the_engine_that_is_asked_for_is_the_one),
        ON_BOTH(nothing_is_read_before_it_is_wanted),
        ON_BOTH(a_peer_that_reads_nothing_stops_the_source_and_fills_no_memory),
        ON_BOTH(what_stops_is_not_read_and_goes_on_later),
        ON_BOTH(an_end_is_told_once_and_only_who_reads_hears_of_it),
        ON_BOTH(closing_from_within_a_call_ends_the_calls),
        ON_BOTH(a_connection_that_is_refused_says_so),
        ON_BOTH(a_reset_is_an_error),
        ON_BOTH(output_before_the_connection_stands_waits_for_it),
        ON_BOTH(connections_are_accepted_until_it_is_stopped),
        ON_BOTH(a_watch_is_called_as_long_as_it_holds_and_not_after),
        ON_BOTH(an_echo_gives_everything_back_in_order),
    };
    return cmocka_run_group_tests(tests, nullptr, nullptr);
}
