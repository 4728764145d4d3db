/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "sandbox/protocol.h"
#include "sys/fd.h"

static void test_permits(void **state) {
    (void)state;
    assert_true(
        protocol_is_permitted(PROTOCOL_GROUND, PROTOCOL_TO_LAUNCHER, PROTOCOL_STATE_NEW, 1));
    assert_false(
        protocol_is_permitted(PROTOCOL_GROUND, PROTOCOL_TO_LAUNCHER, PROTOCOL_STATE_GROUNDING, 1));
    assert_false(
        protocol_is_permitted(PROTOCOL_PREPARE, PROTOCOL_TO_LAUNCHER, PROTOCOL_STATE_NEW, 4));
    assert_true(
        protocol_is_permitted(PROTOCOL_PREPARE, PROTOCOL_TO_LAUNCHER, PROTOCOL_STATE_GROUNDING, 4));
    assert_true(
        protocol_is_permitted(PROTOCOL_PREPARE, PROTOCOL_TO_LAUNCHER, PROTOCOL_STATE_GROUNDING, 1));
    assert_false(
        protocol_is_permitted(PROTOCOL_PREPARE, PROTOCOL_TO_LAUNCHER, PROTOCOL_STATE_GROUNDING, 0));
    assert_false(
        protocol_is_permitted(PROTOCOL_PREPARE, PROTOCOL_TO_LAUNCHER, PROTOCOL_STATE_GROUNDING, 6));
    assert_false(
        protocol_is_permitted(PROTOCOL_PREPARE, PROTOCOL_TO_LAUNCHER, PROTOCOL_STATE_READY, 4));
    assert_false(
        protocol_is_permitted(PROTOCOL_PREPARE, PROTOCOL_TO_KERNEL, PROTOCOL_STATE_GROUNDING, 4));
    assert_false(protocol_is_permitted(PROTOCOL_GO, PROTOCOL_TO_LAUNCHER, PROTOCOL_STATE_NEW, 0));
    assert_false(
        protocol_is_permitted(PROTOCOL_GO, PROTOCOL_TO_LAUNCHER, PROTOCOL_STATE_GROUNDING, 0));
    assert_false(protocol_is_permitted(PROTOCOL_GO, PROTOCOL_TO_LAUNCHER, PROTOCOL_STATE_GOING, 0));
    assert_false(
        protocol_is_permitted(PROTOCOL_SIGNAL, PROTOCOL_TO_LAUNCHER, PROTOCOL_STATE_GOING, 0));
    assert_false(
        protocol_is_permitted(PROTOCOL_STARTED, PROTOCOL_TO_KERNEL, PROTOCOL_STATE_GOING, 0));
    assert_true(
        protocol_is_permitted(PROTOCOL_GO, PROTOCOL_TO_LAUNCHER, PROTOCOL_STATE_PREPARING, 0));
    assert_false(
        protocol_is_permitted(PROTOCOL_GO, PROTOCOL_TO_LAUNCHER, PROTOCOL_STATE_RUNNING, 0));
    assert_true(protocol_is_permitted(PROTOCOL_GO, PROTOCOL_TO_LAUNCHER, PROTOCOL_STATE_READY, 0));
    assert_false(
        protocol_is_permitted(PROTOCOL_EXITED, PROTOCOL_TO_KERNEL, PROTOCOL_STATE_READY, 0));
    assert_true(
        protocol_is_permitted(PROTOCOL_PAUSE, PROTOCOL_TO_LAUNCHER, PROTOCOL_STATE_RUNNING, 0));
    assert_false(
        protocol_is_permitted(PROTOCOL_PAUSE, PROTOCOL_TO_LAUNCHER, PROTOCOL_STATE_READY, 0));
    assert_true(
        protocol_is_permitted(PROTOCOL_RESUME, PROTOCOL_TO_LAUNCHER, PROTOCOL_STATE_PAUSED, 0));
    assert_true(
        protocol_is_permitted(PROTOCOL_EXITED, PROTOCOL_TO_KERNEL, PROTOCOL_STATE_PAUSED, 0));
    assert_false(
        protocol_is_permitted(PROTOCOL_GO, PROTOCOL_TO_LAUNCHER, PROTOCOL_STATE_PAUSED, 0));
    /* Who asks a run speaks neither to the launcher nor for the kernel. */
    assert_true(
        protocol_is_permitted(PROTOCOL_ASK_STOP, PROTOCOL_TO_RUN, PROTOCOL_STATE_PAUSED, 0));
    assert_false(
        protocol_is_permitted(PROTOCOL_SIGNAL, PROTOCOL_TO_RUN, PROTOCOL_STATE_RUNNING, 0));
    assert_false(
        protocol_is_permitted(PROTOCOL_ASK_STOP, PROTOCOL_TO_LAUNCHER, PROTOCOL_STATE_RUNNING, 0));
    assert_false(
        protocol_is_permitted(PROTOCOL_TYPE_COUNT, PROTOCOL_TO_KERNEL, PROTOCOL_STATE_RUNNING, 0));
}

