/* SPDX-License-Identifier: Apache-2.0 */
#include "kernel/run_decide.h"

#include <string.h>

#include "base/cleanup.h"
#include "engine/engine.h"
#include "kernel/egress.h"
#include "kernel/facts.h"
#include "kernel/records.h"
#include "kernel/refusal.h"
#include "kernel/review.h"
#include "sys/fd.h"

struct asking {
    struct kernel *kernel;
    const struct run_exec_request *request;
    struct run_ahead *ahead;
    struct run_decision *decided;
};

/* A refusal is evidence too. `err` holds it already and stays the answer when the log fails. */
static status_t refuse(struct asking *asking, struct error *err) {
    struct json *fields = json_object_new();
    json_set_text(fields, "caller", asking->kernel->caller);
    json_set_text(fields, "operation", "run.exec");
    json_set_text(fields, "request", asking->decided->request_id);
    record_text(fields, "workspace", asking->request->workspace);
    record_text(fields, "template", asking->decided->judged.template_name);
    json_set_text(fields, "template_digest", asking->ahead->template_row->digest);
    json_set(fields, "decision", record_decision(&asking->decided->decision));
    facts_record(fields, &asking->decided->judged, asking->decided->policy);
    struct audit_append append = {.event = AUDIT_EVENT_DECISION, .fields = fields};
    struct audit_position position;
    struct error second;
    if (!status_is_ok(audit_log_append(asking->kernel->log, &append, 1, &position, &second))) {
        return error_context(err, "and then: %.150s", second.message);
    }
    if (err->code == ERROR_POLICY_DENIED) {
        error_hint(err, "Entry %llu of the log holds the decision: airlock log show %llu",
                   (unsigned long long)position.seq, (unsigned long long)position.seq);
    }
    return (status_t){(int)err->code};
}

/* What to add to the policy, ready to be pasted. */
static void hint_network(const struct asking *asking, struct error *err) {
    struct builder groups;
    builder_init(&groups, 512);
    for (size_t i = 0; i < asking->request->network_count; i++) {
        builder_format(&groups, "%s%s", i == 0 ? "" : ", ", asking->request->networks[i]);
    }
    error_hint(err,
               "Add to the rules: - { name: net-%s, match: { operation: run.exec, network: [%s] }, "
               "action: allow }",
               asking->request->networks[0], builder_c_string(&groups));
    builder_deinit(&groups);
}

static status_t deny(struct asking *asking, struct error *err) {
    const struct policy_request *judged = &asking->decided->judged;
    (void)refusal_error(&asking->decided->decision, "run.exec", err);
    bool is_open = asking->decided->decision.deciders[0].layer == POLICY_LAYER_NONE;
    status_t status = refuse(asking, err);
    if (judged->engine != nullptr && is_open && err->code == ERROR_POLICY_DENIED) {
        error_hint(err,
                   "Allow it with a rule (airlock policy edit): - { name: my-images, match: { "
                   "operation: run.exec, engine: %s, image: \"%.200s\" }, action: allow }",
                   judged->engine, judged->image);
    } else if (asking->request->network_count > 0 && is_open) {
        hint_network(asking, err);
    } else if (is_open && err->code == ERROR_POLICY_DENIED) {
        error_hint(err,
                   "Allow it with a rule (airlock policy edit): - { name: my-runs, match: { "
                   "operation: run.exec, template: %.64s }, action: allow }",
                   judged->template_name);
    }
    return status;
}

/* The template that the rules ask for, when the caller leaves it open. The rules are asked again
 * with it, because some may be about that template. */
