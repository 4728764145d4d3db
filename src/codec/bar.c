/* SPDX-License-Identifier: Apache-2.0 */
#include "codec/bar.h"

#include <stdio.h>
#include <unistd.h>

enum { WIDTH = 40, DELAY_NS = 1000000000 };

struct bar bar_start(const struct clock *clock, const char *what) {
    return (struct bar){
        .clock = clock,
        .what = what,
        .start_ns = clock_monotonic_ns(clock),
        .is_terminal = isatty(STDERR_FILENO) == 1,
    };
}

void bar_draw(void *context, uint64_t done, uint64_t total) {
    struct bar *bar = context;
    if (!bar->is_terminal || clock_monotonic_ns(bar->clock) - bar->start_ns < DELAY_NS) {
        return; /* what is over at once needs no bar */
    }
    total = total == 0 ? 1 : total;
    done = done < total ? done : total;
    int filled = (int)(done * WIDTH / total);
    (void)fprintf(stderr, "\r%s [%.*s%*s] %3d%%", bar->what, filled,
                  "########################################", WIDTH - filled, "",
                  (int)(done * 100 / total));
    bar->is_shown = true;
}

void bar_end(struct bar *bar) {
    if (bar->is_shown) {
        (void)fprintf(stderr, "\r\033[K");
    }
}
