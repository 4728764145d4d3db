/* SPDX-License-Identifier: Apache-2.0
 *
 * What a template may say; what is wrong with a file and where is in tests/e2e/templates.sh too.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "sandbox/template.h"

#define HEAD "version: 1\nname: t\nsummary: s\n"

static const struct template_source source = {"t.yaml", "t", template_find};

static void accepts(const char *text, struct template_definition **ret) {
    struct error err = {};
    if (!status_is_ok(template_parse(slice_of_string(text), &source, ret, &err))) {
        fail_msg("%s", err.message);
    }
}

static void refuses(const char *text, const char *place, const char *hint) {
    CLEANUP(template_definition_freep) struct template_definition *definition = nullptr;
    struct error err = {};
    assert_false(status_is_ok(template_parse(slice_of_string(text), &source, &definition, &err)));
    assert_int_equal(err.code, ERROR_TEMPLATE_INVALID);
    if (strncmp(err.message, place, strlen(place)) != 0 || strstr(err.hint, hint) == nullptr) {
        fail_msg("%s (%s)", err.message, err.hint);
    }
}

static void test_based(void **state) {
    (void)state;
    CLEANUP(template_definition_freep) struct template_definition *definition = nullptr;
    accepts(HEAD "based_on: small\nseccomp: strict\nnetwork: restricted\n"
                 "limits: { cpu: 0.5, memory: 1MiB, time: none }\n",
            &definition);
    const struct template_row *row = &definition->row;
    const struct template_row *small = template_find("small");
    assert_string_equal(row->name, "t");
    assert_int_equal(row->seccomp, SECCOMP_STRICT);
    assert_int_equal(row->network, TEMPLATE_NETWORK_RESTRICTED);
    assert_int_equal(row->limits.cpu_percent_max, 50);
    assert_int_equal(row->limits.memory_bytes_max, 1 << 20);
    assert_int_equal(row->limits.wall_ms_max, 0);
    assert_int_equal(row->limits.stage_bytes_max, small->limits.stage_bytes_max);
    assert_int_equal(row->limits.pid_count_max, small->limits.pid_count_max);
    assert_string_not_equal(row->digest, small->digest);
    assert_int_equal(strlen(row->digest), 64);
}

static void test_cpu(void **state) {
    (void)state;
    static const struct {
        const char *text;
        unsigned percent;
    } rows[] = {{"1", 100}, {"0.05", 5}, {"2.5", 250}, {"1024", 102400}, {"none", 0}};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        CLEANUP(template_definition_freep) struct template_definition *definition = nullptr;
        char text[256];
        (void)snprintf(text, sizeof text, HEAD "based_on: small\nlimits: { cpu: %s }\n",
                       rows[i].text);
        accepts(text, &definition);
        assert_int_equal(definition->row.limits.cpu_percent_max, rows[i].percent);
    }
    static const char *const bad[] = {"0", "0.0", "0.001", "1.", ".5", "-1", "1e3", "25%", "1025"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        char text[256];
        (void)snprintf(text, sizeof text, HEAD "based_on: small\nlimits: { cpu: %s }\n", bad[i]);
        refuses(text, "t.yaml:5:16: cpu ", "");
    }
}

static void test_past_is_counted(void **state) {
    (void)state;
    static const struct {
        const char *text;
        enum limit_id limit;
    } rows[] = {
        {"memory: 65GiB", LIMIT_ID_TEMPLATE_MEMORY},
        {"processes: 32769", LIMIT_ID_TEMPLATE_PROCESSES},
        {"cpu: 1025", LIMIT_ID_TEMPLATE_CPU},
        {"cpu_weight: 1001", LIMIT_ID_TEMPLATE_CPU_WEIGHT},
        {"time: 25h", LIMIT_ID_TEMPLATE_TIME_MS},
        {"agent_time: 25h", LIMIT_ID_TEMPLATE_TIME_MS},
        {"stage: 101GiB", LIMIT_ID_TEMPLATE_STAGE},
        {"file: 101GiB", LIMIT_ID_TEMPLATE_STAGE},
        {"output: 2GiB", LIMIT_ID_TEMPLATE_OUTPUT},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        char text[256];
        uint64_t before = limit_hit_count(rows[i].limit);
        (void)snprintf(text, sizeof text, HEAD "based_on: small\nlimits: { %s }\n", rows[i].text);
        refuses(text, "t.yaml:5:", "explain limit");
        assert_int_equal(limit_hit_count(rows[i].limit), before + 1);
    }
}

static void test_refused(void **state) {
    (void)state;
    refuses("", "t.yaml:1:1: a template is a map", "");
    refuses("- a\n", "t.yaml:1:1: a template is a map", "");
    refuses("name: t\nsummary: s\n", "t.yaml:1:1: a template has version 1", "version: 1");
    refuses("version: 2\nname: t\nsummary: s\n", "t.yaml:1:10: a template has version 1", "");
    refuses(HEAD "secomp: strict\n", "t.yaml:4:1: there is no key 'secomp'", "mean seccomp?");
    refuses(HEAD "xyzzyxyzzy: strict\n", "t.yaml:4:1: there is no key", "Write one of: version,");
    refuses(HEAD "network: restrcted\n", "t.yaml:4:10: there is no network", "mean restricted?");
    refuses(HEAD "seccomp: [strict]\n", "t.yaml:4:10: seccomp is one word", "");
    refuses(HEAD "based_on: t\n", "t.yaml:4:11: there is no template", "doctor --templates");
    refuses(HEAD "based_on: [small]\n", "t.yaml:4:11: there is no template", "");
    refuses(HEAD "limits: 5\n", "t.yaml:4:9: limits is a map", "");
    refuses(HEAD "based_on: small\nlimits: { proceses: 5 }\n",
            "t.yaml:5:11: there is no limit 'proceses'", "mean processes?");
    refuses(HEAD "based_on: small\nlimits: { processes: 0 }\n", "t.yaml:5:22: processes is zero",
            "");
    refuses(HEAD "based_on: small\nlimits: { stage: 1MiB }\n", "t.yaml:1:1: one file", "");
    refuses(HEAD "based_on: small\nlimits: { time: 5 }\n", "t.yaml:5:17: time cannot", "30s");
    refuses(HEAD "based_on: small\nlimits: { memory: 65GiB }\n", "t.yaml:5:19: memory is past",
            "explain limit");
    refuses(HEAD "summary: again\n", "t.yaml:4:1: ", "");
    refuses("version: 1\nname: t\nsummary: \"\"\n", "t.yaml:3:10: a template has a summary", "");
}

static void test_names(void **state) {
    (void)state;
    static const char *const bad[] = {"", ".x", "../x", "a/b", "1x", "a b", "a.yaml", "-x"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        assert_false(template_name_is_valid(bad[i]));
    }
    assert_true(template_name_is_valid("my-tests_2"));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_based),           cmocka_unit_test(test_cpu),
        cmocka_unit_test(test_past_is_counted), cmocka_unit_test(test_refused),
        cmocka_unit_test(test_names),
    };
    return cmocka_run_group_tests(tests, nullptr, nullptr);
}
