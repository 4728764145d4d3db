/* SPDX-License-Identifier: Apache-2.0
 *
 * The other threads reach this one through a pipe and one slot under a lock: upstreams to go on
 * with, or nothing, which means the end. Whoever put them waits until they were taken.
 */
#include "edge/side.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/assert.h"
#include "base/cleanup.h"
#include "codec/json.h"
#include "edge/health.h"
#include "edge/listen.h"
#include "edge/names.h"
#include "sys/fd.h"

struct side {
    struct side_options options;
    const struct metrics **threads; /* owned array: the workers', and ours */
    struct metrics *metrics;
    struct log_writer *log;
    struct loop *loop;
    struct resolver *resolver;
    bool is_started;
    struct admin *admin; /* nullptr: there is none */
    struct health *health;
    struct names *names;
    struct loop_source wake;
    int wake_fds[2];
    pthread_t thread;
    _Atomic(const char *) not_ready;

    pthread_mutex_t lock; /* of what follows */
    pthread_cond_t taken;
    bool has_message, is_stopping, is_over;
    struct upstreams *next;
    uint32_t next_count;
    status_t result;
    struct error *err; /* of whoever waits */
};

static bool server_of(struct side *side, uint16_t number, struct upstream_server_view *ret_view) {
    struct upstreams *upstreams = side->options.upstreams;
    for (uint32_t i = 0; i < upstreams_server_count(upstreams); i++) {
        upstreams_server(upstreams, i, loop_now_ms(side->loop), ret_view);
        if (ret_view->number == number && number != METRIC_SERVERS - 1) {
            return true;
        }
    }
    return false;
}

static bool is_up(void *context, uint16_t server, int64_t *ret_value) {
    struct upstream_server_view view;
    bool is_there = server_of(context, server, &view);
    *ret_value = is_there && view.is_up && view.address_count > 0 ? 1 : 0;
    return is_there;
}

static bool is_circuit_open(void *context, uint16_t server, int64_t *ret_value) {
    struct upstream_server_view view;
    bool is_there = server_of(context, server, &view);
    *ret_value = is_there && view.is_circuit_open ? 1 : 0;
    return is_there;
}

static unsigned put_metrics(void *context, struct builder *out) {
    struct side *side = context;
    const struct metric_state states[] = {
        {METRIC_OTHER_SERVER_UP, is_up, side},
        {METRIC_OTHER_CIRCUIT_OPEN, is_circuit_open, side},
    };
    struct metric_sources sources = {
        .threads = side->threads,
        .thread_count = side->options.thread_count + 1,
        .names = side->options.names,
        .states = states,
        .state_count = sizeof states / sizeof states[0],
    };
    metrics_format(&sources, out);
    return 200;
}

static const char *why_not_usable(struct side *side, uint32_t upstream, const char **ret_name) {
    const char *why = "every server is drained";
    struct upstream_server_view view;
    for (uint32_t i = 0; i < upstreams_server_count(side->options.upstreams); i++) {
        upstreams_server(side->options.upstreams, i, loop_now_ms(side->loop), &view);
        if (view.upstream_index == upstream) {
            *ret_name = view.upstream->name;
            why = view.server->weight > 0 ? "no server can be used" : why;
        }
    }
    return why;
}

static unsigned put_health(void *context, struct builder *out) {
    struct side *side = context;
    struct json *reasons = json_array_new();
    for (uint32_t i = 0; i < side->options.upstream_count; i++) {
        if (upstreams_is_usable(side->options.upstreams, i, loop_now_ms(side->loop))) {
            continue;
        }
        const char *name = "";
        const char *why = why_not_usable(side, i, &name);
        struct json *reason = json_object_new();
        json_set_text(reason, "upstream", name);
        json_set_text(reason, "reason", why);
        json_append(reasons, reason);
    }
    bool is_healthy = json_array_count(reasons) == 0;
    CLEANUP(json_freep) struct json *answer = json_object_new();
    json_set_bool(answer, "healthy", is_healthy);
    json_set(answer, "reasons", reasons);
    json_write_pretty(answer, out);
    return is_healthy ? 200 : 503;
}

