/* SPDX-License-Identifier: Apache-2.0
 *
 * A decision and the way to it: what each rule that names the operation made of the request.
 * Slower than policy_evaluate(): it asks every rule, and every field of it.
 */
#pragma once

#include "policy/rule.h"

struct policy_trace {
    struct policy_rule_ref rule;
    enum policy_action action;
    uint32_t failed_fields; /* mask of 1 << policy_field: did not match, so the rule is silent */
    size_t except_hit;      /* from 1: the except that hit, so the rule is silent; 0: none */
    const char *unmet;      /* the rule applies, but the request does not keep to its constraints */
    const char *reason;     /* as written in the rule; nullptr: none */
};

/* The rule speaks: it matches, no except does. */
bool policy_trace_applies(const struct policy_trace *trace);

/* Calls `tell` for each built-in rule that applies, then for each rule of the files whose
 * operation matches, in the order they were given; then decides. A token is not looked at, so that
 * explaining uses none up. What `trace` points at lives as long as engine and request. */
void policy_explain(const struct policy_engine *engine, const struct policy_request *request,
                    void (*tell)(void *context, const struct policy_trace *trace), void *context,
                    struct policy_decision *ret_decision);
