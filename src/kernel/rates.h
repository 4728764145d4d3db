/* SPDX-License-Identifier: Apache-2.0
 *
 * `rate: 10/1m`: how often a rule has let something happen lately is counted in the log, whose
 * entries name the rules behind each decision. What was refused does not count. A rule counts by
 * its name, so one of the same name in another file counts along.
 */
#pragma once

#include "kernel/kernel.h"

enum { RATE_REASON_BYTES = 256 };

struct rate_refusal {
    bool is_full;
    const char *rule;               /* borrowed from the rates */
    char reason[RATE_REASON_BYTES]; /* with the time when the next one fits */
};

/* Whether one more fits each of the rates. Reads the log backwards, no further than the longest
 * window. */
status_t rates_check(struct kernel *kernel, const struct policy_rate *rates, size_t count,
                     uint64_t now_ms, struct rate_refusal *ret_refusal, struct error *err);

/* Keeps other commands from counting until the fd is closed: held from rates_check() until what it
 * counts is in the log, so that two at once do not both take the last place. */
status_t rates_lock(const struct state *state, int *ret_fd, struct error *err);
