/* SPDX-License-Identifier: Apache-2.0 */
#include "policy/policy.h"

#include <string.h>

#include "base/assert.h"
#include "policy/builtin.h"

static bool default_run(const struct policy_request *request) {
    return strcmp(request->operation, "run.exec") == 0 && request->template_name != nullptr &&
           (strcmp(request->template_name, "code-executor") == 0 ||
            strcmp(request->template_name, "small") == 0);
}

static bool is_stage_operation(const struct policy_request *request) {
    return strcmp(request->operation, "stage.apply") == 0 ||
           strcmp(request->operation, "stage.discard") == 0;
}

static bool default_stage(const struct policy_request *request) {
    return is_stage_operation(request) && request->at_command_line;
}

static bool default_stage_review(const struct policy_request *request) {
    return strcmp(request->operation, "stage.apply") == 0 && !request->at_command_line;
}

/* The shipped default, in force while the user has no policy file. */
static const struct policy_rule default_rules[] = {
    {"default.run", POLICY_ALLOW, "commands may run in this template", default_run},
    {"default.stage", POLICY_ALLOW, "the user decides about stages at the command line",
     default_stage},
    {"default.stage-review", POLICY_REVIEW, "a person looks at what somebody else applies",
     default_stage_review},
};

const char *policy_outcome_text(enum policy_outcome outcome) {
    switch (outcome) {
    case POLICY_ALLOW:
        return "allow";
    case POLICY_DENY:
        return "deny";
    case POLICY_REVIEW:
        return "require_review";
    }
    ASSERT(!"an outcome of the enum");
    return "";
}

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

struct tally {
    int rank; /* 0: no rule spoke */
    struct policy_decision *decision;
};

static void tally_rules(struct tally *tally, const struct policy_rule *rules, size_t count,
                        const struct policy_request *request) {
    for (size_t i = 0; i < count; i++) {
        if (!rules[i].matches(request)) {
            continue;
        }
        struct policy_decision *decision = tally->decision;
        int rank = outcome_rank(rules[i].outcome);
        if (rank > tally->rank) {
            tally->rank = rank;
            decision->outcome = rules[i].outcome;
            decision->rule = rules[i].name;
            decision->reason_count = 0;
        }
        if (rank == tally->rank && decision->reason_count < POLICY_REASON_COUNT_MAX) {
            decision->reasons[decision->reason_count++] = rules[i].reason;
        }
    }
}

void policy_decide(const struct policy_request *request, struct policy_decision *ret_decision) {
    ASSERT(request != nullptr && request->operation != nullptr && ret_decision != nullptr);
    *ret_decision = (struct policy_decision){
        .outcome = POLICY_DENY,
        .rule = "default.deny",
        .reasons = {"no rule allows this operation"},
        .reason_count = 1,
    };
    struct tally tally = {.decision = ret_decision};
    tally_rules(&tally, policy_builtin_rules, policy_builtin_count, request);
    tally_rules(&tally, default_rules, sizeof default_rules / sizeof default_rules[0], request);
}
