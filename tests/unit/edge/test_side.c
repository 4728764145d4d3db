/* SPDX-License-Identifier: Apache-2.0
 *
 * The side thread with real sockets: servers that come and go, and what is said about them.
 */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "codec/json.h"
#include "edge/health.h"
#include "edge/side.h"
#include "sys/fd.h"

enum { ANSWER_BYTES = 1 << 20, TRIES = 4000, PAUSE_NS = 5000000 };

struct server {
    int fd; /* that listens; -1: nobody does */
    uint16_t port;
    char address[32];
};

struct fixture {
    struct server servers[2];
    struct edge_server rows[2];
    struct edge_upstream upstreams[2];
    struct edge_config config;
    struct edge_bind bind;
    struct metric_names *names;
    struct metrics *metrics;
    struct upstreams *state;
    struct edge_log *log;
    int log_fd;
    struct side *side;
};

/* Keeps its port over stop and start. */
static void server_start(struct server *server) {
    struct sockaddr_in local = {.sin_family = AF_INET,
                                .sin_port = htons(server->port),
                                .sin_addr = {htonl(INADDR_LOOPBACK)}};
    socklen_t size = sizeof local;
    int on = 1;
    server->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    (void)setsockopt(server->fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    assert_int_equal(bind(server->fd, (struct sockaddr *)&local, sizeof local), 0);
    assert_int_equal(listen(server->fd, 4096), 0);
    assert_int_equal(getsockname(server->fd, (struct sockaddr *)&local, &size), 0);
    server->port = ntohs(local.sin_port);
    (void)snprintf(server->address, sizeof server->address, "127.0.0.1:%u", server->port);
}

static struct upstreams *upstreams_of(struct fixture *fixture, struct upstreams *previous) {
    struct upstreams_options options = {
        .config = &fixture->config, .names = fixture->names, .previous = previous};
    struct upstreams *upstreams;
    struct error err;
    assert_true(status_is_ok(upstreams_new(&options, &upstreams, &err)));
    return upstreams;
}

static void configure(struct fixture *fixture) {
    for (size_t i = 0; i < 2; i++) {
        server_start(&fixture->servers[i]);
        fixture->rows[i] = (struct edge_server){.address = fixture->servers[i].address,
                                                .host = "127.0.0.1",
                                                .path = "",
                                                .port = fixture->servers[i].port,
                                                .weight = 1};
    }
    fixture->upstreams[0] = (struct edge_upstream){
        .name = "app",
        .servers = fixture->rows,
        .server_count = 2,
        .health = {true, .interval_ms = 10, .timeout_ms = 5000, .rise = 2, .fall = 2}};
    fixture->upstreams[1] =
        (struct edge_upstream){.name = "unchecked", .servers = fixture->rows, .server_count = 1};
    fixture->config = (struct edge_config){.upstreams = fixture->upstreams, .upstream_count = 2};
}

static int setup(void **state) {
    static struct fixture fixture;
    fixture = (struct fixture){};
    struct error err;
    configure(&fixture);
    struct server admin = {};
    server_start(&admin); /* a port that is free a moment later */
    (void)close(admin.fd);
    struct sockaddr_in local = {
        .sin_family = AF_INET, .sin_port = htons(admin.port), .sin_addr = {htonl(INADDR_LOOPBACK)}};
    fixture.bind = (struct edge_bind){.size = sizeof local, .text = "tcp://127.0.0.1"};
    memcpy(&fixture.bind.address, &local, sizeof local);
    fixture.log_fd = memfd_create("log", MFD_CLOEXEC);
    assert_true(status_is_ok(metric_names_new(&fixture.names, &err)));
    assert_true(status_is_ok(metrics_new(&fixture.metrics, &err)));
    assert_true(status_is_ok(edge_log_start(fixture.log_fd, &fixture.log, &err)));
    fixture.state = upstreams_of(&fixture, nullptr);
    struct side_options options = {
        .metrics = &fixture.bind,
        .log = fixture.log,
        .threads = (const struct metrics *const *)&fixture.metrics,
        .thread_count = 1,
        .names = fixture.names,
        .upstreams = fixture.state,
        .upstream_count = 2,
    };
    assert_true(status_is_ok(side_new((struct slice){}, &fixture.side, &err)));
    assert_true(status_is_ok(side_start(fixture.side, &options, &err)));
    *state = &fixture;
    return 0;
}

static int teardown(void **state) {
    struct fixture *fixture = *state;
    side_stop(fixture->side);
    edge_log_stop(fixture->log);
    upstreams_free(fixture->state);
    metrics_free(fixture->metrics);
    metric_names_free(fixture->names);
    (void)close(fixture->log_fd);
    for (size_t i = 0; i < 2; i++) {
        fd_closep(&fixture->servers[i].fd);
    }
    return 0;
}

/* The status; the body behind it in `ret_body`, owned by this function. */
static int get(const struct fixture *fixture, const char *page, const char **ret_body) {
    static char answer[ANSWER_BYTES];
    char request[128];
    int size = snprintf(request, sizeof request,
                        "GET %s HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n", page);
    CLEANUP(fd_closep) int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(
        connect(fd, (const struct sockaddr *)&fixture->bind.address, fixture->bind.size), 0);
    assert_int_equal(send(fd, request, (size_t)size, MSG_NOSIGNAL), size);
    size_t got = 0;
    ssize_t more;
    while ((more = recv(fd, answer + got, sizeof answer - 1 - got, 0)) > 0) {
        got += (size_t)more;
    }
    answer[got] = '\0';
    *ret_body = strstr(answer, "\r\n\r\n") + 4;
    return (int)strtol(answer + sizeof "HTTP/1.1 " - 1, nullptr, 10);
}

/* Until the page answers so and has the text; "" for any. */
static void wait_for(const struct fixture *fixture, const char *page, int status,
                     const char *text) {
    const char *body = "";
    for (int i = 0; i < TRIES; i++) {
        if (get(fixture, page, &body) == status && strstr(body, text) != nullptr) {
            return;
        }
        (void)nanosleep(&(struct timespec){.tv_nsec = PAUSE_NS}, nullptr);
    }
    fail_msg("%s never answered %d with \"%s\"; last: %.200s", page, status, text, body);
}

static const char *up_line(const struct server *server, int up) {
    static char line[160];
    (void)snprintf(line, sizeof line,
                   "airlock_proxy_upstream_server_up{upstream=\"app\",server=\"%s\"} %d\n",
                   server->address, up);
    return line;
}

static bool log_has(struct fixture *fixture, const char *event, const char *server) {
    struct builder text;
    struct error err;
    builder_init(&text, 1 << 20);
    assert_int_equal(lseek(fixture->log_fd, 0, SEEK_SET), 0);
    assert_true(status_is_ok(fd_read_to_end(fixture->log_fd, "log", &text, &err)));
    bool found = false;
    char *const memory = strdup(builder_c_string(&text));
    char *rest = memory;
    for (char *line = strsep(&rest, "\n"); rest != nullptr; line = strsep(&rest, "\n")) {
        struct json *json;
        assert_true(status_is_ok(json_parse(slice_of_string(line), "line", &json, &err)));
        const char *its_server = json_get_text(json, "server");
        found = found || (strcmp(json_get_text(json, "event"), event) == 0 &&
                          its_server != nullptr && strcmp(its_server, server) == 0);
        json_free(json);
    }
    free(memory);
    builder_deinit(&text);
    return found;
}

static void a_server_that_dies_is_down_and_comes_back(void **state) {
    struct fixture *fixture = *state;
    struct server *first = &fixture->servers[0];
    wait_for(fixture, "/metrics", 200, up_line(first, 1));
    fd_closep(&first->fd);
    wait_for(fixture, "/metrics", 200, up_line(first, 0));
    wait_for(fixture, "/health", 200, "\"healthy\": true"); /* the other one is there */
    fd_closep(&fixture->servers[1].fd);
    wait_for(fixture, "/health", 503, "\"upstream\": \"app\"");
    const char *body;
    assert_int_equal(get(fixture, "/health", &body), 503);
    assert_null(strstr(body, "unchecked")); /* nobody looks at it */
    server_start(first);
    wait_for(fixture, "/health", 200, "\"reasons\": []");
    wait_for(fixture, "/metrics", 200, up_line(first, 1));
    wait_for(fixture, "/metrics", 200, up_line(&fixture->servers[1], 0));
    side_stop(fixture->side);
    fixture->side = nullptr;
    edge_log_stop(fixture->log);
    fixture->log = nullptr;
    assert_true(log_has(fixture, "proxy.server-down", first->address));
    assert_true(log_has(fixture, "proxy.server-up", first->address));
    assert_true(log_has(fixture, "proxy.server-down", fixture->servers[1].address));
    assert_false(log_has(fixture, "proxy.server-up", fixture->servers[1].address));
}

/* A flood of clients may have taken all of them: the servers are not the worse for that. */
static void without_a_descriptor_no_server_is_down(void **state) {
    struct fixture *fixture = *state;
    const struct log_writer_options options = {.clock = clock_system()};
    struct log_writer *log;
    struct health *health;
    struct loop *loop;
    struct error err;
    struct rlimit before;
    assert_true(status_is_ok(log_writer_new(fixture->log, &options, &log, &err)));
    assert_true(status_is_ok(loop_new(&loop, &err)));
    assert_true(
        status_is_ok(health_new(loop, fixture->state, fixture->metrics, log, &health, &err)));
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
    int next = dup(fixture->log_fd);
    assert_int_equal(close(next), 0);
    struct rlimit none = {.rlim_cur = (rlim_t)next, .rlim_max = before.rlim_max};
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
    for (int i = 0; i < 50; i++) { /* each waits for the next check */
        (void)loop_turn(loop);
    }
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
    for (uint32_t i = 0; i < 2; i++) {
        struct upstream_server_view view;
        upstreams_server(fixture->state, i, 0, &view);
        assert_true(view.is_up);
    }
    health_free(health);
    loop_free(loop);
}

static void failed_checks_are_counted_where_they_failed(void **state) {
    struct fixture *fixture = *state;
    fd_closep(&fixture->servers[0].fd);
    wait_for(fixture, "/metrics", 200, up_line(&fixture->servers[0], 0));
    char zero[160];
    (void)snprintf(zero, sizeof zero,
                   "airlock_proxy_upstream_checks_failed_total{upstream=\"app\",server=\"%s\"} 0\n",
                   fixture->servers[0].address);
    const char *body;
    assert_int_equal(get(fixture, "/metrics", &body), 200);
    assert_null(strstr(body, zero));
    (void)snprintf(zero, sizeof zero,
                   "airlock_proxy_upstream_checks_failed_total{upstream=\"app\",server=\"%s\"} 0\n",
                   fixture->servers[1].address);
    assert_non_null(strstr(body, zero));
}

static void ready_is_what_it_was_told(void **state) {
    struct fixture *fixture = *state;
    wait_for(fixture, "/ready", 503, "\"reason\": \"starting\"");
    side_set_ready(fixture->side, nullptr);
    wait_for(fixture, "/ready", 200, "\"ready\": true");
    side_set_ready(fixture->side, "draining");
    wait_for(fixture, "/ready", 503, "\"reason\": \"draining\"");
}

static void a_reload_changes_whom_it_looks_at(void **state) {
    struct fixture *fixture = *state;
    fd_closep(&fixture->servers[0].fd);
    fd_closep(&fixture->servers[1].fd);
    wait_for(fixture, "/health", 503, "app");
    /* The next configuration has one server, drained, and no checks. */
    struct fixture next = {.names = fixture->names};
    next.rows[0] = fixture->rows[1];
    next.rows[0].weight = 0;
    next.upstreams[0] =
        (struct edge_upstream){.name = "app", .servers = next.rows, .server_count = 1};
    next.config = (struct edge_config){.upstreams = next.upstreams, .upstream_count = 1};
    struct upstreams *before = fixture->state;
    struct error err;
    fixture->state = upstreams_of(&next, before);
    assert_true(status_is_ok(side_use(fixture->side, fixture->state, 1, &err)));
    upstreams_free(before);
    wait_for(fixture, "/health", 503, "every server is drained");
    const char *body;
    assert_int_equal(get(fixture, "/metrics", &body), 200);
    char line[160];
    (void)snprintf(line, sizeof line,
                   "airlock_proxy_upstream_server_up{upstream=\"app\",server=\"%s\"}",
                   fixture->servers[0].address);
    assert_null(strstr(body, line)); /* nothing is known of it any more */
    assert_non_null(strstr(body, up_line(&fixture->servers[1], 1)));
    side_stop(fixture->side);
    fixture->side = nullptr;
    upstreams_free(fixture->state);
    fixture->state = nullptr;
}

static void a_bind_that_is_taken_is_an_error_and_leaves_nothing(void **state) {
    struct fixture *fixture = *state;
    struct side_options options = {
        .metrics = &fixture->bind,
        .log = fixture->log,
        .names = fixture->names,
        .upstreams = fixture->state,
        .upstream_count = 2,
    };
    struct side *side = nullptr;
    struct error err;
    assert_true(status_is_ok(side_new((struct slice){}, &side, &err)));
    assert_false(status_is_ok(side_start(side, &options, &err)));
    assert_non_null(strstr(err.message, "tcp://127.0.0.1"));
    side_stop(side);
    options.metrics = nullptr;
    assert_true(status_is_ok(side_new((struct slice){}, &side, &err)));
    assert_true(status_is_ok(side_start(side, &options, &err)));
    side_stop(side);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(a_server_that_dies_is_down_and_comes_back),
        TEST(without_a_descriptor_no_server_is_down),
        TEST(failed_checks_are_counted_where_they_failed),
        TEST(ready_is_what_it_was_told),
        TEST(a_reload_changes_whom_it_looks_at),
        TEST(a_bind_that_is_taken_is_an_error_and_leaves_nothing),
    };
    return cmocka_run_group_tests(tests, nullptr, nullptr);
}
