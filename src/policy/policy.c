/* SPDX-License-Identifier: Apache-2.0
 *
 * One decision. Every rule that applies speaks: the strongest outcome so far is kept with those who
 * said it, a stronger one starts the list anew. That is why the order cannot matter.
 *
 * Besides, something has to grant: an allow, or a review by a rule that may let things through once
 * a person agrees. Built-in reviews and those of a workspace that is not trusted only hold back
 * what others grant; on their own they are a deny, else a cloned repository could have a person
 * asked about anything.
 *
 * An allow or review whose constraints the request does not keep to is no grant: the allow is set
 * aside with its reason, the review becomes a deny, because dropping it could let another rule's
 * allow through.
 */
#include "policy/policy.h"

#include <string.h>

#include "base/assert.h"
#include "policy/builtin.h"
#include "policy/constraint.h"
#include "policy/fact.h"
#include "policy/match.h"

/* What a rule says. */
struct voice {
    enum policy_outcome outcome;
    struct policy_rule_ref ref;
    const char *reason;
    const struct policy_compiled_rule *rule; /* nullptr: in code */
    bool grants;
};

struct tally {
    const struct policy_rules *rules;
    struct policy_view *view;
    struct policy_decision *decision;
    int rank;     /* 0: no rule spoke */
    bool granted; /* by an allow, or by a review that may */
    const struct policy_compiled_rule *speakers[POLICY_REASON_COUNT_MAX]; /* as deciders */
    struct voice unmet[POLICY_REASON_COUNT_MAX];
    size_t unmet_count, unmet_dropped;
};

static int outcome_rank(enum policy_outcome outcome) {
    switch (outcome) {
    case POLICY_DENY:
        return 3;
    case POLICY_REVIEW:
        return 2;
    case POLICY_ALLOW:
        return 1;
    }
    ASSERT(!"an outcome of the enum");
    return 0;
}

static bool tally_denies(const struct tally *tally) {
    return tally->rank == outcome_rank(POLICY_DENY);
}

static void decision_add(struct tally *tally, const struct voice *voice) {
    struct policy_decision *decision = tally->decision;
    if (decision->reason_count == POLICY_REASON_COUNT_MAX) {
        decision->reasons_dropped++;
        return;
    }
    tally->speakers[decision->reason_count] = voice->rule;
    decision->deciders[decision->reason_count] = voice->ref;
    decision->reasons[decision->reason_count++] = voice->reason;
}

static void tally_add(struct tally *tally, const struct voice *voice) {
    int rank = outcome_rank(voice->outcome);
    tally->granted = tally->granted || voice->grants;
    if (rank > tally->rank) {
        tally->rank = rank;
        tally->decision->outcome = voice->outcome;
        tally->decision->reason_count = 0;
        tally->decision->reasons_dropped = 0;
    }
    if (rank == tally->rank) {
        decision_add(tally, voice);
    }
}

/* An allow that does not hold. */
static void tally_unmet(struct tally *tally, const struct voice *voice) {
    if (tally->unmet_count == POLICY_REASON_COUNT_MAX) {
        tally->unmet_dropped++;
    } else {
        tally->unmet[tally->unmet_count++] = *voice;
    }
}

static void tally_coded(struct tally *tally, const struct policy_rule *rules, size_t count) {
    const struct policy_view *view = tally->view;
    for (size_t i = 0; i < count; i++) {
        if (!rules[i].matches(view->request, view->parsed)) {
            continue;
        }
        if (rules[i].outcome == POLICY_REVIEW) {
            policy_obligations_add_review(&tally->decision->obligations, POLICY_REVIEWER_UI, 1);
        }
        bool review = rules[i].outcome == POLICY_REVIEW;
        tally_add(tally, &(struct voice){.outcome = rules[i].outcome,
                                         .ref = {.name = rules[i].name},
                                         .reason = rules[i].reason,
                                         .grants = !review});
    }
}

static enum policy_outcome action_outcome(enum policy_action action) {
    switch (action) {
    case POLICY_ACTION_ALLOW:
        return POLICY_ALLOW;
    case POLICY_ACTION_REVIEW:
        return POLICY_REVIEW;
    case POLICY_ACTION_DENY:
    case POLICY_ACTION_PASS:
        break;
    }
    return POLICY_DENY;
}

