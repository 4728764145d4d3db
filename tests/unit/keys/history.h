/* SPDX-License-Identifier: Apache-2.0
 *
 * A folder keys/ for each test, and histories of a log to have signed there.
 */
#pragma once

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "keys/server.h"
#include "keys/slots.h"
#include "sys/file.h"

static char path[64];
static int folder = -1;
static struct error err;

static inline int set_up(void **state) {
    (void)state;
    (void)snprintf(path, sizeof path, "/tmp/airlock-test-keys-XXXXXX");
    if (mkdtemp(path) == nullptr) {
        return -1;
    }
    folder = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    return folder < 0 ? -1 : 0;
}

static inline int tear_down(void **state) {
    (void)state;
    (void)close(folder);
    return status_is_ok(file_remove_tree(AT_FDCWD, path, &err)) ? 0 : -1;
}

enum { LEAVES = 16, LEVELS = 5 };

/* Two histories that part at leaf `fork`. */
struct history {
    struct digest levels[LEVELS][LEAVES];
    struct digest roots[LEAVES + 1];
};

static inline void history_build(struct history *history, unsigned fork) {
    struct merkle_frontier frontier;
    merkle_frontier_init(&frontier);
    merkle_frontier_root(&frontier, &history->roots[0]);
    for (unsigned i = 0; i < LEAVES; i++) {
        const uint8_t entry[] = {(uint8_t)i, i >= fork};
        struct digest leaf;
        struct digest completed[64];
        unsigned count;
        merkle_leaf(slice_of(entry, sizeof entry), &leaf);
        merkle_frontier_append(&frontier, &leaf, completed, &count);
        history->levels[0][i] = leaf;
        for (unsigned level = 1; level <= count; level++) {
            history->levels[level][((i + 1) >> level) - 1] = completed[level - 1];
        }
        merkle_frontier_root(&frontier, &history->roots[i + 1]);
    }
}

static inline status_t history_read(void *context, unsigned level, uint64_t index,
                                    struct digest *ret, struct error *ret_err) {
    (void)ret_err;
    *ret = ((const struct history *)context)->levels[level][index];
    return STATUS_OK;
}

static inline enum keys_answer ask(struct signer *signer, struct history *history,
                                   unsigned old_size, unsigned size) {
    struct keys_request request = {
        .old_size = old_size, .size = size, .root = history->roots[size]};
    struct keys_reply reply;
    assert_true(status_is_ok(
        merkle_prove_consistency(old_size, size, history_read, history, &request.proof, &err)));
    signer_answer(signer, &request, &reply);
    return reply.answer;
}

static inline uint64_t signed_size(const char *name) {
    struct builder text;
    struct note note;
    bool found = false;
    builder_init(&text, NOTE_BYTES_MAX);
    assert_true(status_is_ok(slots_read(folder, name, &text, &found, &err)));
    assert_true(!found || note_parse(builder_slice(&text), &note));
    builder_deinit(&text);
    return found ? note.checkpoint.size : 0;
}

static inline void write_text(const char *name, const char *text) {
    struct file_write_options options = {.mode = 0600};
    assert_true(
        status_is_ok(file_write_atomic(folder, name, slice_of_string(text), &options, &err)));
}
