/* SPDX-License-Identifier: Apache-2.0
 *
 * What policy wants a person to look at, collected and asked once. One terminal has one person, who
 * counts as `terminal` and as `ui`; the caller itself counts only where every rule says `reviewer:
 * client`, or a program would play the person.
 */
#pragma once

#include "codec/json.h"
#include "kernel/kernel.h"

struct review {
    struct kernel_review_item *items; /* owned, and so are their paths */
    size_t count, capacity;
    bool overflow;                 /* more than LIMIT_REVIEW_PATHS */
    enum policy_reviewer reviewer; /* the strongest that one of them asks for */
    uint8_t reviewers_min;
    const char *many_rule; /* who asks for so many; borrowed from the policy */
    const char *many_hint; /* for an overflow: how to ask for less; a constant */
    const char *hint;      /* how to have it asked; a constant */
};

void review_init(struct review *review, const char *hint);
void review_deinit(struct review *review);
/* `what` is any bytes; the decision is a review, and its reason outlives `review`. */
void review_add(struct review *review, const char *what, const struct policy_decision *decision);
/* Asks, when there is something to ask. *ret_by is who agreed: "terminal", "client", or nullptr
 * when nobody had to. ERROR_POLICY_REVIEW: nobody is there, or the answer is no. */
status_t review_ask(const struct review *review, const struct kernel *kernel, const char **ret_by,
                    struct error *err);
/* What was asked about, for an entry: as many as fit, then "...". */
struct json *review_paths(const struct review *review);
