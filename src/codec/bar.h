/* SPDX-License-Identifier: Apache-2.0
 *
 * A progress bar on standard error, for what takes longer than a second and only at a terminal.
 */
#pragma once

#include <stdint.h>

#include "base/clock.h"

struct bar {
    const struct clock *clock;
    const char *what; /* "verifying" */
    uint64_t start_ns;
    bool is_terminal;
    bool is_shown;
};

struct bar bar_start(const struct clock *clock, const char *what);
/* A progress callback: `context` is the struct bar. */
void bar_draw(void *context, uint64_t done, uint64_t total);
/* Wipes it away. */
void bar_end(struct bar *bar);
