/* SPDX-License-Identifier: Apache-2.0
 *
 * Airlock's side of a gate against gates that lie, break off or say no; the gate itself runs in
 * tests/e2e/engine_podman.sh.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "engine/client.h"
#include "engine/gate.h"
#include "sys/fd.h"
#include "sys/socket.h"

static char folder[] = "/tmp/gate_XXXXXX";
static int folder_fd = -1;

static void setups_come_whole(void **state) {
    (void)state;
    static struct gate_setup setup = {
        .port = 3128,
        .memory_bytes = UINT64_MAX,
        .pid_count = 7,
        .one_program = true,
        .line_count = GATE_LINES_MAX,
    };
    static struct gate_setup got;
    struct builder bytes;
    setup.lines[GATE_LINES_MAX - 1] = (struct sock_filter){1, 2, 3, 4};
    builder_init(&bytes, GATE_SETUP_BYTES);
    assert_true(gate_setup_encode(&setup, &bytes));
    assert_true(gate_setup_decode(builder_slice(&bytes), &got));
    assert_memory_equal(&got, &setup, sizeof got);
    for (size_t size = 0; size < bytes.size; size++) {
        assert_false(gate_setup_decode(slice_of(bytes.data, size), &got));
    }
    builder_u8(&bytes, 0);
    assert_false(gate_setup_decode(builder_slice(&bytes), &got)); /* a byte too many */
    setup.line_count++;
    builder_reset(&bytes);
    assert_false(gate_setup_encode(&setup, &bytes));
    builder_deinit(&bytes);
}

static void replies_are_of_the_known_kinds(void **state) {
    (void)state;
    struct gate_reply got;
    for (unsigned kind = 0; kind < 256; kind++) {
        struct builder bytes;
        const struct gate_reply reply = {.state = (enum gate_state)kind, .os_errno = ENOSYS};
        builder_init(&bytes, GATE_REPLY_BYTES);
        assert_true(gate_reply_encode(&reply, &bytes));
        bool is_known = kind != 0 && kind < GATE_STATE_COUNT;
        assert_int_equal(gate_reply_decode(builder_slice(&bytes), &got), is_known);
        assert_false(gate_reply_decode(slice_of(bytes.data, bytes.size - 1), &got));
        bytes.data[0] ^= 1;
        assert_false(gate_reply_decode(builder_slice(&bytes), &got));
        builder_deinit(&bytes);
    }
}

/* What a cgroup's file would say; nullptr: it is not there. */
static void say(const char *name, const char *text) {
    (void)unlinkat(folder_fd, name, 0);
    if (text != nullptr) {
        int fd = openat(folder_fd, name, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
        assert_int_equal(write(fd, text, strlen(text)), (ssize_t)strlen(text));
        (void)close(fd);
    }
}

static void limits_are_read_not_believed(void **state) {
    (void)state;
    static const char *const NONE[] = {"max\n", "",      "-1\n",  " 5\n",
                                       "5x\n",  "0x5\n", "101\n", "99999999999999999999999\n",
                                       nullptr};
    say("pids.max", "10\n");
    for (size_t i = 0; i < sizeof NONE / sizeof NONE[0]; i++) {
        say("memory.max", NONE[i]);
        assert_false(gate_limits_hold(folder, 100, 10));
    }
    say("memory.max", "100\n");
    assert_true(gate_limits_hold(folder, 100, 10));
    assert_false(gate_limits_hold(folder, 100, 9));
    say("pids.max", "max\n");
    assert_false(gate_limits_hold(folder, 100, 10));
    assert_false(gate_limits_hold("/tmp/nothing-of-the-kind", 100, 10));
    say("pids.max", nullptr);
    say("memory.max", nullptr);
}

/* A gate that has connected and said `said` with `fds`, and what gate_meet() makes of it. */
struct meeting {
    struct slice said;
    struct socket_fds fds;
    uint16_t port;
};

static struct gate begin(struct engine *engine, int *ret_theirs, int *ret_engine_end) {
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    const struct gate_place place = {
        .folder = folder_fd, .name = "gate", .uid = geteuid(), .gid = getegid()};
    struct gate gate;
    struct error err;
    int pair[2];
    (void)unlinkat(folder_fd, "gate", 0);
    assert_true(status_is_ok(gate_open(&place, &gate, &err)));
    (void)snprintf(address.sun_path, sizeof address.sun_path, "%s/gate", folder);
    *ret_theirs = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
    assert_int_equal(connect(*ret_theirs, (struct sockaddr *)&address, sizeof address), 0);
    assert_true(status_is_ok(socket_pair(pair, &err)));
    *engine = (struct engine){.program = {.socket = pair[0]}};
    *ret_engine_end = pair[1];
    return gate;
}

static int meet(const struct meeting *meeting, int *ret_listener) {
    static struct engine engine;
    struct gate_setup setup = {.port = meeting->port};
    struct error err = {};
    int theirs = -1;
    int engine_end = -1;
    struct gate gate = begin(&engine, &theirs, &engine_end);
    if (meeting->said.size > 0) {
        assert_true(status_is_ok(socket_send(theirs, meeting->said, &meeting->fds, &err)));
    } else {
        fd_closep(&theirs);
    }
    int code = gate_meet(&gate, &engine, &setup, ret_listener, &err).code;
    gate_close(&gate);
    fd_closep(&theirs);
    fd_closep(&engine_end);
    fd_closep(&engine.program.socket);
    return code;
}

static const uint8_t READY[] = {'g', 't', 'r', '1', GATE_READY, 0, 0, 0, 0};

static void gates_that_lie(void **state) {
    (void)state;
    int udp = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    int connected = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0); /* it does not listen */
    const uint8_t garbage[] = {0x1b, ']', '5', '2'};
    const struct slice ready = slice_of(READY, sizeof READY);
    const struct meeting lies[] = {
        {.said = {0}},
        {.said = slice_of(garbage, sizeof garbage)},
        {.said = slice_of(garbage, sizeof garbage), .fds = {.fd = {udp}, .count = 1}},
        {.said = ready, .port = 3128},
        {.said = ready, .port = 3128, .fds = {.fd = {udp}, .count = 1}},
        {.said = ready, .port = 3128, .fds = {.fd = {connected}, .count = 1}},
        {.said = ready, .port = 3128, .fds = {.fd = {folder_fd}, .count = 1}},
        {.said = ready, .port = 3128, .fds = {.fd = {udp, udp}, .count = 2}},
        {.said = ready, .fds = {.fd = {udp}, .count = 1}},
    };
    for (size_t i = 0; i < sizeof lies / sizeof lies[0]; i++) {
        int listener = -1;
        assert_int_equal(meet(&lies[i], &listener), ERROR_ENGINE_GATE);
        assert_int_equal(listener, -1);
    }
    (void)close(udp);
    (void)close(connected);
}

