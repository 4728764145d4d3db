/* SPDX-License-Identifier: Apache-2.0 */
#include "policy/token_format.h"

#include <string.h>

#include "base/assert.h"
#include "codec/text.h"

enum { TEXT_PREFIX_BYTES = 4 };
static const uint8_t MAGIC[4] = {'a', 'l', 'c', 1}; /* the last is the version */

static bool word_is_valid(const char *word) {
    size_t size = 0;
    for (; word[size] != '\0'; size++) {
        if (size == TOKEN_WORD_BYTES_MAX || word[size] <= ' ' || word[size] > '~') {
            return false;
        }
    }
    return true;
}

bool token_operation_is_valid(const char *operation) {
    const char *star = strchr(operation, '*');
    return operation[0] != '\0' && word_is_valid(operation) && (star == nullptr || star[1] == '\0');
}

static bool glob_is_valid(const char *glob) {
    return glob[0] != '\0' && strnlen(glob, TOKEN_GLOB_BYTES_MAX + 1) <= TOKEN_GLOB_BYTES_MAX;
}

static const char *read_word(struct cursor *cursor) {
    const char *word = cursor_string(cursor);
    if (!word_is_valid(word)) {
        cursor_fail(cursor);
        return "";
    }
    return word;
}

static const char *read_operation(struct cursor *cursor) {
    const char *operation = cursor_string(cursor);
    if (!token_operation_is_valid(operation)) {
        cursor_fail(cursor);
        return "";
    }
    return operation;
}

/* A count byte that is at most `most`; 0 after a failure. */
static unsigned read_count(struct cursor *cursor, unsigned most) {
    unsigned count = cursor_u8(cursor);
    if (count > most) {
        cursor_fail(cursor);
        return 0;
    }
    return count;
}

static void read_globs(struct cursor *cursor, struct token_globs *ret_globs) {
    ret_globs->count = cursor_u8(cursor);
    if (ret_globs->count > LIMIT_TOKEN_GLOBS) {
        limit_hit(LIMIT_ID_TOKEN_GLOBS);
        cursor_fail(cursor);
        ret_globs->count = 0;
    }
    for (unsigned i = 0; i < ret_globs->count; i++) {
        ret_globs->globs[i] = cursor_string(cursor);
        if (!glob_is_valid(ret_globs->globs[i])) {
            cursor_fail(cursor);
        }
    }
}

static void read_exactly(struct cursor *cursor, uint8_t *ret, size_t size) {
    struct slice bytes = cursor_bytes(cursor, size);
    if (bytes.size == size) {
        memcpy(ret, bytes.data, size);
    } else {
        memset(ret, 0, size);
    }
}

static void read_peer(struct cursor *cursor, struct token_peer *ret_peer) {
    *ret_peer = (struct token_peer){0};
    switch (cursor_u8(cursor)) {
    case TOKEN_PEER_PIDFD:
        ret_peer->kind = TOKEN_PEER_PIDFD;
        ret_peer->pidfd_inode = cursor_u64(cursor);
        break;
    case TOKEN_PEER_START:
        ret_peer->kind = TOKEN_PEER_START;
        ret_peer->pid = cursor_u32(cursor);
        ret_peer->start_ticks = cursor_u64(cursor);
        break;
    default:
        cursor_fail(cursor);
    }
    ret_peer->uid = cursor_u32(cursor);
}

static void read_constraints(struct cursor *cursor, struct token_constraints *ret_constraints) {
    ret_constraints->template_name = read_word(cursor);
    ret_constraints->file_bytes_max = cursor_u64(cursor);
    ret_constraints->total_bytes_max = cursor_u64(cursor);
    ret_constraints->files_max = cursor_u32(cursor);
    ret_constraints->rate_count = read_count(cursor, TOKEN_RATE_COUNT_MAX);
    for (unsigned i = 0; i < ret_constraints->rate_count; i++) {
        ret_constraints->rates[i].count = cursor_u32(cursor);
        ret_constraints->rates[i].window_ms = cursor_u64(cursor);
        ret_constraints->rates[i].rule = read_word(cursor);
    }
}

static void read_argument_digest(struct cursor *cursor, struct token_grant *ret_grant) {
    ret_grant->has_argument_digest = read_count(cursor, 1) == 1;
    ret_grant->argument_digest = (struct digest){0};
    if (ret_grant->has_argument_digest) {
        read_exactly(cursor, ret_grant->argument_digest.bytes, DIGEST_BYTES);
    }
}

