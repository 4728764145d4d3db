/* SPDX-License-Identifier: Apache-2.0
 *
 * The engine that every kernel and every sandbox has. No timerfd, no signalfd: timers are a heap
 * whose first one bounds the wait.
 */
#include <errno.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <time.h>

#include "base/assert.h"
#include "proxy/loop.h"
#include "sys/fd.h"

enum { BATCH = 64 };

struct loop {
    int epoll;
    uint64_t now_ms;
    struct epoll_event batch[BATCH];
    int batch_count, batch_at;
    struct loop_timer **heap; /* from 1 */
    size_t heap_count, heap_capacity;
};

static uint64_t clock_ms(void) {
    struct timespec now;
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000u + (uint64_t)now.tv_nsec / 1000000u;
}

status_t loop_new(struct loop **ret_loop, struct error *err) {
    struct loop *loop = calloc(1, sizeof *loop);
    int epoll = epoll_create1(EPOLL_CLOEXEC);
    if (loop == nullptr || epoll < 0) {
        int number = errno;
        free(loop);
        fd_closep(&epoll);
        return error_set(err, ERROR_NO_MEMORY, number, "cannot make an event loop");
    }
    loop->epoll = epoll;
    loop->now_ms = clock_ms();
    *ret_loop = loop;
    return STATUS_OK;
}

void loop_free(struct loop *loop) {
    if (loop != nullptr) {
        fd_closep(&loop->epoll);
        free(loop->heap);
        free(loop);
    }
}

uint64_t loop_now_ms(const struct loop *loop) {
    return loop->now_ms;
}

static uint32_t epoll_events(uint32_t interest) {
    return ((interest & LOOP_READ) != 0 ? (uint32_t)EPOLLIN : 0) |
           ((interest & LOOP_WRITE) != 0 ? (uint32_t)EPOLLOUT : 0);
}

bool loop_add(struct loop *loop, struct loop_source *source, int fd, uint32_t interest) {
    ASSERT(source->ready != nullptr && fd >= 0);
    struct epoll_event event = {.events = epoll_events(interest), .data.ptr = source};
    if (interest != 0 && epoll_ctl(loop->epoll, EPOLL_CTL_ADD, fd, &event) != 0) {
        return false;
    }
    source->fd = fd;
    source->interest = interest;
    return true;
}

void loop_set(struct loop *loop, struct loop_source *source, uint32_t interest) {
    if (source->fd < 0 || source->interest == interest) {
        return;
    }
    /* A source without interest leaves: epoll tells of errors and hang-ups whatever one asks for,
     * again and again. */
    struct epoll_event event = {.events = epoll_events(interest), .data.ptr = source};
    int operation = EPOLL_CTL_MOD;
    operation = interest == 0 ? EPOLL_CTL_DEL : operation;
    operation = source->interest == 0 ? EPOLL_CTL_ADD : operation;
    int failed = epoll_ctl(loop->epoll, operation, source->fd, &event);
    ASSERT(failed == 0 || errno == ENOMEM || errno == ENOSPC);
    source->interest = interest;
}

void loop_remove(struct loop *loop, struct loop_source *source) {
    if (source->fd < 0) {
        return;
    }
    if (source->interest != 0) {
        (void)epoll_ctl(loop->epoll, EPOLL_CTL_DEL, source->fd, nullptr);
    }
    for (int i = loop->batch_at; i < loop->batch_count; i++) {
        if (loop->batch[i].data.ptr == source) {
            loop->batch[i].data.ptr = nullptr;
        }
    }
    source->fd = -1;
    source->interest = 0;
}

static void heap_put(struct loop *loop, size_t slot, struct loop_timer *timer) {
    loop->heap[slot] = timer;
    timer->slot = slot;
}

static void heap_up(struct loop *loop, size_t slot) {
    struct loop_timer *timer = loop->heap[slot];
    while (slot > 1 && loop->heap[slot / 2]->at_ms > timer->at_ms) {
        heap_put(loop, slot, loop->heap[slot / 2]);
        slot /= 2;
    }
    heap_put(loop, slot, timer);
}

static void heap_down(struct loop *loop, size_t slot) {
    struct loop_timer *timer = loop->heap[slot];
    for (;;) {
        size_t child = 2 * slot;
        if (child + 1 <= loop->heap_count &&
            loop->heap[child + 1]->at_ms < loop->heap[child]->at_ms) {
            child++;
        }
        if (child > loop->heap_count || loop->heap[child]->at_ms >= timer->at_ms) {
            break;
        }
        heap_put(loop, slot, loop->heap[child]);
        slot = child;
    }
    heap_put(loop, slot, timer);
}

void loop_timer_clear(struct loop *loop, struct loop_timer *timer) {
    if (timer->slot == 0) {
        return;
    }
    size_t slot = timer->slot;
    struct loop_timer *last = loop->heap[loop->heap_count--];
    timer->slot = 0;
    if (last != timer) {
        heap_put(loop, slot, last);
        heap_up(loop, slot);
        heap_down(loop, last->slot);
    }
}

bool loop_timer_set(struct loop *loop, struct loop_timer *timer, uint64_t after_ms) {
    ASSERT(timer->fire != nullptr);
    loop_timer_clear(loop, timer);
    if (loop->heap_count + 1 >= loop->heap_capacity) {
        size_t capacity = loop->heap_capacity == 0 ? 64 : 2 * loop->heap_capacity;
        struct loop_timer **heap = reallocarray(loop->heap, capacity, sizeof(*heap));
        if (heap == nullptr) {
            return false;
        }
        loop->heap = heap;
        loop->heap_capacity = capacity;
    }
    timer->at_ms = loop->now_ms + after_ms;
    heap_put(loop, ++loop->heap_count, timer);
    heap_up(loop, timer->slot);
    return true;
}

static int wait_ms(const struct loop *loop) {
    if (loop->heap_count == 0) {
        return -1;
    }
    uint64_t now = clock_ms();
    uint64_t at = loop->heap[1]->at_ms;
    return at <= now ? 0 : (int)(at - now < 60000 ? at - now : 60000);
}

static void fire_timers(struct loop *loop) {
    while (loop->heap_count > 0 && loop->heap[1]->at_ms <= loop->now_ms) {
        struct loop_timer *timer = loop->heap[1];
        loop_timer_clear(loop, timer);
        timer->fire(timer);
    }
}

bool loop_turn(struct loop *loop) {
    int count = epoll_wait(loop->epoll, loop->batch, BATCH, wait_ms(loop));
    if (count < 0 && errno != EINTR) {
        return false;
    }
    loop->now_ms = clock_ms();
    loop->batch_count = count > 0 ? count : 0;
    for (loop->batch_at = 0; loop->batch_at < loop->batch_count;) {
        struct epoll_event *event = &loop->batch[loop->batch_at++];
        struct loop_source *source = event->data.ptr;
        if (source == nullptr) {
            continue;
        }
        uint32_t broken = (event->events & (EPOLLERR | EPOLLHUP)) != 0 ? LOOP_READ | LOOP_WRITE : 0;
        uint32_t events = ((event->events & EPOLLIN) != 0 ? (uint32_t)LOOP_READ : 0) |
                          ((event->events & EPOLLOUT) != 0 ? (uint32_t)LOOP_WRITE : 0) | broken;
        source->ready(source, events);
    }
    fire_timers(loop);
    return true;
}
