/* SPDX-License-Identifier: Apache-2.0 */
#include "edge/worker.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/assert.h"
#include "edge/connection.h"
#include "edge/worker_udp.h"
#include "sys/fd.h"

static void on_accepted(struct io_acceptor *acceptor, int fd) {
    connection_accept((struct door *)acceptor, fd);
}

static void on_accept_failed(struct io_acceptor *acceptor, int error) {
    struct worker *worker = ((struct door *)acceptor)->tenure->worker;
    metrics_error(worker->metrics, EDGE_ERROR_ACCEPT);
    LOG_EVENT(worker->log, PROXY_EVENT_ACCEPT_FAILED,
              {"listener", ((struct door *)acceptor)->listener->config->name, 0},
              {"errno", nullptr, error});
}

static void tenure_free(struct tenure *tenure) {
    chooser_free(tenure->chooser);
    free(tenure->doors);
    setup_release(tenure->setup);
    free(tenure);
}

void tenure_release(struct tenure *tenure) {
    tenure->connections--;
    if (tenure->is_over && tenure->connections == 0) {
        tenure_free(tenure);
    }
}

static bool is_stream(const struct edge_listener *config) {
    return config->bind.transport != EDGE_UDP;
}

static bool is_same_place(const struct edge_bind *one, const struct edge_bind *other) {
    return one->transport == other->transport && one->size == other->size &&
           memcmp(&one->address, &other->address, one->size) == 0;
}

/* The door that stood at the same place before; nullptr: none did. */
static struct door *door_before(const struct tenure *before, const struct door *door) {
    for (uint32_t i = 0; before != nullptr && i < before->setup->config->listener_count; i++) {
        if (is_same_place(&before->doors[i].listener->config->bind,
                          &door->listener->config->bind)) {
            return &before->doors[i];
        }
    }
    return nullptr;
}

/* Whoever knocked at a door of before comes in by the one that stands there now. */
static void open_doors(struct worker *worker, struct tenure *tenure, struct tenure *before) {
    for (uint32_t i = 0; i < tenure->setup->config->listener_count; i++) {
        struct door *door = &tenure->doors[i];
        if (!is_stream(door->listener->config) || worker->is_draining) {
            continue;
        }
        struct door *old = door_before(before, door);
        bool is_open = old != nullptr ? io_accept_move(worker->io, &old->acceptor, &door->acceptor)
                                      : io_accept_start(worker->io, &door->acceptor);
        if (!is_open) {
            on_accept_failed(&door->acceptor, errno);
        }
    }
}

static void close_doors(struct worker *worker, struct tenure *tenure) {
    for (uint32_t i = 0; i < tenure->setup->config->listener_count; i++) {
        if (is_stream(tenure->doors[i].listener->config)) {
            io_accept_stop(worker->io, &tenure->doors[i].acceptor);
        }
    }
}

static void tenure_end(struct worker *worker) {
    struct tenure *tenure = worker->tenure;
    worker->tenure = nullptr;
    if (tenure == nullptr) {
        return;
    }
    close_doors(worker, tenure);
    tenure->is_over = true;
    if (tenure->connections == 0) {
        tenure_free(tenure);
    }
}

/* Memory is all that can fail, and it fails before anything changes. */
static bool use(struct worker *worker, struct setup *setup) {
    struct error err;
    uint32_t count = setup->config->listener_count;
    struct tenure *tenure = calloc(1, sizeof *tenure);
    struct door *doors = calloc((size_t)count + 1, sizeof *doors);
    struct chooser *chooser = nullptr;
    if (tenure == nullptr || doors == nullptr ||
        !status_is_ok(chooser_new(setup->upstreams, worker->metrics, &chooser, &err))) {
        free(tenure);
        free(doors);
        return false;
    }
    setup_reference(setup);
    *tenure = (struct tenure){worker, setup, chooser, doors, 0, false};
    if (!worker->is_draining && !worker_udp_use(worker, tenure)) {
        tenure_free(tenure);
        return false;
    }
    for (uint32_t i = 0; i < count; i++) {
        doors[i] = (struct door){
            .acceptor = {.fd = setup->listeners[i].fd,
                         .accepted = on_accepted,
                         .failed = on_accept_failed,
                         .watch = {.fd = -1}},
            .tenure = tenure,
            .listener = &setup->listeners[i],
        };
    }
    open_doors(worker, tenure, worker->tenure);
    tenure_end(worker);
    worker->tenure = tenure;
    return true;
}

static void drain(struct worker *worker) {
    worker->is_draining = true;
    if (worker->tenure != nullptr) {
        close_doors(worker, worker->tenure);
    }
    worker_udp_drain(worker);
}

