/* SPDX-License-Identifier: Apache-2.0
 *
 * Capability tokens: the memo of a decision, for one caller, one kind of operation and a short
 * time. Only the authority, which has the boot key, issues and checks; whoever holds a token may
 * narrow it without asking (token_attenuate.h), because every seal is keyed by the one before:
 *
 *   seal(0) = HMAC-SHA-256(boot key, root)     seal(i + 1) = HMAC-SHA-256(seal(i), caveat i)
 *
 * A holder knows the last seal only, so caveats can be added at the end and never taken away,
 * changed or moved. All conditions of root and caveats hold together: adding one cannot widen.
 * Operations are counted on the root's id, for all its descendants. Another policy or another boot
 * key voids every token. A token never stands against a built-in rule; the engine sees to that.
 *
 * Pure: clock, randomness and key are handed in. Several threads may use one authority at once.
 */
#pragma once

#include "base/error.h"
#include "policy/token_format.h"

enum {
    TOKEN_BOOT_KEY_BYTES = 32,
    TOKEN_SEED_BYTES = TOKEN_ID_BYTES + TOKEN_NONCE_BYTES,
    TOKEN_LIFE_MS_DEFAULT = 30000,
    TOKEN_MAX_OPS_DEFAULT = 1,
};

struct token_authority;

/* The key is copied into memory for secrets; the caller wipes its own. It must be new at every
 * start of the kernel, because what was used and revoked is forgotten then. */
status_t token_authority_new(const uint8_t boot_key[static TOKEN_BOOT_KEY_BYTES],
                             struct token_authority **ret_authority, struct error *err);
void token_authority_free(struct token_authority *authority); /* wipes; nullptr is fine */
void token_authority_freep(struct token_authority **authority);

struct token_request {
    /* What to grant. id, nonce and expires_ms are filled in; max_ops 0 is the default, 1. */
    struct token_grant grant;
    uint64_t now_ms;     /* see struct token_facts */
    uint64_t life_ms;    /* 0: 30 s; at most LIMIT_TOKEN_LIFE_MS */
    const uint8_t *seed; /* TOKEN_SEED_BYTES new random bytes, for id and nonce */
};

/* Appends the token's text to `ret_text`. ERROR_LIMIT when LIMIT_TOKEN_LIVE tokens are alive, when
 * it lives too long or gets too large; ERROR_USAGE for an operation or glob that cannot be. */
status_t token_issue(struct token_authority *authority, const struct token_request *request,
                     struct builder *ret_text, struct token_id *ret_id, struct error *err);

enum token_result : uint8_t {
    TOKEN_VALID,
    TOKEN_MALFORMED,
    TOKEN_FORGED, /* the seal is not ours: forged, or of before the last start */
    TOKEN_EXPIRED,
    TOKEN_REVOKED,
    TOKEN_POLICY_CHANGED,
    TOKEN_WRONG_OPERATION,
    TOKEN_WRONG_PATH,
    TOKEN_WRONG_ARGUMENTS,
    TOKEN_WRONG_SANDBOX,
    TOKEN_WRONG_PEER,
    TOKEN_USED_UP,
};
const char *token_result_text(enum token_result result);

/* What is being done, by whom. */
struct token_facts {
    /* The request's one snapshot of a clock that never goes back (CLOCK_BOOTTIME): wall time can be
     * set. Should it go back all the same, nothing is valid until it has caught up. */
    uint64_t now_ms;
    const char *operation; /* exact */
    const char *path;      /* resolved, relative to the workspace; nullptr: about no path */
    bool path_is_folder;
    const struct digest *argument_digest; /* nullptr: not known, so no token that names one fits */
    const char *sandbox_id;               /* "": outside of any */
    struct token_peer peer;
    struct digest policy_digest; /* of the policy in force */
};

enum { TOKEN_ROOT = -1 };

struct token_verdict {
    enum token_result result;
    int caveat; /* that failed, from 0; TOKEN_ROOT: the root, or nothing in particular */
};

/* Judges without counting, in the order of enum token_result. */
struct token_verdict token_judge(struct token_authority *authority, const struct token *token,
                                 const struct token_facts *facts);
/* Counts one operation of a token that was judged valid. TOKEN_USED_UP or TOKEN_REVOKED when
 * another thread was faster; only TOKEN_VALID lets the operation go on. */
struct token_verdict token_use(struct token_authority *authority, const struct token *token);
/* Both. */
struct token_verdict token_check(struct token_authority *authority, const struct token *token,
                                 const struct token_facts *facts);

/* Revokes a root and whatever descends from it; false when it is not alive. */
bool token_revoke(struct token_authority *authority, const struct token_id *id);
/* How many roots are alive at `now_ms`. */
size_t token_count(struct token_authority *authority, uint64_t now_ms);
