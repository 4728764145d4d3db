/* SPDX-License-Identifier: Apache-2.0
 *
 * What the tests of tokens share: an authority with a fixed key, a grant, the facts that fit it.
 */
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "policy/token.h"
#include "policy/token_attenuate.h"

enum { NOW = 1000000 };

struct kit {
    struct token_authority *authority;
    struct token_id id; /* of the last token issued */
    struct builder text;
    uint8_t buffer[LIMIT_TOKEN_BYTES];
    struct token token;
};

static inline void kit_init_with_key(struct kit *kit, uint8_t key_byte) {
    uint8_t key[TOKEN_BOOT_KEY_BYTES];
    struct error err;
    memset(key, key_byte, sizeof key);
    builder_init(&kit->text, TOKEN_TEXT_BYTES_MAX);
    assert_true(status_is_ok(token_authority_new(key, &kit->authority, &err)));
}

static inline void kit_init(struct kit *kit) {
    kit_init_with_key(kit, 0x42);
}

static inline void kit_deinit(struct kit *kit) {
    token_authority_free(kit->authority);
    builder_deinit(&kit->text);
}

static inline struct token_grant kit_grant(void) {
    return (struct token_grant){
        .operation = "fs.*",
        .paths = {.globs = {"src/**", "!src/secret/", "/docs/*.md"}, .count = 3},
        .sandbox_id = "box-1",
        .peer = {.kind = TOKEN_PEER_PIDFD, .pidfd_inode = 77, .uid = 1000},
        .constraints = {.template_name = "code-executor",
                        .file_bytes_max = 102400,
                        .total_bytes_max = UINT64_MAX,
                        .files_max = UINT32_MAX,
                        .rates = {{.count = 3, .window_ms = 60000, .rule = "write-sources"}},
                        .rate_count = 1},
        .policy_digest = {.bytes = {1, 2, 3}},
        .max_ops = 3,
    };
}

static inline struct token_facts kit_facts(void) {
    return (struct token_facts){
        .now_ms = NOW,
        .operation = "fs.write",
        .path = "src/main.c",
        .sandbox_id = "box-1",
        .peer = {.kind = TOKEN_PEER_PIDFD, .pidfd_inode = 77, .uid = 1000},
        .policy_digest = {.bytes = {1, 2, 3}},
    };
}

static inline status_t kit_try_issue(struct kit *kit, const struct token_grant *grant,
                                     uint64_t now_ms, struct error *err) {
    static uint64_t serial;
    uint8_t seed[TOKEN_SEED_BYTES] = {0};
    serial++;
    memcpy(seed, &serial, sizeof serial);
    struct token_request request = {.grant = *grant, .now_ms = now_ms, .seed = seed};
    builder_reset(&kit->text);
    return token_issue(kit->authority, &request, &kit->text, &kit->id, err);
}

static inline void kit_issue(struct kit *kit, const struct token_grant *grant) {
    struct error err;
    assert_true(status_is_ok(kit_try_issue(kit, grant, NOW, &err)));
    assert_true(token_parse_text(builder_slice(&kit->text), kit->buffer, &kit->token));
}

static inline enum token_result kit_judge(struct kit *kit, const struct token_facts *facts) {
    return token_judge(kit->authority, &kit->token, facts).result;
}

static inline enum token_result kit_check(struct kit *kit, const struct token_facts *facts) {
    return token_check(kit->authority, &kit->token, facts).result;
}

/* Replaces the kit's token by one with the caveat. */
static inline status_t kit_attenuate(struct kit *kit, const struct token_caveat *caveat,
                                     struct error *err) {
    struct builder narrowed;
    builder_init(&narrowed, TOKEN_TEXT_BYTES_MAX);
    status_t status = token_attenuate(builder_slice(&kit->text), caveat, 1, &narrowed, err);
    if (status_is_ok(status)) {
        builder_deinit(&kit->text);
        kit->text = narrowed;
        assert_true(token_parse_text(builder_slice(&kit->text), kit->buffer, &kit->token));
    } else {
        builder_deinit(&narrowed);
    }
    return status;
}

/* Issues a token and puts one caveat of each kind on it. */
static inline void kit_issue_narrowed(struct kit *kit) {
    struct error err;
    struct token_grant grant = kit_grant();
    kit_issue(kit, &grant);
    struct token_caveat operation = {.kind = TOKEN_CAVEAT_OPERATION, .operation = "fs.write"};
    struct token_caveat ops = {.kind = TOKEN_CAVEAT_OPS, .max_ops = 2};
    struct token_caveat paths = {.kind = TOKEN_CAVEAT_PATHS,
                                 .paths = {.globs = {"src/*.c"}, .count = 1}};
    struct token_caveat expires = {.kind = TOKEN_CAVEAT_EXPIRES, .expires_ms = NOW + 100};
    assert_true(status_is_ok(kit_attenuate(kit, &operation, &err)));
    assert_true(status_is_ok(kit_attenuate(kit, &ops, &err)));
    assert_true(status_is_ok(kit_attenuate(kit, &paths, &err)));
    assert_true(status_is_ok(kit_attenuate(kit, &expires, &err)));
}