static void gates_that_say_no(void **state) {
    (void)state;
    for (uint8_t kind = GATE_READY + 1; kind < GATE_STATE_COUNT; kind++) {
        uint8_t said[sizeof READY];
        int listener = -1;
        memcpy(said, READY, sizeof said);
        said[4] = kind;
        const struct meeting meeting = {.said = slice_of(said, sizeof said)};
        assert_int_equal(meet(&meeting, &listener), ERROR_ENGINE_GATE);
    }
}

static void a_gate_comes_once_and_listens(void **state) {
    (void)state;
    int listening = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(listen(listening, 1), 0);
    int listener = -1;
    struct meeting meeting = {.said = slice_of(READY, sizeof READY)};
    assert_int_equal(meet(&meeting, &listener), 0);
    assert_int_equal(listener, -1);
    meeting.port = 3128;
    meeting.fds = (struct socket_fds){.fd = {listening}, .count = 1};
    assert_int_equal(meet(&meeting, &listener), 0);
    assert_true(listener >= 0);
    struct stat socket_file;
    assert_int_equal(fstatat(folder_fd, "gate", &socket_file, 0), 0);
    assert_int_equal(socket_file.st_mode & 0777, 0600);
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    (void)snprintf(address.sun_path, sizeof address.sun_path, "%s/gate", folder);
    int again = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
    assert_int_equal(connect(again, (struct sockaddr *)&address, sizeof address), -1);
    assert_int_equal(errno, ECONNREFUSED);
    (void)close(again);
    (void)close(listener);
    (void)close(listening);
}

/* What gate_pass() makes of the last word; an empty one: it became the command. */
static int pass(struct slice said, enum engine_started *ret_started) {
    int pair[2];
    struct error err = {};
    assert_true(status_is_ok(socket_pair(pair, &err)));
    struct gate gate = {.door = -1, .peer = pair[0]};
    if (said.size > 0) {
        assert_true(status_is_ok(socket_send(pair[1], said, nullptr, &err)));
    } else {
        (void)shutdown(pair[1], SHUT_WR);
    }
    int code = gate_pass(&gate, ret_started, &err).code;
    gate_close(&gate);
    (void)close(pair[1]);
    return code;
}

static void the_go(void **state) {
    (void)state;
    uint8_t said[sizeof READY];
    enum engine_started started = ENGINE_NOT_FOUND;
    assert_int_equal(pass((struct slice){0}, &started), 0);
    assert_int_equal(started, ENGINE_STARTED);
    memcpy(said, READY, sizeof said);
    assert_int_equal(pass(slice_of(said, sizeof said), &started), ERROR_ENGINE_GATE);
    said[4] = GATE_NO_FILTER;
    assert_int_equal(pass(slice_of(said, sizeof said), &started), ERROR_ENGINE_GATE);
    assert_int_equal(pass(slice_of(said, 3), &started), ERROR_ENGINE_GATE);
    said[4] = GATE_NO_PROGRAM;
    said[5] = ENOENT;
    assert_int_equal(pass(slice_of(said, sizeof said), &started), 0);
    assert_int_equal(started, ENGINE_NOT_FOUND);
    said[5] = EACCES;
    assert_int_equal(pass(slice_of(said, sizeof said), &started), 0);
    assert_int_equal(started, ENGINE_NOT_EXECUTABLE);
}

int main(void) {
    if (mkdtemp(folder) == nullptr) {
        return 1;
    }
    folder_fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(setups_come_whole),
        cmocka_unit_test(replies_are_of_the_known_kinds),
        cmocka_unit_test(limits_are_read_not_believed),
        cmocka_unit_test(gates_that_lie),
        cmocka_unit_test(gates_that_say_no),
        cmocka_unit_test(a_gate_comes_once_and_listens),
        cmocka_unit_test(the_go),
    };
    int failed = cmocka_run_group_tests(tests, nullptr, nullptr);
    (void)unlinkat(folder_fd, "gate", 0);
    (void)rmdir(folder);
    return failed;
}
