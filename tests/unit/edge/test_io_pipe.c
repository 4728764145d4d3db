/* SPDX-License-Identifier: Apache-2.0
 *
 * Streams that are joined, on each engine: what comes out is what went in, in order, whichever way
 * it took, and ends and failures are told as of any other stream.
 */
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <pthread.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

#include "base/limits.h"
#include "pipe_relay.h"

static void a_long_stream_is_not_copied(void **state) {
    struct relay relay;
    relay_init(&relay, io_of(state), make_tcp);
    pump(&relay, 24 * MIB, 4 * BLOCK);
    assert_int_equal(relay.left.copied + relay.left.passed, 24 * MIB);
    assert_true(relay.left.passed > 12 * MIB);
    assert_int_equal(relay.right.copied + relay.right.passed, 0);
    relay_deinit(&relay);
}

static void a_socket_of_this_machine_is_as_good(void **state) {
    struct relay relay;
    relay_init(&relay, io_of(state), make_pair);
    pump(&relay, 16 * MIB, 4 * BLOCK);
    assert_true(relay.left.passed > 4 * MIB);
    relay_deinit(&relay);
}

static void messages_are_copied_and_again_after_a_long_stream(void **state) {
    struct relay relay;
    relay_init(&relay, io_of(state), make_tcp);
    for (int i = 0; i < 500; i++) {
        pump(&relay, 1000, 1000);
    }
    assert_int_equal(relay.left.passed, 0);
    pump(&relay, 16 * MIB, 4 * BLOCK);
    assert_true(relay.left.passed > 0);
    for (int i = 0; i < 50; i++) {
        pump(&relay, 1000, 1000);
    }
    size_t passed = relay.left.passed, copied = relay.left.copied;
    for (int i = 0; i < 50; i++) {
        pump(&relay, 1000, 1000);
    }
    assert_int_equal(relay.left.passed, passed);
    assert_int_equal(relay.left.copied, copied + 50000);
    pump(&relay, 16 * MIB, 4 * BLOCK);
    assert_true(relay.left.passed > passed);
    relay_deinit(&relay);
}

static void both_ways_at_once_in_pieces_of_any_size(void **state) {
    struct relay relay;
    uint32_t random = 7;
    relay_init(&relay, io_of(state), make_tcp);
    for (size_t total = 12 * MIB; relay.right.got < total || relay.left.got < total;) {
        struct side *sides[] = {&relay.left, &relay.right};
        for (int i = 0; i < 2; i++) {
            size_t size = (size_t)next(&random) << (next(&random) % 11);
            size_t left = total - sides[i]->sent;
            if (left > 0) {
                far_write(sides[i], size < left ? size : left);
            }
            (void)far_read(sides[i], (size_t)(next(&random) + 1) << (next(&random) % 11));
        }
        if (next(&random) < 100) {
            turn(relay.io);
        }
    }
    assert_true(relay.left.passed > 0 && relay.right.passed > 0);
    relay_deinit(&relay);
}

static void who_reads_nothing_stops_the_source_and_loses_nothing(void **state) {
    struct relay relay;
    relay_init(&relay, io_of(state), make_tcp);
    pump(&relay, 4 * MIB, 4 * BLOCK);
    size_t before = 0;
    for (int quiet = 0; quiet < 50; quiet = relay.left.sent == before ? quiet + 1 : 0) {
        before = relay.left.sent;
        far_write(&relay.left, 4 * BLOCK);
        turn(relay.io);
    }
    size_t taken = relay.left.copied + relay.left.passed;
    for (int i = 0; i < 20; i++) {
        turn(relay.io);
    }
    assert_int_equal(relay.left.copied + relay.left.passed, taken);
    assert_int_equal(shutdown(relay.left.far, SHUT_WR), 0);
    while (far_read(&relay.right, 100000)) {
        turn(relay.io);
    }
    assert_int_equal(relay.right.got, relay.left.sent);
    assert_int_equal(relay.left.ended, 1);
    assert_int_equal(relay.left.error, 0);
    assert_int_equal(relay.right.ended, 0);
    /* The other way still stands. */
    far_write(&relay.right, 1000);
    while (relay.left.got < 1000) {
        turn(relay.io);
        (void)far_read(&relay.left, BLOCK);
    }
    relay_deinit(&relay);
}

static void reading_that_stops_in_the_middle_goes_on(void **state) {
    struct relay relay;
    struct side *left = &relay.left;
    relay_init(&relay, io_of(state), make_tcp);
    pump(&relay, 4 * MIB, 4 * BLOCK);
    for (int i = 0; i < 200; i++) {
        far_write(left, 4 * BLOCK);
        io_read_stop(relay.io, &left->stream);
        if (i % 3 == 0) {
            turn(relay.io);
        }
        if (i % 2 == 0) {
            (void)far_read(&relay.right, 4 * BLOCK);
        }
        io_read_start(relay.io, &left->stream);
        if (i % 5 == 0) {
            turn(relay.io);
        }
    }
    while (relay.right.got < left->sent) {
        turn(relay.io);
        (void)far_read(&relay.right, 4 * BLOCK);
    }
    assert_true(left->passed > 0);
    relay_deinit(&relay);
}

static void reset(struct side *side) {
    const struct linger now = {.l_onoff = 1};
    assert_int_equal(setsockopt(side->far, SOL_SOCKET, SO_LINGER, &now, sizeof now), 0);
    assert_int_equal(close(side->far), 0);
    side->far = -1;
}

