/* SPDX-License-Identifier: Apache-2.0
 *
 * What a token covers: its root and its caveats, all of them, against what is being done; and
 * whether one scope lies within another. Knows no key and no table.
 */
#pragma once

#include "policy/token.h"

/* TOKEN_VALID or TOKEN_EXPIRED, which it is from the very millisecond it names on. */
struct token_verdict token_scope_expiry(const struct token *token, uint64_t now_ms);
/* Policy, operation, path, arguments, sandbox, peer, in this order. */
struct token_verdict token_scope_judge(const struct token *token, const struct token_facts *facts);
/* The smallest number of operations that root and caveats allow, and who says so. */
int token_scope_max_ops(const struct token *token, uint32_t *ret_max_ops);

/* ERROR_USAGE, with the reason, for a glob that cannot be compiled. */
status_t token_glob_check(const char *glob, struct error *err);

/* Whether whatever `inner` stands for, `outer` stands for too. */
bool token_operation_covers(const char *outer, const char *inner);
/* The same of two globs. May answer false where true could be proved, never the other way. */
bool token_glob_covers(const char *outer, const char *inner);
/* Whether a caveat says nothing that root and caveats of the token did not allow already. */
bool token_scope_covers(const struct token *token, const struct token_caveat *caveat);
