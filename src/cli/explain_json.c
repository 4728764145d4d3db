/* SPDX-License-Identifier: Apache-2.0 */
#include "base/cleanup.h"
#include "cli/explain_view.h"
#include "policy/load.h"

void explain_add_json_rule(struct explanation *explanation, const struct policy_trace *trace) {
    struct json *rule = json_object_new();
    struct json *failed = json_array_new();
    policy_json_rule(rule, &trace->rule);
    json_set_text(rule, "action", explain_action_text(trace->action));
    json_set_bool(rule, "applies", policy_trace_applies(trace));
    for (unsigned field = 0; field < POLICY_FIELD_COUNT; field++) {
        if ((trace->failed_fields >> field & 1) != 0) {
            json_append_text(failed, policy_field_text((enum policy_field)field));
        }
    }
    json_set(rule, "failed_fields", failed);
    if (trace->except_hit > 0) {
        json_set_integer(rule, "except", (int64_t)trace->except_hit);
    }
    if (trace->unmet != nullptr) {
        json_set_text(rule, "unmet", trace->unmet);
    }
    if (trace->reason != nullptr) {
        policy_json_text(rule, "reason", trace->reason);
    }
    json_append(explanation->rules, rule);
}

static struct json *json_reasons(const struct policy_decision *decision) {
    struct json *reasons = json_array_new();
    for (size_t i = 0; i < decision->reason_count; i++) {
        struct json *reason = json_object_new();
        policy_json_rule(reason, &decision->deciders[i]);
        policy_json_text(reason, "reason", decision->reasons[i]);
        json_append(reasons, reason);
    }
    return reasons;
}

static struct json *json_facts(const struct policy_decision *decision) {
    struct json *facts = json_array_new();
    for (size_t i = 0; i < decision->fact_count; i++) {
        const struct policy_fact *fact = &decision->facts[i];
        struct json *object = json_object_new();
        json_set_text(object, "field", policy_field_text(fact->field));
        policy_json_text(object, "rule", decision->deciders[fact->decider].name);
        if (fact->value != nullptr) {
            policy_json_text(object, "value", fact->value);
        } else {
            json_set_integer(object, "value", (int64_t)fact->number);
        }
        if (fact->pattern != nullptr) {
            policy_json_text(object, "pattern", fact->pattern);
        }
        json_append(facts, object);
    }
    return facts;
}

static struct json *json_obligations(const struct policy_decision *decision) {
    static const char *const WHO[] = {"terminal", "ui", "client"};
    const struct policy_obligations *asks = &decision->obligations;
    struct json *object = json_object_new();
    if (asks->template_name != nullptr) {
        json_set_text(object, "sandbox", asks->template_name);
    }
    if (asks->file_bytes_max != UINT64_MAX) {
        json_set_integer(object, "max_file_size", (int64_t)asks->file_bytes_max);
    }
    if (asks->total_bytes_max != UINT64_MAX) {
        json_set_integer(object, "max_total_size", (int64_t)asks->total_bytes_max);
    }
    if (asks->files_max != UINT32_MAX) {
        json_set_integer(object, "max_files", asks->files_max);
    }
    if (asks->auto_apply.is_permitted && decision->outcome == POLICY_ALLOW) {
        struct json *permitted = json_object_new();
        json_set_integer(permitted, "changed_lines_max", asks->auto_apply.lines_max);
        json_set_integer(permitted, "files_max", asks->auto_apply.files_max);
        json_set_text(permitted, "rule", asks->auto_apply.rule);
        json_set(object, "auto_apply", permitted);
    }
    if (decision->outcome == POLICY_REVIEW) {
        json_set_integer(object, "reviewers", asks->reviewers_min);
        json_set_text(object, "reviewer", WHO[asks->reviewer]);
    }
    return object;
}

void explain_print_json(struct explanation *explanation, char **operands) {
    static const char *const KINDS[] = {"exists", "parent exists", "text"};
    const struct policy_decision *decision = &explanation->decision;
    struct json *object = json_object_new();
    policy_json_text(object, "operation", operands[0]);
    policy_json_text(object, "workspace", explanation->session.workspace);
    if (explanation->has_path) {
        policy_json_text(object, "given", operands[1]);
        policy_json_text(object, "path", explanation->target.path);
        json_set_text(object, "resolved_by", KINDS[explanation->target.kind]);
    }
    json_set_text(object, "outcome", policy_outcome_text(decision->outcome));
    policy_json_rule(object, &decision->deciders[0]);
    json_set(object, "reasons", json_reasons(decision));
    json_set(object, "facts", json_facts(decision));
    if (decision->outcome != POLICY_DENY) {
        json_set(object, "asks", json_obligations(decision));
    }
    json_set(object, "rules", TAKE(explanation->rules));
    policy_print_json(object);
}
