/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/allowance.h"

void allowance_start(struct allowance *allowance, uint64_t now_ns, uint64_t wall_ms) {
    uint64_t wall_ns;
    uint64_t deadline_ns;
    bool is_past_counting = __builtin_mul_overflow(wall_ms, UINT64_C(1000000), &wall_ns) ||
                            __builtin_add_overflow(now_ns, wall_ns, &deadline_ns);
    *allowance = (struct allowance){
        .started_ns = now_ns,
        .deadline_ns = wall_ms == 0 || is_past_counting ? UINT64_MAX : deadline_ns,
    };
}

void allowance_hold(struct allowance *allowance, uint64_t now_ns, bool is_held) {
    if (is_held == (allowance->held_since_ns != 0)) {
        return;
    }
    if (is_held) {
        allowance->held_since_ns = now_ns;
        return;
    }
    uint64_t held_ns = now_ns - allowance->held_since_ns;
    allowance->held_ns += held_ns;
    allowance->held_since_ns = 0;
    allowance->deadline_ns += allowance->deadline_ns == UINT64_MAX ? 0 : held_ns;
}

void allowance_end(struct allowance *allowance, uint64_t now_ns) {
    allowance_hold(allowance, now_ns, false);
    allowance->ended_ns = now_ns;
}

uint64_t allowance_wake_ns(const struct allowance *allowance) {
    return allowance->held_since_ns != 0 ? UINT64_MAX : allowance->deadline_ns;
}

uint64_t allowance_wall_ns(const struct allowance *allowance) {
    return allowance->ended_ns - allowance->started_ns - allowance->held_ns;
}
