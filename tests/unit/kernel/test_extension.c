/* SPDX-License-Identifier: Apache-2.0
 *
 * What an extension may answer, and when it is out of use. What it does as a program is in
 * tests/e2e/policy_extension.sh.
 */
#include "kernel/extension.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "kernel/extension_folder.h"

/* The verdict of {"id":"7","type":"response","result":RESULT}, with its reason. */
static enum policy_verdict read_result(const char *result, char ret_reason[static 1024]) {
    struct builder body;
    struct builder reason;
    builder_init(&body, 4096);
    builder_init(&reason, 1024);
    builder_format(&body, "{\"id\":\"7\",\"type\":\"response\",\"result\":%s}", result);
    enum policy_verdict verdict = extension_read_verdict(builder_slice(&body), "7", &reason);
    (void)snprintf(ret_reason, 1024, "%s", builder_c_string(&reason));
    builder_deinit(&body);
    builder_deinit(&reason);
    return verdict;
}

static void what_is_no_verdict_is_a_crash(void **state) {
    (void)state;
    static const char *const results[] = {
        "{}",
        "7",
        "\"allow\"",
        "{\"reason\":\"x\"}",
        "{\"verdict\":\"\"}",
        "{\"verdict\":\"ALLOW\"}",
        "{\"verdict\":\"allow \"}",
        "{\"verdict\":true}",
        "{\"verdict\":\"crashed\"}",
        "{\"verdict\":\"allow\",\"reason\":7}",
        "{\"verdict\":\"allow\",\"reason\":null}",
        "{\"verdict\":\"allow\",\"extra\":\"x\"}",
        "{\"verdict\":\"allow\",\"reason\":\"x\",\"extra\":1}",
        "{\"verdict\":\"allow\",\"verdict\":\"allow\"}",
    };
    char reason[1024];
    for (size_t i = 0; i < sizeof results / sizeof results[0]; i++) {
        if (read_result(results[i], reason) != POLICY_VERDICT_CRASHED || reason[0] != '\0') {
            fail_msg("%s is taken for a verdict", results[i]);
        }
    }
    struct builder none;
    builder_init(&none, 16);
    assert_int_equal(extension_read_verdict(SLICE_LITERAL(""), "7", &none), POLICY_VERDICT_CRASHED);
    assert_int_equal(
        extension_read_verdict(
            SLICE_LITERAL(
                "{\"id\":\"8\",\"type\":\"response\",\"result\":{\"verdict\":\"allow\"}}"),
            "7", &none),
        POLICY_VERDICT_CRASHED);
    builder_deinit(&none);
}

static void there_are_four_verdicts(void **state) {
    (void)state;
    char reason[1024];
    assert_int_equal(read_result("{\"verdict\":\"allow\"}", reason), POLICY_VERDICT_ALLOW);
    assert_string_equal(reason, "");
    assert_int_equal(read_result("{\"verdict\":\"deny\",\"reason\":\"no\"}", reason),
                     POLICY_VERDICT_DENY);
    assert_string_equal(reason, "no");
    assert_int_equal(read_result("{\"verdict\":\"review\"}", reason), POLICY_VERDICT_REVIEW);
    assert_int_equal(read_result("{\"verdict\":\"pass\"}", reason), POLICY_VERDICT_PASS);
}

static void a_reason_is_escaped_and_cut(void **state) {
    (void)state;
    char reason[1024];
    char result[2048];
    assert_int_equal(
        read_result("{\"verdict\":\"deny\",\"reason\":\"a\\u001b[2J\\u202eb\"}", reason),
        POLICY_VERDICT_DENY);
    assert_null(strchr(reason, '\x1b'));
    assert_null(strstr(reason, "\xe2\x80\xae"));
    (void)snprintf(result, sizeof result, "{\"verdict\":\"deny\",\"reason\":\"%0*d\"}", 1000, 7);
    assert_int_equal(read_result(result, reason), POLICY_VERDICT_DENY);
    assert_true(strlen(reason) <= 515 && strlen(reason) > 500);
}

static void the_second_failure_in_half_a_minute_counts(void **state) {
    (void)state;
    const uint64_t second = 1000000000;
    struct extension_failures failures = {};
    assert_false(extension_failures_note(&failures, 100 * second));
    assert_false(extension_failures_note(&failures, 130 * second));
    uint64_t before = limit_hit_count(LIMIT_ID_EXTENSION_AGAIN_MS);
    assert_true(extension_failures_note(&failures, 160 * second - 1));
    assert_int_equal(limit_hit_count(LIMIT_ID_EXTENSION_AGAIN_MS), before + 1);
    failures = (struct extension_failures){};
    assert_false(extension_failures_note(&failures, 0));
    assert_true(extension_failures_note(&failures, 0));
}

static void without_extensions_there_is_nothing(void **state) {
    (void)state;
    struct policy_document document = {};
    struct extensions *extensions = (struct extensions *)state;
    struct error err = {};
    struct extensions_wanted wanted = {.documents = {&document, nullptr}};
    assert_int_equal(extensions_open(&wanted, &extensions, &err).code, 0);
    assert_null(extensions);
    size_t count = 7;
    assert_null(extensions_list(extensions, &count));
    assert_int_equal(count, 0);
    extensions_close(extensions);
}

static int checked(const char *path) {
    struct stat folder;
    struct error err = {};
    return extension_folder_check(path, &folder, &err).code;
}

static void a_folder_is_the_users_own(void **state) {
    (void)state;
    char name[] = "extension-XXXXXX";
    char inside[4200];
    assert_non_null(mkdtemp(name));
    char *path = realpath(name, nullptr);
    assert_non_null(path);
    assert_int_equal(checked(path), 0);
    (void)snprintf(inside, sizeof inside, "%s/none", path);
    assert_int_equal(checked(inside), ERROR_POLICY_EXTENSION);
    (void)snprintf(inside, sizeof inside, "%s/.", path);
    assert_int_equal(checked(inside), ERROR_POLICY_EXTENSION);
    (void)snprintf(inside, sizeof inside, "%s/link", path);
    assert_int_equal(symlink("/usr", inside), 0);
    assert_int_equal(checked(inside), ERROR_POLICY_EXTENSION);
    assert_int_equal(unlink(inside), 0);
    assert_int_equal(checked("/dev/null"), ERROR_POLICY_EXTENSION);
    assert_int_equal(chmod(path, 0770), 0);
    assert_int_equal(checked(path), ERROR_POLICY_EXTENSION);
    assert_int_equal(chmod(path, 0702), 0);
    assert_int_equal(checked(path), ERROR_POLICY_EXTENSION);
    assert_int_equal(rmdir(path), 0);
    free(path);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_no_verdict_is_a_crash),
        cmocka_unit_test(there_are_four_verdicts),
        cmocka_unit_test(a_reason_is_escaped_and_cut),
        cmocka_unit_test(the_second_failure_in_half_a_minute_counts),
        cmocka_unit_test(without_extensions_there_is_nothing),
        cmocka_unit_test(a_folder_is_the_users_own),
    };
    return cmocka_run_group_tests(tests, nullptr, nullptr);
}
