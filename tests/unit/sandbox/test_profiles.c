/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "sandbox/plan.h"

static void test_templates(void **state) {
    (void)state;
    assert_null(template_find("nothing"));
    assert_null(template_find(""));
    assert_non_null(template_find("code-executor"));
    const struct template_row *small = template_find("small");
    assert_int_equal(small->limits.pid_count_max, 100);
    assert_int_equal(small->limits.memory_bytes_max, 1ull << 30);
    assert_int_equal(small->limits.wall_ms_max, 300000);
    const struct template_row *policy = template_find("policy-sandbox");
    assert_int_equal(policy->seccomp, SECCOMP_STRICT);
    assert_int_equal(policy->limits.pid_count_max, 32);
    assert_int_equal(policy->limits.memory_bytes_max, 128u << 20);
    assert_int_equal(policy->limits.cpu_percent_max, 25);
    assert_int_equal(policy->network, TEMPLATE_NETWORK_NONE);
    const struct template_row *test = template_find("integration-test");
    assert_int_equal(test->network, TEMPLATE_NETWORK_RESTRICTED);
    assert_int_equal(test->seccomp, SECCOMP_STANDARD);
    const struct template_row *provider = template_find("ai-provider");
    assert_int_equal(provider->network, TEMPLATE_NETWORK_RESTRICTED);
    assert_int_equal(provider->seccomp, SECCOMP_STRICT);
    assert_int_equal(provider->limits.cpu_percent_max, 50);
    for (size_t i = 0; i < template_count(); i++) {
        const struct template_row *row = template_at(i);
        assert_ptr_equal(template_find(row->name), row);
        assert_true(row->limits.memory_bytes_max > 0 && row->limits.pid_count_max > 0);
        assert_true(row->limits.stage_bytes_max > 0 && row->limits.file_bytes_max > 0);
        assert_true(row->limits.file_bytes_max <= row->limits.stage_bytes_max);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_templates)};
    return cmocka_run_group_tests(tests, nullptr, nullptr);
}
