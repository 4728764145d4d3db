/* SPDX-License-Identifier: Apache-2.0
 *
 * What is said of a deny, and a deny that the kernel adds to what the rules say: theirs to ask for,
 * the kernel's to count.
 */
#pragma once

#include "audit/log.h"
#include "base/error.h"
#include "policy/policy.h"

/* Makes a deny of an allow or review whose rule asks for what does not hold. `reason` is borrowed
 * as the decision's other texts are. */
void refusal_make(struct policy_decision *decision, const char *rule, const char *reason);
/* ERROR_POLICY_DENIED with the rule, where it stands, and its reasons. */
status_t refusal_error(const struct policy_decision *decision, const char *operation,
                       struct error *err);
/* The entry of one. `err` already holds the refusal and stays the answer when the log fails. */
void refusal_record(struct audit_log *log, struct json *consumed_fields, struct error *err);
