/* SPDX-License-Identifier: Apache-2.0
 *
 * What the rules behind all decisions of one apply ask of it together, merged to the strictest, and
 * what it would do. The size of single files is no part of it: the engine judged that with each
 * path.
 */
#pragma once

#include "codec/json.h"
#include "kernel/rates.h"

enum { OBLIGED_RATE_COUNT_MAX = 16 };

struct obliged {
    uint64_t total_bytes_max;
    uint32_t files_max;
    const char *total_rule; /* who asks for that; borrowed from the policy */
    const char *files_rule;
    struct policy_rate rates[OBLIGED_RATE_COUNT_MAX];
    size_t rate_count;
    bool has_more_rates; /* than can be kept: nothing is allowed then */
    uint64_t bytes;
    uint64_t files; /* folders do not count */
};

void obliged_init(struct obliged *obliged);
/* Adds what an allow or a review asks for. */
void obliged_merge(struct obliged *obliged, const struct policy_decision *decision);
void obliged_add_file(struct obliged *obliged, uint64_t size);

/* The rules that count how often, as `rates` of a decision's object, when there are any. */
void obliged_record(const struct obliged *obliged, struct json *decision);

struct obliged_refusal {
    const char *rule;
    char reason[RATE_REASON_BYTES];
};
/* false: too much, and why. Rates are left to rates_check(). */
bool obliged_fits(const struct obliged *obliged, struct obliged_refusal *ret_refusal);
