/* SPDX-License-Identifier: Apache-2.0
 *
 * Constraints of rules: checked where the request shows what they are about, merged to the
 * strictest where the caller has to see to them.
 */
#pragma once

#include "policy/rule.h"

/* Why the request does not keep to the constraints, as a constant; nullptr when it does. */
const char *policy_constraint_unmet(const struct policy_constraints *constraints,
                                    const struct policy_request *request);

/* Obligations that ask for nothing. */
struct policy_obligations policy_obligations_none(void);
/* Adds what a rule asks for. reviews: it is a review rule, so who may answer counts. */
void policy_obligations_merge(struct policy_obligations *obligations,
                              const struct policy_rule_source *rule);
/* A review that leaves open who may answer: a person at a terminal or in the interface. */
void policy_obligations_add_review(struct policy_obligations *obligations,
                                   enum policy_reviewer reviewer, uint8_t reviewers_min);
