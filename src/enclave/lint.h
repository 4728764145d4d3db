/* SPDX-License-Identifier: Apache-2.0
 *
 * What is wrong with a manifest for Gramine, line by line: keys it does not know, and what would
 * undo what an enclave is for. Files that the manifest names are looked at, not read.
 */
#pragma once

#include "base/bytes.h"

enum lint_severity : uint8_t { LINT_SEVERITY_NOTE, LINT_SEVERITY_WARNING, LINT_SEVERITY_ERROR };

enum lint_rule : uint8_t {
#define LINT(name, severity, slug, advice) LINT_##name,
#include "enclave/lint.def"
#undef LINT
    LINT_RULE_COUNT,
};

enum { LINT_FINDINGS_MAX = 256, LINT_MESSAGE_BYTES = 256 };

struct lint_finding {
    enum lint_rule rule;
    uint32_t line, column; /* of the key; 0 of what is not there */
    char message[LINT_MESSAGE_BYTES];
    char advice[LINT_MESSAGE_BYTES]; /* "": the rule's */
};

struct lint_report {
    struct lint_finding findings[LINT_FINDINGS_MAX]; /* by line */
    uint32_t count;
    bool is_cut; /* there were more */
};

/* Looks at the text of a manifest. Relative names of files are below `folder`, an open directory
 * (AT_FDCWD). */
void lint_manifest(struct slice text, int folder, struct lint_report *ret_report);
uint32_t lint_count(const struct lint_report *report, enum lint_severity severity);

enum lint_severity lint_rule_severity(enum lint_rule rule);
const char *lint_rule_slug(enum lint_rule rule);
const char *lint_severity_text(enum lint_severity severity);
/* The finding's own advice, or its rule's. */
const char *lint_advice(const struct lint_finding *finding);
