/* SPDX-License-Identifier: Apache-2.0
 *
 * The event loop: readiness of descriptors, and timers. Whoever is served by it sees this interface
 * and not the engine behind it (epoll), so that another one can take its place. One thread.
 *
 * Readiness is level-triggered: a source is called as long as what it is interested in holds. A
 * source may be removed, and freed, at any moment, also by another source's call: what was already
 * fetched for it is dropped.
 */
#pragma once

#include <stddef.h>

#include "base/error.h"
#include "proxy/timers.h"

enum loop_event : uint32_t {
    LOOP_READ = 1 << 0,
    LOOP_WRITE = 1 << 1,
};

struct loop_source {
    int fd;            /* borrowed; -1: it is in no loop */
    uint32_t interest; /* of loop_event */
    /* `events` that hold; an error or a hang-up counts as both. */
    void (*ready)(struct loop_source *source, uint32_t events);
};

struct loop; /* an engine */

status_t loop_new(struct loop **ret_loop, struct error *err);
void loop_free(struct loop *loop); /* the sources keep their descriptors */

/* Milliseconds of the monotonic clock, as of the last wake-up. */
uint64_t loop_now_ms(const struct loop *loop);

/* False, with errno, when the kernel has no room. `source->ready` is set by the caller. */
bool loop_add(struct loop *loop, struct loop_source *source, int fd, uint32_t interest);
void loop_set(struct loop *loop, struct loop_source *source, uint32_t interest);
void loop_remove(struct loop *loop, struct loop_source *source); /* fine when it is in no loop */

/* Fires once, `after_ms` from now; setting it again moves it. False when memory runs out. */
bool loop_timer_set(struct loop *loop, struct timer *timer, uint64_t after_ms);
void loop_timer_clear(struct loop *loop, struct timer *timer);

/* Waits for the next events and serves them; false when the engine failed. */
bool loop_turn(struct loop *loop);