static void a_source_that_breaks_is_told_once(void **state) {
    struct relay relay;
    relay_init(&relay, io_of(state), make_tcp);
    pump(&relay, 4 * MIB, 4 * BLOCK);
    far_write(&relay.left, 4 * BLOCK);
    reset(&relay.left);
    TURN_UNTIL(relay.io, relay.left.closed == 1 && relay.right.closed == 1);
    assert_int_equal(relay.left.ended, 1);
    assert_int_equal(relay.left.error, ECONNRESET);
    assert_int_equal(relay.right.ended, 0);
    relay_deinit(&relay);
}

static void a_sink_that_breaks_with_bytes_on_their_way_is_told_once(void **state) {
    struct relay relay;
    relay_init(&relay, io_of(state), make_tcp);
    struct side *left = &relay.left, *right = &relay.right;
    /* Turned round, so that the side without a far end is the one that relay_deinit() expects. */
    for (size_t total = 8 * MIB; left->got < total;) {
        if (right->sent < total) {
            far_write(right, 4 * BLOCK < total - right->sent ? 4 * BLOCK : total - right->sent);
        }
        turn(relay.io);
        (void)far_read(left, 4 * BLOCK);
    }
    for (int i = 0; i < 100; i++) { /* until it is stuck */
        far_write(right, 4 * BLOCK);
        turn(relay.io);
    }
    assert_non_null(right->stream.pipe);
    reset(left);
    TURN_UNTIL(relay.io, left->closed == 1 && right->closed == 1);
    assert_int_equal(left->ended + right->ended, 1);
    assert_true(left->error == ECONNRESET || left->error == EPIPE);
    relay_deinit(&relay);
}

static void closing_from_within_the_call_leaves_nothing(void **state) {
    struct relay relay;
    struct io *io = io_of(state);
    relay_init(&relay, io, make_tcp);
    relay.closes_when_passed = true;
    while (relay.left.closed == 0) {
        if (relay.left.ended == 0) {
            ssize_t ignored = send(relay.left.far, (uint8_t[BLOCK]){}, BLOCK, MSG_NOSIGNAL);
            (void)ignored;
        }
        turn(io);
        uint8_t sink[BLOCK];
        ssize_t ignored = recv(relay.right.far, sink, sizeof sink, 0);
        (void)ignored;
    }
    assert_true(relay.left.passed > 0);
    relay_deinit(&relay);
}

/* One stuck stream after the other, until there is none to spare: the next one is copied. */
static void without_a_pipe_to_spare_it_is_copied(void **state) {
    enum { MOST = 2 * LIMIT_EDGE_PIPES };
    struct io *io = io_of(state);
    struct relay *relays = calloc(MOST, sizeof *relays);
    assert_non_null(relays);
    uint64_t hits = limit_hit_count(LIMIT_ID_EDGE_PIPES);
    int count = 0;
    while (count < (int)MOST && limit_hit_count(LIMIT_ID_EDGE_PIPES) == hits) {
        struct relay *relay = &relays[count++];
        relay_init(relay, io, make_small_tcp);
        pump(relay, 2 * MIB, 4 * BLOCK);
        size_t before = 0;
        for (int quiet = 0; quiet < 10; quiet = relay->left.sent == before ? quiet + 1 : 0) {
            before = relay->left.sent;
            far_write(&relay->left, 4 * BLOCK);
            turn(io);
        }
    }
    assert_true(count > (int)LIMIT_EDGE_PIPES);
    assert_true(limit_hit_count(LIMIT_ID_EDGE_PIPES) > hits);
    for (int i = 0; i < count; i++) {
        while (relays[i].right.got < relays[i].left.sent) {
            turn(io);
            (void)far_read(&relays[i].right, 4 * BLOCK);
        }
        relay_deinit(&relays[i]);
    }
    free(relays);
}

/* As in an enclave: splice(2) is not there. A filter is for the thread that puts it on. */
static bool take_splice_away(void) {
    struct sock_filter steps[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_splice, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | ENOSYS),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    const struct sock_fprog program = {.len = sizeof steps / sizeof *steps, .filter = steps};
    return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 &&
           prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) == 0;
}

static void *pump_without_splice(void *argument) {
    struct io *io = argument;
    struct relay relay;
    if (!take_splice_away()) {
        return nullptr;
    }
    relay_init(&relay, io, make_tcp);
    pump(&relay, 4 * MIB, 4 * BLOCK);
    bool is_copied = relay.left.copied == 4 * MIB && relay.left.passed == 0;
    relay_deinit(&relay);
    return is_copied ? io : nullptr;
}

static void where_the_kernel_has_no_splice_all_is_copied(void **state) {
    struct io *io = io_of(state);
    pthread_t thread;
    void *result = nullptr;
    assert_int_equal(pthread_create(&thread, nullptr, pump_without_splice, io), 0);
    assert_int_equal(pthread_join(thread, &result), 0);
    assert_ptr_equal(result, io);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        ON_BOTH(a_long_stream_is_not_copied),
        ON_BOTH(a_socket_of_this_machine_is_as_good),
        ON_BOTH(messages_are_copied_and_again_after_a_long_stream),
        ON_BOTH(both_ways_at_once_in_pieces_of_any_size),
        ON_BOTH(who_reads_nothing_stops_the_source_and_loses_nothing),
        ON_BOTH(reading_that_stops_in_the_middle_goes_on),
        ON_BOTH(a_source_that_breaks_is_told_once),
        ON_BOTH(a_sink_that_breaks_with_bytes_on_their_way_is_told_once),
        ON_BOTH(closing_from_within_the_call_leaves_nothing),
        ON_BOTH(without_a_pipe_to_spare_it_is_copied),
        ON_BOTH(where_the_kernel_has_no_splice_all_is_copied),
    };
    if (signal(SIGPIPE, SIG_IGN) == SIG_ERR) {
        return 1;
    }
    return cmocka_run_group_tests(tests, nullptr, nullptr);
}
