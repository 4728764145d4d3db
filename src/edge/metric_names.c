/* SPDX-License-Identifier: Apache-2.0
 *
 * Numbers for names. A row is written once, then the count that makes it visible; whoever reads
 * takes the count first. A number is never given to another name.
 */
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "base/assert.h"
#include "base/limits.h"
#include "edge/metrics_table.h"

struct name_row {
    char *name, *server; /* owned */
};

struct name_table {
    struct name_row *rows; /* owned */
    uint16_t rows_max;
    enum limit_id limit;
    _Atomic uint16_t count;
    _Atomic bool has_others;
};

struct metric_names {
    struct name_table listeners, servers;
    char *engine, *reason; /* owned */
};

static_assert(METRIC_LISTENERS == LIMIT_EDGE_LISTENERS_SHOWN + 1);
static_assert(METRIC_SERVERS == LIMIT_EDGE_SERVERS_SHOWN + 1);

status_t metric_names_new(struct metric_names **ret_names, struct error *err) {
    struct metric_names *names = calloc(1, sizeof *names);
    struct name_row *listeners = calloc(METRIC_LISTENERS, sizeof *listeners);
    struct name_row *servers = calloc(METRIC_SERVERS, sizeof *servers);
    if (names == nullptr || listeners == nullptr || servers == nullptr) {
        free(names);
        free(listeners);
        free(servers);
        return error_set(err, ERROR_NO_MEMORY, 0, "cannot make the names of the metrics");
    }
    names->listeners = (struct name_table){
        .rows = listeners, .rows_max = METRIC_LISTENERS, .limit = LIMIT_ID_EDGE_LISTENERS_SHOWN};
    names->servers = (struct name_table){
        .rows = servers, .rows_max = METRIC_SERVERS, .limit = LIMIT_ID_EDGE_SERVERS_SHOWN};
    *ret_names = names;
    return STATUS_OK;
}

static void table_deinit(struct name_table *table) {
    for (uint16_t i = 0; i < table->rows_max; i++) {
        free(table->rows[i].name);
        free(table->rows[i].server);
    }
    free(table->rows);
}

void metric_names_free(struct metric_names *names) {
    if (names != nullptr) {
        table_deinit(&names->listeners);
        table_deinit(&names->servers);
        free(names->engine);
        free(names->reason);
        free(names);
    }
}

static uint16_t others(struct name_table *table) {
    atomic_store_explicit(&table->has_others, true, memory_order_relaxed);
    return table->rows_max - 1;
}

static uint16_t number_of(struct name_table *table, const char *name, const char *server) {
    uint16_t count = atomic_load_explicit(&table->count, memory_order_relaxed);
    for (uint16_t i = 0; i < count; i++) {
        if (strcmp(table->rows[i].name, name) == 0 && strcmp(table->rows[i].server, server) == 0) {
            return i;
        }
    }
    if (count + 1 >= table->rows_max) {
        limit_hit(table->limit);
        return others(table);
    }
    struct name_row row = {strdup(name), strdup(server)};
    if (row.name == nullptr || row.server == nullptr) {
        free(row.name);
        free(row.server);
        return others(table);
    }
    table->rows[count] = row;
    atomic_store_explicit(&table->count, (uint16_t)(count + 1), memory_order_release);
    return count;
}

uint16_t metric_names_listener(struct metric_names *names, const char *name) {
    return number_of(&names->listeners, name, "");
}

uint16_t metric_names_server(struct metric_names *names, const char *upstream, const char *server) {
    return number_of(&names->servers, upstream, server);
}

void metric_names_set_engine(struct metric_names *names, const char *engine, const char *reason) {
    ASSERT(names->engine == nullptr && names->reason == nullptr);
    names->engine = strdup(engine);
    names->reason = strdup(reason);
}

const char *metric_names_get(const struct metric_names *names, enum metric_label label,
                             uint16_t number, const char **ret_server) {
    const struct name_table *table =
        label == METRIC_LABEL_LISTENER ? &names->listeners : &names->servers;
    *ret_server = label == METRIC_LABEL_LISTENER ? "" : "other";
    if (number == table->rows_max - 1) {
        return atomic_load_explicit(&table->has_others, memory_order_relaxed) ? "other" : nullptr;
    }
    if (number >= atomic_load_explicit(&table->count, memory_order_acquire)) {
        return nullptr;
    }
    *ret_server = table->rows[number].server;
    return table->rows[number].name;
}

const char *metric_names_engine(const struct metric_names *names, const char **ret_reason) {
    *ret_reason = names->reason != nullptr ? names->reason : "";
    return names->engine;
}
