/* SPDX-License-Identifier: Apache-2.0 */
#include <arpa/inet.h>
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
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/limits.h"
#include "codec/json.h"
#include "edge/access_log.h"
#include "edge/log_ring.h"
#include "sys/fd.h"

static uint64_t fake_ms = 1000;

static uint64_t fake_wall(void *context) {
    (void)context;
    return 1795259700123;
}

static uint64_t fake_monotonic(void *context) {
    (void)context;
    return fake_ms * 1000000;
}

static const struct clock CLOCK = {fake_wall, fake_monotonic, nullptr};

struct output {
    int fd;
    struct edge_log *log;
    struct metrics *metrics;
    struct log_writer *writer;
    struct builder text;
    struct json *lines[600];
    size_t count;
};

static void output_start(struct output *output, int fd) {
    struct error err;
    *output = (struct output){.fd = fd};
    builder_init(&output->text, 1 << 20);
    assert_true(status_is_ok(edge_log_start(fd, &output->log, &err)));
    assert_true(status_is_ok(metrics_new(&output->metrics, &err)));
    struct log_writer_options options = {CLOCK, output->metrics};
    assert_true(status_is_ok(log_writer_new(output->log, &options, &output->writer, &err)));
}

static void output_memory(struct output *output) {
    output_start(output, memfd_create("log", MFD_CLOEXEC));
}

/* Ends the log and reads what it wrote: every line is JSON on its own. */
static void output_read(struct output *output) {
    struct error err;
    edge_log_stop(output->log);
    assert_int_equal(lseek(output->fd, 0, SEEK_SET), 0);
    assert_true(status_is_ok(fd_read_to_end(output->fd, "log", &output->text, &err)));
    char *rest = strdup(builder_c_string(&output->text));
    char *const memory = rest;
    for (char *line = strsep(&rest, "\n"); rest != nullptr; line = strsep(&rest, "\n")) {
        assert_true(output->count < sizeof output->lines / sizeof output->lines[0]);
        if (!status_is_ok(
                json_parse(slice_of_string(line), "line", &output->lines[output->count++], &err))) {
            fail_msg("no JSON: %s (%s)", line, err.message);
        }
    }
    free(memory);
}

static void output_end(struct output *output) {
    for (size_t i = 0; i < output->count; i++) {
        json_free(output->lines[i]);
    }
    builder_deinit(&output->text);
    metrics_free(output->metrics);
    (void)close(output->fd);
}

static int64_t metric_of(const struct output *output, enum metric metric) {
    struct metric_sources sources = {.threads = (const struct metrics *const *)&output->metrics,
                                     .thread_count = 1};
    return metrics_value(&sources, metric, (struct metric_at){});
}

static void text_from_outside_stays_in_its_quotes(void **state) {
    (void)state;
    struct output output;
    output_memory(&output);
    LOG_EVENT(output.writer, PROXY_EVENT_SERVER_DOWN,
              {"server", "a\"},\n{\"event\":\"proxy.start\"\\\xff\x1b[31m", 0},
              {"checks", nullptr, -3});
    output_read(&output);
    assert_int_equal(output.count, 1);
    assert_string_equal(json_get_text(output.lines[0], "event"), "proxy.server-down");
    assert_string_equal(json_get_text(output.lines[0], "server"),
                        "a\"},\\n{\"event\":\"proxy.start\"\\\\\\xff\\x1b[31m");
    int64_t checks = 0;
    assert_true(json_get_integer(output.lines[0], "checks", &checks));
    assert_int_equal(checks, -3);
    assert_string_equal(json_get_text(output.lines[0], "time"), "2026-11-21T11:15:00.123Z");
    output_end(&output);
}

static void a_text_is_cut_and_the_line_stays_one(void **state) {
    (void)state;
    struct output output;
    output_memory(&output);
    char *long_text = malloc(100001);
    memset(long_text, '"', 100000);
    long_text[100000] = '\0';
    LOG_EVENT(output.writer, PROXY_EVENT_START, {"file", long_text, 0});
    free(long_text);
    output_read(&output);
    assert_int_equal(output.count, 1);
    size_t size = strlen(json_get_text(output.lines[0], "file"));
    assert_in_range(size, 1000, 1100);
    output_end(&output);
}

static void a_line_that_cannot_be_is_dropped_and_said(void **state) {
    (void)state;
    struct output output;
    output_memory(&output);
    char text[1001];
    memset(text, 'x', 1000);
    text[1000] = '\0';
    struct log_field fields[12];
    for (size_t i = 0; i < 12; i++) {
        fields[i] = (struct log_field){"x", text, 0};
    }
    log_event(output.writer, PROXY_EVENT_START, fields, 12);
    assert_int_equal(metric_of(&output, METRIC_LOG_DROPPED), 1);
    LOG_EVENT(output.writer, PROXY_EVENT_STOPPED, {"why", "SIGTERM", 0});
    output_read(&output);
    assert_int_equal(output.count, 2);
    assert_string_equal(json_get_text(output.lines[0], "event"), "proxy.dropped");
    int64_t lines = 0;
    assert_true(json_get_integer(output.lines[0], "lines", &lines));
    assert_int_equal(lines, 1);
    assert_string_equal(json_get_text(output.lines[1], "event"), "proxy.stopped");
    output_end(&output);
}

