/* SPDX-License-Identifier: Apache-2.0 */
#include "proxy/timers.h"

#include <stdlib.h>

#include "base/assert.h"

enum { CAPACITY_FIRST = 64, WAIT_MS_MAX = 60000 };

void timers_deinit(struct timers *timers) {
    free(timers->heap);
    *timers = (struct timers){};
}

static void heap_put(struct timers *timers, size_t slot, struct timer *timer) {
    timers->heap[slot] = timer;
    timer->slot = slot;
}

static void heap_up(struct timers *timers, size_t slot) {
    struct timer *timer = timers->heap[slot];
    while (slot > 1 && timers->heap[slot / 2]->at_ms > timer->at_ms) {
        heap_put(timers, slot, timers->heap[slot / 2]);
        slot /= 2;
    }
    heap_put(timers, slot, timer);
}

static void heap_down(struct timers *timers, size_t slot) {
    struct timer *timer = timers->heap[slot];
    for (;;) {
        size_t child = 2 * slot;
        if (child + 1 <= timers->count &&
            timers->heap[child + 1]->at_ms < timers->heap[child]->at_ms) {
            child++;
        }
        if (child > timers->count || timers->heap[child]->at_ms >= timer->at_ms) {
            break;
        }
        heap_put(timers, slot, timers->heap[child]);
        slot = child;
    }
    heap_put(timers, slot, timer);
}

void timers_clear(struct timers *timers, struct timer *timer) {
    if (timer->slot == 0) {
        return;
    }
    size_t slot = timer->slot;
    struct timer *last = timers->heap[timers->count--];
    timer->slot = 0;
    if (last != timer) {
        heap_put(timers, slot, last);
        heap_up(timers, slot);
        heap_down(timers, last->slot);
    }
}

bool timers_set(struct timers *timers, struct timer *timer, uint64_t at_ms) {
    ASSERT(timer->fire != nullptr);
    timers_clear(timers, timer);
    if (timers->count + 1 >= timers->capacity) {
        size_t capacity = timers->capacity == 0 ? CAPACITY_FIRST : 2 * timers->capacity;
        struct timer **heap = reallocarray(timers->heap, capacity, sizeof(*heap));
        if (heap == nullptr) {
            return false;
        }
        timers->heap = heap;
        timers->capacity = capacity;
    }
    timer->at_ms = at_ms;
    heap_put(timers, ++timers->count, timer);
    heap_up(timers, timer->slot);
    return true;
}

int timers_wait_ms(const struct timers *timers, uint64_t now_ms) {
    if (timers->count == 0) {
        return -1;
    }
    uint64_t at = timers->heap[1]->at_ms;
    uint64_t wait = at <= now_ms ? 0 : at - now_ms;
    return (int)(wait < WAIT_MS_MAX ? wait : WAIT_MS_MAX);
}

void timers_fire(struct timers *timers, uint64_t now_ms) {
    while (timers->count > 0 && timers->heap[1]->at_ms <= now_ms) {
        struct timer *timer = timers->heap[1];
        timers_clear(timers, timer);
        timer->fire(timer);
    }
}
