/* SPDX-License-Identifier: Apache-2.0
 *
 * Whole connections, those that fuzz_connection.c begins with, played again and again: each time
 * one more allocation succeeds, and the next one fails, or it and all after it. Only the edge runs
 * out of memory, its TLS included; those who speak over it have enough.
 *
 * However it goes, what the target holds of every connection has to hold: it ends, nobody hears
 * what was not said, nothing of it stays. Besides, whatever memory it took is given back.
 */
#include <inttypes.h>
#include <openssl/crypto.h>
#include <stdio.h>
#include <stdlib.h>

#include "connection_peers.h"
#include "fuzz.h"

enum { SEED_BYTES_MAX = 4096, CASES_MAX = 20000, TLS_STRIDE = 13 };

/* Which allocations may fail, and how many. */
enum mode : uint8_t { MODE_OWN, MODE_OWN_ALL_AFTER, MODE_TLS, MODE_TLS_ALL_AFTER, MODE_COUNT };

static const char *const MODE_TEXT[MODE_COUNT] = {"an allocation fails", "it and all after it fail",
                                                  "one of libcrypto's fails",
                                                  "it and all of libcrypto's after it fail"};

static enum mode mode;
static bool was_accepted, is_copied;
static bool is_edge;      /* what runs now is the edge's */
static uint64_t asked;    /* so many allocations since the connection began */
static uint64_t fails_at; /* 0: none */
static int64_t live;      /* allocations that were not given back */
static void (*real_took)(struct memory_io *io, struct memory_end *end, struct slice bytes);
static void (*real_asked)(struct memory_io *io);

/* The names that the linker gives what is wrapped. */
void *__real_malloc(size_t size);
void *__real_calloc(size_t count, size_t size);
void *__real_realloc(void *memory, size_t size);
void *__real_reallocarray(void *memory, size_t count, size_t size);
void *__real_aligned_alloc(size_t alignment, size_t size);
void __real_free(void *memory);
void __real_connection_accept(struct door *door, int fd);
bool __real_io_turn(struct io *io);
void __real_stage_begin(struct stage *stage, unsigned door, bool is_late);
void __real_stage_check(const struct stage *stage);
void __real_stage_end(struct stage *stage);
bool __real_memory_give(struct memory_io *io, struct memory_end *end, size_t max);
void __real_peer_say(struct peer *peer, size_t size);
void __real_peer_shut(struct peer *peer);
void __real_peer_new_keys(struct peer *peer, bool asks_for_others);
void __real_peer_speak_as_client(struct peer *peer, unsigned groups, bool asks_for_evidence);
void __real_peer_pump(struct peer *peer);

void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t count, size_t size);
void *__wrap_realloc(void *memory, size_t size);
void *__wrap_reallocarray(void *memory, size_t count, size_t size);
void *__wrap_aligned_alloc(size_t alignment, size_t size);
void __wrap_free(void *memory);
void __wrap_connection_accept(struct door *door, int fd);
bool __wrap_io_turn(struct io *io);
void __wrap_stage_begin(struct stage *stage, unsigned door, bool is_late);
void __wrap_stage_check(const struct stage *stage);
void __wrap_stage_end(struct stage *stage);
bool __wrap_memory_give(struct memory_io *io, struct memory_end *end, size_t max);
void __wrap_peer_say(struct peer *peer, size_t size);
void __wrap_peer_shut(struct peer *peer);
void __wrap_peer_new_keys(struct peer *peer, bool asks_for_others);
void __wrap_peer_speak_as_client(struct peer *peer, unsigned groups, bool asks_for_evidence);
void __wrap_peer_pump(struct peer *peer);

static bool has_run_out(bool is_tls) {
    bool counts = is_edge && is_tls == (mode >= MODE_TLS);
    if (!counts || fails_at == 0) {
        return false;
    }
    asked++;
    bool goes_on = mode == MODE_OWN_ALL_AFTER || mode == MODE_TLS_ALL_AFTER;
    return asked == fails_at || (goes_on && asked > fails_at);
}

static void *counted(void *memory) {
    live += memory != nullptr ? 1 : 0;
    return memory;
}

void *__wrap_malloc(size_t size) {
    if (is_copied) {
        is_copied = false;
        return counted(__real_malloc(size));
    }
    return has_run_out(false) ? nullptr : counted(__real_malloc(size));
}

void *__wrap_calloc(size_t count, size_t size) {
    return has_run_out(false) ? nullptr : counted(__real_calloc(count, size));
}

void *__wrap_aligned_alloc(size_t alignment, size_t size) {
    return has_run_out(false) ? nullptr : counted(__real_aligned_alloc(alignment, size));
}

void *__wrap_realloc(void *memory, size_t size) {
    if (has_run_out(false)) {
        return nullptr;
    }
    void *made = __real_realloc(memory, size);
    live += memory == nullptr && made != nullptr ? 1 : 0;
    return made;
}

void *__wrap_reallocarray(void *memory, size_t count, size_t size) {
    if (has_run_out(false)) {
        return nullptr;
    }
    void *made = __real_reallocarray(memory, count, size);
    live += memory == nullptr && made != nullptr ? 1 : 0;
    return made;
}

void __wrap_free(void *memory) {
    live -= memory != nullptr ? 1 : 0;
    __real_free(memory);
}

static void *tls_malloc(size_t size, const char *file, int line) {
    (void)file, (void)line;
    return has_run_out(true) ? nullptr : counted(__real_malloc(size));
}