static bool parse_root(struct slice root, struct token_grant *ret_grant) {
    struct cursor cursor = cursor_of(root);
    if (!slice_equal(cursor_bytes(&cursor, sizeof MAGIC), slice_of(MAGIC, sizeof MAGIC))) {
        return false;
    }
    read_exactly(&cursor, ret_grant->id.bytes, TOKEN_ID_BYTES);
    read_exactly(&cursor, ret_grant->nonce, TOKEN_NONCE_BYTES);
    ret_grant->expires_ms = cursor_u64(&cursor);
    ret_grant->max_ops = cursor_u32(&cursor);
    ret_grant->operation = read_operation(&cursor);
    read_globs(&cursor, &ret_grant->paths);
    read_argument_digest(&cursor, ret_grant);
    ret_grant->sandbox_id = read_word(&cursor);
    read_peer(&cursor, &ret_grant->peer);
    read_constraints(&cursor, &ret_grant->constraints);
    read_exactly(&cursor, ret_grant->policy_digest.bytes, DIGEST_BYTES);
    return cursor_is_finished(&cursor) && ret_grant->max_ops > 0;
}

static bool parse_caveat(struct slice encoded, struct token_caveat *ret_caveat) {
    struct cursor cursor = cursor_of(encoded);
    ret_caveat->encoded = encoded;
    switch (cursor_u8(&cursor)) {
    case TOKEN_CAVEAT_OPERATION:
        ret_caveat->kind = TOKEN_CAVEAT_OPERATION;
        ret_caveat->operation = read_operation(&cursor);
        break;
    case TOKEN_CAVEAT_PATHS:
        ret_caveat->kind = TOKEN_CAVEAT_PATHS;
        read_globs(&cursor, &ret_caveat->paths);
        if (ret_caveat->paths.count == 0) {
            return false;
        }
        break;
    case TOKEN_CAVEAT_OPS:
        ret_caveat->kind = TOKEN_CAVEAT_OPS;
        ret_caveat->max_ops = cursor_u32(&cursor);
        if (ret_caveat->max_ops == 0) {
            return false;
        }
        break;
    case TOKEN_CAVEAT_EXPIRES:
        ret_caveat->kind = TOKEN_CAVEAT_EXPIRES;
        ret_caveat->expires_ms = cursor_u64(&cursor);
        break;
    default:
        return false;
    }
    return cursor_is_finished(&cursor);
}

bool token_parse(struct slice bytes, struct token *ret_token) {
    if (bytes.size > LIMIT_TOKEN_BYTES) {
        return false;
    }
    struct cursor cursor = cursor_of(bytes);
    ret_token->root = cursor_block(&cursor);
    ret_token->caveat_count = read_count(&cursor, LIMIT_TOKEN_CAVEATS);
    if (!cursor_is_ok(&cursor) || !parse_root(ret_token->root, &ret_token->grant)) {
        return false;
    }
    for (unsigned i = 0; i < ret_token->caveat_count; i++) {
        struct slice encoded = cursor_block(&cursor);
        if (!cursor_is_ok(&cursor) || !parse_caveat(encoded, &ret_token->caveats[i])) {
            return false;
        }
    }
    read_exactly(&cursor, ret_token->seal.bytes, DIGEST_BYTES);
    return cursor_is_finished(&cursor);
}

bool token_parse_text(struct slice text, uint8_t buffer[static LIMIT_TOKEN_BYTES],
                      struct token *ret_token) {
    size_t size = 0;
    if (!slice_starts_with(text, SLICE_LITERAL("alc_"))) {
        return false;
    }
    struct slice digits = {text.data + TEXT_PREFIX_BYTES, text.size - TEXT_PREFIX_BYTES};
    return text_unbase64url(digits, buffer, LIMIT_TOKEN_BYTES, &size) &&
           token_parse(slice_of(buffer, size), ret_token);
}

static bool write_globs(const struct token_globs *globs, struct builder *out) {
    if (globs->count > LIMIT_TOKEN_GLOBS) {
        limit_hit(LIMIT_ID_TOKEN_GLOBS);
        return false;
    }
    builder_u8(out, (uint8_t)globs->count);
    for (unsigned i = 0; i < globs->count; i++) {
        if (!glob_is_valid(globs->globs[i])) {
            return false;
        }
        builder_string(out, globs->globs[i]);
    }
    return true;
}

