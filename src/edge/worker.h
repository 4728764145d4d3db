/* SPDX-License-Identifier: Apache-2.0
 *
 * A worker: one thread with an engine of its own, which serves the connections that it accepted
 * from their first byte to their last. Workers share listeners (each accepts when it has time to),
 * the setup, and the limits of sources; everything else is each one's own.
 */
#pragma once

#include <pthread.h>

#include "edge/io.h"
#include "edge/log.h"
#include "edge/setup.h"

struct worker;

/* What a worker has of a setup. */
struct tenure {
    struct worker *worker;
    struct setup *setup;     /* one reference */
    struct chooser *chooser; /* owned */
    struct door *doors;      /* owned; one for each listener */
    uint32_t connections;    /* that began under it */
    bool is_over;            /* another setup is in force */
};

struct door {                    /* a listener's, in one worker */
    struct io_acceptor acceptor; /* first */
    struct tenure *tenure;
    struct setup_listener *listener;
};

struct worker {
    struct io *io;
    struct metrics *metrics;
    struct log_writer *log;
    struct source_limits *sources;
    struct tenure *tenure; /* in force */
    struct udp **udps;     /* owned: the UDP listeners that this worker serves */
    uint32_t udp_count;
    uint32_t index, count;          /* which of the workers it is */
    struct connection *connections; /* all of them, in a list */
    uint32_t connection_count;
    bool is_draining, is_stopping;
    /* Orders come through here. */
    int wake[2];
    struct io_watch wake_watch;
    pthread_t thread;
    bool is_started;
    pthread_mutex_t lock; /* of what follows */
    pthread_cond_t done;
    struct setup *order_setup;
    bool orders_drain, orders_stop, has_order, has_failed;
    _Atomic uint32_t live; /* connections, for whoever waits until there are none */
};

struct worker_options {
    enum edge_engine engine;
    struct metrics *metrics;
    struct log_writer *log;
    struct source_limits *sources;
    uint32_t index, count; /* which worker, of how many: each serves some of the UDP listeners */
};
/* Everything is borrowed until worker_free(). ret_reason: why this engine. */
status_t worker_new(const struct worker_options *options, struct worker **ret_worker,
                    char ret_reason[static IO_REASON_BYTES], struct error *err);
void worker_free(struct worker *worker); /* after worker_stop(); nullptr is fine */
status_t worker_start(struct worker *worker, struct error *err);

/* Orders, from another thread; each returns when it is carried out. */
[[nodiscard]] bool worker_use(struct worker *worker, struct setup *setup); /* false: no memory */
void worker_drain(struct worker *worker); /* accepts nothing more */
void worker_stop(struct worker *worker);  /* closes what is open, ends the thread */

/* For connection.c. */
void tenure_release(struct tenure *tenure); /* one connection less */
