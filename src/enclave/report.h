/* SPDX-License-Identifier: Apache-2.0
 *
 * What airlock-enclave prints: errors as airlock prints them, findings, what was verified.
 */
#pragma once

#include "base/error.h"
#include "codec/json.h"
#include "enclave/lint.h"

/* Once, before the others: whether errors are in colour. */
void report_init(char *const *environment);
/* To standard error; the exit status. */
int report_error(const struct error *err, bool as_json);
/* Findings as FILE:LINE:COLUMN to standard output, or as one object. */
void report_lint(const struct lint_report *report, const char *file, bool as_json);
/* One object and a line end to standard output. */
void report_json(const struct json *object);
