/* SPDX-License-Identifier: Apache-2.0
 *
 * The UDP relay between sockets of this process, on each engine.
 */
#include <dirent.h>
#include <sys/resource.h>

#include "edge/log.h"
#include "udp_relay.h"

static void an_unproven_client_gets_three_times_at_most(void **state) {
    struct relay *relay = relay_new(state);
    struct sockaddr_in from;
    uint8_t byte;
    relay_open(relay);
    say(relay->client[0], 10, 'a');
    assert_int_equal(hear(relay, relay->server[0], &byte, &from), 10);
    answer(relay->server[0], &from, 31, 'b');
    answer(relay->server[0], &from, 20, 'c');
    answer(relay->server[0], &from, 11, 'd');
    answer(relay->server[0], &from, 10, 'e');
    assert_int_equal(hear(relay, relay->client[0], &byte, &from), 20);
    assert_int_equal(byte, 'c');
    assert_int_equal(hear(relay, relay->client[0], &byte, &from), 10);
    assert_int_equal(byte, 'e');
    assert_int_equal(counted(relay, METRIC_UDP_DROPS, EDGE_UDP_DROP_AMPLIFICATION), 2);
    say(relay->client[0], 1, 'f'); /* it is there */
    assert_int_equal(hear(relay, relay->server[0], &byte, &from), 1);
    answer(relay->server[0], &from, 1500, 'g');
    assert_int_equal(hear_size(relay, relay->client[0]), 1500);
    relay_free(relay);
}

static void no_server_no_session(void **state) {
    struct relay *relay = relay_new(state);
    relay->servers[0].weight = 0;
    chooser_free(relay->chooser);
    upstreams_free(relay->upstreams);
    make_chooser(relay);
    relay_open(relay);
    say(relay->client[0], 10, 'a');
    TURN_UNTIL(relay->io, counted(relay, METRIC_UDP_DROPS, EDGE_UDP_DROP_SERVER) == 1);
    assert_int_equal(udp_session_count(relay->udp), 0);
    relay_free(relay);
}

static void a_network_has_so_many_sessions(void **state) {
    struct relay *relay = relay_new(state);
    relay->listener.limits.connections_per_prefix = 1;
    relay_open(relay);
    say(relay->client[0], 10, 'a');
    assert_int_equal(hear_size(relay, relay->server[0]), 10);
    say(relay->client[0], 11, 'a'); /* it means to stay */
    assert_int_equal(hear_size(relay, relay->server[0]), 11);
    say(relay->client[1], 12, 'a');
    TURN_UNTIL(relay->io, counted(relay, METRIC_UDP_DROPS, EDGE_UDP_DROP_PREFIX) == 1);
    say(relay->client[0], 13, 'a');
    assert_int_equal(hear_size(relay, relay->server[0]), 13);
    relay_free(relay);
}

static void who_asked_once_gives_way_to_others_of_its_network(void **state) {
    struct relay *relay = relay_new(state);
    relay->listener.limits.connections_per_prefix = 2;
    relay->listener.limits.sessions = 10;
    relay_open(relay);
    for (int i = 0; i < 2; i++) { /* client 1 stays, client 0 asks once */
        say(relay->client[1], 10, 'a');
        assert_int_equal(hear_size(relay, relay->server[0]), 10);
    }
    say(relay->client[0], 11, 'a');
    assert_int_equal(hear_size(relay, relay->server[0]), 11);
    say(relay->client[2], 12, 'a');
    assert_int_equal(hear_size(relay, relay->server[0]), 12);
    assert_int_equal(udp_session_count(relay->udp), 2);
    assert_int_equal(counted(relay, METRIC_UDP_DROPS, EDGE_UDP_DROP_PREFIX), 0);
    say(relay->client[2], 13, 'a');
    assert_int_equal(hear_size(relay, relay->server[0]), 13);
    say(relay->client[0], 14, 'a'); /* both stay now */
    TURN_UNTIL(relay->io, counted(relay, METRIC_UDP_DROPS, EDGE_UDP_DROP_PREFIX) == 1);
    assert_int_equal(counted(relay, METRIC_UDP_SESSIONS, 0), 3);
    relay_free(relay);
}

