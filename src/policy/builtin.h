/* SPDX-License-Identifier: Apache-2.0
 *
 * The built-in rules: at most ten, in code, and nothing lifts them.
 */
#pragma once

#include "policy/path.h"
#include "policy/policy.h"

struct policy_rule {
    const char *name;
    enum policy_outcome outcome;
    const char *reason;
    /* path: the request's, folded; nullptr when it has none */
    bool (*matches)(const struct policy_request *request, const struct policy_path *path);
};

extern const struct policy_rule policy_builtin_rules[];
extern const size_t policy_builtin_count;