static status_t take_template(struct asking *asking, struct error *err) {
    const char *wanted = asking->decided->decision.obligations.template_name;
    if (!asking->decided->judged.template_open ||
        asking->decided->decision.outcome == POLICY_DENY || wanted == nullptr ||
        strcmp(wanted, asking->decided->judged.template_name) == 0) {
        return STATUS_OK;
    }
    size_t network_count = asking->request->network_count;
    if (!status_is_ok(run_ahead_use_template(asking->ahead, wanted, network_count, err))) {
        return error_context(err, "the rule %s asks for the template %s",
                             asking->decided->decision.rule, wanted);
    }
    asking->decided->judged.template_name = asking->ahead->template_row->name;
    asking->decided->judged.template_open = false;
    policy_evaluate(&asking->decided->policy->engine, &asking->decided->judged,
                    &asking->decided->decision);
    if (asking->decided->decision.outcome == POLICY_DENY) {
        return STATUS_OK;
    }
    return run_ahead_again(asking->request, asking->ahead, err);
}

/* What the rules ask to be counted. The lock is held until the intent is in the log. */
static status_t count_rates(struct asking *asking, struct error *err) {
    const struct policy_obligations *asked = &asking->decided->decision.obligations;
    if (asked->rate_count == 0) {
        return STATUS_OK;
    }
    TRY(rates_lock(&asking->kernel->state, &asking->decided->rates_fd, err));
    TRY(rates_check(asking->kernel, asked->rates, asked->rate_count, asking->decided->judged.now_ms,
                    &asking->decided->rate, err));
    if (asking->decided->rate.is_full) {
        refusal_make(&asking->decided->decision, asking->decided->rate.rule,
                     asking->decided->rate.reason);
    }
    return STATUS_OK;
}

/* Puts the command to a person, when the rules want that. */
static status_t ask(struct asking *asking, struct error *err) {
    CLEANUP(review_deinit) struct review review;
    CLEANUP(builder_deinit) struct builder command;
    review_init(&review, "Run it at a terminal and answer y.");
    builder_init(&command, LIMIT_PATH_BYTES);
    for (size_t i = 0; asking->request->argv[i] != nullptr && builder_is_ok(&command); i++) {
        builder_format(&command, "%s%s", i == 0 ? "" : " ", asking->request->argv[i]);
    }
    /* What is too long to be shown whole cannot be agreed to. */
    if (!builder_is_ok(&command)) {
        return error_set(err, ERROR_POLICY_REVIEW, 0,
                         "a person has to agree to a command that is too long to be shown");
    }
    review_add(&review, builder_c_string(&command), &asking->decided->decision);
    return review_ask(&review, asking->kernel, &asking->decided->reviewer, err);
}

status_t run_decide(struct kernel *kernel, const struct run_exec_request *request,
                    struct run_ahead *ahead, struct run_decision *decision, struct error *err) {
    struct asking one = {kernel, request, ahead, decision};
    struct asking *asking = &one;
    const struct run_engine *engine = request->engine;
    TRY(kernel_policy(asking->kernel, asking->request->workspace, &asking->decided->policy, err));
    asking->decided->judged = (struct policy_request){
        .operation = "run.exec",
        .caller = asking->kernel->caller,
        .workspace = asking->request->workspace,
        .template_name = asking->ahead->template_row->name,
        .template_open = asking->request->template_open,
        .networks = asking->request->networks,
        .network_count = asking->request->network_count,
        .engine = engine != nullptr ? engine_kind_text(engine->kind) : nullptr,
        .image = engine != nullptr ? engine->image : nullptr,
        .transport = "cli",
        .at_command_line = true,
        .now_ms = clock_wall_ms(&asking->kernel->clock),
    };
    TRY(egress_check(asking->decided->policy, asking->request, err));
    policy_evaluate(&asking->decided->policy->engine, &asking->decided->judged,
                    &asking->decided->decision);
    TRY(take_template(asking, err));
    if (asking->decided->decision.outcome == POLICY_REVIEW && !status_is_ok(ask(asking, err))) {
        return refuse(asking, err);
    }
    if (asking->decided->decision.outcome != POLICY_DENY) {
        TRY(count_rates(asking, err));
    }
    return asking->decided->decision.outcome != POLICY_DENY ? STATUS_OK : deny(asking, err);
}

void run_decision_counted(struct run_decision *decision) {
    fd_closep(&decision->rates_fd);
}
