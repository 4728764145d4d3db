/* SPDX-License-Identifier: Apache-2.0
 *
 * The path a question about policy means: resolved beneath the workspace as it would be opened, so
 * that what is explained is what is decided.
 */
#pragma once

#include <stdint.h>

#include "base/error.h"
#include "base/limits.h"

enum policy_target_kind : uint8_t {
    POLICY_TARGET_THERE,  /* resolved by the kernel, links and `..` and all */
    POLICY_TARGET_PARENT, /* its folder was; the name itself is not there */
    POLICY_TARGET_TEXT,   /* more than its last name is not there: the rest is cleaned by text */
};

struct policy_target {
    enum policy_target_kind kind;
    char path[LIMIT_PATH_BYTES]; /* relative to the workspace, as rules see it */
    uint32_t mode;               /* of what stands there; a plain file when nothing does */
    char link[LIMIT_PATH_BYTES]; /* of a symbolic link that is not followed; "" otherwise */
};

/* `given` is absolute below the workspace, else relative to the current folder when that lies in
 * the workspace, else to the workspace. `follow`: a link in the last place is followed, as by an
 * operation that opens the file; applying a stage judges the link itself. USAGE when the path
 * leads out of the workspace. */
status_t policy_target_resolve(const char *workspace, const char *given, bool follow,
                               struct policy_target *ret_target, struct error *err);
