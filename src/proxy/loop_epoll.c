/* SPDX-License-Identifier: Apache-2.0
 *
 * The engine that every kernel and every sandbox has. No timerfd, no signalfd: the first
 * timer bounds the wait.
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
    struct timers timers;
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
        timers_deinit(&loop->timers);
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

void loop_timer_clear(struct loop *loop, struct timer *timer) {
    timers_clear(&loop->timers, timer);
}

bool loop_timer_set(struct loop *loop, struct timer *timer, uint64_t after_ms) {
    return timers_set(&loop->timers, timer, loop->now_ms + after_ms);
}

bool loop_turn(struct loop *loop) {
    int count =
        epoll_wait(loop->epoll, loop->batch, BATCH, timers_wait_ms(&loop->timers, clock_ms()));
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
    timers_fire(&loop->timers, loop->now_ms);
    return true;
}
