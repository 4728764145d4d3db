/* SPDX-License-Identifier: Apache-2.0 */
#include "kernel/refusal.h"

#include <string.h>

#include "base/assert.h"
#include "codec/text.h"

void refusal_make(struct policy_decision *decision, const char *rule, const char *reason) {
    struct policy_rule_ref ref = {.name = rule, .layer = POLICY_LAYER_NONE};
    for (size_t i = 0; i < decision->reason_count; i++) {
        if (strcmp(decision->deciders[i].name, rule) == 0) {
            ref = decision->deciders[i];
        }
    }
    decision->outcome = POLICY_DENY;
    decision->rule = rule;
    decision->deciders[0] = ref;
    decision->reasons[0] = reason;
    decision->reason_count = 1;
    decision->reasons_dropped = 0;
    decision->fact_count = 0;
}

status_t refusal_error(const struct policy_decision *decision, const char *operation,
                       struct error *err) {
    ASSERT(decision->reason_count > 0);
    const struct policy_rule_ref *first = &decision->deciders[0];
    struct builder place;
    builder_init(&place, 400);
    if (first->file != nullptr) {
        builder_text(&place, " (");
        text_escape_short(slice_of_string(first->file), 300, &place);
        builder_format(&place, ":%u)", (unsigned)first->line);
    }
    (void)error_set(err, ERROR_POLICY_DENIED, 0, "%s is refused by the rule %s%s", operation,
                    decision->rule, builder_c_string(&place));
    builder_deinit(&place);
    /* After "no rule allows this" comes what the nearest allow lacks. */
    bool more = first->layer == POLICY_LAYER_NONE && decision->reason_count > 1;
    error_detail(err, "%s%s%s%s%s", decision->reasons[0], more ? "; " : "",
                 more ? decision->deciders[1].name : "", more ? ": " : "",
                 more ? decision->reasons[1] : "");
    return (status_t){ERROR_POLICY_DENIED};
}

void refusal_record(struct audit_log *log, struct json *consumed_fields, struct error *err) {
    struct audit_append append = {.event = AUDIT_EVENT_DECISION, .fields = consumed_fields};
    struct audit_position position;
    struct error second;
    if (!status_is_ok(audit_log_append(log, &append, 1, &position, &second))) {
        (void)error_context(err, "and then: %.150s", second.message);
    }
}
