/* SPDX-License-Identifier: Apache-2.0 */
#include "policy/constraint.h"

#include <string.h>

#include "base/assert.h"

enum { MINUTES_A_DAY = 24 * 60, MS_A_MINUTE = 60 * 1000, DAYS_A_WEEK = 7 };

static bool day_is_in(uint8_t days, uint64_t weekday) {
    return days == 0 || (days >> weekday & 1) != 0;
}

/* Whether now is inside the window. One that ends before it begins goes past midnight and belongs
 * to the day it begins on. */
static bool window_is_open(const struct policy_constraints *constraints, uint64_t now_ms) {
    uint64_t minutes = now_ms / MS_A_MINUTE;
    uint64_t minute = minutes % MINUTES_A_DAY;
    uint64_t today = (minutes / MINUTES_A_DAY + 3) % DAYS_A_WEEK; /* 1970 began on a Thursday */
    uint64_t yesterday = (today + DAYS_A_WEEK - 1) % DAYS_A_WEEK;
    uint64_t from = constraints->window_from_minute;
    uint64_t to = constraints->window_to_minute;
    if (from == to) {
        return day_is_in(constraints->window_days, today);
    }
    if (from < to) {
        return minute >= from && minute < to && day_is_in(constraints->window_days, today);
    }
    return (minute >= from && day_is_in(constraints->window_days, today)) ||
           (minute < to && day_is_in(constraints->window_days, yesterday));
}

static bool template_fits(const char *wanted, const struct policy_request *request) {
    if (wanted == nullptr || request->template_open) {
        return true;
    }
    return request->template_name != nullptr && strcmp(wanted, request->template_name) == 0;
}

const char *policy_constraint_unmet(const struct policy_constraints *constraints,
                                    const struct policy_request *request) {
    if (!constraints->present) {
        return nullptr;
    }
    if (!template_fits(constraints->template_name, request)) {
        return "the rule wants another sandbox template";
    }
    if (constraints->token_required && !request->issuing_token) {
        return "the rule wants a capability token, and no valid one came with the request";
    }
    if (request->has_size && request->size > constraints->file_bytes_max) {
        return "the file is larger than the rule lets it be";
    }
    if (request->has_size && request->size > constraints->total_bytes_max) {
        return "the file alone is larger than the rule lets all of them be";
    }
    if (!window_is_open(constraints, request->now_ms)) {
        return "it is outside the hours or days the rule names";
    }
    return nullptr;
}

struct policy_obligations policy_obligations_none(void) {
    return (struct policy_obligations){
        .file_bytes_max = UINT64_MAX,
        .total_bytes_max = UINT64_MAX,
        .files_max = UINT32_MAX,
        .reviewers_min = 1,
        .reviewer = POLICY_REVIEWER_CLIENT,
    };
}

/* Rates of different windows all hold. When there is no room, the new one is joined with the last:
 * the fewer in the longer window is at least as strict as either. */
static void add_rate(struct policy_obligations *obligations, const struct policy_rate *rate) {
    for (size_t i = 0; i < obligations->rate_count; i++) {
        struct policy_rate *known = &obligations->rates[i];
        if (known->window_ms == rate->window_ms) {
            *known = rate->count < known->count ? *rate : *known;
            return;
        }
    }
    if (obligations->rate_count < POLICY_RATE_COUNT_MAX) {
        obligations->rates[obligations->rate_count++] = *rate;
        return;
    }
    struct policy_rate *last = &obligations->rates[POLICY_RATE_COUNT_MAX - 1];
    last->count = rate->count < last->count ? rate->count : last->count;
    last->window_ms = rate->window_ms > last->window_ms ? rate->window_ms : last->window_ms;
}

void policy_obligations_add_review(struct policy_obligations *obligations,
                                   enum policy_reviewer reviewer, uint8_t reviewers_min) {
    if (reviewer < obligations->reviewer) {
        obligations->reviewer = reviewer;
    }
    if (reviewers_min > obligations->reviewers_min) {
        obligations->reviewers_min = reviewers_min;
    }
}

void policy_auto_apply_merge(struct policy_auto_apply *known,
                             const struct policy_auto_apply *more) {
    if (!more->is_permitted) {
        return;
    }
    if (!known->is_permitted) {
        *known = *more;
        return;
    }
    if (more->lines_max < known->lines_max) {
        known->lines_max = more->lines_max;
        known->rule = more->rule;
    }
    if (more->files_max < known->files_max) {
        known->files_max = more->files_max;
    }
}

void policy_obligations_merge(struct policy_obligations *obligations,
                              const struct policy_rule_source *rule) {
    const struct policy_constraints *from = &rule->constraints;
    bool reviews = rule->action == POLICY_ACTION_REVIEW;
    if (reviews) {
        policy_obligations_add_review(obligations,
                                      from->present ? from->reviewer : POLICY_REVIEWER_UI,
                                      from->present ? from->reviewers_min : 0);
    }
    if (!from->present) {
        return;
    }
    const char *known = obligations->template_name;
    if (from->template_name != nullptr &&
        (known == nullptr || strcmp(from->template_name, known) < 0)) {
        obligations->template_name = from->template_name;
    }
    obligations->token_required = obligations->token_required || from->token_required;
    if (from->file_bytes_max < obligations->file_bytes_max) {
        obligations->file_bytes_max = from->file_bytes_max;
    }
    if (from->total_bytes_max < obligations->total_bytes_max) {
        obligations->total_bytes_max = from->total_bytes_max;
    }
    if (from->files_max < obligations->files_max) {
        obligations->files_max = from->files_max;
    }
    if (rule->action == POLICY_ACTION_ALLOW) {
        struct policy_auto_apply permitted = from->auto_apply;
        permitted.rule = rule->name;
        policy_auto_apply_merge(&obligations->auto_apply, &permitted);
    }
    if (from->rate_count > 0) {
        add_rate(obligations,
                 &(struct policy_rate){from->rate_count, from->rate_window_ms, rule->name});
    }
}
