/* SPDX-License-Identifier: Apache-2.0 */
#include "kernel/obliged.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static struct policy_decision allowed_by(const char *rule) {
    return (struct policy_decision){
        .outcome = POLICY_ALLOW,
        .rule = rule,
        .obligations = {.file_bytes_max = UINT64_MAX,
                        .total_bytes_max = UINT64_MAX,
                        .files_max = UINT32_MAX},
    };
}

static void nothing_asked_fits_everything(void **state) {
    (void)state;
    struct obliged obliged;
    struct obliged_refusal refusal;
    obliged_init(&obliged);
    obliged_add_file(&obliged, UINT64_MAX);
    obliged_add_file(&obliged, 1); /* does not wrap around */
    assert_true(obliged.bytes == UINT64_MAX);
    assert_true(obliged_fits(&obliged, &refusal));
}

static void the_strictest_counts_and_is_named(void **state) {
    (void)state;
    struct obliged obliged;
    struct obliged_refusal refusal;
    struct policy_decision decision = allowed_by("loose");
    obliged_init(&obliged);
    decision.obligations.files_max = 2;
    decision.obligations.total_bytes_max = 100;
    obliged_merge(&obliged, &decision);
    decision = allowed_by("strict");
    decision.obligations.files_max = 1;
    obliged_merge(&obliged, &decision);
    obliged_add_file(&obliged, 100);
    assert_true(obliged_fits(&obliged, &refusal));
    obliged_add_file(&obliged, 0);
    assert_false(obliged_fits(&obliged, &refusal));
    assert_string_equal(refusal.rule, "strict");
    obliged.files = 1;
    obliged_add_file(&obliged, 1);
    obliged.files = 1;
    assert_false(obliged_fits(&obliged, &refusal));
    assert_string_equal(refusal.rule, "loose");
    assert_string_equal(refusal.reason,
                        "all files together have 101 bytes, and the rule allows 100");
}

static void rates_are_kept_once_a_rule_and_window(void **state) {
    (void)state;
    struct obliged obliged;
    struct obliged_refusal refusal;
    static char names[OBLIGED_RATE_COUNT_MAX + 1][8];
    struct policy_decision decision = allowed_by("a");
    obliged_init(&obliged);
    decision.obligations.rate_count = 1;
    for (size_t i = 0; i <= OBLIGED_RATE_COUNT_MAX; i++) {
        assert_true(obliged_fits(&obliged, &refusal));
        names[i][0] = (char)('a' + (char)i);
        decision.obligations.rates[0] = (struct policy_rate){9, 1000, names[i]};
        obliged_merge(&obliged, &decision);
        decision.obligations.rates[0].count = 5;
        obliged_merge(&obliged, &decision);
    }
    assert_int_equal(obliged.rate_count, OBLIGED_RATE_COUNT_MAX);
    assert_int_equal(obliged.rates[0].count, 5);
    assert_false(obliged_fits(&obliged, &refusal)); /* one that is not counted allows nothing */
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_asked_fits_everything),
        cmocka_unit_test(the_strictest_counts_and_is_named),
        cmocka_unit_test(rates_are_kept_once_a_rule_and_window),
    };
    return cmocka_run_group_tests_name("kernel/obliged", tests, nullptr, nullptr);
}