static const char *default_reason(enum policy_outcome outcome) {
    switch (outcome) {
    case POLICY_ALLOW:
        return "the rule allows it";
    case POLICY_DENY:
        return "the rule denies it";
    case POLICY_REVIEW:
        return "the rule wants a person to look at it first";
    }
    ASSERT(!"an outcome of the enum");
    return "";
}

/* Lets one rule of a file speak; it applies. */
static void tally_rule(struct tally *tally, const struct policy_compiled_rule *rule) {
    const struct policy_rule_source *source = rule->source;
    if (source->action == POLICY_ACTION_PASS) {
        return;
    }
    struct voice voice = {.outcome = action_outcome(source->action),
                          .ref = rule->ref,
                          .reason = source->reason,
                          .rule = rule};
    if (voice.reason == nullptr) {
        voice.reason = default_reason(voice.outcome);
    }
    if (voice.outcome == POLICY_DENY) {
        tally_add(tally, &voice);
        return;
    }
    const char *unmet = policy_constraint_unmet(&source->constraints, tally->view->request);
    if (unmet == nullptr) {
        voice.grants =
            voice.outcome == POLICY_ALLOW || policy_rule_grants(tally->rules, rule, tally->view);
        policy_obligations_merge(&tally->decision->obligations, source);
        tally_add(tally, &voice);
        return;
    }
    voice.reason = unmet;
    if (voice.outcome == POLICY_ALLOW) {
        tally_unmet(tally, &voice);
        return;
    }
    voice.outcome = POLICY_DENY;
    tally_add(tally, &voice);
}

static void tally_files(struct tally *tally) {
    if (tally->rules == nullptr) {
        return;
    }
    struct policy_walk walk = policy_walk_start(tally->rules, tally->view);
    const struct policy_compiled_rule *rule = nullptr;
    while ((rule = policy_walk_next(&walk)) != nullptr) {
        tally_rule(tally, rule);
    }
}

/* An extension's verdict as a voice; false when it passes, with outcome ALLOW: what it withholds.
 */
static bool verdict_voice(enum policy_verdict verdict, struct voice *voice) {
    switch (verdict) {
    case POLICY_VERDICT_PASS:
        voice->outcome = POLICY_ALLOW;
        return false;
    case POLICY_VERDICT_ALLOW:
        voice->outcome = POLICY_ALLOW;
        return true;
    case POLICY_VERDICT_DENY:
        voice->outcome = POLICY_DENY;
        return true;
    case POLICY_VERDICT_REVIEW:
        voice->outcome = POLICY_REVIEW;
        return true;
    case POLICY_VERDICT_CRASHED:
        voice->reason = "the extension ended without an answer";
        break;
    case POLICY_VERDICT_LATE:
        voice->reason = "the extension did not answer in time";
        break;
    }
    voice->outcome = POLICY_DENY;
    return true;
}

static void tally_extension(struct tally *tally, const struct policy_extension *extension) {
    struct voice voice = {.ref = {.name = extension->name, .layer = POLICY_LAYER_EXTENSION}};
    enum policy_verdict verdict =
        extension->decide(extension->context, tally->view->request, &voice.reason);
    if (verdict == POLICY_VERDICT_CRASHED || verdict == POLICY_VERDICT_LATE) {
        tally->decision->extension_failed = extension->name;
        if (extension->restart != nullptr) {
            extension->restart(extension->context);
        }
    }
    if (!verdict_voice(verdict, &voice)) {
        if (voice.reason != nullptr) {
            tally_unmet(tally, &voice);
        }
        return;
    }
    if (voice.reason == nullptr) {
        voice.reason = default_reason(voice.outcome);
    }
    voice.grants = true;
    if (voice.outcome == POLICY_REVIEW) {
        policy_obligations_add_review(&tally->decision->obligations, POLICY_REVIEWER_UI, 1);
    }
    tally_add(tally, &voice);
}