/* The ICMP message about the first datagram ends the session; the next one begins another. */
static void a_server_that_is_gone_ends_the_session(void **state) {
    struct relay *relay = relay_new(state);
    relay->servers[1].weight = 1;
    chooser_free(relay->chooser);
    upstreams_free(relay->upstreams);
    make_chooser(relay);
    relay_open(relay);
    assert_int_equal(close(relay->server[0]), 0);
    relay->server[0] = -1;
    size_t size = 1;
    uint8_t bytes[BYTES_MAX];
    ssize_t got = -1;
    /* Weighted turns begin with either; within a few datagrams both were asked. */
    TURN_UNTIL(relay->io, (say(relay->client[0], size, 'a'), (void)io_turn(relay->io),
                           got = recv(relay->server[1], bytes, sizeof bytes, 0)) > 0);
    assert_int_equal(udp_session_count(relay->udp), 1);
    relay_free(relay);
}

static void each_client_has_its_own_socket(void **state) {
    struct relay *relay = relay_new(state);
    struct sockaddr_in from[2];
    uint8_t byte;
    relay_open(relay);
    for (unsigned i = 0; i < 2; i++) {
        say(relay->client[i], 100 + i, (uint8_t)('a' + i));
        assert_int_equal(hear(relay, relay->server[0], &byte, &from[i]), 100 + i);
        assert_int_equal(byte, 'a' + i);
    }
    assert_int_not_equal(from[0].sin_port, from[1].sin_port);
    for (unsigned i = 0; i < 2; i++) { /* several answers to one question, to whom they belong */
        answer(relay->server[0], &from[i], 70 + i, 'x');
        answer(relay->server[0], &from[i], 80 + i, 'x');
        answer(relay->server[0], &from[i], 90 + i, 'x');
    }
    for (unsigned i = 0; i < 2; i++) {
        assert_int_equal(hear_size(relay, relay->client[i]), 70 + i);
        assert_int_equal(hear_size(relay, relay->client[i]), 80 + i);
        assert_int_equal(hear_size(relay, relay->client[i]), 90 + i);
    }
    assert_int_equal(counted(relay, METRIC_UDP_DATAGRAMS, EDGE_IN), 2);
    assert_int_equal(counted(relay, METRIC_UDP_DATAGRAMS, EDGE_OUT), 6);
    assert_int_equal(counted(relay, METRIC_BYTES, EDGE_IN), 201);
    assert_int_equal(counted(relay, METRIC_BYTES, EDGE_OUT), 483);
    assert_int_equal(counted(relay, METRIC_UDP_SESSIONS, 0), 2);
    assert_int_equal(counted(relay, METRIC_UDP_SESSIONS_LIVE, 0), 2);
    relay_free(relay);
}

static unsigned open_fds(void) {
    unsigned count = 0;
    DIR *folder = opendir("/proc/self/fd");
    assert_non_null(folder);
    while (readdir(folder) != nullptr) {
        count++;
    }
    (void)closedir(folder);
    return count;
}

static void without_a_descriptor_no_server_is_blamed(void **state) {
    struct relay *relay = relay_new(state);
    struct rlimit before;
    relay_open(relay);
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
    int next = dup(relay->fd);
    assert_int_equal(close(next), 0);
    struct rlimit none = {.rlim_cur = (rlim_t)next, .rlim_max = before.rlim_max};
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
    for (int i = 0; i < 8; i++) {
        say(relay->client[0], 10, 'a');
    }
    TURN_UNTIL(relay->io, counted(relay, METRIC_UDP_DROPS, EDGE_UDP_DROP_SESSIONS) +
                                  counted(relay, METRIC_UDP_DROPS, EDGE_UDP_DROP_SERVER) ==
                              8);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
    assert_int_equal(counted(relay, METRIC_UDP_DROPS, EDGE_UDP_DROP_SERVER), 0);
    say(relay->client[0], 11, 'a');
    assert_int_equal(hear_size(relay, relay->server[0]), 11);
    relay_free(relay);
}

static void a_full_table_closes_the_silent_one(void **state) {
    struct relay *relay = relay_new(state);
    uint64_t hits = limit_hit_count(LIMIT_ID_EDGE_SESSIONS);
    relay_open(relay);
    say(relay->client[0], 10, 'a');
    assert_int_equal(hear_size(relay, relay->server[0]), 10);
    say(relay->client[1], 10, 'b');
    assert_int_equal(hear_size(relay, relay->server[0]), 10);
    unsigned before = open_fds();
    for (unsigned turn = 0; turn < 30; turn++) {
        say(relay->client[turn % 3], 10, 'c');
        assert_int_equal(hear_size(relay, relay->server[0]), 10);
        assert_int_equal(udp_session_count(relay->udp), 2);
    }
    TURN_UNTIL(relay->io, open_fds() == before); /* io_uring lets go of a socket a turn later */
    assert_true(limit_hit_count(LIMIT_ID_EDGE_SESSIONS) > hits + 10);
    assert_int_equal(counted(relay, METRIC_UDP_SESSIONS_LIVE, 0), 2);
    relay_free(relay);
}

