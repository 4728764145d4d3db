/* SPDX-License-Identifier: Apache-2.0 */
#include "scratch.h"

#include "audit/report.h"

static uint64_t now_ms = 1763700000000;

static uint64_t wall(void *context) {
    (void)context;
    return now_ms;
}

static void decide(struct scratch *scratch, const char *outcome, const char *rule,
                   const char *host) {
    struct json *fields = scratch_fields("r");
    struct json *decision = json_object_new();
    json_set_text(decision, "outcome", outcome);
    json_set_text(decision, "rule", rule);
    json_set(fields, "decision", decision);
    if (host != nullptr) {
        struct json *facts = json_object_new();
        json_set_text(facts, "host", host);
        json_set(fields, "facts", facts);
    }
    struct audit_append entry = {AUDIT_EVENT_DECISION, fields};
    must(audit_log_append(scratch->log, &entry, 1, nullptr, &scratch_error));
}

static const struct audit_tally_row *row_of(const struct audit_tally *tally, const char *name) {
    for (size_t i = 0; i < tally->count; i++) {
        if (strcmp(tally->rows[i].name, name) == 0) {
            return &tally->rows[i];
        }
    }
    fail_msg("no row %s", name);
    return &tally->rows[0];
}

static void what_is_counted(void **state) {
    (void)state;
    struct scratch scratch;
    scratch_open_state(&scratch);
    scratch.clock.wall_ms = wall;
    scratch_open_log(&scratch);
    decide(&scratch, "allow", "a.rule", "example.org");
    decide(&scratch, "deny", "a.rule", "example.org");
    decide(&scratch, "require_review", "a.rule", nullptr);
    now_ms += 1000;
    decide(&scratch, "deny", "", "example.com");
    struct audit_report *report = malloc(sizeof *report);
    assert_non_null(report);
    must(audit_report_make(scratch.log, 0, UINT64_MAX, report, &scratch_error));
    assert_int_equal(report->entries, 4);
    assert_int_equal(report->allowed, 1);
    assert_int_equal(report->denied, 2);
    assert_int_equal(report->reviewed, 1);
    assert_string_equal(report->rules.rows[0].name, "a.rule"); /* the one that came most often */
    assert_int_equal(report->rules.rows[0].count, 3);
    assert_int_equal(report->rules.rows[0].denied, 1);
    assert_int_equal(report->rules.rows[0].reviewed, 1);
    assert_int_equal(row_of(&report->rules, "(no rule)")->denied, 1);
    assert_int_equal(row_of(&report->hosts, "example.org")->count, 2);
    assert_int_equal(row_of(&report->types, "decision")->count, 4);
    must(audit_report_make(scratch.log, now_ms, UINT64_MAX, report, &scratch_error));
    assert_int_equal(report->entries, 1);
    assert_int_equal(report->first_seq, 3);
    must(audit_report_make(scratch.log, 0, now_ms, report, &scratch_error));
    assert_int_equal(report->entries, 3);
    assert_int_equal(report->last_seq, 2);
    free(report);
    scratch_close(&scratch);
}

/* As many names as anybody likes: the table stays bounded and loses no count. */
static void names_past_the_table_are_counted_together(void **state) {
    (void)state;
    struct scratch scratch;
    struct audit_append entries[AUDIT_TALLY_ROWS + 50];
    scratch_open(&scratch);
    for (size_t i = 0; i < sizeof entries / sizeof entries[0]; i++) {
        char rule[300];
        memset(rule, 'x', sizeof rule);
        (void)snprintf(rule, 32, "rule-%zu", i);
        rule[strlen(rule)] = i % 2 == 0 ? '-' : '\0'; /* some are longer than a row */
        rule[sizeof rule - 1] = '\0';
        struct json *fields = scratch_fields("r");
        struct json *decision = json_object_new();
        json_set_text(decision, "outcome", "allow");
        json_set_text(decision, "rule", rule);
        json_set(fields, "decision", decision);
        entries[i] = (struct audit_append){AUDIT_EVENT_DECISION, fields};
    }
    must(audit_log_append(scratch.log, entries, sizeof entries / sizeof entries[0], nullptr,
                          &scratch_error));
    struct audit_report *report = malloc(sizeof *report);
    assert_non_null(report);
    must(audit_report_make(scratch.log, 0, UINT64_MAX, report, &scratch_error));
    assert_int_equal(report->rules.count, AUDIT_TALLY_ROWS + 1);
    assert_string_equal(report->rules.rows[0].name, "(others)");
    assert_int_equal(report->rules.rows[0].count, 50);
    uint64_t sum = 0;
    for (size_t i = 0; i < report->rules.count; i++) {
        sum += report->rules.rows[i].count;
    }
    assert_int_equal(sum, report->allowed);
    free(report);
    scratch_close(&scratch);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_counted),
        cmocka_unit_test(names_past_the_table_are_counted_together),
    };
    return cmocka_run_group_tests_name("report", tests, nullptr, nullptr);
}
