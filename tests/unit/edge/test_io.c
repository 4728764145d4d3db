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

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

#include "base/limits.h"
#include "edge_ends.h"

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

/* Half of it closed is not all of it: who says that he sends no more may still want the rest. */
static void what_waits_is_sent_to_whoever_sends_no_more(void **state) {
    struct io *io = io_of(state);
    int pair[2];
    struct end end;
    static const uint8_t block[8192];
    static uint8_t sink[65536];
    make_pair(pair);
    end_init(&end, io, pair[0]);
    io_read_start(io, &end.stream);
    size_t taken = 0, got = 0;
    while (!io_is_full(&end.stream)) {
        assert_true(io_send(io, &end.stream, slice_of(block, sizeof block)));
        taken += sizeof block;
        int turns = 0;
        TURN_UNTIL(io, turns++ == 1);
    }
    end.finishes_when_received = true;
    assert_int_equal(write(pair[1], "x", 1), 1);
    assert_int_equal(shutdown(pair[1], SHUT_WR), 0); /* it may be seen in the same turn */
    while (end.closed == 0) {
        int turns = 0;
        TURN_UNTIL(io, turns++ == 1);
        ssize_t size = read(pair[1], sink, sizeof sink);
        got += size > 0 ? (size_t)size : 0;
    }
    for (ssize_t size = 1; size > 0; got += size > 0 ? (size_t)size : 0) {
        size = read(pair[1], sink, sizeof sink);
    }
    assert_int_equal(end.ended, 0);
    assert_int_equal(got, taken);
    assert_int_equal(close(pair[1]), 0);
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

int main(void) {
    const struct CMUnitTest tests[] = {
        ON_BOTH(the_engine_that_is_asked_for_is_the_one),
        ON_BOTH(nothing_is_read_before_it_is_wanted),
        ON_BOTH(a_peer_that_reads_nothing_stops_the_source_and_fills_no_memory),
        ON_BOTH(what_stops_is_not_read_and_goes_on_later),
        ON_BOTH(an_end_is_told_once_and_only_who_reads_hears_of_it),
        ON_BOTH(closing_from_within_a_call_ends_the_calls),
        ON_BOTH(what_waits_is_sent_to_whoever_sends_no_more),
        ON_BOTH(a_watch_is_called_as_long_as_it_holds_and_not_after),
        ON_BOTH(an_echo_gives_everything_back_in_order),
    };
    return cmocka_run_group_tests(tests, nullptr, nullptr);
}