static void the_silent_go_by_themselves(void **state) {
    struct relay *relay = relay_new(state);
    relay->listener.limits.session_idle_ms = 20;
    relay_open(relay);
    say(relay->client[0], 10, 'a');
    assert_int_equal(hear_size(relay, relay->server[0]), 10);
    TURN_UNTIL(relay->io, udp_session_count(relay->udp) == 0);
    say(relay->client[0], 11, 'a');
    assert_int_equal(hear_size(relay, relay->server[0]), 11);
    TURN_UNTIL(relay->io, udp_session_count(relay->udp) == 0);
    assert_int_equal(counted(relay, METRIC_UDP_SESSIONS, 0), 2);
    relay_free(relay);
}

static void a_burst_keeps_its_order(void **state) {
    enum { BURST = 100 };
    struct relay *relay = relay_new(state);
    struct sockaddr_in from;
    uint8_t byte;
    relay_open(relay);
    for (unsigned i = 0; i < BURST; i++) {
        say(relay->client[i % 10 == 9 ? 1 : 0], 1 + i, (uint8_t)i);
    }
    for (unsigned i = 0; i < BURST; i++) {
        size_t size = hear(relay, relay->server[0], &byte, &from);
        assert_int_equal(size, 1 + byte);
    }
    assert_int_equal(udp_session_count(relay->udp), 2);
    for (unsigned i = 0; i < BURST; i++) {
        answer(relay->server[0], &from, 3, (uint8_t)i);
    }
    int client = byte % 10 == 9 ? relay->client[1] : relay->client[0];
    for (unsigned i = 0; i < BURST; i++) {
        assert_int_equal(hear(relay, client, &byte, &from), 3);
        assert_int_equal(byte, i);
    }
    relay_free(relay);
}

static void a_reload_keeps_sessions(void **state) {
    struct relay *relay = relay_new(state);
    struct sockaddr_in before;
    struct sockaddr_in after;
    uint8_t byte;
    relay_open(relay);
    say(relay->client[0], 10, 'a');
    assert_int_equal(hear(relay, relay->server[0], &byte, &before), 10);
    struct chooser *old_chooser = relay->chooser;
    struct upstreams *old_upstreams = relay->upstreams;
    make_chooser(relay);
    struct udp_options options = options_of(relay);
    options.fd = dup(relay->fd);
    assert_true(udp_fits(relay->udp, &options));
    udp_adopt(relay->udp, &options);
    chooser_free(old_chooser);
    upstreams_free(old_upstreams);
    (void)close(relay->fd);
    relay->fd = options.fd;
    say(relay->client[0], 11, 'a');
    assert_int_equal(hear(relay, relay->server[0], &byte, &after), 11);
    assert_int_equal(before.sin_port, after.sin_port);
    say(relay->client[1], 12, 'a');
    assert_int_equal(hear(relay, relay->server[0], &byte, &after), 12);
    struct edge_listener other = relay->listener;
    other.limits.sessions++;
    options.listener = &other;
    assert_false(udp_fits(relay->udp, &options));
    relay_free(relay);
}

static void after_draining_there_are_no_new_sessions(void **state) {
    struct relay *relay = relay_new(state);
    relay_open(relay);
    say(relay->client[0], 10, 'a');
    assert_int_equal(hear_size(relay, relay->server[0]), 10);
    udp_drain(relay->udp);
    say(relay->client[1], 11, 'a');
    TURN_UNTIL(relay->io, counted(relay, METRIC_UDP_DROPS, EDGE_UDP_DROP_SESSIONS) == 1);
    say(relay->client[0], 12, 'a');
    assert_int_equal(hear_size(relay, relay->server[0]), 12);
    relay_free(relay);
}

/* Lines of the log that end so; the last one of them is kept. */
static unsigned lines_that_end(int fd, const char *why, char ret_line[static BYTES_MAX]) {
    static char text[16 * BYTES_MAX];
    char end[64];
    unsigned count = 0;
    ssize_t size = pread(fd, text, sizeof text - 1, 0);
    assert_true(size >= 0);
    text[size] = '\0';
    (void)snprintf(end, sizeof end, "\"end\":\"%s\"}", why);
    for (char *line = strtok(text, "\n"); line != nullptr; line = strtok(nullptr, "\n")) {
        if (strstr(line, "\"event\":\"session\"") != nullptr && strstr(line, end) != nullptr) {
            (void)snprintf(ret_line, BYTES_MAX, "%s", line);
            count++;
        }
    }
    return count;
}

