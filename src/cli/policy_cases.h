/* SPDX-License-Identifier: Apache-2.0
 *
 * The user's own table of cases for `airlock policy test`, read from YAML; the form stands in
 * docs/policy-test.md.
 */
#pragma once

#include "codec/yaml.h"
#include "policy/diagnostics.h"
#include "policy/policy.h"

enum { POLICY_CASE_TAG_COUNT_MAX = 16 };

struct policy_case {
    const char *name;
    uint32_t line;
    struct policy_request request;
    const char *tags[POLICY_CASE_TAG_COUNT_MAX];
    const char *networks[POLICY_CASE_TAG_COUNT_MAX];
    char *path; /* owned; of a folder, without its slash */
    bool has_expect;
    enum policy_outcome expect;
    const char *rule; /* nullptr: any */
};

struct policy_cases {
    struct yaml_tree *tree;    /* owned; holds the text */
    struct policy_case *cases; /* owned */
    size_t count;
};

/* What every request has that does not say otherwise. Borrowed for as long as the cases live. */
struct policy_case_defaults {
    const char *caller;
    const char *workspace;
    uint64_t now_ms;
};

/* All that is wrong ends up in `diagnostics`, which is set on success too. Error:
 * ERROR_POLICY_INVALID, with the first of them. */
status_t policy_cases_read(struct slice text, const char *file,
                           const struct policy_case_defaults *defaults,
                           struct policy_diagnostics *diagnostics, struct policy_cases *ret_cases,
                           struct error *err);
void policy_cases_deinit(struct policy_cases *cases);
