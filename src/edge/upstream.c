/* SPDX-License-Identifier: Apache-2.0 */
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "base/assert.h"
#include "edge/upstream_state.h"
#include "proxy/address.h"
#include "proxy/resolve.h"

void server_state_publish(struct server_state *state) {
    uint64_t until = state->circuit.state == CIRCUIT_CLOSED ? 0 : state->circuit.until_ms;
    bool is_out = !state->is_up || state->address_count == 0;
    atomic_store_explicit(&state->blocked_until_ms, is_out ? UINT64_MAX : until,
                          memory_order_relaxed);
}

void server_state_address(const struct server_state *state, uint32_t turn,
                          struct upstream_choice *choice) {
    if (state->path.sun_family == AF_UNIX) {
        choice->address = (struct sockaddr_storage){};
        memcpy(&choice->address, &state->path, sizeof state->path);
        choice->size = sizeof state->path;
        return;
    }
    choice->size = address_to_socket(&state->addresses[turn % state->address_count], state->port,
                                     &choice->address);
}

bool upstream_is_open(const struct upstreams *upstreams, const struct upstream_row *row,
                      uint32_t index, uint64_t now_ms) {
    const struct server_state *state = upstreams->servers[row->first + index];
    return row->config->servers[index].weight > 0 &&
           now_ms >= atomic_load_explicit(&state->blocked_until_ms, memory_order_relaxed);
}

static void state_put(struct server_state *state) {
    if (state != nullptr && atomic_fetch_sub(&state->holders, 1) == 1) {
        (void)pthread_mutex_destroy(&state->lock);
        free(state->upstream);
        free(state->address);
        free(state);
    }
}

static void find_addresses(struct server_state *state, const struct edge_server *server,
                           struct slice hosts) {
    static const struct host_address LOCAL[] = {{4, {127, 0, 0, 1}}, {16, {[15] = 1}}};
    struct host host;
    if (server->path[0] != '\0') {
        state->path.sun_family = AF_UNIX;
        size_t size = strlen(server->path);
        ASSERT(size < sizeof state->path.sun_path);
        memcpy(state->path.sun_path, server->path, size);
        state->address_count = 1;
        return;
    }
    if (host_parse(slice_of_string(server->host), false, &host) == nullptr && host.is_address) {
        state->addresses[0] = host.address;
        state->address_count = 1;
        return;
    }
    size_t count = resolve_in_hosts(hosts, server->host, state->addresses);
    if (count == 0 && strcmp(server->host, "localhost") == 0) { /* RFC 6761, section 6.3 */
        memcpy(state->addresses, LOCAL, sizeof LOCAL);
        count = sizeof LOCAL / sizeof LOCAL[0];
    }
    state->address_count = (uint32_t)count;
    state->is_asked_for = count == 0;
}

static struct server_state *state_new(const struct upstreams_options *options,
                                      const struct edge_upstream *upstream,
                                      const struct edge_server *server) {
    struct server_state *state = calloc(1, sizeof *state);
    if (state == nullptr) {
        return nullptr;
    }
    (void)pthread_mutex_init(&state->lock, nullptr);
    atomic_store(&state->holders, 1);
    state->upstream = strdup(upstream->name);
    state->address = strdup(server->address);
    if (state->upstream == nullptr || state->address == nullptr) {
        state_put(state);
        return nullptr;
    }
    state->number = metric_names_server(options->names, upstream->name, server->address);
    state->port = server->port;
    state->is_up = true;
    find_addresses(state, server, options->hosts);
    server_state_publish(state);
    return state;
}

/* The one of before, or a new one. */
static struct server_state *state_get(const struct upstreams_options *options,
                                      const struct edge_upstream *upstream,
                                      const struct edge_server *server) {
    const struct upstreams *previous = options->previous;
    for (uint32_t i = 0; previous != nullptr && i < previous->server_count; i++) {
        struct server_state *state = previous->servers[i];
        if (strcmp(state->upstream, upstream->name) == 0 &&
            strcmp(state->address, server->address) == 0) {
            atomic_fetch_add(&state->holders, 1);
            return state;
        }
    }
    return state_new(options, upstream, server);
}

/* A server that is checked no more counts as up again. */
static void forget_checks(struct server_state *state, const struct edge_upstream *upstream) {
    if (!upstream->health.is_there) {
        (void)pthread_mutex_lock(&state->lock);
        state->is_up = true;
        server_state_publish(state);
        (void)pthread_mutex_unlock(&state->lock);
    }
}

static bool fill(struct upstreams *upstreams, const struct upstreams_options *options) {
    uint32_t at = 0;
    for (uint32_t i = 0; i < upstreams->row_count; i++) {
        const struct edge_upstream *config = &options->config->upstreams[i];
        const struct tls_client *client =
            options->clients != nullptr ? options->clients[i] : nullptr;
        upstreams->rows[i] = (struct upstream_row){config, at, config->server_count, client};
        for (uint32_t k = 0; k < config->server_count; k++) {
            struct server_state *state = state_get(options, config, &config->servers[k]);
            upstreams->servers[at++] = state;
            if (state == nullptr) {
                return false;
            }
            forget_checks(state, config);
        }
    }
    return true;
}