static unsigned put_ready(void *context, struct builder *out) {
    struct side *side = context;
    const char *why = atomic_load(&side->not_ready);
    CLEANUP(json_freep) struct json *answer = json_object_new();
    json_set_bool(answer, "ready", why == nullptr);
    if (why != nullptr) {
        json_set_text(answer, "reason", why);
    }
    json_write_pretty(answer, out);
    return why == nullptr ? 200 : 503;
}

static status_t make_parts(struct side *side, struct upstreams *upstreams,
                           struct health **ret_health, struct names **ret_names,
                           struct error *err) {
    struct names_options names = {side->loop, side->resolver, upstreams, side->metrics, side->log};
    TRY(health_new(side->loop, upstreams, side->metrics, side->log, ret_health, err));
    status_t made = names_new(&names, ret_names, err);
    if (!status_is_ok(made)) {
        health_free(*ret_health);
    }
    return made;
}

/* The lock is held. */
static void take_message(struct side *side) {
    struct health *health = nullptr;
    struct names *names = nullptr;
    side->has_message = false;
    if (side->is_stopping) {
        return;
    }
    side->result = make_parts(side, side->next, &health, &names, side->err);
    if (status_is_ok(side->result)) {
        health_free(side->health);
        names_free(side->names);
        side->health = health;
        side->names = names;
        side->options.upstreams = side->next;
        side->options.upstream_count = side->next_count;
    }
    (void)pthread_cond_signal(&side->taken);
}

static void on_wake(struct loop_source *source, uint32_t events) {
    (void)events;
    struct side *side = (struct side *)((char *)source - offsetof(struct side, wake));
    char bytes[16];
    (void)!read(source->fd, bytes, sizeof bytes);
    (void)pthread_mutex_lock(&side->lock);
    if (side->has_message) {
        take_message(side);
    }
    (void)pthread_mutex_unlock(&side->lock);
}

static bool is_stopping(struct side *side) {
    (void)pthread_mutex_lock(&side->lock);
    bool stopping = side->is_stopping;
    (void)pthread_mutex_unlock(&side->lock);
    return stopping;
}

static void *serve(void *context) {
    struct side *side = context;
    while (!is_stopping(side)) {
        if (!loop_turn(side->loop)) {
            LOG_EVENT(side->log, PROXY_EVENT_WORKER_FAILED, {"worker", "side", 0},
                      {"errno", nullptr, errno});
            break;
        }
    }
    (void)pthread_mutex_lock(&side->lock);
    side->is_over = true; /* nobody waits for it any more */
    (void)pthread_cond_signal(&side->taken);
    (void)pthread_mutex_unlock(&side->lock);
    return nullptr;
}

static status_t make_admin(struct side *side, struct error *err) {
    if (side->options.metrics == nullptr) {
        return STATUS_OK;
    }
    int fd = -1;
    TRY(listen_open(side->options.metrics, &fd, err));
    struct admin_options options = {.metrics = put_metrics,
                                    .health = put_health,
                                    .ready = put_ready,
                                    .context = side,
                                    .log = side->log,
                                    .request_ms = LIMIT_EDGE_ADMIN_MS};
    return admin_new(side->loop, fd, &options, &side->admin, err);
}

static status_t make_all(struct side *side, struct error *err) {
    const struct side_options *options = &side->options;
    side->threads = calloc(options->thread_count + 1, sizeof(void *));
    if (side->threads == nullptr || pipe2(side->wake_fds, O_CLOEXEC | O_NONBLOCK) != 0) {
        return error_set(err, ERROR_NO_MEMORY, errno, "cannot make the thread of /metrics");
    }
    TRY(metrics_new(&side->metrics, err));
    for (size_t i = 0; i < options->thread_count; i++) {
        side->threads[i] = options->threads[i];
    }
    side->threads[options->thread_count] = side->metrics;
    struct log_writer_options log = {clock_system(), side->metrics};
    TRY(log_writer_new(options->log, &log, &side->log, err));
    TRY(make_parts(side, options->upstreams, &side->health, &side->names, err));
    TRY(make_admin(side, err));
    side->wake.ready = on_wake;
    if (!loop_add(side->loop, &side->wake, side->wake_fds[0], LOOP_READ)) {
        return error_set(err, ERROR_IO, errno, "cannot wake the thread of /metrics");
    }
    return STATUS_OK;
}

