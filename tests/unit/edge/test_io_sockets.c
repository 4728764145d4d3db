/* SPDX-License-Identifier: Apache-2.0
 *
 * Listening and connecting, the same tests on each engine.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "edge/listen.h"
#include "edge_ends.h"

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

static void reset(int fd) {
    const struct linger now = {.l_onoff = 1};
    assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_LINGER, &now, sizeof now), 0);
    assert_int_equal(close(fd), 0);
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
    reset(peer);
    TURN_UNTIL(io, end.ended == 1);
    assert_int_equal(end.error, ECONNRESET);
    close_end(&end);
    assert_int_equal(close(listener), 0);
}

/* A client that somebody has accepted; its descriptor. */
static int knock(const struct sockaddr_in *address) {
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(connect(fd, (const struct sockaddr *)address, sizeof *address), 0);
    return fd;
}

/* Whoever was let in gets a byte; whoever was dropped on the way sees a reset, or nothing. */
static void everybody_was_let_in(struct door *door, const int *clients, int count) {
    assert_int_equal(door->count, count);
    for (int i = 0; i < count; i++) {
        assert_int_equal(write(door->fds[i], "x", 1), 1);
        assert_int_equal(close(door->fds[i]), 0);
    }
    for (int i = 0; i < count; i++) {
        char byte = 0;
        assert_int_equal(read(clients[i], &byte, 1), 1);
        assert_int_equal(close(clients[i]), 0);
    }
    door->count = 0;
}

static void move_doors(struct io *io) {
    enum { MOVES = 20, CLIENTS = 3 };
    struct sockaddr_in address;
    struct door doors[2];
    int clients[CLIENTS];
    int fd = listen_on_loopback(&address);
    for (int i = 0; i < 2; i++) {
        doors[i] = (struct door){.acceptor = {.accepted = on_accepted, .failed = on_failed}};
    }
    doors[0].acceptor.fd = fd;
    assert_true(io_accept_start(io, &doors[0].acceptor));
    for (int move = 0; move < MOVES; move++) {
        struct door *from = &doors[move % 2];
        struct door *to = &doors[(move + 1) % 2];
        int turns = 0;
        TURN_UNTIL(io, turns++ == move % 3); /* the kernel may have begun to accept, or not */
        clients[0] = knock(&address);
        to->acceptor.fd = fcntl(fd, F_DUPFD_CLOEXEC, 0);
        assert_true(io_accept_move(io, &from->acceptor, &to->acceptor));
        assert_int_equal(close(fd), 0); /* of the configuration before */
        fd = to->acceptor.fd;
        for (int i = 1; i < CLIENTS; i++) {
            clients[i] = knock(&address);
        }
        TURN_UNTIL(io, to->count == CLIENTS);
        assert_int_equal(from->count, 0);
        everybody_was_let_in(to, clients, CLIENTS);
    }
    assert_int_equal(doors[0].failures + doors[1].failures, 0);
    io_accept_stop(io, &doors[MOVES % 2].acceptor);
    int turns = 0;
    TURN_UNTIL(io, turns++ == 2);
    assert_int_equal(close(fd), 0);
}

/* Also of an engine that makes its first turn only then, and has what it was told before that. */
static void nobody_is_lost_when_a_door_is_moved(void **state) {
    move_doors(io_of(state));
    move_doors(io_of(state));
}

/* Without descriptors it waits to try again; who takes its place waits for nothing of that. */
static void a_door_that_failed_can_be_moved(void **state) {
    struct io *io = io_of(state);
    struct sockaddr_in address;
    struct door old = {.acceptor = {.accepted = on_accepted, .failed = on_failed}};
    struct door new = {.acceptor = {.accepted = on_accepted, .failed = on_failed}};
    struct rlimit files;
    old.acceptor.fd = listen_on_loopback(&address);
    assert_true(io_accept_start(io, &old.acceptor));
    int client = knock(&address);
    new.acceptor.fd = fcntl(old.acceptor.fd, F_DUPFD_CLOEXEC, 0);
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &files), 0);
    const struct rlimit none = {.rlim_cur = 3, .rlim_max = files.rlim_max};
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
    TURN_UNTIL(io, old.failures > 0);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &files), 0);
    assert_int_equal(old.count, 0);
    assert_true(io_accept_move(io, &old.acceptor, &new.acceptor));
    assert_int_equal(close(old.acceptor.fd), 0);
    TURN_UNTIL(io, new.count == 1);
    everybody_was_let_in(&new, &client, 1);
    int failures = old.failures;
    int turns = 0;
    TURN_UNTIL(io, turns++ == 5); /* 250 ms: the old one's next try would have been by now */
    assert_int_equal(old.failures, failures);
    assert_int_equal(old.count, 0);
    client = knock(&address);
    TURN_UNTIL(io, new.count == 1);
    everybody_was_let_in(&new, &client, 1);
    io_accept_stop(io, &new.acceptor);
    turns = 0;
    TURN_UNTIL(io, turns++ == 2);
    assert_int_equal(close(new.acceptor.fd), 0);
}