status_t upstreams_new(const struct upstreams_options *options, struct upstreams **ret_upstreams,
                       struct error *err) {
    struct upstreams *upstreams = calloc(1, sizeof *upstreams);
    if (upstreams == nullptr) {
        return error_set(err, ERROR_NO_MEMORY, 0, "cannot make the upstreams");
    }
    upstreams->row_count = options->config->upstream_count;
    for (uint32_t i = 0; i < upstreams->row_count; i++) {
        upstreams->server_count += options->config->upstreams[i].server_count;
    }
    upstreams->rows = calloc(upstreams->row_count + 1, sizeof *upstreams->rows);
    upstreams->servers = calloc(upstreams->server_count + 1, sizeof(void *));
    if (upstreams->rows == nullptr || upstreams->servers == nullptr || !fill(upstreams, options)) {
        upstreams_free(upstreams);
        return error_set(err, ERROR_NO_MEMORY, 0, "cannot make the upstreams");
    }
    *ret_upstreams = upstreams;
    return STATUS_OK;
}

void upstreams_free(struct upstreams *upstreams) {
    if (upstreams != nullptr) {
        for (uint32_t i = 0; upstreams->servers != nullptr && i < upstreams->server_count; i++) {
            state_put(upstreams->servers[i]);
        }
        free(upstreams->rows);
        free((void *)upstreams->servers);
        free(upstreams);
    }
}

uint32_t upstreams_server_count(const struct upstreams *upstreams) {
    return upstreams->server_count;
}

void upstreams_server(struct upstreams *upstreams, uint32_t server, uint64_t now_ms,
                      struct upstream_server_view *ret_view) {
    ASSERT(server < upstreams->server_count);
    uint32_t row = 0;
    while (server >= upstreams->rows[row].first + upstreams->rows[row].count) {
        row++;
    }
    struct server_state *state = upstreams->servers[server];
    const struct edge_upstream *config = upstreams->rows[row].config;
    (void)pthread_mutex_lock(&state->lock);
    *ret_view = (struct upstream_server_view){
        .upstream = config,
        .server = &config->servers[server - upstreams->rows[row].first],
        .upstream_index = row,
        .client = upstreams->rows[row].client,
        .number = state->number,
        .is_up = state->is_up,
        .is_circuit_open = !circuit_is_usable(&state->circuit, now_ms),
        .is_asked_for = state->is_asked_for,
        .address_count = state->address_count,
    };
    (void)pthread_mutex_unlock(&state->lock);
}

bool upstreams_set_up(struct upstreams *upstreams, uint32_t server, bool up) {
    ASSERT(server < upstreams->server_count);
    struct server_state *state = upstreams->servers[server];
    (void)pthread_mutex_lock(&state->lock);
    bool is_other = state->is_up != up;
    state->is_up = up;
    server_state_publish(state);
    (void)pthread_mutex_unlock(&state->lock);
    return is_other;
}

static bool has_address(const struct server_state *state, const struct host_address *address) {
    for (uint32_t i = 0; i < state->address_count; i++) {
        if (state->addresses[i].size == address->size &&
            memcmp(state->addresses[i].bytes, address->bytes, address->size) == 0) {
            return true;
        }
    }
    return false;
}

bool upstreams_set_addresses(struct upstreams *upstreams, uint32_t server,
                             const struct host_address *addresses, size_t count) {
    ASSERT(server < upstreams->server_count && count > 0 && count <= LIMIT_EGRESS_ADDRESSES);
    struct server_state *state = upstreams->servers[server];
    (void)pthread_mutex_lock(&state->lock);
    bool is_other = count != state->address_count;
    for (size_t i = 0; i < count && !is_other; i++) {
        is_other = !has_address(state, &addresses[i]);
    }
    memcpy(state->addresses, addresses, count * sizeof *addresses);
    state->address_count = (uint32_t)count;
    server_state_publish(state);
    (void)pthread_mutex_unlock(&state->lock);
    return is_other;
}

bool upstreams_address(struct upstreams *upstreams, uint32_t server, uint32_t turn,
                       struct upstream_choice *ret_choice) {
    ASSERT(server < upstreams->server_count);
    struct server_state *state = upstreams->servers[server];
    (void)pthread_mutex_lock(&state->lock);
    bool has_one = state->address_count > 0;
    if (has_one) {
        server_state_address(state, turn, ret_choice);
    }
    (void)pthread_mutex_unlock(&state->lock);
    return has_one;
}

bool upstreams_is_usable(struct upstreams *upstreams, uint32_t upstream, uint64_t now_ms) {
    ASSERT(upstream < upstreams->row_count);
    const struct upstream_row *row = &upstreams->rows[upstream];
    for (uint32_t i = 0; i < row->count; i++) {
        if (upstream_is_open(upstreams, row, i, now_ms)) {
            return true;
        }
    }
    return false;
}
