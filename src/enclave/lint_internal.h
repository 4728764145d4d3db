/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "enclave/lint.h"
#include "enclave/toml.h"

struct lint {
    const struct toml_value *root;
    int folder;
    struct lint_report *report;
};

/* Adds a finding about `value`, which may be nullptr for what is not there. */
[[gnu::format(printf, 4, 5)]]
void lint_add(struct lint *lint, enum lint_rule rule, const struct toml_value *value,
              const char *format, ...);
/* Gives the finding just added an advice of its own. */
[[gnu::format(printf, 2, 3)]]
void lint_advise(struct lint *lint, const char *format, ...);

/* lint_keys.c: against manifest_keys.def. */
void lint_keys(struct lint *lint);
/* lint_rules.c, lint_files.c: what a manifest does to the enclave, and what it says of files. */
void lint_rules(struct lint *lint);
void lint_files(struct lint *lint);
