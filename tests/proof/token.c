/* SPDX-License-Identifier: Apache-2.0
 *
 * The parsers of a token's parts (policy/token_format.c), over a cursor of which only that is known
 * which cursor.c proves: it hands out bytes that are there, or fails. Whatever it hands out, no
 * array of the token is overrun, and what is accepted keeps to every limit.
 */
#include "proof.h"

#include "policy/token_format.c" /* whole, for its parts */

enum { WORD_BYTES_HERE = 2 };

struct slice slice_of(const void *data, size_t size) {
    return (struct slice){data, size};
}

bool slice_equal(struct slice a, struct slice b) {
    return a.size == b.size && (a.size == 0 || memcmp(a.data, b.data, a.size) == 0);
}

struct cursor cursor_of(struct slice bytes) {
    return (struct cursor){.data = bytes.data, .size = bytes.size};
}

void cursor_fail(struct cursor *cursor) {
    cursor->failed = true;
}

bool cursor_is_ok(const struct cursor *cursor) {
    return !cursor->failed;
}

bool cursor_is_finished(const struct cursor *cursor) {
    return !cursor->failed && nondet_bool();
}

static bool goes_on(struct cursor *cursor) {
    cursor->failed = cursor->failed || nondet_bool();
    return !cursor->failed;
}

uint8_t cursor_u8(struct cursor *cursor) {
    return goes_on(cursor) ? nondet_u8() : 0;
}

uint32_t cursor_u32(struct cursor *cursor) {
    return goes_on(cursor) ? nondet_u32() : 0;
}

uint64_t cursor_u64(struct cursor *cursor) {
    return goes_on(cursor) ? nondet_u64() : 0;
}

struct slice cursor_bytes(struct cursor *cursor, size_t size) {
    return goes_on(cursor) ? slice_of(any_block(size), size) : slice_of(nullptr, 0);
}

struct slice cursor_block(struct cursor *cursor) {
    return goes_on(cursor) ? any_bytes(LIMIT_TOKEN_BYTES) : slice_of(nullptr, 0);
}

const char *cursor_string(struct cursor *cursor) {
    if (!goes_on(cursor)) {
        return "";
    }
    uint8_t *word = any_block(WORD_BYTES_HERE + 1);
    word[WORD_BYTES_HERE] = '\0';
    return (const char *)word;
}

static void check_globs(const struct token_globs *globs) {
    prove(globs->count <= LIMIT_TOKEN_GLOBS);
    unsigned any = nondet_u32();
    if (any < globs->count) {
        prove(globs->globs[any] != nullptr && globs->globs[any][0] != '\0');
    }
}

static void check_caveat(const struct token_caveat *caveat) {
    switch (caveat->kind) {
    case TOKEN_CAVEAT_OPERATION:
        prove(token_operation_is_valid(caveat->operation));
        break;
    case TOKEN_CAVEAT_PATHS:
        prove(caveat->paths.count > 0);
        check_globs(&caveat->paths);
        break;
    case TOKEN_CAVEAT_OPS:
        prove(caveat->max_ops > 0);
        break;
    case TOKEN_CAVEAT_EXPIRES:
        break;
    default:
        prove(false);
        break;
    }
}

static void check_grant(const struct token_grant *grant) {
    prove(grant->max_ops > 0);
    prove(token_operation_is_valid(grant->operation));
    prove(word_is_valid(grant->sandbox_id) && word_is_valid(grant->constraints.template_name));
    prove(grant->constraints.rate_count <= TOKEN_RATE_COUNT_MAX);
    prove(grant->peer.kind == TOKEN_PEER_PIDFD || grant->peer.kind == TOKEN_PEER_START);
    check_globs(&grant->paths);
}

void proof_token_root(void) {
    static struct token_grant grant;
    if (parse_root(any_bytes(LIMIT_TOKEN_BYTES), &grant)) {
        check_grant(&grant);
    }
}

void proof_token_caveat(void) {
    static struct token_caveat caveat;
    if (parse_caveat(any_bytes(LIMIT_TOKEN_BYTES), &caveat)) {
        check_caveat(&caveat);
    }
}
