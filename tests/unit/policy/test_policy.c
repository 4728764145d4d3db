/* SPDX-License-Identifier: Apache-2.0
 *
 * The rules that are in force where no file is.
 */
#include <string.h>
#include <sys/stat.h>

#include "default_kit.h"

static struct policy_decision decide(const struct policy_request *request) {
    struct policy_decision decision;
    default_decide(request, &decision);
    return decision;
}

static void nothing_matches_is_deny(void **state) {
    (void)state;
    struct policy_decision decision =
        decide(&(struct policy_request){.operation = "run.exec", .template_name = "unheard-of"});
    assert_int_equal(decision.outcome, POLICY_DENY);
    assert_string_equal(decision.rule, "default.deny");
    assert_string_equal(decision.reasons[0], "no rule allows this operation");
}

static void deny_beats_allow(void **state) {
    (void)state;
    struct policy_decision decision = decide(&(struct policy_request){
        .operation = "stage.apply",
        .path = ".git/hooks/x",
        .mode = S_IFREG | 0755,
        .at_command_line = true,
    });
    assert_int_equal(decision.outcome, POLICY_DENY);
    assert_string_equal(decision.rule, "builtin.git-control");
}

static void review_beats_allow(void **state) {
    (void)state;
    struct policy_decision decision = decide(&(struct policy_request){
        .operation = "stage.apply",
        .path = ".envrc",
        .mode = S_IFREG | 0644,
        .at_command_line = true,
    });
    assert_int_equal(decision.outcome, POLICY_REVIEW);
}

static void all_reasons_of_several_reviews(void **state) {
    (void)state;
    struct policy_decision decision = decide(&(struct policy_request){
        .operation = "stage.apply",
        .path = ".vscode/.claude/.envrc",
        .mode = S_IFREG | 0644,
        .at_command_line = true,
    });
    assert_int_equal(decision.outcome, POLICY_REVIEW);
    assert_int_equal(decision.reason_count, 3);
}

static void unknown_operation_is_deny(void **state) {
    (void)state;
    struct policy_decision decision =
        decide(&(struct policy_request){.operation = "fs.format", .at_command_line = true});
    assert_int_equal(decision.outcome, POLICY_DENY);
}

static void the_default_is_what_it_says(void **state) {
    (void)state;
    assert_int_equal(
        decide(&(struct policy_request){.operation = "run.exec", .template_name = "code-executor"})
            .outcome,
        POLICY_ALLOW);
    assert_int_equal(
        decide(&(struct policy_request){.operation = "run.exec", .template_name = "small"}).outcome,
        POLICY_ALLOW);
    assert_int_equal(decide(&(struct policy_request){.operation = "run.exec"}).outcome,
                     POLICY_DENY);
    assert_int_equal(decide(&(struct policy_request){.operation = "run.exec",
                                                     .template_name = "small",
                                                     .engine = "podman",
                                                     .image = "debian:13"})
                         .outcome,
                     POLICY_DENY);
    assert_int_equal(
        decide(&(struct policy_request){.operation = "stage.discard", .at_command_line = true})
            .outcome,
        POLICY_ALLOW);
    assert_int_equal(decide(&(struct policy_request){.operation = "stage.discard"}).outcome,
                     POLICY_DENY);
    assert_int_equal(decide(&(struct policy_request){.operation = "stage.apply"}).outcome,
                     POLICY_REVIEW);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_matches_is_deny),
        cmocka_unit_test(deny_beats_allow),
        cmocka_unit_test(review_beats_allow),
        cmocka_unit_test(all_reasons_of_several_reviews),
        cmocka_unit_test(unknown_operation_is_deny),
        cmocka_unit_test(the_default_is_what_it_says),
    };
    return cmocka_run_group_tests(tests, default_setup, default_teardown);
}
