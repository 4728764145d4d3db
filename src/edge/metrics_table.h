/* SPDX-License-Identifier: Apache-2.0
 *
 * The table of metrics as metrics.c keeps it and metrics_text.c shows it.
 */
#pragma once

#include "edge/metrics.h"

enum { METRIC_BUCKETS = 22 };

enum metric_kind : uint8_t { METRIC_COUNTER, METRIC_GAUGE, METRIC_HISTOGRAM };

enum metric_label : uint8_t {
#define METRIC_LABEL(name, text, values) METRIC_LABEL_##name,
#include "metrics.def"
};

struct metric_row {
    const char *name; /* with its prefix */
    const char *help;
    enum metric_kind kind;
    enum metric_label labels[3];
    size_t first_cell;
};

const struct metric_row *metric_row(enum metric metric);
uint32_t metric_label_values(enum metric_label label);
/* The upper end of a bucket; it belongs to the bucket. */
uint32_t metric_bound_us(size_t bucket);
/* A cell of a combination, added up: of a histogram the buckets (not cumulated), what is above,
 * and the sum. */
uint64_t metrics_cell(const struct metric_sources *sources, enum metric metric, struct metric_at at,
                      size_t offset);

/* metric_names.c: what stands behind a number; nullptr where nothing does. *ret_server is "" for a
 * listener. */
const char *metric_names_get(const struct metric_names *names, enum metric_label label,
                             uint16_t number, const char **ret_server);
const char *metric_names_engine(const struct metric_names *names, const char **ret_reason);