static void stop(struct worker *worker) {
    drain(worker);
    worker->is_stopping = true;
    struct connection *next;
    for (struct connection *one = worker->connections; one != nullptr; one = next) {
        next = one->next;
        connection_abort(one, EDGE_ERROR_DRAIN);
    }
}

static void on_wake(struct io_watch *watch, uint32_t events) {
    struct worker *worker =
        (struct worker *)((uint8_t *)watch - offsetof(struct worker, wake_watch));
    char bytes[16];
    (void)events;
    (void)!read(watch->fd, bytes, sizeof bytes);
    (void)pthread_mutex_lock(&worker->lock);
    if (worker->order_setup != nullptr) {
        worker->has_failed = !use(worker, worker->order_setup);
        worker->order_setup = nullptr;
    }
    if (worker->orders_drain) {
        drain(worker);
    }
    if (worker->orders_stop) {
        stop(worker);
    }
    worker->has_order = worker->orders_drain = worker->orders_stop = false;
    (void)pthread_cond_broadcast(&worker->done);
    (void)pthread_mutex_unlock(&worker->lock);
}

static void *run(void *argument) {
    struct worker *worker = argument;
    while (!worker->is_stopping || worker->connections != nullptr) {
        if (!io_turn(worker->io)) {
            LOG_EVENT(worker->log, PROXY_EVENT_WORKER_FAILED, {"errno", nullptr, errno});
            ASSERT(!"the engine of a worker failed");
        }
        metrics_count(worker->metrics, METRIC_TURNS, 1);
    }
    worker_udp_close(worker);
    tenure_end(worker);
    io_watch_remove(worker->io, &worker->wake_watch);
    return nullptr;
}

status_t worker_new(const struct worker_options *options, struct worker **ret_worker,
                    char ret_reason[static IO_REASON_BYTES], struct error *err) {
    struct worker *worker = calloc(1, sizeof *worker);
    if (worker == nullptr) {
        return error_set(err, ERROR_NO_MEMORY, 0, "cannot make a worker");
    }
    *worker = (struct worker){
        .metrics = options->metrics,
        .log = options->log,
        .sources = options->sources,
        .index = options->index,
        .count = options->count,
        .wake = {-1, -1},
        .wake_watch = {.fd = -1, .ready = on_wake},
    };
    (void)pthread_mutex_init(&worker->lock, nullptr);
    (void)pthread_cond_init(&worker->done, nullptr);
    status_t status = io_new(options->engine, &worker->io, ret_reason, err);
    if (status_is_ok(status) &&
        (pipe2(worker->wake, O_NONBLOCK | O_CLOEXEC) != 0 ||
         !io_watch_add(worker->io, &worker->wake_watch, worker->wake[0], POLLIN))) {
        status = error_set(err, ERROR_IO, errno, "cannot make a worker");
    }
    if (!status_is_ok(status)) {
        worker_free(worker);
        return status;
    }
    *ret_worker = worker;
    return STATUS_OK;
}

void worker_free(struct worker *worker) {
    if (worker == nullptr) {
        return;
    }
    ASSERT(!worker->is_started && worker->connections == nullptr);
    io_free(worker->io);
    fd_closep(&worker->wake[0]);
    fd_closep(&worker->wake[1]);
    (void)pthread_mutex_destroy(&worker->lock);
    (void)pthread_cond_destroy(&worker->done);
    free(worker);
}

status_t worker_start(struct worker *worker, struct error *err) {
    int failed = pthread_create(&worker->thread, nullptr, run, worker);
    if (failed != 0) {
        return error_set(err, ERROR_NO_MEMORY, failed, "cannot start a worker");
    }
    worker->is_started = true;
    return STATUS_OK;
}

/* Called with the lock; returns when the order is carried out. */
static void order(struct worker *worker) {
    worker->has_order = true;
    (void)!write(worker->wake[1], "x", 1);
    while (worker->has_order) {
        (void)pthread_cond_wait(&worker->done, &worker->lock);
    }
}

bool worker_use(struct worker *worker, struct setup *setup) {
    (void)pthread_mutex_lock(&worker->lock);
    worker->order_setup = setup;
    order(worker);
    bool is_used = !worker->has_failed;
    (void)pthread_mutex_unlock(&worker->lock);
    return is_used;
}

void worker_drain(struct worker *worker) {
    (void)pthread_mutex_lock(&worker->lock);
    worker->orders_drain = true;
    order(worker);
    (void)pthread_mutex_unlock(&worker->lock);
}

void worker_stop(struct worker *worker) {
    if (!worker->is_started) {
        return;
    }
    (void)pthread_mutex_lock(&worker->lock);
    worker->orders_stop = true;
    order(worker);
    (void)pthread_mutex_unlock(&worker->lock);
    (void)pthread_join(worker->thread, nullptr);
    worker->is_started = false;
}
