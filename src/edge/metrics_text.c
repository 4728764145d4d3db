/* SPDX-License-Identifier: Apache-2.0
 *
 * The Prometheus text format, version 0.0.4. Every series of a fixed label is there from the start,
 * with 0, so that a rate has something to begin with; but histograms by group only once something
 * was seen, because they are 24 lines each.
 */
#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "base/assert.h"
#include "base/limits.h"
#include "codec/text.h"
#include "edge/metrics_table.h"

static const char *const KIND_NAMES[] = {
    [METRIC_COUNTER] = "counter", [METRIC_GAUGE] = "gauge", [METRIC_HISTOGRAM] = "histogram"};

static const struct {
    const char *name, *kind, *help;
} OTHERS[] = {
#define METRIC_OTHER(name, text, kind, labels, help) \
    [METRIC_OTHER_##name] = {"airlock_proxy_" text, kind, help},
#include "metrics.def"
};

static const char *const LABEL_NAMES[] = {
#define METRIC_LABEL(name, text, values) [METRIC_LABEL_##name] = text,
#include "metrics.def"
};

static const char *const DIRECTIONS[] = {
#define DIRECTION(name, text, meaning) text,
#include "metrics.def"
};
static const char *const HANDSHAKES[] = {
#define HANDSHAKE(name, text, meaning) text,
#include "metrics.def"
};
static const char *const RETRIED[] = {"false", "true"};
static const char *const FALLBACKS[] = {
#define FALLBACK(name, text, meaning) text,
#include "metrics.def"
};
static const char *const REFUSALS[] = {
#define REFUSAL(name, text, meaning) text,
#include "metrics.def"
};
static const char *const ERRORS[] = {
#define EDGE_ERROR(name, text, meaning) text,
#include "metrics.def"
};
static const char *const UDP_DROPS[] = {
#define UDP_DROP(name, text, meaning) text,
#include "metrics.def"
};
static const char *const RELOADS[] = {
#define RELOAD(name, text, meaning) text,
#include "metrics.def"
};

const char *edge_refusal_text(enum edge_refusal refusal) {
    return REFUSALS[refusal];
}

const char *edge_error_text(enum edge_error error) {
    return ERRORS[error];
}

/* The text of a value; nullptr where it is not to be shown. */
static const char *value_text(const struct metric_names *names, enum metric_label label,
                              uint16_t value, const char **ret_server) {
    *ret_server = "";
    switch (label) {
    case METRIC_LABEL_NONE:
        return "";
    case METRIC_LABEL_LISTENER:
    case METRIC_LABEL_SERVER:
        return metric_names_get(names, label, value, ret_server);
    case METRIC_LABEL_DIRECTION:
        return DIRECTIONS[value];
    case METRIC_LABEL_GROUP:
        return edge_group_row((enum edge_group)value)->name;
    case METRIC_LABEL_HANDSHAKE:
        return HANDSHAKES[value];
    case METRIC_LABEL_RETRIED:
        return RETRIED[value];
    case METRIC_LABEL_FALLBACK:
        return FALLBACKS[value];
    case METRIC_LABEL_REFUSAL:
        return REFUSALS[value];
    case METRIC_LABEL_ERROR:
        return ERRORS[value];
    case METRIC_LABEL_UDP_DROP:
        return UDP_DROPS[value];
    case METRIC_LABEL_RELOAD:
        return RELOADS[value];
    }
    return nullptr;
}

/* A value in quotes holds any UTF-8; backslash, quote and line feed are escaped. */
static void put_escaped(struct builder *out, struct slice text) {
    for (size_t i = 0; i < text.size; i++) {
        uint8_t byte = text.data[i];
        if (byte == '\n') {
            builder_text(out, "\\n");
            continue;
        }
        if (byte == '\\' || byte == '"') {
            builder_u8(out, '\\');
        }
        builder_u8(out, byte);
    }
}

static void put_label(struct builder *out, char *separator, const char *name, const char *value) {
    builder_format(out, "%c%s=\"", *separator, name);
    *separator = ',';
    struct slice text = slice_of_string(value);
    if (text_is_utf8(text)) {
        put_escaped(out, text);
    } else {
        struct builder visible;
        builder_init(&visible, 4 * text.size);
        text_escape(text, &visible);
        put_escaped(out, builder_slice(&visible));
        builder_deinit(&visible);
    }
    builder_u8(out, '"');
}

/* The labels of a combination, without the bracket that ends them; '{' stays in *ret_separator when
 * there are none. */
static void put_labels(struct builder *out, const struct metric_names *names,
                       const struct metric_row *row, struct metric_at at, char *ret_separator) {
    const uint16_t values[] = {at.label_1, at.label_2, at.label_3};
    *ret_separator = '{';
    for (size_t i = 0; i < 3; i++) {
        const char *server;
        const char *text = value_text(names, row->labels[i], values[i], &server);
        ASSERT(text != nullptr);
        if (row->labels[i] == METRIC_LABEL_SERVER) {
            put_label(out, ret_separator, "upstream", text);
            put_label(out, ret_separator, "server", server);
        } else if (row->labels[i] != METRIC_LABEL_NONE) {
            put_label(out, ret_separator, LABEL_NAMES[row->labels[i]], text);
        }
    }
}

static void put_seconds(struct builder *out, uint64_t us) {
    char text[40];
    int size = snprintf(text, sizeof text, "%llu.%06llu", (unsigned long long)(us / 1000000),
                        (unsigned long long)(us % 1000000));
    while (text[size - 1] == '0') {
        size--;
    }
    size -= text[size - 1] == '.' ? 1 : 0;
    builder_bytes(out, slice_of(text, (size_t)size));
}

static void put_histogram(struct builder *out, const struct metric_sources *sources,
                          enum metric metric, struct metric_at at) {
    const struct metric_row *row = metric_row(metric);
    uint64_t count = 0;
    char separator;
    for (size_t i = 0; i <= METRIC_BUCKETS; i++) {
        count += metrics_cell(sources, metric, at, i);
        builder_format(out, "%s_bucket", row->name);
        put_labels(out, sources->names, row, at, &separator);
        builder_format(out, "%cle=\"", separator);
        if (i < METRIC_BUCKETS) {
            put_seconds(out, metric_bound_us(i));
        } else {
            builder_text(out, "+Inf");
        }
        builder_format(out, "\"} %llu\n", (unsigned long long)count);
    }
    builder_format(out, "%s_sum", row->name);
    put_labels(out, sources->names, row, at, &separator);
    builder_text(out, separator == '{' ? " " : "} ");
    put_seconds(out, metrics_cell(sources, metric, at, METRIC_BUCKETS + 1));
    builder_format(out, "\n%s_count", row->name);
    put_labels(out, sources->names, row, at, &separator);
    builder_format(out, "%s%llu\n", separator == '{' ? " " : "} ", (unsigned long long)count);
}

static void put_combination(struct builder *out, const struct metric_sources *sources,
                            enum metric metric, struct metric_at at) {
    const struct metric_row *row = metric_row(metric);
    const char *server;
    if (value_text(sources->names, row->labels[0], at.label_1, &server) == nullptr) {
        return; /* no such listener or server; those stand first in every row */
    }
    if (row->kind == METRIC_HISTOGRAM) {
        if (row->labels[0] == METRIC_LABEL_NONE || metrics_value(sources, metric, at) > 0) {
            put_histogram(out, sources, metric, at);
        }
        return;
    }
    char separator;
    builder_text(out, row->name);
    put_labels(out, sources->names, row, at, &separator);
    builder_format(out, "%s%lld\n", separator == '{' ? " " : "} ",
                   (long long)metrics_value(sources, metric, at));
}

static void put_head(struct builder *out, const char *name, const char *kind, const char *help) {
    builder_format(out, "# HELP %s ", name);
    for (const char *at = help; *at != '\0'; at++) {
        if (*at == '\\') {
            builder_u8(out, '\\'); /* quotes stay as they are here */
        }
        builder_u8(out, (uint8_t)*at);
    }
    builder_format(out, "\n# TYPE %s %s\n", name, kind);
}

static void put_other(struct builder *out, enum metric_other metric) {
    put_head(out, OTHERS[metric].name, OTHERS[metric].kind, OTHERS[metric].help);
}

static void put_metric(struct builder *out, const struct metric_sources *sources,
                       enum metric metric) {
    const struct metric_row *row = metric_row(metric);
    put_head(out, row->name, KIND_NAMES[row->kind], row->help);
    uint32_t counts[3];
    for (size_t i = 0; i < 3; i++) {
        counts[i] = metric_label_values(row->labels[i]);
    }
    for (uint32_t i = 0; i < counts[0] * counts[1] * counts[2]; i++) {
        struct metric_at at = {.label_1 = (uint16_t)(i / counts[2] / counts[1]),
                               .label_2 = (uint16_t)(i / counts[2] % counts[1]),
                               .label_3 = (uint16_t)(i % counts[2])};
        put_combination(out, sources, metric, at);
    }
}

static void put_state(struct builder *out, const struct metric_names *names,
                      const struct metric_state *state) {
    put_other(out, state->metric);
    for (uint32_t i = 0; i < METRIC_SERVERS; i++) {
        int64_t value;
        const char *server;
        uint16_t number = (uint16_t)i;
        const char *upstream = metric_names_get(names, METRIC_LABEL_SERVER, number, &server);
        if (upstream != nullptr && state->value(state->context, number, &value)) {
            char separator = '{';
            builder_text(out, OTHERS[state->metric].name);
            put_label(out, &separator, "upstream", upstream);
            put_label(out, &separator, "server", server);
            builder_format(out, "} %lld\n", (long long)value);
        }
    }
}

static void put_engine(struct builder *out, const struct metric_names *names) {
    const char *reason;
    const char *engine = metric_names_engine(names, &reason);
    if (engine != nullptr) {
        char separator = '{';
        put_other(out, METRIC_OTHER_ENGINE);
        builder_text(out, "airlock_proxy_engine_info");
        put_label(out, &separator, "engine", engine);
        put_label(out, &separator, "reason", reason);
        builder_text(out, "} 1\n");
    }
}

static void put_limits(struct builder *out) {
    put_other(out, METRIC_OTHER_LIMITS);
    for (unsigned id = 0; id < LIMIT_ID_COUNT; id++) {
        const struct limit_row *row = limit_row((enum limit_id)id);
        uint64_t hits = limit_hit_count((enum limit_id)id);
        if (hits == 0 && strncmp(row->name, "EDGE_", 5) != 0) {
            continue; /* of other parts of Airlock */
        }
        builder_text(out, "airlock_proxy_limits_hit_total{limit=\"");
        for (const char *at = row->name; *at != '\0'; at++) {
            builder_u8(out, (uint8_t)tolower((unsigned char)*at));
        }
        builder_format(out, "\"} %llu\n", (unsigned long long)hits);
    }
}

void metrics_format(const struct metric_sources *sources, struct builder *out) {
    put_engine(out, sources->names);
    for (uint8_t i = 0; i < METRIC_COUNT; i++) {
        put_metric(out, sources, (enum metric)i);
    }
    for (size_t i = 0; i < sources->state_count; i++) {
        put_state(out, sources->names, &sources->states[i]);
    }
    put_limits(out);
}
