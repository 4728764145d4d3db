/* SPDX-License-Identifier: Apache-2.0
 *
 * Capability tokens, as bytes and as text: what parses has one form and is written back as it came,
 * and no bytes pass for a token of a key that never sealed them. Narrowing takes whatever parses
 * and gives what parses.
 */
#include <string.h>

#include "base/assert.h"
#include "fuzz.h"
#include "policy/token.h"
#include "policy/token_attenuate.h"

enum { SEED_COUNT = 3 };

static struct token_authority *authority(void) {
    static struct token_authority *only;
    static const uint8_t KEY[TOKEN_BOOT_KEY_BYTES] = {1, 2, 3};
    struct error err;
    if (only == nullptr) {
        ASSERT(status_is_ok(token_authority_new(KEY, &only, &err)));
    }
    return only;
}

static struct token_grant grant_of(unsigned number) {
    struct token_grant grant = {
        .max_ops = number + 1,
        .operation = number == 0 ? "*" : "fs.write",
        .sandbox_id = number == 0 ? "" : "box",
        .peer = {.kind = TOKEN_PEER_PIDFD, .pidfd_inode = 7, .uid = 1000},
        .constraints = {.template_name = ""},
    };
    if (number > 0) {
        grant.paths = (struct token_globs){.globs = {"src/**", "!x/"}, .count = 2};
        grant.has_argument_digest = true;
        grant.peer = (struct token_peer){.kind = TOKEN_PEER_START, .pid = 4, .start_ticks = 5};
        grant.constraints.rates[0] = (struct token_rate){1, 2, "rule"};
        grant.constraints.rate_count = 1;
    }
    return grant;
}

/* Sealed by nobody's key, so that a token out of the corpus never is a valid one. */
static void seed_bytes(unsigned number, struct builder *out) {
    struct builder root;
    struct builder caveats[2];
    struct token token = {.grant = grant_of(number), .seal = {.bytes = {9}}};
    const struct token_caveat more[2] = {
        {.kind = TOKEN_CAVEAT_PATHS, .paths = {.globs = {"src/a"}, .count = 1}},
        {.kind = TOKEN_CAVEAT_EXPIRES, .expires_ms = 8},
    };
    builder_init(&root, LIMIT_TOKEN_BYTES);
    ASSERT(token_format_root(&token.grant, &root));
    token.root = builder_slice(&root);
    for (unsigned i = 0; i < 2; i++) {
        builder_init(&caveats[i], LIMIT_TOKEN_BYTES);
        ASSERT(token_format_caveat(&more[i], &caveats[i]));
        token.caveats[i].encoded = builder_slice(&caveats[i]);
    }
    token.caveat_count = number == 0 ? 0 : 2;
    ASSERT(number == 2 ? token_format_text(&token, out) : token_format(&token, out));
    builder_deinit(&caveats[1]);
    builder_deinit(&caveats[0]);
    builder_deinit(&root);
}

bool fuzz_seed(unsigned number, struct builder *out) {
    if (number >= SEED_COUNT) {
        return false;
    }
    seed_bytes(number, out);
    return true;
}

static void check_forms(const struct token *token, struct slice bytes) {
    struct builder again;
    builder_init(&again, LIMIT_TOKEN_BYTES);
    ASSERT(token_format(token, &again));
    ASSERT(slice_equal(builder_slice(&again), bytes));
    builder_reset(&again);
    ASSERT(token_format_root(&token->grant, &again));
    ASSERT(slice_equal(builder_slice(&again), token->root));
    for (unsigned i = 0; i < token->caveat_count; i++) {
        builder_reset(&again);
        ASSERT(token_format_caveat(&token->caveats[i], &again));
        ASSERT(slice_equal(builder_slice(&again), token->caveats[i].encoded));
    }
    builder_deinit(&again);
}

static void check_narrowing(struct slice text, const struct token *token) {
    static uint8_t buffer[LIMIT_TOKEN_BYTES];
    static struct token narrowed;
    struct error err;
    struct builder out;
    const struct token_caveat caveat = {.kind = TOKEN_CAVEAT_OPS, .max_ops = 1};
    builder_init(&out, TOKEN_TEXT_BYTES_MAX);
    if (status_is_ok(token_attenuate(text, &caveat, 1, &out, &err))) {
        ASSERT(token_parse_text(builder_slice(&out), buffer, &narrowed));
        ASSERT(narrowed.caveat_count == token->caveat_count + 1);
        ASSERT(slice_equal(narrowed.root, token->root));
    }
    builder_deinit(&out);
}

static void check_text(struct slice text) {
    static uint8_t buffer[LIMIT_TOKEN_BYTES];
    static struct token token;
    struct builder again;
    if (!token_parse_text(text, buffer, &token)) {
        return;
    }
    builder_init(&again, TOKEN_TEXT_BYTES_MAX);
    ASSERT(token_format_text(&token, &again));
    ASSERT(slice_equal(builder_slice(&again), text));
    builder_deinit(&again);
    check_narrowing(text, &token);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static struct token token;
    const struct token_facts facts = {.operation = "fs.write", .path = "src/a", .sandbox_id = ""};
    struct slice bytes = slice_of(data, size);
    check_text(bytes);
    if (!token_parse(bytes, &token)) {
        return 0;
    }
    check_forms(&token, bytes);
    ASSERT(token_judge(authority(), &token, &facts).result == TOKEN_FORGED);
    struct builder text;
    builder_init(&text, TOKEN_TEXT_BYTES_MAX);
    ASSERT(token_format_text(&token, &text));
    check_text(builder_slice(&text));
    builder_deinit(&text);
    return 0;
}