static bool write_word(const char *word, struct builder *out) {
    if (!word_is_valid(word)) {
        return false;
    }
    builder_string(out, word);
    return true;
}

static bool write_operation(const char *operation, struct builder *out) {
    return token_operation_is_valid(operation) && write_word(operation, out);
}

static void write_peer(const struct token_peer *peer, struct builder *out) {
    builder_u8(out, peer->kind);
    switch (peer->kind) {
    case TOKEN_PEER_PIDFD:
        builder_u64(out, peer->pidfd_inode);
        break;
    case TOKEN_PEER_START:
        builder_u32(out, peer->pid);
        builder_u64(out, peer->start_ticks);
        break;
    }
    builder_u32(out, peer->uid);
}

static bool write_constraints(const struct token_constraints *constraints, struct builder *out) {
    if (constraints->rate_count > TOKEN_RATE_COUNT_MAX ||
        !write_word(constraints->template_name, out)) {
        return false;
    }
    builder_u64(out, constraints->file_bytes_max);
    builder_u64(out, constraints->total_bytes_max);
    builder_u32(out, constraints->files_max);
    builder_u8(out, (uint8_t)constraints->rate_count);
    for (unsigned i = 0; i < constraints->rate_count; i++) {
        builder_u32(out, constraints->rates[i].count);
        builder_u64(out, constraints->rates[i].window_ms);
        if (!write_word(constraints->rates[i].rule, out)) {
            return false;
        }
    }
    return true;
}

bool token_format_root(const struct token_grant *grant, struct builder *out) {
    ASSERT(grant->peer.kind == TOKEN_PEER_PIDFD || grant->peer.kind == TOKEN_PEER_START);
    builder_bytes(out, slice_of(MAGIC, sizeof MAGIC));
    builder_bytes(out, slice_of(grant->id.bytes, TOKEN_ID_BYTES));
    builder_bytes(out, slice_of(grant->nonce, TOKEN_NONCE_BYTES));
    builder_u64(out, grant->expires_ms);
    builder_u32(out, grant->max_ops);
    if (grant->max_ops == 0 || !write_operation(grant->operation, out) ||
        !write_globs(&grant->paths, out)) {
        return false;
    }
    builder_u8(out, grant->has_argument_digest);
    if (grant->has_argument_digest) {
        builder_bytes(out, slice_of(grant->argument_digest.bytes, DIGEST_BYTES));
    }
    if (!write_word(grant->sandbox_id, out)) {
        return false;
    }
    write_peer(&grant->peer, out);
    if (!write_constraints(&grant->constraints, out)) {
        return false;
    }
    builder_bytes(out, slice_of(grant->policy_digest.bytes, DIGEST_BYTES));
    return builder_is_ok(out);
}

bool token_format_caveat(const struct token_caveat *caveat, struct builder *out) {
    bool valid = false;
    builder_u8(out, caveat->kind);
    switch (caveat->kind) {
    case TOKEN_CAVEAT_OPERATION:
        valid = write_operation(caveat->operation, out);
        break;
    case TOKEN_CAVEAT_PATHS:
        valid = caveat->paths.count > 0 && write_globs(&caveat->paths, out);
        break;
    case TOKEN_CAVEAT_OPS:
        valid = caveat->max_ops > 0;
        builder_u32(out, caveat->max_ops);
        break;
    case TOKEN_CAVEAT_EXPIRES:
        valid = true;
        builder_u64(out, caveat->expires_ms);
        break;
    }
    return valid && builder_is_ok(out);
}

bool token_format(const struct token *token, struct builder *out) {
    if (token->caveat_count > LIMIT_TOKEN_CAVEATS) {
        return false;
    }
    builder_block(out, token->root);
    builder_u8(out, (uint8_t)token->caveat_count);
    for (unsigned i = 0; i < token->caveat_count; i++) {
        builder_block(out, token->caveats[i].encoded);
    }
    builder_bytes(out, slice_of(token->seal.bytes, DIGEST_BYTES));
    return builder_is_ok(out);
}

bool token_format_text(const struct token *token, struct builder *out) {
    struct builder bytes;
    builder_init(&bytes, LIMIT_TOKEN_BYTES);
    bool fits = token_format(token, &bytes);
    if (fits) {
        builder_text(out, "alc_");
        text_base64url(builder_slice(&bytes), out);
    }
    builder_deinit(&bytes);
    return fits && builder_is_ok(out);
}
