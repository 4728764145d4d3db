/* SPDX-License-Identifier: Apache-2.0
 *
 * The thread looks through all rings, writes what it finds, and then waits: shallowly, for
 * PAUSE_MS, while there is something to do, so that a busy worker does not wake it for every line,
 * and deeply after a pause without a line. A worker wakes it from a deep wait, or when its ring is
 * half full.
 *
 * No write may last: standard error can be a pipe that nobody empties. poll(2) says that a pipe has
 * room for PIPE_BUF bytes, so no more than that is written at once, and whole lines as long as they
 * are that short.
 */
#include "edge/log.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/assert.h"
#include "edge/log_ring.h"

enum { PAUSE_MS = 20, POLL_MS = 100, LINE_BYTES_MAX = 8192, SLOTS = PROXY_EVENT_COUNT + 1 };

enum wait : uint8_t { WAIT_NONE, WAIT_SHALLOW, WAIT_DEEP };

struct log_writer {
    struct log_ring ring;
    struct edge_log *log;
    struct clock clock;
    struct metrics *metrics;
    struct builder line;
    uint64_t second;
    uint64_t dated;               /* seconds since 1970 that `date` stands for */
    char date[24];                /* 2026-11-21T14:01:35. */
    uint16_t written[SLOTS];      /* in that second */
    uint64_t suppressed, dropped; /* since it was said */
};

struct edge_log {
    int fd;
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t wake;
    _Atomic uint8_t waiting; /* enum wait */
    _Atomic bool is_stopping;
    _Atomic uint32_t writer_count;
    struct log_writer *writers[LIMIT_EDGE_LOG_WRITERS]; /* owned */
    bool is_broken;                                     /* nobody reads any more */
    uint64_t stop_ms;                                   /* the last moment */
};

static uint64_t now_ms(void) {
    struct timespec now;
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000u + (uint64_t)now.tv_nsec / 1000000u;
}

/* Writes some of it; 0: not now. */
static size_t write_some(struct edge_log *log, struct slice bytes) {
    if (log->is_broken) {
        limit_hit(LIMIT_ID_EDGE_LOG_BYTES);
        return bytes.size;
    }
    struct pollfd poll_fd = {.fd = log->fd, .events = POLLOUT};
    if (poll(&poll_fd, 1, POLL_MS) <= 0) {
        return 0;
    }
    ssize_t size = write(log->fd, bytes.data, bytes.size);
    if (size < 0 && errno != EINTR && errno != EAGAIN) {
        log->is_broken = true;
    }
    return size > 0 ? (size_t)size : 0;
}

static bool is_too_late(const struct edge_log *log) {
    return log->stop_ms != 0 && limit_past(now_ms() >= log->stop_ms, LIMIT_ID_EDGE_LOG_STOP_MS);
}

/* What one worker has to say; false: it was nothing. A line that went out half is finished before
 * another worker's. */
static bool serve_writer(struct edge_log *log, struct log_writer *writer) {
    bool wrote = false;
    bool is_whole = true;
    for (;;) {
        struct slice bytes = log_ring_peek(&writer->ring, PIPE_BUF);
        if (bytes.size == 0 && is_whole) {
            return wrote;
        }
        if (is_too_late(log)) {
            return false;
        }
        size_t size = write_some(log, bytes);
        wrote = wrote || size > 0;
        is_whole = size > 0 ? bytes.data[size - 1] == '\n' : is_whole;
        log_ring_taken(&writer->ring, size);
        if (log->stop_ms == 0 && atomic_load(&log->is_stopping)) {
            log->stop_ms = now_ms() + LIMIT_EDGE_LOG_STOP_MS;
        }
    }
}

static bool serve_all(struct edge_log *log) {
    bool wrote = false;
    uint32_t count = atomic_load_explicit(&log->writer_count, memory_order_acquire);
    for (uint32_t i = 0; i < count; i++) {
        wrote = serve_writer(log, log->writers[i]) || wrote;
    }
    return wrote;
}

static bool is_empty(struct edge_log *log) {
    uint32_t count = atomic_load_explicit(&log->writer_count, memory_order_acquire);
    for (uint32_t i = 0; i < count; i++) {
        if (log_ring_used(&log->writers[i]->ring) > 0) {
            return false;
        }
    }
    return true;
}

