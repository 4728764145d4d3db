/* SPDX-License-Identifier: Apache-2.0 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/limits.h"
#include "edge/admin.h"
#include "edge/listen.h"
#include "sys/fd.h"

enum { LARGE = 3000000 };

struct fixture {
    struct loop *loop;
    struct admin *admin;
    struct edge_log *log;
    struct log_writer *writer;
    struct loop_source stop;
    bool is_stopped;
    int stop_fds[2];
    pthread_t thread;
    struct sockaddr_storage address;
    socklen_t size;
    unsigned health_status;
    size_t metrics_bytes;
};

static unsigned metrics_page(void *context, struct builder *out) {
    const struct fixture *fixture = context;
    builder_text(out, "m 1\n");
    for (size_t i = 4; i < fixture->metrics_bytes; i++) {
        builder_u8(out, 'x');
    }
    return 200;
}

static unsigned health_page(void *context, struct builder *out) {
    builder_text(out, "{}");
    return ((const struct fixture *)context)->health_status;
}

static unsigned ready_page(void *context, struct builder *out) {
    (void)context;
    builder_text(out, "{\"ready\":true}");
    return 200;
}

static void on_stop(struct loop_source *source, uint32_t events) {
    (void)events;
    struct fixture *fixture = (struct fixture *)((char *)source - offsetof(struct fixture, stop));
    fixture->is_stopped = true;
}

static void *serve(void *context) {
    struct fixture *fixture = context;
    while (!fixture->is_stopped && loop_turn(fixture->loop)) {
    }
    return nullptr;
}

static void start(struct fixture *fixture, const struct edge_bind *bind, uint32_t request_ms) {
    struct error err;
    int fd = -1;
    assert_int_equal(pipe2(fixture->stop_fds, O_CLOEXEC), 0);
    assert_true(status_is_ok(listen_open(bind, &fd, &err)));
    fixture->size = sizeof fixture->address;
    assert_int_equal(getsockname(fd, (struct sockaddr *)&fixture->address, &fixture->size), 0);
    assert_true(status_is_ok(edge_log_start(-1, &fixture->log, &err)));
    struct log_writer_options log = {clock_system(), nullptr};
    assert_true(status_is_ok(log_writer_new(fixture->log, &log, &fixture->writer, &err)));
    assert_true(status_is_ok(loop_new(&fixture->loop, &err)));
    struct admin_options options = {metrics_page, health_page,     ready_page,
                                    fixture,      fixture->writer, request_ms};
    assert_true(status_is_ok(admin_new(fixture->loop, fd, &options, &fixture->admin, &err)));
    fixture->stop = (struct loop_source){.fd = -1, .ready = on_stop};
    assert_true(loop_add(fixture->loop, &fixture->stop, fixture->stop_fds[0], LOOP_READ));
    assert_int_equal(pthread_create(&fixture->thread, nullptr, serve, fixture), 0);
}

static int setup(void **state) {
    static struct fixture fixture;
    fixture = (struct fixture){.health_status = 200};
    struct sockaddr_in local = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
    struct edge_bind bind = {
        .transport = EDGE_TCP, .size = sizeof local, .text = "tcp://127.0.0.1"};
    memcpy(&bind.address, &local, sizeof local);
    start(&fixture, &bind, LIMIT_EDGE_ADMIN_MS);
    *state = &fixture;
    return 0;
}

static int teardown(void **state) {
    struct fixture *fixture = *state;
    assert_int_equal(write(fixture->stop_fds[1], "x", 1), 1);
    assert_int_equal(pthread_join(fixture->thread, nullptr), 0);
    loop_remove(fixture->loop, &fixture->stop);
    admin_free(fixture->admin);
    loop_free(fixture->loop);
    edge_log_stop(fixture->log);
    (void)close(fixture->stop_fds[0]);
    (void)close(fixture->stop_fds[1]);
    return 0;
}

static int client_of(const struct fixture *fixture) {
    int fd = socket(fixture->address.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct timeval patience = {.tv_sec = 20};
    assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience), 0);
    assert_int_equal(connect(fd, (const struct sockaddr *)&fixture->address, fixture->size), 0);
    return fd;
}

static void say(int fd, const char *text) {
    assert_int_equal(send(fd, text, strlen(text), MSG_NOSIGNAL), strlen(text));
}

/* Up to the end of the connection. */
static char *hear_all(int fd) {
    char *text = malloc(2 * LARGE);
    size_t size = 0;
    ssize_t got;
    while ((got = recv(fd, text + size, 2 * (size_t)LARGE - 1 - size, 0)) > 0) {
        size += (size_t)got;
    }
    assert_int_equal(got, 0);
    text[size] = '\0';
    return text;
}

