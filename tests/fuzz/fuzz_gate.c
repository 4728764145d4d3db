/* SPDX-License-Identifier: Apache-2.0
 *
 * What passes between Airlock and the gate of a container: the first byte says whether the rest is
 * the setup that the gate reads, the answer that Airlock reads, or what a gate says after its go. A
 * message has one spelling: what is read is written back as it was, and what is none leaves the
 * result alone. After the go only a gate that ends without a word, or one that has no program to
 * become, is none that lies; whatever it hands over is closed.
 */
#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/assert.h"
#include "engine/gate.h"
#include "fuzz.h"
#include "sys/socket.h"

enum { MODE_SETUP, MODE_REPLY, MODE_PASS, MODE_PASS_FD, MODE_COUNT };

static void seed_setup(unsigned number, struct builder *out) {
    struct gate_setup setup = {
        .port = (uint16_t)(number * 3128),
        .memory_bytes = (uint64_t)number << 30,
        .pid_count = number * 64,
        .one_program = number == 1,
        .line_count = number * 3,
        .lines = {{0x20, 0, 0, 4}, {0x15, 0, 1, 0xc000003e}, {0x06, 0, 0, 0x7fff0000}},
    };
    builder_u8(out, MODE_SETUP);
    ASSERT(gate_setup_encode(&setup, out));
}

bool fuzz_seed(unsigned number, struct builder *out) {
    static const struct {
        uint8_t mode;
        struct gate_reply reply;
    } REPLIES[] = {
        {MODE_REPLY, {GATE_READY, 0}},
        {MODE_REPLY, {GATE_NO_PROGRAM, ENOENT}},
        {MODE_PASS, {GATE_NO_PROGRAM, ENOENT}},
        {MODE_PASS, {GATE_NO_PROGRAM, EACCES}},
        {MODE_PASS_FD, {GATE_NO_FILTER, ENOSYS}},
    };
    enum { SETUPS = 2, REPLY_COUNT = sizeof REPLIES / sizeof REPLIES[0] };
    if (number < SETUPS) {
        seed_setup(number, out);
        return true;
    }
    if (number < SETUPS + REPLY_COUNT) {
        builder_u8(out, REPLIES[number - SETUPS].mode);
        return gate_reply_encode(&REPLIES[number - SETUPS].reply, out);
    }
    if (number == SETUPS + REPLY_COUNT) {
        builder_u8(out, MODE_PASS); /* and no word more */
        return true;
    }
    return false;
}

static void try_setup(struct slice bytes) {
    static struct gate_setup setup, before;
    struct builder again;
    memset(&setup, 0xa5, sizeof setup);
    memcpy(&before, &setup, sizeof setup);
    if (!gate_setup_decode(bytes, &setup)) {
        ASSERT(memcmp(&before, &setup, sizeof setup) == 0);
        return;
    }
    ASSERT(setup.line_count <= GATE_LINES_MAX);
    builder_init(&again, GATE_SETUP_BYTES);
    ASSERT(gate_setup_encode(&setup, &again));
    ASSERT(slice_equal(builder_slice(&again), bytes));
    builder_deinit(&again);
}

static bool try_reply(struct slice bytes, struct gate_reply *ret_reply) {
    struct gate_reply reply = {.state = GATE_STATE_COUNT, .os_errno = 0xa5a5};
    struct builder again;
    if (!gate_reply_decode(bytes, &reply)) {
        ASSERT(reply.state == GATE_STATE_COUNT && reply.os_errno == 0xa5a5);
        return false;
    }
    ASSERT(reply.state >= GATE_READY && reply.state < GATE_STATE_COUNT);
    builder_init(&again, GATE_REPLY_BYTES);
    ASSERT(gate_reply_encode(&reply, &again));
    ASSERT(slice_equal(builder_slice(&again), bytes));
    builder_deinit(&again);
    *ret_reply = reply;
    return true;
}

/* The lowest descriptor that is free: it stays the same where none is left open. */
static int free_descriptor(void) {
    int fd = dup(STDERR_FILENO);
    ASSERT(fd >= 0);
    (void)close(fd);
    return fd;
}

static void try_pass(struct slice bytes, bool with_fd) {
    struct error err = {};
    struct gate_reply reply = {};
    enum engine_started started = ENGINE_NOT_EXECUTABLE;
    int before = free_descriptor();
    int pair[2];
    ASSERT(status_is_ok(socket_pair(pair, &err)));
    struct gate gate = {.door = -1, .peer = pair[0]};
    const struct socket_fds fds = {.fd = {STDERR_FILENO}, .count = with_fd ? 1 : 0};
    bool is_said = bytes.size > 0;
    ASSERT(!is_said || status_is_ok(socket_send(pair[1], bytes, &fds, &err)));
    (void)shutdown(pair[1], SHUT_WR);
    status_t status = gate_pass(&gate, &started, &err);
    bool has_no_program =
        is_said && !with_fd && try_reply(bytes, &reply) && reply.state == GATE_NO_PROGRAM;
    ASSERT(status_is_ok(status) == (!is_said || has_no_program));
    if (!status_is_ok(status)) {
        ASSERT(err.code == ERROR_ENGINE_GATE && started == ENGINE_NOT_EXECUTABLE);
    } else {
        bool is_missing = reply.os_errno == ENOENT || reply.os_errno == ENOTDIR;
        ASSERT(started == (!is_said     ? ENGINE_STARTED
                           : is_missing ? ENGINE_NOT_FOUND
                                        : ENGINE_NOT_EXECUTABLE));
    }
    gate_close(&gate);
    (void)close(pair[1]);
    ASSERT(free_descriptor() == before);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct gate_reply ignored;
    if (size == 0) {
        return 0;
    }
    struct slice rest = slice_of(data + 1, size - 1);
    switch (data[0] % MODE_COUNT) {
    case MODE_SETUP:
        try_setup(rest);
        break;
    case MODE_REPLY:
        (void)try_reply(rest, &ignored);
        break;
    default:
        try_pass(rest, data[0] % MODE_COUNT == MODE_PASS_FD);
        break;
    }
    return 0;
}