static void *tls_realloc(void *memory, size_t size, const char *file, int line) {
    (void)file, (void)line;
    if (has_run_out(true)) {
        return nullptr;
    }
    void *made = __real_realloc(memory, size);
    live += memory == nullptr && made != nullptr ? 1 : 0;
    return made;
}

static void tls_free(void *memory, const char *file, int line) {
    (void)file, (void)line;
    __wrap_free(memory);
}

/* The others have memory. */
#define AS_OTHERS(call)          \
    do {                         \
        bool was_edge = is_edge; \
        is_edge = false;         \
        call;                    \
        is_edge = was_edge;      \
    } while (false)

static void took(struct memory_io *io, struct memory_end *end, struct slice bytes) {
    AS_OTHERS(real_took(io, end, bytes));
}

static void asked_for(struct memory_io *io) {
    AS_OTHERS(real_asked(io));
}

void __wrap_stage_begin(struct stage *stage, unsigned door, bool is_late) {
    __real_stage_begin(stage, door, is_late);
    real_took = stage->io.took;
    real_asked = stage->io.asked;
    stage->io.took = took;
    stage->io.asked = asked_for;
}

void __wrap_stage_check(const struct stage *stage) {
    if (was_accepted) { /* else there was no memory for as much as the connection itself */
        AS_OTHERS(__real_stage_check(stage));
    }
}

void __wrap_stage_end(struct stage *stage) {
    AS_OTHERS(__real_stage_end(stage));
}

/* Its first allocation is the copy of what it gives. */
bool __wrap_memory_give(struct memory_io *io, struct memory_end *end, size_t max) {
    is_copied = true;
    bool was_given = __real_memory_give(io, end, max);
    is_copied = false;
    return was_given;
}

void __wrap_peer_say(struct peer *peer, size_t size) {
    AS_OTHERS(__real_peer_say(peer, size));
}

void __wrap_peer_shut(struct peer *peer) {
    AS_OTHERS(__real_peer_shut(peer));
}

void __wrap_peer_new_keys(struct peer *peer, bool asks_for_others) {
    AS_OTHERS(__real_peer_new_keys(peer, asks_for_others));
}

void __wrap_peer_speak_as_client(struct peer *peer, unsigned groups, bool asks_for_evidence) {
    AS_OTHERS(__real_peer_speak_as_client(peer, groups, asks_for_evidence));
}

/* libssl that ran out of memory says so in the clear where its peer awaits what is sealed. */
void __wrap_peer_pump(struct peer *peer) {
    peer->is_changed = peer->is_changed || (mode >= MODE_TLS && fails_at > 0 && asked >= fails_at);
    AS_OTHERS(__real_peer_pump(peer));
}

void __wrap_connection_accept(struct door *door, int fd) {
    is_edge = true;
    __real_connection_accept(door, fd);
    was_accepted = door->tenure->worker->connections != nullptr;
    is_edge = false;
}

bool __wrap_io_turn(struct io *io) {
    is_edge = true;
    bool is_served = __real_io_turn(io);
    is_edge = false;
    return is_served;
}

static void play(struct slice seed, uint64_t at) {
    asked = 0;
    fails_at = at;
    (void)LLVMFuzzerTestOneInput(seed.data, seed.size);
    fails_at = 0;
}

/* How many allocations failed in turn. *ret_lost_at: after which something stayed; 0: after none.
 */
static uint64_t play_all(struct slice seed, uint64_t *ret_lost_at) {
    uint64_t stride = mode >= MODE_TLS ? TLS_STRIDE : 1;
    uint64_t cases = 0;
    *ret_lost_at = 0;
    play(seed, UINT64_MAX); /* whatever is kept for later ones is there now */
    int64_t before = live;
    play(seed, UINT64_MAX);
    int64_t kept = live - before; /* what libc allocates for strdup(3) is only seen to go */
    before = live;
    for (uint64_t at = 1; cases < CASES_MAX; at += stride) {
        play(seed, at);
        if (asked < at) {
            break;
        }
        bool is_even = live - before == kept;
        before = live;
        if (mode < MODE_TLS && !is_even) { /* libcrypto's own ways out lose one now and then */
            *ret_lost_at = at;
            break;
        }
        cases++;
    }
    return cases;
}

int main(void) {
    unsigned rows = 0;
    bool has_failed = false;
    struct builder seed;
    bool is_set = CRYPTO_set_mem_functions(tls_malloc, tls_realloc, tls_free) == 1;
    ASSERT(is_set);
    builder_init(&seed, SEED_BYTES_MAX);
    for (unsigned number = 0; fuzz_seed(number, &seed); number++, builder_reset(&seed)) {
        for (uint8_t i = 0; i < MODE_COUNT; i++) {
            mode = (enum mode)i;
            uint64_t lost_at = 0;
            uint64_t cases = play_all(builder_slice(&seed), &lost_at);
            (void)printf("%s %u - connection %u: %s, in %" PRIu64 " places\n",
                         lost_at == 0 ? "ok" : "not ok", ++rows, number, MODE_TEXT[i], cases);
            if (lost_at != 0) {
                (void)printf("# something stayed after the %" PRIu64 ". failed\n", lost_at);
            }
            (void)fflush(stdout);
            has_failed = has_failed || lost_at != 0;
        }
    }
    builder_deinit(&seed);
    (void)printf("1..%u\n", rows);
    return has_failed ? 1 : 0;
}
