/* SPDX-License-Identifier: Apache-2.0
 *
 * What stands in a line of the log, to the byte.
 */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

#include "edge/log.h"

enum : uint64_t { WALL_MS = 1795259700123 };
static uint64_t wall_ms;

static uint64_t fake_wall(void *context) {
    (void)context;
    return wall_ms;
}

static uint64_t fake_monotonic(void *context) {
    (void)context;
    return 1000000;
}

static void time_and_numbers_are_what_they_are(void **state) {
    static const struct {
        uint64_t ms;
        int64_t number;
        const char *time, *text;
    } ROWS[] = {
        {0, -4711, "1970-01-01T00:00:00.000Z", "-4711"},
        {7, 0, "1970-01-01T00:00:00.007Z", "0"},
        {WALL_MS, -1, "2026-11-21T11:15:00.123Z", "-1"},
        {WALL_MS + 876, 10, "2026-11-21T11:15:00.999Z", "10"},
        {WALL_MS + 877, 123456789, "2026-11-21T11:15:01.000Z", "123456789"},
        {WALL_MS, 9, "2026-11-21T11:15:00.123Z", "9"}, /* a clock that was set back */
    };
    static const struct log_writer_options OPTIONS = {{fake_wall, fake_monotonic, nullptr},
                                                      nullptr};
    (void)state;
    char expected[6 * 96] = "";
    char text[sizeof expected] = "";
    struct error err;
    struct edge_log *log = nullptr;
    struct log_writer *writer = nullptr;
    int fd = memfd_create("log", MFD_CLOEXEC);
    assert_true(status_is_ok(edge_log_start(fd, &log, &err)));
    assert_true(status_is_ok(log_writer_new(log, &OPTIONS, &writer, &err)));
    for (size_t i = 0; i < sizeof ROWS / sizeof ROWS[0]; i++) {
        wall_ms = ROWS[i].ms;
        LOG_EVENT(writer, PROXY_EVENT_START, {"n", nullptr, ROWS[i].number});
        size_t at = strlen(expected);
        (void)snprintf(expected + at, sizeof expected - at,
                       "{\"time\":\"%s\",\"event\":\"proxy.start\",\"n\":%s}\n", ROWS[i].time,
                       ROWS[i].text);
    }
    edge_log_stop(log);
    assert_true(pread(fd, text, sizeof text - 1, 0) > 0);
    assert_string_equal(text, expected);
    assert_int_equal(close(fd), 0);
}

static void addresses_and_numbers_are_written_as_they_are_read(void **state) {
    (void)state;
    struct builder line;
    struct sockaddr_in v4 = {.sin_family = AF_INET, .sin_port = htons(65535)};
    struct sockaddr_in6 v6 = {.sin6_family = AF_INET6, .sin6_port = htons(1)};
    struct sockaddr unix_socket = {.sa_family = AF_UNIX};
    struct sockaddr nobody = {.sa_family = AF_UNSPEC};
    assert_int_equal(inet_pton(AF_INET, "10.200.0.255", &v4.sin_addr), 1);
    assert_int_equal(inet_pton(AF_INET6, "2001:db8::7", &v6.sin6_addr), 1);
    builder_init(&line, 200);
    log_address(&line, "a", (struct sockaddr *)&v4);
    log_address(&line, "b", (struct sockaddr *)&v6);
    log_address(&line, "c", &unix_socket);
    log_address(&line, "g", &nobody);
    log_number(&line, "d", INT64_MIN);
    log_number(&line, "e", INT64_MAX);
    assert_string_equal(builder_c_string(&line),
                        ",\"a\":\"10.200.0.255:65535\","
                        "\"b\":\"[2001:db8::7]:1\",\"c\":\"unix\",\"g\":\"gone\","
                        "\"d\":-9223372036854775808,\"e\":9223372036854775807");
    builder_deinit(&line);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(time_and_numbers_are_what_they_are),
        cmocka_unit_test(addresses_and_numbers_are_written_as_they_are_read),
    };
    return cmocka_run_group_tests(tests, nullptr, nullptr);
}
