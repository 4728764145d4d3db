/* SPDX-License-Identifier: Apache-2.0
 *
 * What this machine and this user's Airlock can do, as far as it can be found out without changing
 * anything: every wall alone, every template complete, and what a run needs besides.
 */
#pragma once

#include "kernel/engine_socket.h"
#include "sandbox/wall.h"

struct doctor {
    struct wall_report walls;     /* what the machine gives, each tried alone */
    struct wall_report templates; /* each tried as a complete sandbox that runs `true` */
    struct wall_report airlock;   /* state folder, log, keys, policy, container engines */
    struct error verdict;         /* why the default template cannot be had; ERROR_NONE: it can */
};

/* `workspace` is the folder whose policy is looked at: absolute, resolved. `places` is where
 * container engines are looked for; one that does not answer is no reason for a verdict. */
void doctor_examine(const char *workspace, const struct engine_places *places,
                    struct doctor *ret_doctor);
