/* SPDX-License-Identifier: Apache-2.0 */
#include "base/clock.h"

#include <time.h>

#include "base/assert.h"

static uint64_t clock_system_wall_ms([[maybe_unused]] void *context) {
    struct timespec now;
    ASSERT(clock_gettime(CLOCK_REALTIME, &now) == 0);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

static uint64_t clock_system_monotonic_ns([[maybe_unused]] void *context) {
    struct timespec now;
    ASSERT(clock_gettime(CLOCK_MONOTONIC, &now) == 0);
    return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

struct clock clock_system(void) {
    return (struct clock){clock_system_wall_ms, clock_system_monotonic_ns, nullptr};
}
