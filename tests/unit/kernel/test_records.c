/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "audit/entry.h"
#include "base/cleanup.h"
#include "base/limits.h"
#include "kernel/kernel.h"
#include "kernel/records.h"

static struct json *finished(void) {
    static const struct kernel kernel = {.caller = "uid:1"};
    static const struct audit_position intent = {.seq = 7};
    return record_run_finished(&kernel, &(struct record_finish){.request = "r",
                                                                .run = "id",
                                                                .intent = &intent,
                                                                .outcome = "failed",
                                                                .exit_status = -1});
}

static void an_outcome_names_the_limits_that_refused(void **state) {
    (void)state;
    struct error err;
    int64_t count = 0;
    CLEANUP(json_freep) struct json *before = finished();
    assert_null(json_get(before, "limits_hit"));
    limit_hit(LIMIT_ID_STAGE_ENTRIES);
    limit_hit(LIMIT_ID_STAGE_ENTRIES);
    CLEANUP(json_freep) struct json *after = finished();
    const struct json *limits = json_get(after, "limits_hit");
    assert_non_null(limits);
    assert_true(json_get_integer(limits, "STAGE_ENTRIES", &count));
    assert_int_equal(count, 2);
    assert_int_equal(entry_check(AUDIT_EVENT_RUN_FINISHED, after, &err).code, 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_outcome_names_the_limits_that_refused),
    };
    return cmocka_run_group_tests_name("kernel/records", tests, nullptr, nullptr);
}
