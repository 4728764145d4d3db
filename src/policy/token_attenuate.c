/* SPDX-License-Identifier: Apache-2.0 */
#include "policy/token_attenuate.h"

#include "crypto/hmac.h"
#include "policy/token_scope.h"

void token_seal_next(struct digest *seal, struct slice caveat) {
    struct hmac_key key;
    hmac_key_init(&key, slice_of(seal->bytes, DIGEST_BYTES));
    hmac_sha256(&key, caveat, seal);
    hmac_key_wipe(&key);
}

static status_t check_caveat(const struct token *token, const struct token_caveat *caveat,
                             struct error *err) {
    if (token->caveat_count == LIMIT_TOKEN_CAVEATS) {
        limit_hit(LIMIT_ID_TOKEN_CAVEATS);
        return error_set(err, ERROR_LIMIT, 0, "cannot narrow a token more than %d times",
                         (int)LIMIT_TOKEN_CAVEATS);
    }
    if (caveat->kind == TOKEN_CAVEAT_PATHS) {
        for (unsigned i = 0; i < caveat->paths.count; i++) {
            TRY(token_glob_check(caveat->paths.globs[i], err));
        }
    }
    if (!token_scope_covers(token, caveat)) {
        (void)error_set(err, ERROR_POLICY_DENIED, 0, "cannot widen a token");
        error_hint(err, "Ask for less than the token allows, or ask for a new token.");
        return (status_t){(int)err->code};
    }
    return STATUS_OK;
}

/* Adds one caveat and seals it; `storage` owns the encoded bytes. */
static status_t add_caveat(struct token *token, const struct token_caveat *caveat,
                           struct builder *storage, struct error *err) {
    TRY(check_caveat(token, caveat, err));
    builder_init(storage, LIMIT_TOKEN_BYTES);
    if (!token_format_caveat(caveat, storage)) {
        limit_hit(LIMIT_ID_TOKEN_BYTES);
        return error_set(err, builder_is_ok(storage) ? ERROR_USAGE : ERROR_LIMIT, 0,
                         "cannot put this condition into a token");
    }
    struct token_caveat *added = &token->caveats[token->caveat_count++];
    *added = *caveat;
    added->encoded = builder_slice(storage);
    token_seal_next(&token->seal, added->encoded);
    return STATUS_OK;
}

status_t token_attenuate(struct slice text, const struct token_caveat *caveats, size_t count,
                         struct builder *ret_text, struct error *err) {
    uint8_t buffer[LIMIT_TOKEN_BYTES];
    struct token token;
    struct builder storage[LIMIT_TOKEN_CAVEATS] = {};
    if (!token_parse_text(text, buffer, &token)) {
        return error_set(err, ERROR_BAD_ENCODING, 0, "cannot narrow what is not a token");
    }
    status_t status = STATUS_OK;
    unsigned before = token.caveat_count;
    for (size_t i = 0; i < count && status_is_ok(status); i++) {
        status = add_caveat(&token, &caveats[i], &storage[token.caveat_count - before], err);
    }
    if (status_is_ok(status) && !token_format_text(&token, ret_text)) {
        limit_hit(LIMIT_ID_TOKEN_BYTES);
        status = error_set(err, ERROR_LIMIT, 0, "cannot make a token this long");
    }
    for (size_t i = 0; i < LIMIT_TOKEN_CAVEATS; i++) {
        builder_deinit(&storage[i]);
    }
    return status;
}