/* What one request gets; the connection ends. */
static char *ask(const struct fixture *fixture, const char *text) {
    int fd = client_of(fixture);
    say(fd, text);
    char *answer = hear_all(fd);
    (void)close(fd);
    return answer;
}

static void assert_status(const struct fixture *fixture, const char *text, unsigned status) {
    char expected[32];
    (void)snprintf(expected, sizeof expected, "HTTP/1.1 %u ", status);
    char *answer = ask(fixture, text);
    if (strncmp(answer, expected, strlen(expected)) != 0) {
        fail_msg("\"%.60s\" got \"%.40s\", not %u", text, answer, status);
    }
    free(answer);
}

#define END "Host: localhost\r\nConnection: close\r\n\r\n"

static void what_is_no_request_is_400(void **state) {
    assert_status(*state, "\x16\x03\x01\x02\x00\x01 hello\r\n\r\n", 400);
    assert_status(*state, "GET /metrics\r\n\r\n", 505);
    assert_status(*state, "GET /metrics HTTP/1.1\r\n\r\n", 400);
    assert_status(*state, "GET /metrics HTTP/1.1\r\nHost: localhost\r\nHost: localhost\r\n\r\n",
                  400);
    assert_status(*state, "GET /metrics HTTP/1.1\r\nHost : localhost\r\n\r\n", 400);
    assert_status(*state, "GET /metrics HTTP/1.1\nHost: localhost\n\n", 400);
    assert_status(*state, "GET /metrics HTTP/1.1\r\nContent-Length: 3\r\n" END "abc", 400);
    assert_status(*state, "GET /metrics HTTP/1.1\r\nTransfer-Encoding: chunked\r\n" END "0\r\n\r\n",
                  400);
    assert_status(
        *state, "GET /metrics HTTP/1.1\r\nContent-Length: 0\r\nTransfer-Encoding: chunked\r\n" END,
        400);
}

static void other_methods_are_405_and_other_pages_404(void **state) {
    assert_status(*state, "POST /metrics HTTP/1.1\r\n" END, 405);
    assert_status(*state, "POST /metrics HTTP/1.1\r\nContent-Length: 5\r\n" END "hello", 405);
    assert_status(*state, "CONNECT a:80 HTTP/1.1\r\n" END, 405);
    assert_status(*state, "OPTIONS * HTTP/1.1\r\n" END, 405);
    assert_status(*state, "GET / HTTP/1.1\r\n" END, 404);
    assert_status(*state, "GET /metrics/ HTTP/1.1\r\n" END, 404);
    assert_status(*state, "GET //metrics HTTP/1.1\r\n" END, 404);
    assert_status(*state, "GET /../metrics HTTP/1.1\r\n" END, 404);
    assert_status(*state, "GET http://a HTTP/1.1\r\n" END, 404);
    char *answer = ask(*state, "DELETE /metrics HTTP/1.1\r\n" END);
    assert_non_null(strstr(answer, "\r\nAllow: GET, HEAD\r\n"));
    free(answer);
}

static void a_head_too_long_is_431(void **state) {
    char *text = malloc(2 * LIMIT_EDGE_ADMIN_HEAD_BYTES + 100);
    (void)snprintf(text, 100, "GET /metrics HTTP/1.1\r\nHost: localhost\r\nX: ");
    size_t size = strlen(text);
    memset(text + size, 'x', 2 * LIMIT_EDGE_ADMIN_HEAD_BYTES);
    text[size + 2 * LIMIT_EDGE_ADMIN_HEAD_BYTES] = '\0';
    uint64_t hits = limit_hit_count(LIMIT_ID_EDGE_ADMIN_HEAD_BYTES);
    assert_status(*state, text, 431);
    assert_int_equal(limit_hit_count(LIMIT_ID_EDGE_ADMIN_HEAD_BYTES), hits + 1);
    /* A target that long is known to be none of ours before the head is over. */
    memcpy(text, "GET /metrics", 12);
    memset(text + 12, 'x', 1000);
    (void)snprintf(text + 1012, 100, " HTTP/1.1\r\n" END);
    assert_status(*state, text, 404);
    free(text);
}

