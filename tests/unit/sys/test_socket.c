/* SPDX-License-Identifier: Apache-2.0 */
#include "sys/socket.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "sys/fd.h"

static int count_fds(void) {
    int count = 0;
    for (int fd = 0; fd < 256; fd++) {
        count += fcntl(fd, F_GETFD) >= 0;
    }
    return count;
}

static void a_message_too_long_is_refused_and_leaks_no_fd(void **state) {
    (void)state;
    struct error err;
    int pair[2];
    assert_int_equal(socket_pair(pair, &err).code, 0);
    int before = count_fds();
    struct socket_fds fds = {.fd = {0, 1}, .count = 2};
    assert_int_equal(socket_send(pair[0], SLICE_LITERAL("0123456789"), &fds, &err).code, 0);
    char buffer[4];
    size_t size = 99;
    struct socket_fds got = {0};
    assert_int_equal(socket_receive(pair[1], buffer, sizeof buffer, &size, &got, &err).code,
                     ERROR_JAIL_PROTOCOL);
    assert_int_equal(count_fds(), before);
    (void)close(pair[0]);
    (void)close(pair[1]);
}

static void fds_nobody_asked_for_are_refused_and_closed(void **state) {
    (void)state;
    struct error err;
    int pair[2];
    assert_int_equal(socket_pair(pair, &err).code, 0);
    int before = count_fds();
    struct socket_fds fds = {.fd = {0}, .count = 1};
    assert_int_equal(socket_send(pair[0], SLICE_LITERAL("x"), &fds, &err).code, 0);
    char buffer[4];
    size_t size;
    assert_int_equal(socket_receive(pair[1], buffer, sizeof buffer, &size, nullptr, &err).code,
                     ERROR_JAIL_PROTOCOL);
    assert_int_equal(count_fds(), before);
    (void)close(pair[0]);
    (void)close(pair[1]);
}

static void a_gone_peer_reads_as_zero_and_sends_no_signal(void **state) {
    (void)state;
    struct error err;
    int pair[2];
    assert_int_equal(socket_pair(pair, &err).code, 0);
    (void)close(pair[1]);
    char buffer[4];
    size_t size = 99;
    assert_int_equal(socket_receive(pair[0], buffer, sizeof buffer, &size, nullptr, &err).code, 0);
    assert_int_equal(size, 0);
    assert_int_equal(socket_send(pair[0], SLICE_LITERAL("x"), nullptr, &err).code, ERROR_IO);
    (void)close(pair[0]);
}

static void fds_arrive_close_on_exec(void **state) {
    (void)state;
    struct error err;
    int pair[2];
    assert_int_equal(socket_pair(pair, &err).code, 0);
    struct socket_fds fds = {.fd = {0, 1, 2}, .count = 3};
    assert_int_equal(socket_send(pair[0], SLICE_LITERAL("abc"), &fds, &err).code, 0);
    char buffer[8];
    size_t size = 0;
    struct socket_fds got = {0};
    assert_int_equal(socket_receive(pair[1], buffer, sizeof buffer, &size, &got, &err).code, 0);
    assert_int_equal(size, 3);
    assert_memory_equal(buffer, "abc", 3);
    assert_int_equal(got.count, 3);
    for (size_t i = 0; i < got.count; i++) {
        assert_true((fcntl(got.fd[i], F_GETFD) & FD_CLOEXEC) != 0);
    }
    socket_fds_close(&got);
    assert_int_equal(got.count, 0);
    (void)close(pair[0]);
    (void)close(pair[1]);
}

static void sealed_memory_cannot_be_changed(void **state) {
    (void)state;
    struct error err;
    CLEANUP(fd_closep) int fd = -1;
    assert_int_equal(fd_sealed_memory("test", SLICE_LITERAL("plan"), &fd, &err).code, 0);
    assert_int_equal(pwrite(fd, "x", 1, 0), -1);
    assert_int_equal(ftruncate(fd, 0), -1);
    char buffer[8];
    assert_int_equal(pread(fd, buffer, sizeof buffer, 0), 4);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_message_too_long_is_refused_and_leaks_no_fd),
        cmocka_unit_test(fds_nobody_asked_for_are_refused_and_closed),
        cmocka_unit_test(a_gone_peer_reads_as_zero_and_sends_no_signal),
        cmocka_unit_test(fds_arrive_close_on_exec),
        cmocka_unit_test(sealed_memory_cannot_be_changed),
    };
    return cmocka_run_group_tests_name("socket", tests, nullptr, nullptr);
}
