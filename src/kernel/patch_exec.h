/* SPDX-License-Identifier: Apache-2.0
 *
 * The operation stage.patch: a tool hands over a unified diff, and what it makes of the workspace
 * becomes a stage, as if a command had written it. Policy judges the whole here and each path when
 * the stage is applied.
 */
#pragma once

#include "kernel/kernel.h"

struct patch_exec_request {
    const char *workspace; /* as from workspace_find() */
    const char *on;        /* the run to stand on, as users name runs; nullptr: none */
    const char *name;      /* of the patch, for lists */
    struct slice text;
};

struct patch_exec_result {
    struct run run;
    struct stage_summary stage;
    struct audit_position outcome; /* its entry, covered by the last checkpoint */
};

/* Policy, intent, stage, outcome, signed checkpoint. A patch that does not fit leaves no run and no
 * entry: nothing was asked of anybody. The caller closes ret_result->run. ERROR_PATCH_*,
 * ERROR_POLICY_DENIED, ERROR_POLICY_REVIEW. */
status_t patch_exec(struct kernel *kernel, const struct patch_exec_request *request,
                    struct patch_exec_result *ret_result, struct error *err);
