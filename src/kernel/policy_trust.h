/* SPDX-License-Identifier: Apache-2.0
 *
 * Which workspaces' policy files the user trusts: trust.json in the state folder. A workspace has
 * at most one digest there, that of the file a person looked at; a file with another digest is not
 * trusted, so changing it drops the trust.
 *
 *   {"trusted":[{"digest":"HEX","workspace":"/home/u/project"}, ...]}
 *
 * Paths are escaped as in the log (text_escape()), which no two paths share. The file is replaced
 * whole, under the lock trust.lock; readers take none.
 */
#pragma once

#include "crypto/hash.h"
#include "store/state.h"

/* Whether the file with this digest is trusted for the workspace (absolute, links resolved). A list
 * that cannot be read is an error, never an empty one. ERROR_BAD_ENCODING, ERROR_IO, ERROR_LIMIT.
 */
status_t policy_trust_find(const struct state *state, const char *workspace,
                           const struct digest *digest, bool *ret_found, struct error *err);

/* The digest that is trusted for the workspace, if one is. */
status_t policy_trust_get(const struct state *state, const char *workspace,
                          struct digest *ret_digest, bool *ret_found, struct error *err);

/* Trusts this digest for the workspace instead of any other, or with `trust` false none; `digest`
 * may then be nullptr. Durable on return. ERROR_LIMIT past LIMIT_TRUSTED_WORKSPACES. */
status_t policy_trust_set(const struct state *state, const char *workspace,
                          const struct digest *digest, bool trust, struct error *err);
