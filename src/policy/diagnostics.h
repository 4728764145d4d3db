/* SPDX-License-Identifier: Apache-2.0
 *
 * What is wrong with a policy file, and where: all errors up to a number, warnings beside them. A
 * diagnostic carries its line of the file, so that it can be shown when the file is gone.
 */
#pragma once

#include <stdarg.h>

#include "base/bytes.h"

enum policy_severity : uint8_t { POLICY_SEVERITY_ERROR, POLICY_SEVERITY_WARNING };

struct policy_diagnostic {
    enum policy_severity severity;
    uint32_t line, column; /* from 1; the column in bytes */
    uint32_t caret;        /* characters in front of the caret, in excerpt */
    char excerpt[512];     /* the line, printable, cut around the place */
    char message[384];     /* lower case, no full stop */
    char hint[256];        /* a full sentence; may be "" */
};

enum { POLICY_DIAGNOSTIC_COUNT_MAX = 20 };

/* Fixed size, owns nothing. `file` is borrowed from whoever called the loader. */
struct policy_diagnostics {
    const char *file;
    struct slice text;                 /* only while it is loaded */
    size_t error_count, warning_count; /* all that were found */
    size_t errors_kept, warnings_kept; /* at most POLICY_DIAGNOSTIC_COUNT_MAX */
    struct policy_diagnostic errors[POLICY_DIAGNOSTIC_COUNT_MAX];
    struct policy_diagnostic warnings[POLICY_DIAGNOSTIC_COUNT_MAX];
};

/* All of them in the order of the file, errors first, as a person reads them:
 *
 *   policy.yaml:4:13: error: there is no key "pathh" in match
 *       4 |     match: { pathh: x }
 *         |              ^
 *     hint: Did you mean "path"?
 */
void policy_diagnostics_format(const struct policy_diagnostics *diagnostics, struct builder *out);

/* For the loader. */
struct policy_place {
    uint32_t line, column;
};

struct policy_finding {
    enum policy_severity severity;
    struct policy_place place;
    const char *hint; /* copied */
};

/* `text` is the whole file, borrowed until the end. */
void policy_diagnostics_start(struct policy_diagnostics *diagnostics, const char *file,
                              struct slice text);
/* Adds one; past the maximum it is only counted. */
[[gnu::format(printf, 3, 0)]]
void policy_diagnostics_add(struct policy_diagnostics *diagnostics,
                            const struct policy_finding *finding, const char *format,
                            va_list arguments);
/* Puts them into the order of the file, and lets go of the text. */
void policy_diagnostics_end(struct policy_diagnostics *diagnostics);