static void side_free(struct side *side) {
    admin_free(side->admin);
    health_free(side->health);
    names_free(side->names);
    resolver_free(side->resolver);
    loop_free(side->loop);
    fd_closep(&side->wake_fds[0]);
    fd_closep(&side->wake_fds[1]);
    metrics_free(side->metrics);
    free((void *)side->threads);
    (void)pthread_cond_destroy(&side->taken);
    (void)pthread_mutex_destroy(&side->lock);
    free(side);
}

/* It takes no signal: they are the main thread's. */
static status_t start_thread(struct side *side, struct error *err) {
    sigset_t all;
    sigset_t before;
    (void)sigfillset(&all);
    (void)pthread_sigmask(SIG_SETMASK, &all, &before);
    int failed = pthread_create(&side->thread, nullptr, serve, side);
    (void)pthread_sigmask(SIG_SETMASK, &before, nullptr);
    return failed == 0
               ? STATUS_OK
               : error_set(err, ERROR_NO_MEMORY, failed, "cannot start the thread of /metrics");
}

status_t side_new(struct slice hosts, struct side **ret_side, struct error *err) {
    struct side *side = calloc(1, sizeof *side);
    if (side == nullptr) {
        return error_set(err, ERROR_NO_MEMORY, 0, "cannot make the thread of /metrics");
    }
    side->wake.fd = side->wake_fds[0] = side->wake_fds[1] = -1;
    atomic_store(&side->not_ready, "starting");
    (void)pthread_mutex_init(&side->lock, nullptr);
    (void)pthread_cond_init(&side->taken, nullptr);
    status_t made = loop_new(&side->loop, err);
    if (status_is_ok(made)) {
        made = resolver_new(side->loop, hosts, &side->resolver, err);
    }
    if (!status_is_ok(made)) {
        side_free(side);
        return made;
    }
    *ret_side = side;
    return STATUS_OK;
}

status_t side_start(struct side *side, const struct side_options *options, struct error *err) {
    ASSERT(!side->is_started);
    side->options = *options;
    TRY(make_all(side, err));
    TRY(start_thread(side, err));
    side->is_started = true;
    return STATUS_OK;
}

static void wake(struct side *side) {
    (void)!write(side->wake_fds[1], "x", 1); /* full: it is awake already */
}

void side_stop(struct side *side) {
    if (side == nullptr) {
        return;
    }
    if (side->is_started) {
        (void)pthread_mutex_lock(&side->lock);
        side->is_stopping = true;
        (void)pthread_mutex_unlock(&side->lock);
        wake(side);
        (void)pthread_join(side->thread, nullptr);
    }
    side_free(side);
}

status_t side_use(struct side *side, struct upstreams *upstreams, uint32_t upstream_count,
                  struct error *err) {
    (void)pthread_mutex_lock(&side->lock);
    side->next = upstreams;
    side->next_count = upstream_count;
    side->err = err;
    side->has_message = true;
    wake(side);
    while (side->has_message && !side->is_over) {
        (void)pthread_cond_wait(&side->taken, &side->lock);
    }
    status_t result = side->result;
    if (side->is_over) {
        result = error_set(err, ERROR_IO, 0, "the thread of /metrics has ended");
    }
    (void)pthread_mutex_unlock(&side->lock);
    return result;
}

void side_set_ready(struct side *side, const char *why) {
    atomic_store(&side->not_ready, why);
}