static void a_session_that_ends_has_a_line(void **state) {
    struct relay *relay = relay_new(state);
    struct edge_log *log = nullptr;
    char path[] = "/tmp/udp-log.XXXXXX";
    char line[BYTES_MAX];
    struct sockaddr_in from;
    uint8_t byte;
    int fd = mkstemp(path);
    assert_int_equal(unlink(path), 0);
    assert_true(status_is_ok(edge_log_start(fd, &log, &err)));
    const struct log_writer_options writer = {clock_system(), relay->metrics};
    assert_true(status_is_ok(log_writer_new(log, &writer, &relay->log, &err)));
    relay_open(relay);
    for (unsigned i = 0; i < 3; i++) { /* the third one makes the first one go */
        say(relay->client[i], 10 + i, 'a');
        assert_int_equal(hear(relay, relay->server[0], &byte, &from), 10 + i);
        if (i == 0) {
            answer(relay->server[0], &from, 20, 'b');
            answer(relay->server[0], &from, 500, 'b'); /* more than it may be sent */
            assert_int_equal(hear_size(relay, relay->client[0]), 20);
            say(relay->client[0], 5, 'c');
            assert_int_equal(hear_size(relay, relay->server[0]), 5);
        }
    }
    assert_int_equal(close(relay->server[0]), 0);
    relay->server[0] = -1;
    TURN_UNTIL(relay->io, (say(relay->client[2], 7, 'd'), (void)io_turn(relay->io),
                           metrics_value(&relay->sources, METRIC_ERRORS,
                                         (struct metric_at){.label_1 = EDGE_ERROR_CONNECT}) > 0));
    struct sockaddr_in client;
    socklen_t size = sizeof client;
    char expected[256];
    assert_int_equal(getsockname(relay->client[0], (struct sockaddr *)&client, &size), 0);
    (void)snprintf(expected, sizeof expected,
                   "\"listener\":\"dns\",\"client\":\"127.0.0.1:%u\",\"upstream\":\"names\","
                   "\"server\":\"%s\",\"total_us\":",
                   (unsigned)ntohs(client.sin_port), relay->text[0]);
    udp_close(relay->udp);
    relay->udp = nullptr;
    edge_log_stop(log);
    assert_int_equal(lines_that_end(fd, "evicted", line), 1);
    assert_non_null(strstr(line, expected));
    assert_non_null(strstr(line, "\"datagrams_in\":2,\"datagrams_out\":1,\"bytes_in\":15,"
                                 "\"bytes_out\":20,"));
    assert_true(lines_that_end(fd, "server-gone", line) > 0);
    assert_true(lines_that_end(fd, "closed", line) > 0);
    assert_int_equal(lines_that_end(fd, "idle-timeout", line), 0);
    assert_int_equal(close(fd), 0);
    relay_free(relay);
}

static void an_echo_has_no_sessions(void **state) {
    struct relay *relay = relay_new(state);
    struct sockaddr_in from;
    uint8_t byte;
    relay->listener.mode = EDGE_ECHO;
    relay->listener.route_count = 0;
    relay_open(relay);
    for (unsigned i = 0; i < 2 * CLIENTS; i++) {
        say(relay->client[i % CLIENTS], 50 + i, (uint8_t)i);
    }
    for (unsigned i = 0; i < 2 * CLIENTS; i++) {
        assert_int_equal(hear(relay, relay->client[i % CLIENTS], &byte, &from), 50 + i);
        assert_int_equal(byte, i);
    }
    assert_int_equal(udp_session_count(relay->udp), 0);
    assert_int_equal(counted(relay, METRIC_UDP_DATAGRAMS, EDGE_OUT), 2 * CLIENTS);
    relay_free(relay);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        ON_BOTH(an_unproven_client_gets_three_times_at_most),
        ON_BOTH(no_server_no_session),
        ON_BOTH(a_network_has_so_many_sessions),
        ON_BOTH(who_asked_once_gives_way_to_others_of_its_network),
        ON_BOTH(a_server_that_is_gone_ends_the_session),
        ON_BOTH(without_a_descriptor_no_server_is_blamed),
        ON_BOTH(a_full_table_closes_the_silent_one),
        ON_BOTH(the_silent_go_by_themselves),
        ON_BOTH(after_draining_there_are_no_new_sessions),
        ON_BOTH(each_client_has_its_own_socket),
        ON_BOTH(a_burst_keeps_its_order),
        ON_BOTH(a_reload_keeps_sessions),
        ON_BOTH(a_session_that_ends_has_a_line),
        ON_BOTH(an_echo_has_no_sessions),
    };
    return cmocka_run_group_tests(tests, nullptr, nullptr);
}
