/* SPDX-License-Identifier: Apache-2.0
 *
 * What the data plane counts: the rows of schema/metrics.def, as numbers and as Prometheus text.
 *
 * Each thread has a struct metrics of its own, which it alone writes; whoever scrapes adds them up.
 * So counting takes no lock and no bus cycle: a relaxed load and store of a line that no other
 * thread writes. What a scrape sees is each counter at some moment since the last one, not all of
 * them at one moment.
 *
 * Listeners and servers have numbers for as long as the process lives, by their names (struct
 * metric_names): a reload that brings a listener back finds its counters as they were.
 */
#pragma once

#include <stdint.h>

#include "base/bytes.h"
#include "base/error.h"
#include "edge/groups.h"

enum { METRIC_LISTENERS = 65, METRIC_SERVERS = 1025 }; /* the last one: those without a number */

enum edge_direction : uint8_t {
#define DIRECTION(name, text, meaning) EDGE_##name,
#include "metrics.def"
    EDGE_DIRECTION_COUNT,
};

enum edge_handshake : uint8_t {
#define HANDSHAKE(name, text, meaning) EDGE_HANDSHAKE_##name,
#include "metrics.def"
    EDGE_HANDSHAKE_COUNT,
};

enum edge_fallback : uint8_t {
#define FALLBACK(name, text, meaning) EDGE_FALLBACK_##name,
#include "metrics.def"
    EDGE_FALLBACK_COUNT,
};

enum edge_refusal : uint8_t {
#define REFUSAL(name, text, meaning) EDGE_REFUSED_##name,
#include "metrics.def"
    EDGE_REFUSED_COUNT,
};

enum edge_error : uint8_t {
#define EDGE_ERROR(name, text, meaning) EDGE_ERROR_##name,
#include "metrics.def"
    EDGE_ERROR_COUNT,
};

enum edge_udp_drop : uint8_t {
#define UDP_DROP(name, text, meaning) EDGE_UDP_DROP_##name,
#include "metrics.def"
    EDGE_UDP_DROP_COUNT,
};

enum edge_reload : uint8_t {
#define RELOAD(name, text, meaning) EDGE_RELOAD_##name,
#include "metrics.def"
    EDGE_RELOAD_COUNT,
};

enum metric : uint8_t {
#define METRIC(name, text, kind, label_1, label_2, label_3, help) METRIC_##name,
#include "metrics.def"
    METRIC_COUNT,
};

/* Those that are looked up. */
enum metric_other : uint8_t {
#define METRIC_OTHER(name, text, kind, labels, help) METRIC_OTHER_##name,
#include "metrics.def"
    METRIC_OTHER_COUNT,
};

/* As in the table: constants, for the log too. */
const char *edge_refusal_text(enum edge_refusal refusal);
const char *edge_error_text(enum edge_error error);

struct metrics; /* of one thread */

status_t metrics_new(struct metrics **ret_metrics, struct error *err);
void metrics_free(struct metrics *metrics); /* nullptr is fine */

/* Values of a metric's labels, in the order of the table; 0 where there is no label. A value past
 * the label's last one is a programmer error. */
struct metric_at {
    uint16_t label_1, label_2, label_3;
};

/* Counters and gauges. Those of a gauge may be negative: its threads' numbers add up. */
void metrics_add(struct metrics *metrics, enum metric metric, struct metric_at at, int64_t count);
/* A gauge that one thread alone sets. */
void metrics_set(struct metrics *metrics, enum metric metric, struct metric_at at, int64_t value);
/* One observation of a histogram. */
void metrics_observe(struct metrics *metrics, enum metric metric, struct metric_at at, uint64_t us);

/* A counter without labels. */
static inline void metrics_count(struct metrics *metrics, enum metric metric, uint64_t count) {
    metrics_add(metrics, metric, (struct metric_at){}, (int64_t)count);
}

static inline void metrics_refusal(struct metrics *metrics, enum edge_refusal refusal) {
    metrics_add(metrics, METRIC_REFUSALS, (struct metric_at){.label_1 = refusal}, 1);
}

static inline void metrics_error(struct metrics *metrics, enum edge_error error) {
    metrics_add(metrics, METRIC_ERRORS, (struct metric_at){.label_1 = error}, 1);
}

static inline void metrics_bytes(struct metrics *metrics, uint16_t listener,
                                 enum edge_direction direction, uint64_t bytes) {
    metrics_add(metrics, METRIC_BYTES,
                (struct metric_at){.label_1 = listener, .label_2 = direction}, (int64_t)bytes);
}

struct metric_handshake {
    enum edge_group group; /* EDGE_GROUP_OTHER while none is agreed on */
    enum edge_handshake result;
    bool retried;     /* after a HelloRetryRequest */
    uint64_t wall_us; /* since the connection was accepted */
    uint64_t cpu_us;  /* processor time */
};

/* The end of a handshake with a client; durations count when it went well. */
void metrics_handshake(struct metrics *metrics, const struct metric_handshake *handshake);

/* The numbers of listeners and servers, and what else is said about the process. Numbers are given
 * by one thread and read by all. */
struct metric_names;

status_t metric_names_new(struct metric_names **ret_names, struct error *err);
void metric_names_free(struct metric_names *names); /* nullptr is fine */
/* The number of a listener: its own as long as there is one, else that of "other". */
uint16_t metric_names_listener(struct metric_names *names, const char *name);
uint16_t metric_names_server(struct metric_names *names, const char *upstream, const char *server);
/* airlock_proxy_engine_info; said once, before the first scrape. */
void metric_names_set_engine(struct metric_names *names, const char *engine, const char *reason);

/* A gauge of each server whose value is looked up. `value` false: nothing is known (any more), and
 * nothing is shown. */
struct metric_state {
    enum metric_other metric;
    bool (*value)(void *context, uint16_t server, int64_t *ret_value);
    void *context;
};

/* The text of /metrics (Prometheus text format 0.0.4), with the counters of base/limits.h. */
struct metric_sources {
    const struct metrics *const *threads;
    size_t thread_count;
    const struct metric_names *names;
    const struct metric_state *states;
    size_t state_count;
};
void metrics_format(const struct metric_sources *sources, struct builder *out);
/* One number of it, added up: for tests, and for a summary in the log. Of a histogram: how many
 * observations. */
int64_t metrics_value(const struct metric_sources *sources, enum metric metric,
                      struct metric_at at);
