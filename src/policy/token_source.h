/* SPDX-License-Identifier: Apache-2.0
 *
 * A token that came with a request, in the shape policy_evaluate() asks for; and the way of a
 * decision's obligations into a token and out of it again.
 */
#pragma once

#include "policy/policy.h"
#include "policy/token.h"

/* What the token is judged by besides the request. Borrowed for as long as it is in use. */
struct token_bearer {
    struct token_authority *authority;
    struct slice text;           /* as it came */
    uint64_t now_ms;             /* see struct token_facts: not the request's wall time */
    struct token_peer peer;      /* who is at the other end, as the kernel says */
    struct digest policy_digest; /* of the policy in force */
};

/* Does not move: `source` points into it. */
struct token_presented {
    struct token_bearer bearer;
    struct policy_token_source source; /* for struct policy_request */
    struct token_verdict verdict;      /* of the last check or use, for log and explanation */
    bool is_token;                     /* the text is one; else token holds nothing */
    struct token token;
    char id[2 * TOKEN_ID_BYTES + 1]; /* in hex; "" when it is none */
    uint8_t buffer[LIMIT_TOKEN_BYTES];
};

/* Reads the text; what is no token is one that never fits. */
void token_presented_init(struct token_presented *presented, const struct token_bearer *bearer);

/* What the remembered decision asked of whoever acts on it; for a decision whose token_id is set.
 * Borrows from `presented`. */
void token_presented_obligations(const struct token_presented *presented,
                                 struct policy_obligations *ret_obligations);
/* The same the other way, for issuing. Borrows from `obligations`. */
void token_constraints_of(const struct policy_obligations *obligations,
                          struct token_constraints *ret_constraints);
