/* SPDX-License-Identifier: Apache-2.0 */
#include "enclave/lint.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/assert.h"
#include "base/cleanup.h"
#include "enclave/lint_internal.h"

static const struct {
    const char *slug, *advice;
    enum lint_severity severity;
} RULES[] = {
#define LINT(name, severity, slug, advice) {slug, advice, LINT_SEVERITY_##severity},
#include "enclave/lint.def"
#undef LINT
};

void lint_add(struct lint *lint, enum lint_rule rule, const struct toml_value *value,
              const char *format, ...) {
    struct lint_report *report = lint->report;
    va_list arguments;
    if (report->count == LINT_FINDINGS_MAX) {
        report->is_cut = true;
        return;
    }
    struct lint_finding *finding = &report->findings[report->count++];
    *finding = (struct lint_finding){
        .rule = rule,
        .line = value != nullptr ? value->line : 0,
        .column = value != nullptr ? value->column : 0,
    };
    va_start(arguments, format);
    (void)vsnprintf(finding->message, sizeof finding->message, format, arguments);
    va_end(arguments);
}

void lint_advise(struct lint *lint, const char *format, ...) {
    va_list arguments;
    if (lint->report->is_cut) {
        return;
    }
    ASSERT(lint->report->count > 0);
    struct lint_finding *finding = &lint->report->findings[lint->report->count - 1];
    va_start(arguments, format);
    (void)vsnprintf(finding->advice, sizeof finding->advice, format, arguments);
    va_end(arguments);
}

static int by_place(const void *a, const void *b) {
    const struct lint_finding *left = a;
    const struct lint_finding *right = b;
    if (left->line != right->line) {
        return left->line < right->line ? -1 : 1;
    }
    if (left->column != right->column) {
        return left->column < right->column ? -1 : 1;
    }
    return (int)left->rule - (int)right->rule;
}

void lint_manifest(struct slice text, int folder, struct lint_report *ret_report) {
    CLEANUP(toml_tree_freep) struct toml_tree *tree = nullptr;
    struct toml_fault fault = {};
    struct error ignored;
    ret_report->count = 0;
    ret_report->is_cut = false;
    struct lint lint = {.folder = folder, .report = ret_report};
    if (!status_is_ok(toml_parse(text, "manifest", &fault, &tree, &ignored))) {
        const struct toml_value place = {.line = fault.line, .column = fault.column};
        lint_add(&lint, LINT_SYNTAX, &place, "%s", fault.message);
        return;
    }
    lint.root = toml_root(tree);
    lint_keys(&lint);
    lint_rules(&lint);
    lint_files(&lint);
    qsort(ret_report->findings, ret_report->count, sizeof ret_report->findings[0], by_place);
}

uint32_t lint_count(const struct lint_report *report, enum lint_severity severity) {
    uint32_t count = 0;
    for (uint32_t i = 0; i < report->count; i++) {
        count += lint_rule_severity(report->findings[i].rule) == severity ? 1 : 0;
    }
    return count;
}

enum lint_severity lint_rule_severity(enum lint_rule rule) {
    ASSERT(rule < LINT_RULE_COUNT);
    return RULES[rule].severity;
}

const char *lint_rule_slug(enum lint_rule rule) {
    ASSERT(rule < LINT_RULE_COUNT);
    return RULES[rule].slug;
}

const char *lint_severity_text(enum lint_severity severity) {
    switch (severity) {
    case LINT_SEVERITY_NOTE:
        return "note";
    case LINT_SEVERITY_WARNING:
        return "warning";
    case LINT_SEVERITY_ERROR:
        break;
    }
    return "error";
}

const char *lint_advice(const struct lint_finding *finding) {
    return finding->advice[0] != '\0' ? finding->advice : RULES[finding->rule].advice;
}