static void test_round_trip(void **state) {
    (void)state;
    int pair[2];
    struct error err = {};
    assert_true(status_is_ok(socket_pair(pair, &err)));
    struct protocol_message out = {.type = PROTOCOL_SIGNAL, .signal_number = 15};
    assert_true(status_is_ok(protocol_send(pair[0], &out, -1, &err)));
    struct protocol_message in;
    struct socket_fds fds = {};
    bool is_open = false;
    assert_true(status_is_ok(protocol_receive(pair[1], PROTOCOL_TO_LAUNCHER, PROTOCOL_STATE_RUNNING,
                                              &in, &fds, &is_open, &err)));
    assert_true(is_open);
    assert_int_equal(in.signal_number, 15);
    fd_closep(&pair[0]);
    assert_true(status_is_ok(protocol_receive(pair[1], PROTOCOL_TO_LAUNCHER, PROTOCOL_STATE_RUNNING,
                                              &in, &fds, &is_open, &err)));
    assert_false(is_open);
    fd_closep(&pair[1]);
}

static void refuse_bytes(const void *data, size_t size, int fd) {
    int pair[2];
    struct error err = {};
    assert_true(status_is_ok(socket_pair(pair, &err)));
    struct socket_fds fds = {.fd = {fd}, .count = fd >= 0 ? 1 : 0};
    assert_true(status_is_ok(socket_send(pair[0], slice_of(data, size), &fds, &err)));
    struct protocol_message in;
    struct socket_fds received = {};
    bool is_open = false;
    assert_false(status_is_ok(protocol_receive(pair[1], PROTOCOL_TO_LAUNCHER, PROTOCOL_STATE_READY,
                                               &in, &received, &is_open, &err)));
    assert_int_equal(err.code, ERROR_JAIL_PROTOCOL);
    fd_closep(&pair[0]);
    fd_closep(&pair[1]);
}

static void test_bad_messages(void **state) {
    (void)state;
    struct protocol_message message = {.type = PROTOCOL_GO, .version = PROTOCOL_VERSION};
    refuse_bytes(&message, sizeof message - 1, -1);
    refuse_bytes(&message, 1, -1);
    refuse_bytes(&message, sizeof message, 0); /* GO carries no fd */
    message.version = PROTOCOL_VERSION + 1;
    refuse_bytes(&message, sizeof message, -1);
    message = (struct protocol_message){.type = 200, .version = PROTOCOL_VERSION};
    refuse_bytes(&message, sizeof message, -1);
    message = (struct protocol_message){.type = PROTOCOL_READY, .version = PROTOCOL_VERSION};
    refuse_bytes(&message, sizeof message, -1); /* the wrong way */
}

static void test_failures(void **state) {
    (void)state;
    struct error err = {};
    (void)!error_set(&err, ERROR_SANDBOX_MOUNT, 13, "cannot mount it").code;
    struct protocol_message message = protocol_failure_of(&err);
    struct error back = {};
    assert_false(status_is_ok(protocol_failure_to_error(&message, &back)));
    assert_int_equal(back.code, ERROR_SANDBOX_MOUNT);
    assert_int_equal(back.os_errno, 13);
    assert_string_equal(back.message, "cannot mount it");
    /* A launcher that lies about codes and ends gets neither out of bounds. */
    message.failure.code = 60000;
    memset(message.failure.message, 'x', sizeof message.failure.message);
    assert_false(status_is_ok(protocol_failure_to_error(&message, &back)));
    assert_int_equal(back.code, ERROR_JAIL_FAILED);
    assert_int_equal(strlen(back.message), PROTOCOL_TEXT_BYTES - 1);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_permits),
        cmocka_unit_test(test_round_trip),
        cmocka_unit_test(test_bad_messages),
        cmocka_unit_test(test_failures),
    };
    return cmocka_run_group_tests(tests, nullptr, nullptr);
}
