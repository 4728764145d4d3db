/* SPDX-License-Identifier: Apache-2.0
 *
 * Facts of a decision: which field of the request, with which value, met which pattern of a rule.
 */
#pragma once

#include "policy/match.h"

/* The fact behind a test that holds; its decider is left 0. */
struct policy_fact policy_fact_make(const struct policy_pattern *pattern, enum policy_field field,
                                    const struct policy_view *view);
/* Adds it, or counts it when there is no room. */
void policy_decision_add_fact(struct policy_decision *decision, const struct policy_fact *fact);
