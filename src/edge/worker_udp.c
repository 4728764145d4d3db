/* SPDX-License-Identifier: Apache-2.0 */
#include "edge/worker_udp.h"

#include <stdlib.h>

#include "edge/udp.h"

static bool is_mine(const struct worker *worker, const struct setup_listener *listener) {
    return listener->config->bind.transport == EDGE_UDP &&
           listener->number % worker->count == worker->index;
}

static struct udp_options options_of(const struct worker *worker, const struct tenure *tenure,
                                     const struct setup_listener *listener) {
    return (struct udp_options){
        .io = worker->io,
        .metrics = worker->metrics,
        .log = worker->log,
        .sources = worker->sources,
        .chooser = tenure->chooser,
        .config = tenure->setup->config,
        .listener = listener->config,
        .number = listener->number,
        .fd = listener->fd,
    };
}

/* One that serves already and goes on; nullptr: it is new. */
static struct udp *find_fitting(const struct worker *worker, const struct udp_options *options) {
    for (uint32_t i = 0; i < worker->udp_count; i++) {
        if (udp_fits(worker->udps[i], options)) {
            return worker->udps[i];
        }
    }
    return nullptr;
}

static bool is_among(struct udp *const *udps, uint32_t count, const struct udp *udp) {
    for (uint32_t i = 0; i < count; i++) {
        if (udps[i] == udp) {
            return true;
        }
    }
    return false;
}

/* Closes those of `udps` that are not among the others. */
static void close_others(struct udp **udps, uint32_t count, struct udp *const *kept,
                         uint32_t kept_count) {
    for (uint32_t i = 0; i < count; i++) {
        if (!is_among(kept, kept_count, udps[i])) {
            udp_close(udps[i]);
        }
    }
    free(udps);
}

bool worker_udp_use(struct worker *worker, struct tenure *tenure) {
    uint32_t listener_count = tenure->setup->config->listener_count;
    struct udp **udps = calloc((size_t)listener_count + 1, sizeof(struct udp *));
    uint32_t count = 0;
    struct error err;
    if (udps == nullptr) {
        return false;
    }
    for (uint32_t i = 0; i < listener_count; i++) {
        const struct setup_listener *listener = &tenure->setup->listeners[i];
        struct udp_options options = options_of(worker, tenure, listener);
        if (!is_mine(worker, listener)) {
            continue;
        }
        udps[count] = find_fitting(worker, &options);
        if (udps[count] == nullptr && !status_is_ok(udp_open(&options, &udps[count], &err))) {
            close_others(udps, count, worker->udps, worker->udp_count);
            return false;
        }
        count++;
    }
    count = 0;
    for (uint32_t i = 0; i < listener_count; i++) { /* nothing fails from here on */
        const struct setup_listener *listener = &tenure->setup->listeners[i];
        struct udp_options options = options_of(worker, tenure, listener);
        if (is_mine(worker, listener)) {
            udp_adopt(udps[count], &options);
            count++;
        }
    }
    close_others(worker->udps, worker->udp_count, udps, count);
    worker->udps = udps;
    worker->udp_count = count;
    return true;
}

void worker_udp_drain(struct worker *worker) {
    for (uint32_t i = 0; i < worker->udp_count; i++) {
        udp_drain(worker->udps[i]);
    }
}

void worker_udp_close(struct worker *worker) {
    close_others(worker->udps, worker->udp_count, nullptr, 0);
    worker->udps = nullptr;
    worker->udp_count = 0;
}
