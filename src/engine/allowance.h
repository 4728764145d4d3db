/* SPDX-License-Identifier: Apache-2.0
 *
 * The time that a container may run: from its start, without pauses, up to a limit. Times come in.
 */
#pragma once

#include <stdint.h>

struct allowance {
    uint64_t started_ns, ended_ns;
    uint64_t deadline_ns;   /* UINT64_MAX: none */
    uint64_t held_since_ns; /* 0: it is not held */
    uint64_t held_ns;       /* in pauses that are over */
};

/* `wall_ms` 0: no limit. */
void allowance_start(struct allowance *allowance, uint64_t now_ns, uint64_t wall_ms);
/* A second pause in a pause, or an end of none, is none. */
void allowance_hold(struct allowance *allowance, uint64_t now_ns, bool is_held);
/* An end ends a pause too. */
void allowance_end(struct allowance *allowance, uint64_t now_ns);
/* When it is used up, as things are; UINT64_MAX: never. */
uint64_t allowance_wake_ns(const struct allowance *allowance);
/* How long it ran, without pauses. After the end. */
uint64_t allowance_wall_ns(const struct allowance *allowance);
