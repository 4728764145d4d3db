/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>

#include "base/assert.h"
#include "edge/upstream_state.h"

struct chooser {
    struct upstreams *upstreams;
    struct metrics *metrics;
    int64_t *turns; /* owned; of each server */
};

status_t chooser_new(struct upstreams *upstreams, struct metrics *metrics,
                     struct chooser **ret_chooser, struct error *err) {
    struct chooser *chooser = calloc(1, sizeof *chooser);
    int64_t *turns = calloc(upstreams->server_count + 1, sizeof *turns);
    if (chooser == nullptr || turns == nullptr) {
        free(chooser);
        free(turns);
        return error_set(err, ERROR_NO_MEMORY, 0, "cannot make the choice of servers");
    }
    *chooser = (struct chooser){upstreams, metrics, turns};
    *ret_chooser = chooser;
    return STATUS_OK;
}

void chooser_free(struct chooser *chooser) {
    if (chooser != nullptr) {
        free(chooser->turns);
        free(chooser);
    }
}

/* What a choice may not take: what it tried, unless it is the only way to go on, and another
 * address of that server is left. */
static bool was_tried(const struct upstream_choice *choice, uint32_t server, uint32_t times_max) {
    uint32_t times = 0;
    for (uint32_t i = 0; i < choice->tries; i++) {
        times += choice->tried[i] == server ? 1 : 0;
    }
    return times >= times_max;
}

/* Smooth weighted round robin: everybody gains his weight, the richest pays what all gained.
 * UINT32_MAX: there is nobody. `refused`: a server that said no just now. */
static uint32_t take_turn(struct chooser *chooser, const struct upstream_row *row,
                          const struct upstream_choice *choice, uint32_t refused, uint64_t now_ms) {
    uint32_t best = UINT32_MAX;
    int64_t all = 0;
    for (uint32_t i = 0; i < row->count; i++) {
        uint32_t server = row->first + i;
        if (server == refused || was_tried(choice, server, 1) ||
            !upstream_is_open(chooser->upstreams, row, i, now_ms)) {
            continue;
        }
        int64_t weight = row->config->servers[i].weight;
        chooser->turns[server] += weight;
        all += weight;
        if (best == UINT32_MAX || chooser->turns[server] > chooser->turns[best]) {
            best = server;
        }
    }
    if (best != UINT32_MAX) {
        chooser->turns[best] -= all;
    }
    return best;
}

/* A server with more addresses than were tried of it. */
static uint32_t take_address(struct chooser *chooser, const struct upstream_row *row,
                             const struct upstream_choice *choice, uint64_t now_ms) {
    for (uint32_t i = 0; i < row->count; i++) {
        struct server_state *state = chooser->upstreams->servers[row->first + i];
        (void)pthread_mutex_lock(&state->lock);
        uint32_t addresses = state->address_count;
        (void)pthread_mutex_unlock(&state->lock);
        if (upstream_is_open(chooser->upstreams, row, i, now_ms) &&
            !was_tried(choice, row->first + i, addresses)) {
            return row->first + i;
        }
    }
    return UINT32_MAX;
}

/* Whether the server really takes one more. */
static bool take_server(struct server_state *state, struct upstream_choice *choice,
                        uint64_t now_ms) {
    (void)pthread_mutex_lock(&state->lock);
    bool is_taken = state->is_up && state->address_count > 0 &&
                    circuit_ask(&state->circuit, now_ms) != CIRCUIT_NO;
    if (is_taken) {
        server_state_address(state, state->turn++, choice);
        server_state_publish(state);
    }
    (void)pthread_mutex_unlock(&state->lock);
    return is_taken;
}

bool upstream_choose(struct chooser *chooser, struct upstream_choice *choice, uint64_t now_ms) {
    const struct upstreams *upstreams = chooser->upstreams;
    ASSERT(choice->upstream < upstreams->row_count);
    const struct upstream_row *row = &upstreams->rows[choice->upstream];
    if (choice->tries == LIMIT_EDGE_CONNECT_TRIES) {
        limit_hit(LIMIT_ID_EDGE_CONNECT_TRIES);
        return false;
    }
    uint32_t server = UINT32_MAX;
    for (uint32_t i = 0; i <= row->count; i++) { /* again for each that says no after all */
        server = take_turn(chooser, row, choice, server, now_ms);
        server = server != UINT32_MAX ? server : take_address(chooser, row, choice, now_ms);
        if (server == UINT32_MAX) {
            return false;
        }
        if (take_server(upstreams->servers[server], choice, now_ms)) {
            break;
        }
        if (i == row->count) {
            return false;
        }
    }
    if (choice->tries > 0) {
        metrics_count(chooser->metrics, METRIC_RETRIES, 1);
    }
    choice->tried[choice->tries++] = server;
    choice->server = server;
    choice->number = upstreams->servers[server]->number;
    choice->config = &row->config->servers[server - row->first];
    return true;
}

void upstream_succeeded(struct chooser *chooser, const struct upstream_choice *choice,
                        uint64_t now_ms) {
    struct server_state *state = chooser->upstreams->servers[choice->server];
    (void)pthread_mutex_lock(&state->lock);
    circuit_succeeded(&state->circuit, now_ms);
    server_state_publish(state);
    (void)pthread_mutex_unlock(&state->lock);
    metrics_add(chooser->metrics, METRIC_UPSTREAM_CONNECTIONS,
                (struct metric_at){.label_1 = state->number}, 1);
}

static void count_failure(struct chooser *chooser, const struct server_state *state,
                          bool is_opened) {
    struct metric_at at = {.label_1 = state->number};
    metrics_add(chooser->metrics, METRIC_UPSTREAM_FAILURES, at, 1);
    metrics_add(chooser->metrics, METRIC_CIRCUITS, at, is_opened ? 1 : 0);
}

bool upstream_failed(struct chooser *chooser, const struct upstream_choice *choice, uint64_t now_ms,
                     uint32_t random) {
    struct server_state *state = chooser->upstreams->servers[choice->server];
    (void)pthread_mutex_lock(&state->lock);
    bool is_opened = circuit_failed(&state->circuit, now_ms, random);
    server_state_publish(state);
    (void)pthread_mutex_unlock(&state->lock);
    count_failure(chooser, state, is_opened);
    return is_opened;
}

/* Whether the upstream has servers enough without this one. Another worker may be about to leave
 * another one alone: then it is a second until the first of them is tried again. */
static bool can_spare(const struct chooser *chooser, const struct upstream_choice *choice,
                      uint64_t now_ms) {
    const struct upstream_row *row = &chooser->upstreams->rows[choice->upstream];
    uint32_t all = 0, others = 0;
    for (uint32_t i = 0; i < row->count; i++) {
        bool is_it = row->first + i == choice->server;
        all += row->config->servers[i].weight > 0 ? 1 : 0;
        others += !is_it && upstream_is_open(chooser->upstreams, row, i, now_ms) ? 1 : 0;
    }
    return others > 0 && 2 * others >= all;
}

bool upstream_was_silent(struct chooser *chooser, const struct upstream_choice *choice,
                         uint64_t now_ms, uint32_t random) {
    if (can_spare(chooser, choice, now_ms)) {
        return upstream_failed(chooser, choice, now_ms, random);
    }
    count_failure(chooser, chooser->upstreams->servers[choice->server], false);
    return false;
}