static void pages_and_their_forms(void **state) {
    assert_status(*state, "GET /metrics HTTP/1.1\r\n" END, 200);
    assert_status(*state, "GET /metrics?x=/health HTTP/1.1\r\n" END, 200);
    assert_status(*state, "GET http://a:9090/metrics HTTP/1.1\r\n" END, 200);
    assert_status(*state, "GET /ready HTTP/1.1\r\nUpgrade: h2c\r\n" END, 200);
    assert_status(*state, "GET /health HTTP/1.0\r\n\r\n", 200);
    assert_status(*state, "GET /health HTTP/2.0\r\n\r\n", 505);
    struct fixture *fixture = *state;
    fixture->health_status = 503;
    char *answer = ask(*state, "GET /health HTTP/1.1\r\n" END);
    assert_non_null(strstr(answer, "HTTP/1.1 503 Service Unavailable\r\n"));
    assert_non_null(strstr(answer, "\r\nContent-Type: application/json\r\n"));
    assert_non_null(strstr(answer, "\r\nContent-Length: 2\r\n"));
    assert_string_equal(strstr(answer, "\r\n\r\n"), "\r\n\r\n{}");
    free(answer);
}

static void on_the_loopback_strange_names_are_421(void **state) {
    static const char *const HOSTS[] = {
        "localhost", "LOCALHOST:9090", "127.0.0.1", "127.0.0.1:9090", "[::1]:9090", "192.0.2.1:80",
        /* and what is none of this machine's */
        "", "a", "evil.example", "evil.example:9090", "localhost.evil.example", "user@localhost",
        "127.0.0.1.evil.example", "localhost:x", "localhost:9090:1",
        "localhost-and-then-more-than-there-is-room-for-in-what-is-kept-of-a-name"};
    char text[200];
    for (size_t i = 0; i < sizeof HOSTS / sizeof *HOSTS; i++) {
        (void)snprintf(text, sizeof text,
                       "GET /metrics HTTP/1.1\r\nHost: %s\r\nConnection: close\r\n\r\n", HOSTS[i]);
        assert_status(*state, text, i < 6 ? 200 : 421);
    }
}

static void head_says_the_size_and_sends_nothing(void **state) {
    struct fixture *fixture = *state;
    fixture->metrics_bytes = 1000;
    char *answer = ask(*state, "HEAD /metrics HTTP/1.1\r\n" END);
    assert_non_null(strstr(answer, "\r\nContent-Length: 1000\r\n"));
    assert_string_equal(strstr(answer, "\r\n\r\n"), "\r\n\r\n");
    free(answer);
}

static unsigned count_of(const char *text, const char *part) {
    unsigned count = 0;
    for (const char *at = text; (at = strstr(at, part)) != nullptr; at += strlen(part)) {
        count++;
    }
    return count;
}

static void requests_that_come_together_are_answered_in_order(void **state) {
    char *answer = ask(*state, "GET /ready HTTP/1.1\r\nHost: localhost\r\n\r\n"
                               "GET /nowhere HTTP/1.1\r\nHost: localhost\r\n\r\n"
                               "GET /health HTTP/1.1\r\n" END "GET /health HTTP/1.1\r\n" END);
    assert_int_equal(count_of(answer, "HTTP/1.1 "), 3);
    assert_int_equal(count_of(answer, "Connection: close"), 1);
    const char *missing = strstr(answer, "HTTP/1.1 404");
    assert_non_null(missing);
    assert_true(strstr(answer, "{\"ready\":true}") < missing);
    assert_non_null(strstr(missing, "HTTP/1.1 200 OK"));
    free(answer);
}

static void a_request_in_single_bytes_works(void **state) {
    int fd = client_of(*state);
    for (const char *at = "GET /ready HTTP/1.1\r\n" END; *at != '\0'; at++) {
        assert_int_equal(send(fd, at, 1, MSG_NOSIGNAL), 1);
    }
    char *answer = hear_all(fd);
    assert_non_null(strstr(answer, "HTTP/1.1 200 OK"));
    free(answer);
    (void)close(fd);
}

static void a_long_answer_arrives_whole(void **state) {
    struct fixture *fixture = *state;
    fixture->metrics_bytes = LARGE;
    char *answer = ask(*state, "GET /metrics HTTP/1.1\r\n" END);
    assert_int_equal(strlen(strstr(answer, "\r\n\r\n") + 4), LARGE);
    free(answer);
}

static void hear_head(int fd) {
    char byte;
    unsigned ends = 0;
    while (ends < 4) {
        assert_int_equal(recv(fd, &byte, 1, 0), 1);
        ends = byte == "\r\n\r\n"[ends] ? ends + 1 : 0;
    }
}