static void pause_a_while(struct edge_log *log, bool wrote) {
    (void)pthread_mutex_lock(&log->lock);
    atomic_store(&log->waiting, wrote ? WAIT_SHALLOW : WAIT_DEEP);
    struct timespec until;
    (void)clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_nsec += (long)PAUSE_MS * 1000000;
    until.tv_sec += until.tv_nsec / 1000000000;
    until.tv_nsec %= 1000000000;
    int failed = 0;
    while (atomic_load(&log->waiting) != WAIT_NONE && !atomic_load(&log->is_stopping) &&
           failed == 0) {
        if (wrote) {
            failed = pthread_cond_timedwait(&log->wake, &log->lock, &until);
        } else if (is_empty(log)) {
            failed = pthread_cond_wait(&log->wake, &log->lock);
        } else {
            break;
        }
    }
    atomic_store(&log->waiting, WAIT_NONE);
    (void)pthread_mutex_unlock(&log->lock);
}

static void *serve(void *context) {
    struct edge_log *log = context;
    while (!atomic_load(&log->is_stopping)) {
        pause_a_while(log, serve_all(log));
    }
    log->stop_ms = log->stop_ms != 0 ? log->stop_ms : now_ms() + LIMIT_EDGE_LOG_STOP_MS;
    while (serve_all(log)) {
    }
    return nullptr;
}

/* The thread takes no signal: they are the main thread's, and SIGPIPE becomes EPIPE. */
static int start_thread(struct edge_log *log) {
    sigset_t all;
    sigset_t before;
    (void)sigfillset(&all);
    (void)pthread_sigmask(SIG_SETMASK, &all, &before);
    int failed = pthread_create(&log->thread, nullptr, serve, log);
    (void)pthread_sigmask(SIG_SETMASK, &before, nullptr);
    return failed;
}

status_t edge_log_start(int fd, struct edge_log **ret_log, struct error *err) {
    struct edge_log *log = calloc(1, sizeof *log);
    if (log == nullptr) {
        return error_set(err, ERROR_NO_MEMORY, 0, "cannot make the log");
    }
    log->fd = fd;
    pthread_condattr_t attributes;
    (void)pthread_condattr_init(&attributes);
    (void)pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    (void)pthread_mutex_init(&log->lock, nullptr);
    (void)pthread_cond_init(&log->wake, &attributes);
    (void)pthread_condattr_destroy(&attributes);
    int failed = fd >= 0 ? start_thread(log) : 0;
    if (failed != 0) {
        free(log);
        return error_set(err, ERROR_NO_MEMORY, failed, "cannot start the thread of the log");
    }
    *ret_log = log;
    return STATUS_OK;
}

void edge_log_stop(struct edge_log *log) {
    if (log == nullptr) {
        return;
    }
    if (log->fd >= 0) {
        (void)pthread_mutex_lock(&log->lock);
        atomic_store(&log->is_stopping, true);
        (void)pthread_cond_signal(&log->wake);
        (void)pthread_mutex_unlock(&log->lock);
        (void)pthread_join(log->thread, nullptr);
    }
    for (uint32_t i = 0; i < atomic_load(&log->writer_count); i++) {
        builder_deinit(&log->writers[i]->line);
        free(log->writers[i]);
    }
    (void)pthread_cond_destroy(&log->wake);
    (void)pthread_mutex_destroy(&log->lock);
    free(log);
}

status_t log_writer_new(struct edge_log *log, const struct log_writer_options *options,
                        struct log_writer **ret_writer, struct error *err) {
    uint32_t count = atomic_load(&log->writer_count);
    if (count == LIMIT_EDGE_LOG_WRITERS) {
        limit_hit(LIMIT_ID_EDGE_LOG_WRITERS);
        return error_set(err, ERROR_LIMIT, 0, "cannot log for more than %d threads",
                         (int)LIMIT_EDGE_LOG_WRITERS);
    }
    struct log_writer *writer = aligned_alloc(alignof(struct log_writer), sizeof *writer);
    if (writer == nullptr) {
        return error_set(err, ERROR_NO_MEMORY, 0, "cannot make a thread's log");
    }
    memset(writer, 0, sizeof *writer);
    writer->log = log;
    writer->clock = options->clock;
    writer->metrics = options->metrics;
    builder_init(&writer->line, LINE_BYTES_MAX);
    writer->dated = UINT64_MAX;
    log->writers[count] = writer;
    atomic_store_explicit(&log->writer_count, count + 1, memory_order_release);
    *ret_writer = writer;
    return STATUS_OK;
}

