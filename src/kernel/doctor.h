/* SPDX-License-Identifier: Apache-2.0
 *
 * What this machine and this user's Airlock can do, as far as it can be found out without changing
 * anything: every wall alone, every template complete, and what a run needs besides.
 */
#pragma once

#include "sandbox/wall.h"

struct doctor {
    struct wall_report walls;     /* what the machine gives, each tried alone */
    struct wall_report templates; /* each tried as a complete sandbox that runs `true` */
    struct wall_report airlock;   /* state folder, log, keys, policy, engines */
    struct error verdict;         /* why the default template cannot be had; ERROR_NONE: it can */
};

/* `workspace` is the folder whose policy is looked at: absolute, resolved. Reads the environment
 * through nobody; `engine_sockets` are nullptr-terminated paths of container engines' sockets. */
void doctor_examine(const char *workspace, const char *const *engine_sockets,
                    struct doctor *ret_doctor);