static void who_is_gone_is_known_before_it_is_read(void **state) {
    struct io *io = io_of(state);
    struct sockaddr_in address;
    int listener = listen_on_loopback(&address);
    for (int i = 0; i < 3; i++) {
        struct end end = {.io = io, .stream.row = &ROW};
        assert_true(
            io_connect(io, &end.stream, tcp_socket(), (struct sockaddr *)&address, sizeof address));
        TURN_UNTIL(io, end.connected == 1);
        int peer = accept(listener, nullptr, nullptr);
        assert_false(io_is_gone(&end.stream));
        if (i == 1) {
            assert_int_equal(send(peer, "last words", 10, 0), 10);
        }
        if (i == 2) { /* it sends no more, and may still want an answer */
            assert_int_equal(shutdown(peer, SHUT_WR), 0);
            assert_false(io_is_gone(&end.stream));
        }
        reset(peer);
        assert_true(io_is_gone(&end.stream) == (i != 1));
        close_end(&end);
        assert_false(io_is_gone(&end.stream));
    }
    assert_int_equal(close(listener), 0);
}

/* More come while the first of them are taken than one turn takes. */
static void many_at_once_are_all_accepted(void **state) {
    enum { MANY = 60 };
    struct io *io = io_of(state);
    struct sockaddr_in address;
    struct door door = {.acceptor = {.accepted = on_accepted, .failed = on_failed}};
    int listener = listen_on_loopback(&address);
    int clients[MANY];
    for (int i = 0; i < MANY; i++) {
        clients[i] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        assert_int_equal(connect(clients[i], (struct sockaddr *)&address, sizeof address), 0);
    }
    door.acceptor.fd = listener;
    assert_true(io_accept_start(io, &door.acceptor));
    TURN_UNTIL(io, door.count == MANY);
    for (int i = 0; i < MANY; i++) {
        assert_int_equal(close(clients[i]), 0);
        assert_int_equal(close(door.fds[i]), 0);
    }
    io_accept_stop(io, &door.acceptor);
    int turns = 0;
    TURN_UNTIL(io, turns++ == 2);
    assert_int_equal(close(listener), 0);
}

static void whoever_is_accepted_sends_at_once(void **state) {
    struct sockaddr_in address = {.sin_family = AF_INET};
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    struct edge_bind bind = {.transport = EDGE_TCP, .size = sizeof address, .text = "here"};
    memcpy(&bind.address, &address, sizeof address);
    struct error err;
    int listener = -1;
    int is_set = 0;
    socklen_t size = sizeof address;
    (void)state;
    assert_true(status_is_ok(listen_open(&bind, &listener, &err)));
    assert_int_equal(getsockname(listener, (struct sockaddr *)&address, &size), 0);
    int client = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(connect(client, (struct sockaddr *)&address, sizeof address), 0);
    int accepted = accept(listener, nullptr, nullptr);
    size = sizeof is_set;
    assert_int_equal(getsockopt(accepted, IPPROTO_TCP, TCP_NODELAY, &is_set, &size), 0);
    assert_int_not_equal(is_set, 0);
    (void)close(accepted);
    (void)close(client);
    (void)close(listener);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        ON_BOTH(a_connection_that_is_refused_says_so),
        ON_BOTH(a_reset_is_an_error),
        ON_BOTH(output_before_the_connection_stands_waits_for_it),
        ON_BOTH(connections_are_accepted_until_it_is_stopped),
        ON_BOTH(nobody_is_lost_when_a_door_is_moved),
        ON_BOTH(a_door_that_failed_can_be_moved),
        ON_BOTH(who_is_gone_is_known_before_it_is_read),
        ON_BOTH(many_at_once_are_all_accepted),
        cmocka_unit_test(whoever_is_accepted_sends_at_once),
    };
    return cmocka_run_group_tests(tests, nullptr, nullptr);
}
