/* SPDX-License-Identifier: Apache-2.0 */
#include "policy/token.h"

#include <stdckdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/assert.h"
#include "crypto/hmac.h"
#include "crypto/secret.h"
#include "policy/token_attenuate.h"
#include "policy/token_scope.h"
#include "policy/token_table.h"

struct token_authority {
    struct secret *key; /* owned; a struct hmac_key */
    struct token_table *table;
};

status_t token_authority_new(const uint8_t boot_key[static TOKEN_BOOT_KEY_BYTES],
                             struct token_authority **ret_authority, struct error *err) {
    struct token_authority *authority = calloc(1, sizeof *authority);
    if (authority == nullptr) {
        return error_set(err, ERROR_NO_MEMORY, 0, "cannot hold the authority of tokens");
    }
    status_t status = secret_new(sizeof(struct hmac_key), &authority->key, err);
    if (status_is_ok(status)) {
        status = token_table_new(&authority->table, err);
    }
    if (!status_is_ok(status)) {
        token_authority_free(authority);
        return status;
    }
    hmac_key_init(secret_data(authority->key), slice_of(boot_key, TOKEN_BOOT_KEY_BYTES));
    *ret_authority = authority;
    return STATUS_OK;
}

void token_authority_free(struct token_authority *authority) {
    if (authority != nullptr) {
        secret_free(authority->key);
        token_table_free(authority->table);
        free(authority);
    }
}

void token_authority_freep(struct token_authority **authority) {
    token_authority_free(*authority);
}

/* Puts together what is sealed. */
static status_t make_grant(const struct token_request *request, struct token_grant *ret_grant,
                           struct error *err) {
    uint64_t life_ms = request->life_ms == 0 ? (uint64_t)TOKEN_LIFE_MS_DEFAULT : request->life_ms;
    *ret_grant = request->grant;
    memcpy(ret_grant->id.bytes, request->seed, TOKEN_ID_BYTES);
    memcpy(ret_grant->nonce, request->seed + TOKEN_ID_BYTES, TOKEN_NONCE_BYTES);
    if (ret_grant->max_ops == 0) {
        ret_grant->max_ops = TOKEN_MAX_OPS_DEFAULT;
    }
    if (life_ms > LIMIT_TOKEN_LIFE_MS ||
        ckd_add(&ret_grant->expires_ms, request->now_ms, life_ms)) {
        limit_hit(LIMIT_ID_TOKEN_LIFE_MS);
        return error_set(err, ERROR_LIMIT, 0, "a token cannot live that long");
    }
    for (unsigned i = 0; i < ret_grant->paths.count; i++) {
        TRY(token_glob_check(ret_grant->paths.globs[i], err));
    }
    return STATUS_OK;
}

static status_t enter(struct token_authority *authority, const struct token_grant *grant,
                      uint64_t now_ms, struct error *err) {
    switch (token_table_insert(authority->table, &grant->id, grant->expires_ms, now_ms)) {
    case TOKEN_TABLE_OK:
        return STATUS_OK;
    case TOKEN_TABLE_FULL:
        (void)error_set(err, ERROR_LIMIT, 0, "cannot issue a token while %d are alive",
                        (int)LIMIT_TOKEN_LIVE);
        error_hint(err, "Wait for some to expire, or revoke those that are not needed.");
        return (status_t){(int)err->code};
    case TOKEN_TABLE_CLOCK:
        return error_set(err, ERROR_INTERNAL, 0, "cannot issue a token by a clock that went back");
    case TOKEN_TABLE_KNOWN:
    case TOKEN_TABLE_UNKNOWN:
    case TOKEN_TABLE_USED_UP:
        break;
    }
    return error_set(err, ERROR_INTERNAL, 0, "cannot issue two tokens of one id");
}

status_t token_issue(struct token_authority *authority, const struct token_request *request,
                     struct builder *ret_text, struct token_id *ret_id, struct error *err) {
    struct token token = {.caveat_count = 0};
    TRY(make_grant(request, &token.grant, err));
    struct builder root;
    builder_init(&root, LIMIT_TOKEN_BYTES);
    status_t status = STATUS_OK;
    if (!token_format_root(&token.grant, &root)) {
        limit_hit(LIMIT_ID_TOKEN_BYTES);
        status = error_set(err, builder_is_ok(&root) ? ERROR_USAGE : ERROR_LIMIT, 0,
                           "cannot put into a token what it is to grant");
    }
    if (status_is_ok(status)) {
        token.root = builder_slice(&root);
        hmac_sha256(secret_data_const(authority->key), token.root, &token.seal);
        status = enter(authority, &token.grant, request->now_ms, err);
    }
    if (status_is_ok(status) && !token_format_text(&token, ret_text)) {
        (void)token_table_remove(authority->table, &token.grant.id);
        limit_hit(LIMIT_ID_TOKEN_BYTES);
        status = error_set(err, ERROR_LIMIT, 0, "cannot hold the text of a token");
    }
    if (status_is_ok(status)) {
        *ret_id = token.grant.id;
    }
    builder_deinit(&root);
    return status;
}

