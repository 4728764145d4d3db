/* SPDX-License-Identifier: Apache-2.0
 *
 * A whole connection: what a client and a server do to the edge, in whatever pieces and order, with
 * TLS that is real, cut, changed or none. Two bytes say where the client knocks and of what kind
 * both ends and the engine are; each further one is something that happens, in a turn of its own.
 * Then whoever is left says its end, and the deadlines pass.
 *
 * However it went: the connection is gone and everything of it is given back, no end heard a byte
 * that the other did not say, in their order, and the counters lie between what was said and what
 * was heard. When nothing was counted as an error or a refusal, everything that was said was heard.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "connection_peers.h"
#include "fuzz.h"

enum { HOUR_US = 3600000000, TURNS_MAX = 100000, PAUSES_MAX = 8 };

enum happens : uint8_t {             /* the upper half of a byte; the lower one says how much */
                         CLIENT_RAW, /* so many bytes of the input, and one, are put on its wire */
                         CLIENT_SAYS,
                         CLIENT_TLS, /* close_notify, new keys, or a ClientHello that is real */
                         CLIENT_GIVES,
                         CLIENT_FLIPS,
                         CLIENT_ENDS,
                         SERVER_ANSWERS,
                         SERVER_RAW,
                         SERVER_SAYS,
                         SERVER_TLS,
                         SERVER_GIVES,
                         SERVER_FLIPS,
                         SERVER_ENDS,
                         TAKES, /* less, or again */
                         TIME,
                         STOPS, /* the edge, or what takes what was sent */
};

enum how : uint8_t {               /* bits of the second byte */
                     HOW_LATE = 1, /* an engine as io_uring */
                     HOW_CLIENT_RAW = 2,
                     HOW_SERVER_RAW = 4,
                     HOW_GROUPS = 24, /* of the client's key exchange */
                     HOW_ATTEST = 32, /* it asks for evidence */
                     HOW_HEADER = 64, /* it begins with a PROXY header */
                     HOW_GONE = 128,  /* it is gone by the end of its handshake */
};

static struct stage stage; /* connection_peers.h */
static struct slice input;

static uint8_t next_byte(void) {
    uint8_t byte = input.size > 0 ? input.data[0] : 0;
    input = input.size > 0 ? slice_of(input.data + 1, input.size - 1) : input;
    return byte;
}

static void raw(struct peer *peer, size_t size) {
    size = size < input.size ? size : input.size;
    memory_put(peer->end, slice_of(input.data, size));
    peer->is_changed = true;
    input = slice_of(input.data + size, input.size - size);
}

static void flip(struct peer *peer, unsigned bit) {
    struct memory_end *end = peer->end;
    size_t there = end->size - end->at;
    size_t at = next_byte();
    if (there > 0) {
        end->wire[end->at + at % there] ^= (uint8_t)(1u << bit);
        peer->is_changed = true;
    }
}

static void end_of_peer(struct peer *peer, unsigned how) {
    peer->end->has_end = true;
    peer->end->end_error = how < 8 ? 0 : ECONNRESET;
    stage.is_rough = stage.is_rough || how >= 8;
}

static void change_tls(struct peer *peer, unsigned how) {
    if (how >= 4) {
        memory_put(peer->end, how < 8 ? builder_slice(&stage.hello) : builder_slice(&stage.header));
        peer->is_changed = peer->is_changed || how < 8 || peer->end->at > 0;
    } else if (how >= 2) {
        peer_new_keys(peer, how == 3);
    } else {
        peer_shut(peer);
    }
}

static void take_again(unsigned how) {
    struct memory_end *end = how < 8 ? &stage.io.client : &stage.io.server;
    static const size_t ROOM[8] = {0, 1, 7, 600, 5000, 40000, 200000, MEMORY_ENDLESS};
    end->room = ROOM[how % 8];
}

static void pass_time(unsigned how) {
    static const uint64_t MS[8] = {1, 5, 30, 300, 600, 3000, 12000, 400000};
    stage.io.now_us += MS[how % 8] * 1000;
    stage.is_rough = true;
}