static void count(struct log_writer *writer, enum metric metric) {
    if (writer->metrics != nullptr) {
        metrics_count(writer->metrics, metric, 1);
    }
}

static void wake_thread(struct log_writer *writer) {
    struct edge_log *log = writer->log;
    uint8_t waiting = atomic_load(&log->waiting);
    bool is_half_full = 2 * log_ring_used(&writer->ring) > LIMIT_EDGE_LOG_BYTES;
    if (waiting == WAIT_DEEP || (waiting == WAIT_SHALLOW && is_half_full)) {
        (void)pthread_mutex_lock(&log->lock);
        atomic_store(&log->waiting, WAIT_NONE);
        (void)pthread_cond_signal(&log->wake);
        (void)pthread_mutex_unlock(&log->lock);
    }
}

static void put_time(struct log_writer *writer, struct builder *line) {
    uint64_t ms = clock_wall_ms(&writer->clock);
    unsigned part = (unsigned)(ms % 1000);
    if (writer->dated != ms / 1000) {
        struct tm utc = {};
        time_t seconds = (time_t)(ms / 1000);
        (void)gmtime_r(&seconds, &utc);
        writer->dated = ms / 1000;
        (void)strftime(writer->date, sizeof writer->date, "%Y-%m-%dT%H:%M:%S.", &utc);
    }
    builder_bytes(line, SLICE_LITERAL("{\"time\":\""));
    builder_text(line, writer->date);
    const uint8_t digits[] = {(uint8_t)('0' + part / 100), (uint8_t)('0' + part / 10 % 10),
                              (uint8_t)('0' + part % 10)};
    builder_bytes(line, slice_of(digits, sizeof digits));
    builder_bytes(line, SLICE_LITERAL("Z\""));
}

static void begin(struct log_writer *writer, const char *id) {
    builder_reset(&writer->line);
    put_time(writer, &writer->line);
    log_text(&writer->line, "event", slice_of_string(id));
}

static bool end(struct log_writer *writer) {
    builder_text(&writer->line, "}\n");
    return builder_is_ok(&writer->line) &&
           log_ring_put(&writer->ring, builder_slice(&writer->line));
}

/* Says what was not said; stays to be said when there is no room for that either. */
static void confess(struct log_writer *writer, enum proxy_event event, uint64_t *lines) {
    if (*lines > 0) {
        begin(writer, proxy_event_id(event));
        log_number(&writer->line, "lines", (int64_t)*lines);
        *lines = end(writer) ? 0 : *lines;
    }
}

static void turn_second(struct log_writer *writer) {
    uint64_t second = clock_monotonic_ms(&writer->clock) / 1000;
    if (second != writer->second) {
        writer->second = second;
        memset(writer->written, 0, sizeof writer->written);
        confess(writer, PROXY_EVENT_SUPPRESSED, &writer->suppressed);
    }
}

bool log_line_allowed(struct log_writer *writer, enum proxy_event event) {
    turn_second(writer);
    if (writer->written[event] == LIMIT_EDGE_LOG_EVENTS) {
        limit_hit(LIMIT_ID_EDGE_LOG_EVENTS);
        writer->suppressed++;
        count(writer, METRIC_LOG_SUPPRESSED);
        return false;
    }
    writer->written[event]++;
    return true;
}

struct builder *log_line_begin(struct log_writer *writer, const char *id) {
    turn_second(writer);
    confess(writer, PROXY_EVENT_DROPPED, &writer->dropped);
    begin(writer, id);
    return &writer->line;
}

void log_line_end(struct log_writer *writer) {
    if (writer->log->fd < 0) {
        return;
    }
    if (!end(writer)) {
        limit_hit(LIMIT_ID_EDGE_LOG_BYTES);
        writer->dropped++;
        count(writer, METRIC_LOG_DROPPED);
    }
    wake_thread(writer);
}
