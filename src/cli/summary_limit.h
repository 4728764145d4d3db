/* SPDX-License-Identifier: Apache-2.0
 *
 * The limit that a run met, and what raises it.
 */
#pragma once

#include "kernel/run_exec.h"

enum { SUMMARY_LIMIT_BYTES = 160 };

struct summary_limit {
    const char *name;               /* the key of a template: "memory"; nullptr: it met none */
    uint64_t value;                 /* bytes, or milliseconds of time */
    char told[SUMMARY_LIMIT_BYTES]; /* "1 GiB of memory" */
    char hint[SUMMARY_LIMIT_BYTES]; /* a sentence without its full stop */
};

/* Of how it ended. */
struct summary_limit summary_limit_of(const struct run_exec_result *result);
/* Of output that was not kept. */
struct summary_limit summary_limit_of_output(const struct run_exec_result *result);
