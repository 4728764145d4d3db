/* SPDX-License-Identifier: Apache-2.0
 *
 * Who may agree, and that nobody else does.
 */
#include "kernel/review.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static struct error failure;
static size_t asked;

static bool say_yes(void *context, const struct kernel_review_item *items, size_t count) {
    (void)items;
    asked = count;
    return *(bool *)context;
}

static struct policy_decision wants(enum policy_reviewer reviewer, uint8_t reviewers_min) {
    return (struct policy_decision){
        .outcome = POLICY_REVIEW,
        .rule = "look",
        .reasons = {"because"},
        .reason_count = 1,
        .obligations = {.reviewer = reviewer, .reviewers_min = reviewers_min},
    };
}

static int ask(const struct review *review, const struct kernel *kernel, const char **ret_by) {
    asked = 0;
    return review_ask(review, kernel, ret_by, &failure).code;
}

static void nothing_to_ask_needs_nobody(void **state) {
    (void)state;
    struct review review;
    struct kernel kernel = {};
    const char *by = "";
    review_init(&review, "hint");
    assert_int_equal(ask(&review, &kernel, &by), 0);
    assert_null(by);
    review_deinit(&review);
}

static void a_person_at_the_terminal_answers(void **state) {
    (void)state;
    bool answer = true;
    struct review review;
    struct kernel kernel = {.ask_review = say_yes, .ask_context = &answer};
    struct policy_decision decision = wants(POLICY_REVIEWER_TERMINAL, 1);
    const char *by = nullptr;
    review_init(&review, "Answer y.");
    review_add(&review, "a\nb", &decision);
    assert_string_equal(review.items[0].path, "a\\nb");
    assert_int_equal(ask(&review, &kernel, &by), 0);
    assert_string_equal(by, "terminal");
    assert_int_equal(asked, 1);
    answer = false;
    assert_int_equal(ask(&review, &kernel, &by), ERROR_POLICY_REVIEW);
    kernel.ask_review = nullptr;
    assert_int_equal(ask(&review, &kernel, &by), ERROR_POLICY_REVIEW);
    assert_string_equal(failure.message, "a person has to agree to: a\\nb");
    assert_string_equal(failure.detail, "because");
    assert_string_equal(failure.hint, "Answer y.");
    review_deinit(&review);
}

static void a_client_counts_only_where_all_rules_say_so(void **state) {
    (void)state;
    bool answer = true;
    struct review review;
    struct kernel kernel = {.ask_review = say_yes, .ask_context = &answer, .client_agrees = true};
    struct policy_decision client = wants(POLICY_REVIEWER_CLIENT, 1);
    struct policy_decision person = wants(POLICY_REVIEWER_UI, 1);
    const char *by = nullptr;
    review_init(&review, "hint");
    review_add(&review, "a", &client);
    assert_int_equal(ask(&review, &kernel, &by), 0);
    assert_string_equal(by, "client");
    review_add(&review, "b", &person);
    assert_int_equal(ask(&review, &kernel, &by), ERROR_POLICY_REVIEW);
    assert_non_null(strstr(failure.detail, "--yes does not answer for a person"));
    assert_int_equal(asked, 0);
    review_deinit(&review);
}

static void one_terminal_has_one_person(void **state) {
    (void)state;
    bool answer = true;
    struct review review;
    struct kernel kernel = {.ask_review = say_yes, .ask_context = &answer};
    struct policy_decision one = wants(POLICY_REVIEWER_CLIENT, 1);
    struct policy_decision two = wants(POLICY_REVIEWER_CLIENT, 2);
    const char *by = nullptr;
    review_init(&review, "hint");
    review_add(&review, "a", &one);
    review_add(&review, "b", &two);
    assert_int_equal(ask(&review, &kernel, &by), ERROR_POLICY_REVIEW);
    assert_string_equal(failure.message, "the rule look wants 2 people to agree");
    assert_int_equal(asked, 0);
    kernel.client_agrees = true;
    assert_int_equal(ask(&review, &kernel, &by), ERROR_POLICY_REVIEW);
    review_deinit(&review);
}

static void what_cannot_be_shown_whole_is_not_asked(void **state) {
    (void)state;
    bool answer = true;
    struct review review;
    struct kernel kernel = {.ask_review = say_yes, .ask_context = &answer};
    struct policy_decision decision = wants(POLICY_REVIEWER_CLIENT, 1);
    const char *by = nullptr;
    review_init(&review, "hint");
    for (int i = 0; i <= LIMIT_REVIEW_PATHS; i++) {
        review_add(&review, "p", &decision);
    }
    assert_int_equal(ask(&review, &kernel, &by), ERROR_POLICY_REVIEW);
    assert_non_null(strstr(failure.detail, "REVIEW_PATHS"));
    assert_int_equal(asked, 0);
    review_deinit(&review);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_to_ask_needs_nobody),
        cmocka_unit_test(a_person_at_the_terminal_answers),
        cmocka_unit_test(a_client_counts_only_where_all_rules_say_so),
        cmocka_unit_test(one_terminal_has_one_person),
        cmocka_unit_test(what_cannot_be_shown_whole_is_not_asked),
    };
    return cmocka_run_group_tests_name("kernel/review", tests, nullptr, nullptr);
}
