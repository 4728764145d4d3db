/* SPDX-License-Identifier: Apache-2.0
 *
 * Cells: every metric has one for each combination of its labels' values, in the order of the
 * table; a histogram has BUCKETS + 2 instead (one for each bound, one for what is above, the sum).
 * Where each begins is worked out by the compiler: struct layout is never made, only measured.
 */
#include "edge/metrics.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "base/assert.h"
#include "base/cleanup.h"
#include "edge/metrics_table.h"

enum { LINE_BYTES = 64 }; /* of a processor's cache */

enum label_values : uint32_t {
#define METRIC_LABEL(name, text, values) VALUES_##name = (values),
#include "metrics.def"
};

enum kind_cells : uint32_t {
    CELLS_COUNTER = 1,
    CELLS_GAUGE = 1,
    CELLS_HISTOGRAM = METRIC_BUCKETS + 2,
};

struct layout {
#define METRIC(name, text, kind, label_1, label_2, label_3, help) \
    uint64_t name[VALUES_##label_1 * VALUES_##label_2 * VALUES_##label_3 * CELLS_##kind];
#include "metrics.def"
};

enum { CELL_COUNT = sizeof(struct layout) / sizeof(uint64_t) };

struct metrics {
    alignas(LINE_BYTES) _Atomic uint64_t cells[CELL_COUNT];
};

static const uint32_t LABEL_VALUES[] = {
#define METRIC_LABEL(name, text, values) [METRIC_LABEL_##name] = VALUES_##name,
#include "metrics.def"
};

static const struct metric_row ROWS[METRIC_COUNT] = {
#define METRIC(name, text, kind, label_1, label_2, label_3, help)                                \
    [METRIC_##name] = {"airlock_proxy_" text,                                                    \
                       help,                                                                     \
                       METRIC_##kind,                                                            \
                       {METRIC_LABEL_##label_1, METRIC_LABEL_##label_2, METRIC_LABEL_##label_3}, \
                       offsetof(struct layout, name) / sizeof(uint64_t)},
#include "metrics.def"
};

static const uint32_t BOUNDS_US[METRIC_BUCKETS] = {
    10,    20,    50,     100,    200,    350,     500,     1000,    2000,     5000,     10000,
    20000, 50000, 100000, 200000, 500000, 1000000, 2000000, 5000000, 10000000, 30000000, 60000000,
};

const struct metric_row *metric_row(enum metric metric) {
    ASSERT(metric < METRIC_COUNT);
    return &ROWS[metric];
}

uint32_t metric_label_values(enum metric_label label) {
    return LABEL_VALUES[label];
}

uint32_t metric_bound_us(size_t bucket) {
    ASSERT(bucket < METRIC_BUCKETS);
    return BOUNDS_US[bucket];
}

status_t metrics_new(struct metrics **ret_metrics, struct error *err) {
    struct metrics *metrics = aligned_alloc(LINE_BYTES, sizeof *metrics);
    if (metrics == nullptr) {
        return error_set(err, ERROR_NO_MEMORY, 0, "cannot make a worker's metrics");
    }
    memset(metrics, 0, sizeof *metrics);
    *ret_metrics = metrics;
    return STATUS_OK;
}

void metrics_free(struct metrics *metrics) {
    free(metrics);
}

/* The first cell of a combination. */
static size_t cell_of(const struct metric_row *row, struct metric_at at) {
    uint32_t values_2 = LABEL_VALUES[row->labels[1]];
    uint32_t values_3 = LABEL_VALUES[row->labels[2]];
    ASSERT(at.label_1 < LABEL_VALUES[row->labels[0]] && at.label_2 < values_2 &&
           at.label_3 < values_3);
    size_t combination = ((size_t)at.label_1 * values_2 + at.label_2) * values_3 + at.label_3;
    return row->first_cell +
           combination * (row->kind == METRIC_HISTOGRAM ? CELLS_HISTOGRAM : CELLS_COUNTER);
}

/* One thread writes: nothing is lost between the load and the store. */
static void cell_add(struct metrics *metrics, size_t cell, uint64_t count) {
    uint64_t value = atomic_load_explicit(&metrics->cells[cell], memory_order_relaxed);
    atomic_store_explicit(&metrics->cells[cell], value + count, memory_order_relaxed);
}

void metrics_add(struct metrics *metrics, enum metric metric, struct metric_at at, int64_t count) {
    const struct metric_row *row = metric_row(metric);
    ASSERT(row->kind == METRIC_GAUGE || (row->kind == METRIC_COUNTER && count >= 0));
    cell_add(metrics, cell_of(row, at), (uint64_t)count);
}

void metrics_set(struct metrics *metrics, enum metric metric, struct metric_at at, int64_t value) {
    const struct metric_row *row = metric_row(metric);
    ASSERT(row->kind == METRIC_GAUGE);
    atomic_store_explicit(&metrics->cells[cell_of(row, at)], (uint64_t)value, memory_order_relaxed);
}

void metrics_observe(struct metrics *metrics, enum metric metric, struct metric_at at,
                     uint64_t us) {
    const struct metric_row *row = metric_row(metric);
    ASSERT(row->kind == METRIC_HISTOGRAM);
    size_t bucket = 0;
    while (bucket < METRIC_BUCKETS && us > BOUNDS_US[bucket]) {
        bucket++;
    }
    size_t cell = cell_of(row, at);
    cell_add(metrics, cell + bucket, 1);
    cell_add(metrics, cell + METRIC_BUCKETS + 1, us);
}

void metrics_handshake(struct metrics *metrics, const struct metric_handshake *handshake) {
    metrics_add(metrics, METRIC_HANDSHAKES,
                (struct metric_at){.label_1 = handshake->group,
                                   .label_2 = handshake->result,
                                   .label_3 = handshake->retried ? 1 : 0},
                1);
    if (handshake->result == EDGE_HANDSHAKE_OK) {
        struct metric_at at = {.label_1 = handshake->group};
        metrics_observe(metrics, METRIC_HANDSHAKE_SECONDS, at, handshake->wall_us);
        metrics_observe(metrics, METRIC_HANDSHAKE_CPU, at, handshake->cpu_us);
    }
}

uint64_t metrics_cell(const struct metric_sources *sources, enum metric metric, struct metric_at at,
                      size_t offset) {
    size_t cell = cell_of(metric_row(metric), at) + offset;
    uint64_t sum = 0;
    for (size_t i = 0; i < sources->thread_count; i++) {
        sum += atomic_load_explicit(&sources->threads[i]->cells[cell], memory_order_relaxed);
    }
    return sum;
}

int64_t metrics_value(const struct metric_sources *sources, enum metric metric,
                      struct metric_at at) {
    size_t cells = metric_row(metric)->kind == METRIC_HISTOGRAM ? METRIC_BUCKETS + 1 : 1;
    uint64_t sum = 0;
    for (size_t i = 0; i < cells; i++) {
        sum += metrics_cell(sources, metric, at, i);
    }
    return (int64_t)sum;
}