/* Whether a token settles it, so that neither files nor extensions are asked. */
static bool tally_token(struct tally *tally) {
    const struct policy_request *request = tally->view->request;
    const struct policy_token_source *token = request->token;
    if (token == nullptr) {
        return false;
    }
    struct voice voice = {.outcome = POLICY_ALLOW,
                          .ref = {.name = "token", .layer = POLICY_LAYER_TOKEN},
                          .reason = "a capability token remembers that this was allowed",
                          .grants = true};
    enum policy_token_state state = token->check(token->context, request);
    if (state == POLICY_TOKEN_VALID) {
        if (tally->rank == outcome_rank(POLICY_REVIEW)) {
            tally->granted = true;
            return true;
        }
        if (token->use == nullptr || token->use(token->context)) {
            tally->decision->token_id = token->id;
            tally_add(tally, &voice);
            return true;
        }
    }
    voice.reason = state == POLICY_TOKEN_UNFIT
                       ? "the request breaks the constraints its capability token remembers"
                       : "the capability token that came with the request is not valid for it";
    tally_unmet(tally, &voice);
    return false;
}

static void add_facts(struct tally *tally, size_t decider) {
    const struct policy_compiled_rule *rule = tally->speakers[decider];
    const struct policy_view *view = tally->view;
    if (rule == nullptr) {
        bool has_path = tally->decision->deciders[decider].layer == POLICY_LAYER_BUILTIN &&
                        view->request->path != nullptr;
        if (has_path) {
            policy_decision_add_fact(tally->decision,
                                     &(struct policy_fact){.field = POLICY_FIELD_PATH,
                                                           .decider = (uint8_t)decider,
                                                           .value = view->request->path});
        }
        return;
    }
    const struct policy_condition *condition = &tally->rules->conditions[rule->condition];
    for (uint32_t i = condition->count; i > 0; i--) { /* the operation first */
        const struct policy_test *test = &tally->rules->tests[condition->first + i - 1];
        const struct policy_pattern *pattern = policy_test_holds(tally->rules, test, view);
        ASSERT(pattern != nullptr);
        struct policy_fact fact = policy_fact_make(pattern, test->field, view);
        fact.decider = (uint8_t)decider;
        policy_decision_add_fact(tally->decision, &fact);
    }
}

static void tally_end(struct tally *tally) {
    struct policy_decision *decision = tally->decision;
    if (!tally->granted && !tally_denies(tally)) {
        tally_add(tally,
                  &(struct voice){.outcome = POLICY_DENY,
                                  .ref = {.name = "default.deny", .layer = POLICY_LAYER_NONE},
                                  .reason = "no rule allows this operation"});
        for (size_t i = 0; i < tally->unmet_count; i++) {
            decision_add(tally, &tally->unmet[i]);
        }
        decision->reasons_dropped += tally->unmet_dropped;
    }
    decision->rule = decision->deciders[0].name;
    if (decision->outcome == POLICY_DENY) {
        decision->obligations = policy_obligations_none();
    }
    if (decision->outcome != POLICY_REVIEW) {
        decision->obligations.reviewers_min = 0;
    }
    for (size_t i = 0; i < decision->reason_count; i++) {
        add_facts(tally, i);
    }
}

static void evaluate(const struct policy_engine *engine, struct tally *tally) {
    tally_coded(tally, engine->builtins, engine->builtin_count);
    if (tally->view->unfit != nullptr) {
        tally_add(tally, &(struct voice){.outcome = POLICY_DENY,
                                         .ref = {.name = "builtin.unfit"},
                                         .reason = tally->view->unfit});
    }
    if (tally_denies(tally) || tally_token(tally)) {
        return;
    }
    tally_files(tally);
    for (size_t i = 0; i < engine->extension_count && !tally_denies(tally); i++) {
        tally_extension(tally, &engine->extensions[i]);
    }
}

void policy_evaluate(const struct policy_engine *engine, const struct policy_request *request,
                     struct policy_decision *ret_decision) {
    ASSERT(engine != nullptr && request != nullptr && ret_decision != nullptr);
    __attribute__((uninitialized)) struct policy_view view; /* 19 KiB, filled by the next call */
    policy_view_init(&view, request);
    *ret_decision = (struct policy_decision){.obligations = policy_obligations_none()};
    struct tally tally = {.rules = engine->rules, .view = &view, .decision = ret_decision};
    evaluate(engine, &tally);
    tally_end(&tally);
}
