/* SPDX-License-Identifier: Apache-2.0
 *
 * Narrowing a token without the key, by whoever holds it. See policy/token.h for why it can only
 * narrow.
 */
#pragma once

#include "base/error.h"
#include "policy/token_format.h"

/* Puts one caveat under a seal: seal = HMAC-SHA-256(seal, caveat). */
void token_seal_next(struct digest *seal, struct slice caveat);

/* Appends the text of the token with `count` more caveats to `ret_text`. ERROR_BAD_ENCODING when
 * `text` is no token, ERROR_POLICY_DENIED when a caveat would allow what the token does not,
 * ERROR_LIMIT for too many or too much, ERROR_USAGE for a caveat that cannot be. */
status_t token_attenuate(struct slice text, const struct token_caveat *caveats, size_t count,
                         struct builder *ret_text, struct error *err);