static void stop(unsigned how) {
    stage.is_rough = true;
    if (how < 4) {
        stage.io.client.refuses = true;
    } else if (how < 8) {
        stage.io.server.refuses = true;
    } else if (how < 12) {
        stage.io.refused = ECONNREFUSED;
    } else if (stage.worker.connections != nullptr) {
        connection_abort(stage.worker.connections, EDGE_ERROR_DRAIN);
    }
}

static void happen(uint8_t byte) {
    unsigned how = byte & 15u;
    struct peer *client = &stage.client;
    struct peer *server = &stage.server;
    switch ((enum happens)(byte >> 4)) {
    case CLIENT_RAW:
    case SERVER_RAW:
        raw(byte >> 4 == CLIENT_RAW ? client : server, how + 1);
        break;
    case CLIENT_SAYS:
    case SERVER_SAYS:
        peer_say(byte >> 4 == CLIENT_SAYS ? client : server, (size_t)8 << how);
        break;
    case CLIENT_TLS:
    case SERVER_TLS:
        change_tls(byte >> 4 == CLIENT_TLS ? client : server, how);
        break;
    case CLIENT_GIVES:
        (void)memory_give(&stage.io, client->end, (size_t)1 << how);
        break;
    case SERVER_GIVES:
        (void)memory_give(&stage.io, server->end, (size_t)1 << how);
        break;
    case CLIENT_FLIPS:
    case SERVER_FLIPS:
        flip(byte >> 4 == CLIENT_FLIPS ? client : server, how & 7u);
        break;
    case CLIENT_ENDS:
    case SERVER_ENDS:
        end_of_peer(byte >> 4 == CLIENT_ENDS ? client : server, how);
        break;
    case SERVER_ANSWERS:
        (void)memory_answer(&stage.io, how < 12 ? 0 : ECONNREFUSED);
        break;
    case TAKES:
        take_again(how);
        break;
    case TIME:
        pass_time(how);
        break;
    case STOPS:
        stop(how);
        break;
    }
}

/* What the turn's step does: one byte of the input, or all that can be done without it. */
static void step(struct memory_io *io) {
    if (input.size > 0) {
        happen(next_byte());
        return;
    }
    io->client.room = io->server.room = MEMORY_ENDLESS;
    stage.has_moved = memory_answer(io, 0);
    stage.has_moved = memory_give(io, &io->client, SIZE_MAX) || stage.has_moved;
    stage.has_moved = memory_give(io, &io->server, SIZE_MAX) || stage.has_moved;
}

static void turn(void) {
    bool is_served = io_turn(&stage.io.base);
    ASSERT(is_served);
    size_t before = stage.io.client.size + stage.io.server.size;
    peer_pump(&stage.client);
    peer_pump(&stage.server);
    stage.has_moved = stage.has_moved || stage.io.client.size + stage.io.server.size > before;
}

/* Once nothing moves any more: the client says its end, then the server, then time passes. */
static void pause_over(unsigned pause) {
    struct peer *peer = pause == 0 ? &stage.client : &stage.server;
    if (pause > 1) {
        stage.io.now_us += HOUR_US;
        return;
    }
    peer_shut(peer);
    peer->end->has_end = true;
}

static void play(void) {
    unsigned pauses = 0;
    for (unsigned i = 0; stage.worker.connections != nullptr; i++) {
        bool was_over = input.size == 0;
        ASSERT(i < TURNS_MAX && pauses < PAUSES_MAX);
        stage.has_moved = false;
        turn();
        if (was_over && !stage.has_moved && stage.io.client.stream != nullptr) {
            pause_over(pauses++);
        } else if (was_over && !stage.has_moved) {
            pauses++;
        }
    }
}