static void a_reader_that_does_not_read_stops_nobody(void **state) {
    (void)state;
    int pipe_fds[2];
    assert_int_equal(pipe2(pipe_fds, O_CLOEXEC), 0);
    struct output output;
    output_start(&output, pipe_fds[1]);
    enum { COUNT = 20000 };
    for (int i = 0; i < COUNT; i++) {
        LOG_EVENT(output.writer, PROXY_EVENT_LISTENING, {"number", nullptr, i});
    }
    int64_t dropped = metric_of(&output, METRIC_LOG_DROPPED);
    assert_in_range(dropped, 1, COUNT - 100);
    edge_log_stop(output.log); /* although nobody reads */
    assert_int_equal(fcntl(pipe_fds[1], F_GETFL) & O_NONBLOCK, 0);
    (void)close(pipe_fds[0]);
    output_end(&output);
}

static void a_reader_that_is_gone_kills_nobody(void **state) {
    (void)state;
    int pipe_fds[2];
    assert_int_equal(pipe2(pipe_fds, O_CLOEXEC), 0);
    (void)close(pipe_fds[0]);
    struct output output;
    output_start(&output, pipe_fds[1]);
    for (int i = 0; i < 10000; i++) {
        LOG_EVENT(output.writer, PROXY_EVENT_LISTENING, {"number", nullptr, i});
    }
    edge_log_stop(output.log);
    output_end(&output);
}

static void without_a_descriptor_nothing_is_counted_as_lost(void **state) {
    (void)state;
    struct output output;
    output_start(&output, -1);
    LOG_EVENT(output.writer, PROXY_EVENT_LISTENING, {"number", nullptr, 1});
    assert_int_equal(metric_of(&output, METRIC_LOG_DROPPED), 0);
    edge_log_stop(output.log);
    output_end(&output);
}

static void what_strangers_cause_is_written_so_often_a_second(void **state) {
    (void)state;
    struct output output;
    output_memory(&output);
    fake_ms = 5000;
    enum { MORE = 17 };
    for (int i = 0; i < LIMIT_EDGE_LOG_EVENTS + MORE; i++) {
        LOG_EVENT(output.writer, PROXY_EVENT_ACCEPT_FAILED, {"errno", nullptr, 24});
    }
    LOG_EVENT(output.writer, PROXY_EVENT_LISTENING, {"name", "of another kind", 0});
    assert_int_equal(metric_of(&output, METRIC_LOG_SUPPRESSED), MORE);
    fake_ms = 6000;
    LOG_EVENT(output.writer, PROXY_EVENT_ACCEPT_FAILED, {"errno", nullptr, 24});
    output_read(&output);
    assert_int_equal(output.count, LIMIT_EDGE_LOG_EVENTS + 3);
    const struct json *said = output.lines[LIMIT_EDGE_LOG_EVENTS + 1];
    assert_string_equal(json_get_text(said, "event"), "proxy.suppressed");
    int64_t lines = 0;
    assert_true(json_get_integer(said, "lines", &lines));
    assert_int_equal(lines, MORE);
    output_end(&output);
}

static void refused_connections_are_suppressed_and_served_ones_never(void **state) {
    (void)state;
    struct output output;
    output_memory(&output);
    struct access_record record = {.listener = "web", .end = "classical", .is_refused = true};
    for (int i = 0; i < 3 * LIMIT_EDGE_LOG_EVENTS; i++) {
        record.is_refused = i % 3 != 0;
        record.end = record.is_refused ? "classical" : "done";
        access_log(output.writer, &record);
    }
    output_read(&output);
    unsigned served = 0;
    for (size_t i = 0; i < output.count; i++) {
        served += strcmp(json_get_text(output.lines[i], "end"), "done") == 0 ? 1 : 0;
    }
    assert_int_equal(served, LIMIT_EDGE_LOG_EVENTS);
    assert_int_equal(output.count, 2 * LIMIT_EDGE_LOG_EVENTS);
    output_end(&output);
}

