/* SPDX-License-Identifier: Apache-2.0
 *
 * Extensions of a policy: rules as programs (docs/policy.md). Each is started when the policy is
 * loaded, has to say hello, and is then asked once for every decision that nothing has denied yet.
 * The engine sees them as struct policy_extension and knows nothing of processes.
 *
 * One that ends, is late or says what is no answer has denied the request in flight and is started
 * again; one that fails again within LIMIT_EXTENSION_AGAIN_MS is out of use for as long as this
 * process lives, and passes from then on: what only it could have allowed is denied.
 */
#pragma once

#include "kernel/extension_process.h"
#include "policy/policy.h"

struct extensions; /* those of one policy */

/* A document whose extensions are to run, or nullptr. */
struct extensions_wanted {
    const struct state *state;                  /* borrowed as long as they live */
    const struct policy_document *documents[2]; /* the same */
    struct clock clock;
};

/* Starts all of them. *ret is nullptr when there are none, which costs nothing. Errors:
 * POLICY_EXTENSION when one does not say hello, twice; those of the sandbox. */
status_t extensions_open(const struct extensions_wanted *wanted, struct extensions **ret,
                         struct error *err);
void extensions_close(struct extensions *extensions); /* nullptr is fine */
/* For the engine; borrowed. */
const struct policy_extension *extensions_list(const struct extensions *extensions,
                                               size_t *ret_count);

/* When something failed, to tell the first time from the second. */
struct extension_failures {
    bool any;
    uint64_t last_ns;
};
/* Notes a failure; true when it is the second within LIMIT_EXTENSION_AGAIN_MS. */
bool extension_failures_note(struct extension_failures *failures, uint64_t now_ns);

/* Reads what an extension answered to question `id`: {"verdict": TEXT, "reason": TEXT}, the reason
 * may be left out. CRASHED for anything else. The reason is appended to `reason`, escaped. */
enum policy_verdict extension_read_verdict(struct slice body, const char *id,
                                           struct builder *reason);
