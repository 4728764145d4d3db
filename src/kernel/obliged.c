/* SPDX-License-Identifier: Apache-2.0 */
#include "kernel/obliged.h"

#include <inttypes.h>
#include <stdckdint.h>
#include <stdio.h>
#include <string.h>

void obliged_init(struct obliged *obliged) {
    *obliged = (struct obliged){
        .total_bytes_max = UINT64_MAX,
        .files_max = UINT32_MAX,
        .total_rule = "",
        .files_rule = "",
    };
}

static void merge_rate(struct obliged *obliged, const struct policy_rate *rate) {
    for (size_t i = 0; i < obliged->rate_count; i++) {
        struct policy_rate *known = &obliged->rates[i];
        if (known->window_ms == rate->window_ms && strcmp(known->rule, rate->rule) == 0) {
            known->count = rate->count < known->count ? rate->count : known->count;
            return;
        }
    }
    if (obliged->rate_count == OBLIGED_RATE_COUNT_MAX) {
        obliged->has_more_rates = true;
        return;
    }
    obliged->rates[obliged->rate_count++] = *rate;
}

void obliged_merge(struct obliged *obliged, const struct policy_decision *decision) {
    const struct policy_obligations *asked = &decision->obligations;
    if (asked->total_bytes_max < obliged->total_bytes_max) {
        obliged->total_bytes_max = asked->total_bytes_max;
        obliged->total_rule = decision->rule;
    }
    if (asked->files_max < obliged->files_max) {
        obliged->files_max = asked->files_max;
        obliged->files_rule = decision->rule;
    }
    for (size_t i = 0; i < asked->rate_count; i++) {
        merge_rate(obliged, &asked->rates[i]);
    }
}

void obliged_add_file(struct obliged *obliged, uint64_t size) {
    obliged->files++;
    if (ckd_add(&obliged->bytes, obliged->bytes, size)) {
        obliged->bytes = UINT64_MAX;
    }
}

bool obliged_fits(const struct obliged *obliged, struct obliged_refusal *ret_refusal) {
    if (obliged->files > obliged->files_max) {
        ret_refusal->rule = obliged->files_rule;
        (void)snprintf(ret_refusal->reason, sizeof ret_refusal->reason,
                       "%" PRIu64 " files change, and the rule allows %" PRIu32, obliged->files,
                       obliged->files_max);
        return false;
    }
    if (obliged->bytes > obliged->total_bytes_max) {
        ret_refusal->rule = obliged->total_rule;
        (void)snprintf(ret_refusal->reason, sizeof ret_refusal->reason,
                       "all files together have %" PRIu64 " bytes, and the rule allows %" PRIu64,
                       obliged->bytes, obliged->total_bytes_max);
        return false;
    }
    if (obliged->has_more_rates) {
        ret_refusal->rule = obliged->rates[0].rule;
        (void)snprintf(ret_refusal->reason, sizeof ret_refusal->reason,
                       "the paths come under more than %d different rates", OBLIGED_RATE_COUNT_MAX);
        return false;
    }
    return true;
}

void obliged_record(const struct obliged *obliged, struct json *decision) {
    if (obliged->rate_count == 0) {
        return;
    }
    struct json *rates = json_array_new();
    for (size_t i = 0; i < obliged->rate_count; i++) {
        json_append_text(rates, obliged->rates[i].rule);
    }
    json_set(decision, "rates", rates);
}
