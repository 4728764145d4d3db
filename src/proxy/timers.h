/* SPDX-License-Identifier: Apache-2.0
 *
 * Timers of one thread: a heap whose first one bounds how long the thread may wait.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

struct timer {
    uint64_t at_ms;
    size_t slot; /* in the heap, from 1; 0: it is not set */
    void (*fire)(struct timer *timer);
};

struct timers {
    struct timer **heap; /* owned; from 1 */
    size_t count, capacity;
};

void timers_deinit(struct timers *timers);
/* Fires once, at `at_ms` of the owner's clock; setting it again moves it. False when memory runs
 * out. */
bool timers_set(struct timers *timers, struct timer *timer, uint64_t at_ms);
void timers_clear(struct timers *timers, struct timer *timer);
/* Until the first one, at most a minute: what a wait may take. -1: there is none. */
int timers_wait_ms(const struct timers *timers, uint64_t now_ms);
/* Fires what is due; a timer may set and clear itself and others. */
void timers_fire(struct timers *timers, uint64_t now_ms);
