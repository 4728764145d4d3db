/* SPDX-License-Identifier: Apache-2.0
 *
 * Stand-ins for what the normative cases turn on: an extension that counts how it is used, and a
 * token of which only the facts are there. The real ones have tests of their own.
 */
#pragma once

#include "policy_kit.h"

/* An extension that counts how it is used. */
struct fake_extension {
    enum policy_verdict verdict;
    unsigned calls, restarts;
};

static inline enum policy_verdict fake_decide(void *context, const struct policy_request *request,
                                              const char **ret_reason) {
    struct fake_extension *fake = context;
    assert_non_null(request->operation);
    fake->calls++;
    *ret_reason = "the extension says so";
    return fake->verdict;
}

static inline void fake_restart(void *context) {
    ((struct fake_extension *)context)->restarts++;
}

static inline struct policy_extension extension_of(struct fake_extension *fake) {
    return (struct policy_extension){"fake", fake_decide, fake_restart, fake};
}

/* A token with the facts the cases turn on; the real one has its own tests. */
struct fake_token {
    uint64_t expires_ms;
    const char *sandbox_id;
    unsigned ops_left;
    unsigned checks, uses;
    uint64_t *clock_ms; /* moves on while it is checked; nullptr: stands still */
};

static inline enum policy_token_state fake_check(void *context,
                                                 const struct policy_request *request) {
    struct fake_token *token = context;
    token->checks++;
    if (token->clock_ms != nullptr) {
        *token->clock_ms += 1000;
    }
    bool sandbox = request->sandbox_id != nullptr && token->sandbox_id != nullptr &&
                   strcmp(request->sandbox_id, token->sandbox_id) == 0;
    bool valid = request->now_ms < token->expires_ms && sandbox && token->ops_left > 0;
    return valid ? POLICY_TOKEN_VALID : POLICY_TOKEN_INVALID;
}

static inline bool fake_use(void *context) {
    struct fake_token *token = context;
    token->uses++;
    if (token->ops_left == 0) {
        return false;
    }
    token->ops_left--;
    return true;
}

static inline struct policy_token_source source_of(struct fake_token *token) {
    return (struct policy_token_source){fake_check, fake_use, token, "token-1"};
}

static inline struct policy_request with_token(const struct policy_request *request,
                                               const struct policy_token_source *source) {
    struct policy_request with = *request;
    with.sandbox_id = "sandbox-1";
    with.now_ms = 1000;
    with.token = source;
    return with;
}
