/* SPDX-License-Identifier: Apache-2.0 */
#include "policy/explain.h"

#include "base/assert.h"
#include "policy/builtin.h"
#include "policy/constraint.h"
#include "policy/match.h"

bool policy_trace_applies(const struct policy_trace *trace) {
    return trace->failed_fields == 0 && trace->except_hit == 0;
}

static enum policy_action outcome_action(enum policy_outcome outcome) {
    switch (outcome) {
    case POLICY_ALLOW:
        return POLICY_ACTION_ALLOW;
    case POLICY_DENY:
        return POLICY_ACTION_DENY;
    case POLICY_REVIEW:
        return POLICY_ACTION_REVIEW;
    }
    ASSERT(!"an outcome of the enum");
    return POLICY_ACTION_DENY;
}

static uint32_t failed_fields(const struct policy_rules *rules,
                              const struct policy_condition *condition,
                              const struct policy_view *view) {
    uint32_t failed = 0;
    for (uint32_t i = 0; i < condition->count; i++) {
        const struct policy_test *test = &rules->tests[condition->first + i];
        if (policy_test_holds(rules, test, view) == nullptr) {
            failed |= UINT32_C(1) << test->field;
        }
    }
    return failed;
}

/* What one rule makes of the request; false when it is about other operations. */
static bool trace_rule(const struct policy_rules *rules, const struct policy_compiled_rule *rule,
                       const struct policy_view *view, struct policy_trace *ret_trace) {
    const struct policy_condition *condition = &rules->conditions[rule->condition];
    struct policy_trace trace = {
        .rule = rule->ref,
        .action = rule->source->action,
        .failed_fields = failed_fields(rules, condition, view) | policy_rule_unnamed(rule, view),
        .reason = rule->source->reason,
    };
    if ((trace.failed_fields >> POLICY_FIELD_OPERATION & 1) != 0) {
        return false;
    }
    size_t except_count = rule->source->except_count;
    for (size_t i = 1; i <= except_count && policy_trace_applies(&trace); i++) {
        if (policy_condition_failure(rules, condition + i, view) == nullptr) {
            trace.except_hit = i;
        }
    }
    bool grants = trace.action == POLICY_ACTION_ALLOW || trace.action == POLICY_ACTION_REVIEW;
    if (grants && policy_trace_applies(&trace)) {
        trace.unmet = policy_constraint_unmet(&rule->source->constraints, view->request);
    }
    *ret_trace = trace;
    return true;
}

void policy_explain(const struct policy_engine *engine, const struct policy_request *request,
                    void (*tell)(void *context, const struct policy_trace *trace), void *context,
                    struct policy_decision *ret_decision) {
    ASSERT(engine != nullptr && request != nullptr && tell != nullptr);
    struct policy_request without_token = *request;
    without_token.token = nullptr;
    __attribute__((uninitialized)) struct policy_view view; /* 19 KiB, filled by the next call */
    policy_view_init(&view, &without_token);
    struct policy_trace trace = {};
    for (size_t i = 0; i < engine->builtin_count; i++) {
        const struct policy_rule *rule = &engine->builtins[i];
        if (rule->matches(&without_token, view.parsed)) {
            trace = (struct policy_trace){.rule = {.name = rule->name},
                                          .action = outcome_action(rule->outcome),
                                          .reason = rule->reason};
            tell(context, &trace);
        }
    }
    for (uint32_t i = 0; engine->rules != nullptr && i < engine->rules->rule_count; i++) {
        if (trace_rule(engine->rules, &engine->rules->rules[i], &view, &trace)) {
            tell(context, &trace);
        }
    }
    policy_evaluate(engine, &without_token, ret_decision);
}