/* The other end of the client's descriptor, the caller's to close. */
static int begin(uint8_t where, uint8_t how) {
    int pair[2];
    stage_begin(&stage, where % STAGE_DOORS, (how & HOW_LATE) != 0);
    stage.io.step = step;
    if ((how & HOW_HEADER) != 0) {
        memory_put(stage.client.end, builder_slice(&stage.header));
    }
    if ((how & HOW_CLIENT_RAW) == 0) {
        peer_speak_as_client(&stage.client, (how & HOW_GROUPS) >> 3, (how & HOW_ATTEST) != 0);
    }
    stage.server.is_raw = (how & HOW_SERVER_RAW) != 0;
    int failed = socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, pair);
    ASSERT(failed == 0);
    /* Its bytes are memory's; this only answers who it is, and whether it is there. */
    if ((how & HOW_GONE) != 0) {
        (void)close(pair[1]);
        pair[1] = -1;
    }
    connection_accept(&stage.doors[where % STAGE_DOORS], pair[0]);
    return pair[1];
}

bool fuzz_seed(unsigned number, struct builder *out) {
    /* Where, how; then both ends speak, with what there is of TLS given whole or in pieces. */
    static const struct slice SEEDS[] = {
        SLICE_LITERAL("\0\0\x60\x13\x3c\x84\xac\x50\xc0"),                         /* passthrough */
        SLICE_LITERAL("\0\1\x1f\x3f\xd8\x60\x3f\x3f\xdf\x8f\xaf\xd0\xd7"),         /* marks */
        SLICE_LITERAL("\0\1\x60\x8f\xc0\xd0\xaf\xaf\xaf\xaf\xaf\xaf\xaf\xaf\xaf"), /* held */
        SLICE_LITERAL(
            "\3\1\x3f\x3f\x60\xaf\xaf\x8f\x91\xc0\xd0\xaf\xaf\xaf\xaf\xaf\xaf\xaf\xaf\xaf\xd3"),
        SLICE_LITERAL("\1\2\x24\x33\x3a\x3f\x60\x84\xaf\x50\xc0"),   /* by name */
        SLICE_LITERAL("\2\0\x35\x3f\x3f\x3f\x60\x16\x3f\x85\xaf"),   /* terminate */
        SLICE_LITERAL("\2\x80\x35\x3f\x3f\x3f\x60\x16\x3f\x85\xaf"), /* and gone */
        SLICE_LITERAL("\2\x09\x3f\x3f\x60\x1f\x3f\xd8\x3f\xdf\x22\x15\x3f\x20\x3f"),
        SLICE_LITERAL("\3\0\x3f\x3f\x60\xaf\xaf\x15\x3f\x85\xaf\x93\xaf\x20\x3f\x90"),
        SLICE_LITERAL(
            "\3\1\x3f\x3f\x6c\x60\xa9\xaf\x15\x3f\x4f\x01\x3f"),       /* retry; a flipped bit */
        SLICE_LITERAL("\4\0\x15\x3f\x60\xaf\x85\xaf"),                 /* originate */
        SLICE_LITERAL("\5\0\x16\x33\x3a\x3f\x50"),                     /* echo */
        SLICE_LITERAL("\6\x11\x3f\x3f\x16\x3f\x5f"),                   /* echo in TLS */
        SLICE_LITERAL("\7\2\x28\x33\x3f\x60\x14\x3f\x85\xaf\x50\xc0"), /* PROXY header */
        SLICE_LITERAL(
            "\x8\x40\x3f\x3f\x3f\x60\xaf\xaf\x14\x3f\x85\xaf\xc0"), /* and TLS behind it */
        SLICE_LITERAL("\x6\x20\x3f\x3f\x0fGET /x HTTP/1.1\x3f"),
    };
    if (number >= sizeof SEEDS / sizeof SEEDS[0]) {
        return false;
    }
    builder_bytes(out, SEEDS[number]);
    return true;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    if (size < 2) {
        return 0;
    }
    int lowest = fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 3);
    (void)close(lowest);
    if (!stage.is_made) {
        stage_make(&stage);
        lowest = fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 3);
        (void)close(lowest);
    }
    input = slice_of(data + 2, size - 2);
    int client = begin(data[0], data[1]);
    play();
    stage_check(&stage);
    stage_end(&stage);
    (void)close(client);
    int after = fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 3);
    (void)close(after);
    ASSERT(after == lowest); /* no descriptor stayed */
    return 0;
}