static void a_connection_has_what_is_known_of_it_and_no_more(void **state) {
    (void)state;
    struct output output;
    output_memory(&output);
    struct sockaddr_in6 mapped = {.sin6_family = AF_INET6, .sin6_port = htons(4711)};
    assert_int_equal(inet_pton(AF_INET6, "::ffff:192.0.2.7", &mapped.sin6_addr), 1);
    struct access_record record = {
        .listener = "web",
        .client = (struct sockaddr *)&mapped,
        .is_tls = true,
        .group = EDGE_GROUP_X25519MLKEM768,
        .tls_version = "TLSv1.3",
        .suite = "TLS_AES_256_GCM_SHA384",
        .sni = SLICE_LITERAL("ex\"ample"),
        .alpn = SLICE_LITERAL("h2"),
        .upstream = "app",
        .server = "10.0.0.1:80",
        .tries = 2,
        .handshake_us = 900,
        .connect_us = 120,
        .total_us = 5000,
        .bytes_in = 100,
        .bytes_out = UINT64_C(9007199254740000),
        .end = "done",
    };
    access_log(output.writer, &record);
    struct access_record bare = {.listener = "web", .end = "hello-timeout", .is_refused = true};
    access_log(output.writer, &bare);
    output_read(&output);
    const char *text = builder_c_string(&output.text);
    assert_string_equal(
        text,
        "{\"time\":\"2026-11-21T11:15:00.123Z\",\"event\":\"connection\",\"listener\":\"web\","
        "\"client\":\"192.0.2.7:4711\",\"tls\":\"TLSv1.3\",\"suite\":\"TLS_AES_256_GCM_SHA384\","
        "\"group\":\"X25519MLKEM768\",\"post_quantum\":true,\"sni\":\"ex\\\"ample\",\"alpn\":"
        "\"h2\","
        "\"upstream\":\"app\",\"server\":\"10.0.0.1:80\",\"tries\":2,\"handshake_us\":900,"
        "\"connect_us\":120,\"total_us\":5000,\"bytes_in\":100,\"bytes_out\":9007199254740000,"
        "\"end\":\"done\"}\n"
        "{\"time\":\"2026-11-21T11:15:00.123Z\",\"event\":\"connection\",\"listener\":\"web\","
        "\"total_us\":0,\"bytes_in\":0,\"bytes_out\":0,\"end\":\"hello-timeout\"}\n");
    output_end(&output);
}

enum { THREADS = 3, LINES_EACH = 150 };

static void *say_a_lot(void *context) {
    for (int i = 0; i < LINES_EACH; i++) {
        LOG_EVENT(context, PROXY_EVENT_LISTENING, {"number", nullptr, i});
    }
    return nullptr;
}

static void threads_keep_their_order_and_their_lines_whole(void **state) {
    (void)state;
    struct output output;
    output_memory(&output);
    struct log_writer_options options = {CLOCK, nullptr};
    pthread_t threads[THREADS];
    struct error err;
    for (size_t i = 0; i < THREADS; i++) {
        struct log_writer *writer;
        assert_true(status_is_ok(log_writer_new(output.log, &options, &writer, &err)));
        assert_int_equal(pthread_create(&threads[i], nullptr, say_a_lot, writer), 0);
    }
    for (size_t i = 0; i < THREADS; i++) {
        assert_int_equal(pthread_join(threads[i], nullptr), 0);
    }
    output_read(&output);
    assert_int_equal(output.count, THREADS * LINES_EACH);
    int seen[LINES_EACH] = {};
    int64_t last = -1;
    for (size_t i = 0; i < output.count; i++) {
        int64_t number = -1;
        assert_true(json_get_integer(output.lines[i], "number", &number));
        seen[number]++;
        assert_true(number == 0 || seen[number - 1] >= seen[number]);
        last = number;
    }
    assert_int_equal(last, LINES_EACH - 1);
    output_end(&output);
}

static void a_ring_goes_round_and_takes_no_half_lines(void **state) {
    (void)state;
    struct log_ring *ring = aligned_alloc(alignof(struct log_ring), sizeof *ring);
    memset(ring, 0, sizeof *ring);
    uint8_t line[1000];
    memset(line, 'a', sizeof line);
    line[sizeof line - 1] = '\n';
    size_t put = 0;
    while (log_ring_put(ring, slice_of(line, sizeof line))) {
        put++;
    }
    assert_int_equal(put, LIMIT_EDGE_LOG_BYTES / 1000);
    assert_int_equal(log_ring_used(ring), put * 1000);
    assert_int_equal(log_ring_peek(ring, 4096).size, 4000);
    assert_int_equal(log_ring_peek(ring, 500).size, 500);
    for (int round = 0; round < 3000; round++) {
        struct slice bytes = log_ring_peek(ring, 4096);
        assert_true(bytes.size > 0);
        log_ring_taken(ring, bytes.size);
        while (log_ring_put(ring, slice_of(line, sizeof line))) {
        }
    }
    while (log_ring_used(ring) > 0) {
        log_ring_taken(ring, log_ring_peek(ring, 4096).size);
    }
    assert_int_equal(log_ring_peek(ring, 4096).size, 0);
    free(ring);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(text_from_outside_stays_in_its_quotes),
        cmocka_unit_test(a_text_is_cut_and_the_line_stays_one),
        cmocka_unit_test(a_line_that_cannot_be_is_dropped_and_said),
        cmocka_unit_test(a_reader_that_does_not_read_stops_nobody),
        cmocka_unit_test(a_reader_that_is_gone_kills_nobody),
        cmocka_unit_test(without_a_descriptor_nothing_is_counted_as_lost),
        cmocka_unit_test(what_strangers_cause_is_written_so_often_a_second),
        cmocka_unit_test(refused_connections_are_suppressed_and_served_ones_never),
        cmocka_unit_test(a_connection_has_what_is_known_of_it_and_no_more),
        cmocka_unit_test(threads_keep_their_order_and_their_lines_whole),
        cmocka_unit_test(a_ring_goes_round_and_takes_no_half_lines),
    };
    return cmocka_run_group_tests(tests, nullptr, nullptr);
}
