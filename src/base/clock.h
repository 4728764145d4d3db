/* SPDX-License-Identifier: Apache-2.0
 *
 * Time is handed in: whoever needs it gets a struct clock. The product uses clock_system(); tests
 * make their own. No environment variable can change it, because that could date a log.
 */
#pragma once

#include <stdint.h>

struct clock {
    /* Wall clock in milliseconds since 1970-01-01 UTC. */
    uint64_t (*wall_ms)(void *context);
    /* Monotonic clock in nanoseconds from an arbitrary start. */
    uint64_t (*monotonic_ns)(void *context);
    void *context;
};

struct clock clock_system(void);

static inline uint64_t clock_wall_ms(const struct clock *clock) {
    return clock->wall_ms(clock->context);
}

static inline uint64_t clock_monotonic_ms(const struct clock *clock) {
    return clock->monotonic_ns(clock->context) / 1000000u;
}

static inline uint64_t clock_monotonic_ns(const struct clock *clock) {
    return clock->monotonic_ns(clock->context);
}