static void one_too_many_takes_the_place_of_the_idlest(void **state) {
    int fds[LIMIT_EDGE_ADMIN_CONNECTIONS];
    uint64_t hits = limit_hit_count(LIMIT_ID_EDGE_ADMIN_CONNECTIONS);
    for (size_t i = 0; i < LIMIT_EDGE_ADMIN_CONNECTIONS; i++) {
        fds[i] = client_of(*state);
        say(fds[i], i == 5 ? "HEAD /ready HTTP/1.1\r\nHost: localhost\r\n\r\n"
                           : "HEAD /ready HTTP/1.1\r\n");
    }
    hear_head(fds[5]);
    assert_status(*state, "GET /ready HTTP/1.1\r\n" END, 200);
    assert_int_equal(limit_hit_count(LIMIT_ID_EDGE_ADMIN_CONNECTIONS), hits + 1);
    char byte;
    assert_int_equal(recv(fds[5], &byte, 1, 0), 0); /* between requests, so it went first */
    for (size_t i = 0; i < LIMIT_EDGE_ADMIN_CONNECTIONS; i++) {
        if (i != 5) {
            say(fds[i], "Host: localhost\r\n\r\n");
            hear_head(fds[i]);
        }
        (void)close(fds[i]);
    }
}

static void a_head_that_does_not_end_ends_the_connection(void **state) {
    (void)teardown(state);
    struct fixture *fixture = *state;
    *fixture = (struct fixture){.health_status = 200};
    struct sockaddr_in6 local = {.sin6_family = AF_INET6, .sin6_addr = IN6ADDR_ANY_INIT};
    struct edge_bind bind = {.transport = EDGE_TCP, .size = sizeof local, .text = "tcp://[::]"};
    memcpy(&bind.address, &local, sizeof local);
    start(fixture, &bind, 50);
    uint64_t hits = limit_hit_count(LIMIT_ID_EDGE_ADMIN_MS);
    int fd = client_of(fixture);
    say(fd, "GET /ready HTTP/1.1\r\nHo");
    char *answer = hear_all(fd);
    assert_string_equal(answer, "");
    assert_int_equal(limit_hit_count(LIMIT_ID_EDGE_ADMIN_MS), hits + 1);
    free(answer);
    (void)close(fd);
}

static void a_unix_path_left_behind_is_taken_over_and_a_live_one_not(void **state) {
    (void)teardown(state);
    struct fixture *fixture = *state;
    char folder[] = "/tmp/airlock-admin-XXXXXX";
    assert_non_null(mkdtemp(folder));
    struct sockaddr_un path = {.sun_family = AF_UNIX};
    (void)snprintf(path.sun_path, sizeof path.sun_path, "%s/m.sock", folder);
    struct edge_bind bind = {.transport = EDGE_UNIX, .size = sizeof path, .text = path.sun_path};
    memcpy(&bind.address, &path, sizeof path);
    for (int round = 0; round < 2; round++) {
        *fixture = (struct fixture){.health_status = 200};
        start(fixture, &bind, LIMIT_EDGE_ADMIN_MS);
        struct stat status;
        assert_int_equal(stat(path.sun_path, &status), 0);
        assert_int_equal(status.st_mode & 0777, 0660);
        assert_status(fixture, "GET /ready HTTP/1.1\r\n" END, 200);
        struct error err;
        int fd = -1;
        assert_false(status_is_ok(listen_open(&bind, &fd, &err)));
        assert_int_equal(fd, -1);
        assert_int_equal(err.os_errno, EADDRINUSE);
        if (round == 0) {
            (void)teardown(state);
        }
    }
    (void)unlink(path.sun_path);
    /* What is no socket is nobody's to remove. */
    int file = open(path.sun_path, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
    (void)close(file);
    struct error err;
    int fd = -1;
    assert_false(status_is_ok(listen_open(&bind, &fd, &err)));
    assert_int_equal(access(path.sun_path, F_OK), 0);
    (void)unlink(path.sun_path);
    (void)rmdir(folder);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(what_is_no_request_is_400),
        TEST(other_methods_are_405_and_other_pages_404),
        TEST(a_head_too_long_is_431),
        TEST(pages_and_their_forms),
        TEST(on_the_loopback_strange_names_are_421),
        TEST(head_says_the_size_and_sends_nothing),
        TEST(requests_that_come_together_are_answered_in_order),
        TEST(a_request_in_single_bytes_works),
        TEST(a_long_answer_arrives_whole),
        TEST(one_too_many_takes_the_place_of_the_idlest),
        TEST(a_head_that_does_not_end_ends_the_connection),
        TEST(a_unix_path_left_behind_is_taken_over_and_a_live_one_not),
    };
    return cmocka_run_group_tests(tests, nullptr, nullptr);
}
