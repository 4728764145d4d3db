/* SPDX-License-Identifier: Apache-2.0 */
#include "enclave/report.h"

#include <stdio.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "codec/error_report.h"
#include "codec/text.h"

enum { TEXT_BYTES_MAX = 1 << 20 };

static bool is_colored;

void report_json(const struct json *object) {
    struct builder text;
    builder_init(&text, TEXT_BYTES_MAX);
    json_write_canonical(object, &text);
    (void)printf("%s\n", builder_c_string(&text));
    builder_deinit(&text);
}

/* Any bytes, shown as what they are. */
static void set_text(struct json *object, const char *key, const char *text) {
    struct builder shown;
    builder_init(&shown, TEXT_BYTES_MAX);
    text_escape(slice_of_string(text), &shown);
    json_set_text(object, key, builder_c_string(&shown));
    builder_deinit(&shown);
}

void report_init(char *const *environment) {
    is_colored = error_report_color(STDERR_FILENO, environment);
}

int report_error(const struct error *err, bool as_json) {
    const struct error_report how = {.json = as_json, .color = is_colored};
    return error_report(&how, err);
}

static struct json *finding_json(const struct lint_finding *finding) {
    struct json *row = json_object_new();
    enum lint_severity severity = lint_rule_severity(finding->rule);
    json_set_text(row, "rule", lint_rule_slug(finding->rule));
    json_set_text(row, "severity", lint_severity_text(severity));
    json_set_integer(row, "line", finding->line);
    json_set_integer(row, "column", finding->column);
    set_text(row, "message", finding->message);
    set_text(row, "advice", lint_advice(finding));
    return row;
}

static void lint_json(const struct lint_report *report, const char *file) {
    CLEANUP(json_freep) struct json *object = json_object_new();
    struct json *rows = json_array_new();
    for (uint32_t i = 0; i < report->count; i++) {
        json_append(rows, finding_json(&report->findings[i]));
    }
    set_text(object, "file", file);
    json_set_integer(object, "errors", lint_count(report, LINT_SEVERITY_ERROR));
    json_set_integer(object, "warnings", lint_count(report, LINT_SEVERITY_WARNING));
    json_set_bool(object, "is_cut", report->is_cut);
    json_set(object, "findings", rows);
    report_json(object);
}

static void print_count(const struct lint_report *report, enum lint_severity severity,
                        const char *what, const char *behind) {
    uint32_t count = lint_count(report, severity);
    (void)printf("%u %s%s%s", count, what, count == 1 ? "" : "s", behind);
}

/* What is missing stands in no line. */
static void print_place(const struct lint_finding *finding, const char *file) {
    if (finding->line == 0) {
        (void)printf("%s: ", file);
    } else {
        (void)printf("%s:%u:%u: ", file, finding->line, finding->column);
    }
}

void report_lint(const struct lint_report *report, const char *file, bool as_json) {
    if (as_json) {
        lint_json(report, file);
        return;
    }
    for (uint32_t i = 0; i < report->count; i++) {
        const struct lint_finding *finding = &report->findings[i];
        struct builder message;
        builder_init(&message, TEXT_BYTES_MAX);
        text_escape(slice_of_string(finding->message), &message);
        print_place(finding, file);
        (void)printf(
            "%s: %s [%s]\n  fix: %s\n", lint_severity_text(lint_rule_severity(finding->rule)),
            builder_c_string(&message), lint_rule_slug(finding->rule), lint_advice(finding));
        builder_deinit(&message);
    }
    (void)printf("%s: ", file);
    print_count(report, LINT_SEVERITY_ERROR, "error", ", ");
    print_count(report, LINT_SEVERITY_WARNING, "warning", ", ");
    print_count(report, LINT_SEVERITY_NOTE, "note", report->is_cut ? ", and more\n" : "\n");
}