const char *token_result_text(enum token_result result) {
    switch (result) {
    case TOKEN_VALID:
        return "valid";
    case TOKEN_MALFORMED:
        return "malformed";
    case TOKEN_FORGED:
        return "not sealed by this kernel";
    case TOKEN_EXPIRED:
        return "expired";
    case TOKEN_REVOKED:
        return "revoked";
    case TOKEN_POLICY_CHANGED:
        return "issued under another policy";
    case TOKEN_WRONG_OPERATION:
        return "for another operation";
    case TOKEN_WRONG_PATH:
        return "for other paths";
    case TOKEN_WRONG_ARGUMENTS:
        return "for other arguments";
    case TOKEN_WRONG_SANDBOX:
        return "for another sandbox";
    case TOKEN_WRONG_PEER:
        return "for another process or user";
    case TOKEN_USED_UP:
        return "used up";
    }
    ASSERT(!"a result of the enum");
    return "";
}

static struct token_verdict verdict(enum token_result result) {
    return (struct token_verdict){result, TOKEN_ROOT};
}

static bool seal_is_ours(const struct token_authority *authority, const struct token *token) {
    struct digest seal;
    hmac_sha256(secret_data_const(authority->key), token->root, &seal);
    for (unsigned i = 0; i < token->caveat_count; i++) {
        token_seal_next(&seal, token->caveats[i].encoded);
    }
    bool is_ours = digest_equal_constant(&seal, &token->seal);
    explicit_bzero(&seal, sizeof seal); /* of a forged token this is the seal it lacks */
    return is_ours;
}

/* `caveat` is the one that says how often. */
static struct token_verdict verdict_of(enum token_table_result result, int caveat) {
    switch (result) {
    case TOKEN_TABLE_OK:
        return verdict(TOKEN_VALID);
    case TOKEN_TABLE_USED_UP:
        return (struct token_verdict){TOKEN_USED_UP, caveat};
    case TOKEN_TABLE_FULL:
    case TOKEN_TABLE_KNOWN:
    case TOKEN_TABLE_UNKNOWN:
    case TOKEN_TABLE_CLOCK:
        break;
    }
    return verdict(TOKEN_REVOKED);
}

struct token_verdict token_judge(struct token_authority *authority, const struct token *token,
                                 const struct token_facts *facts) {
    if (!seal_is_ours(authority, token)) {
        return verdict(TOKEN_FORGED);
    }
    if (!token_table_clock_is_sound(authority->table, facts->now_ms)) {
        return verdict(TOKEN_EXPIRED);
    }
    struct token_verdict judged = token_scope_expiry(token, facts->now_ms);
    if (judged.result == TOKEN_VALID) {
        judged = verdict_of(token_table_look(authority->table, &token->grant.id, UINT32_MAX),
                            TOKEN_ROOT);
    }
    if (judged.result == TOKEN_VALID) {
        judged = token_scope_judge(token, facts);
    }
    if (judged.result == TOKEN_VALID) {
        uint32_t max_ops;
        int caveat = token_scope_max_ops(token, &max_ops);
        if (token_table_look(authority->table, &token->grant.id, max_ops) != TOKEN_TABLE_OK) {
            return (struct token_verdict){TOKEN_USED_UP, caveat};
        }
    }
    return judged;
}

struct token_verdict token_use(struct token_authority *authority, const struct token *token) {
    uint32_t max_ops;
    int caveat = token_scope_max_ops(token, &max_ops);
    return verdict_of(token_table_use(authority->table, &token->grant.id, max_ops), caveat);
}

struct token_verdict token_check(struct token_authority *authority, const struct token *token,
                                 const struct token_facts *facts) {
    struct token_verdict judged = token_judge(authority, token, facts);
    return judged.result == TOKEN_VALID ? token_use(authority, token) : judged;
}

bool token_revoke(struct token_authority *authority, const struct token_id *id) {
    return token_table_remove(authority->table, id);
}

size_t token_count(struct token_authority *authority, uint64_t now_ms) {
    return token_table_count(authority->table, now_ms);
}
