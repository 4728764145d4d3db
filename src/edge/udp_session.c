/* SPDX-License-Identifier: Apache-2.0
 *
 * Sessions of a UDP listener: how one begins, with a server and a socket of its own, and goes.
 */
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/limits.h"
#include "edge/udp_internal.h"
#include "sys/random.h"

/* The table lets a session go: so does everything that belongs to it. */
void udp_on_gone(void *context, struct session *session) {
    struct udp *udp = context;
    struct udp_session *one = session->owner;
    udp_log_session(udp, session);
    io_watch_remove(udp->options.io, &one->watch);
    (void)close(one->fd);
    source_connection_released(udp->options.sources, &one->source);
    metrics_add(udp->options.metrics, METRIC_UDP_SESSIONS_LIVE, udp_at_listener(udp), -1);
    free(one);
}

/* The timer stands at the oldest one's end; it may have been heard of by then. */
void udp_await_silence(struct udp *udp) {
    uint64_t next_ms = session_table_next_ms(udp->table);
    if (udp->timer.slot == 0 && next_ms != UINT64_MAX) {
        (void)io_timer_set(udp->options.io, &udp->timer, next_ms - udp_now_ms(udp));
    }
}

void udp_on_silence(struct timer *timer) {
    struct udp *udp = (struct udp *)((uint8_t *)timer - offsetof(struct udp, timer));
    udp->why = "idle-timeout";
    (void)session_table_expire(udp->table, udp_now_ms(udp));
    udp_await_silence(udp);
}

/* A socket connected to a server that can be used; false when there is none, and why. */
static bool connect_server(struct udp *udp, struct udp_session *one, enum edge_udp_drop *ret_why) {
    one->choice = (struct upstream_choice){.upstream = udp->upstream};
    *ret_why = EDGE_UDP_DROP_SERVER;
    while (upstream_choose(udp->options.chooser, &one->choice, udp_now_ms(udp))) {
        const struct sockaddr *address = (const struct sockaddr *)&one->choice.address;
        one->fd = socket(address->sa_family, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
        if (one->fd < 0) { /* descriptors or memory ran out here: no fault of the server's */
            *ret_why = EDGE_UDP_DROP_SESSIONS;
            return false;
        }
        if (connect(one->fd, address, one->choice.size) == 0) {
            upstream_succeeded(udp->options.chooser, &one->choice, udp_now_ms(udp));
            return true;
        }
        uint32_t random = 0;
        random_fill(&random, sizeof random);
        (void)upstream_failed(udp->options.chooser, &one->choice, udp_now_ms(udp), random);
        (void)close(one->fd);
    }
    return false;
}

/* Whoever asks once and is done, as a resolver's clients do, keeps a place until it was silent for
 * long. A network without a place left gives up its oldest such client: only its like is displaced.
 */
static bool give_up_one_of(struct udp *udp, const struct source_key *source) {
    struct session *session = session_table_oldest(udp->table);
    for (int looks = 0; session != nullptr && looks < LIMIT_EDGE_SESSION_LOOKS; looks++) {
        const struct udp_session *one = session->owner;
        bool is_same = memcmp(one->source.bytes, source->bytes, sizeof source->bytes) == 0;
        if (is_same && session->datagrams_in <= 1) {
            udp->why = "evicted";
            session_table_remove(udp->table, session);
            return true;
        }
        session = session_table_newer(udp->table, session);
    }
    if (session != nullptr) {
        limit_hit(LIMIT_ID_EDGE_SESSION_LOOKS);
    }
    return false;
}

static bool admit(struct udp *udp, struct source_key *source) {
    uint32_t most = udp->options.listener->limits.connections_per_prefix;
    return source_connection_admit(udp->options.sources, source, most) ||
           (give_up_one_of(udp, source) &&
            source_connection_admit(udp->options.sources, source, most));
}

/* Everything of a session but its place in the table; false when it cannot be, counted. */
static bool make_session(struct udp *udp, struct udp_session *one) {
    one->source = source_key_of(udp->options.number, (const struct sockaddr *)&one->client);
    if (!admit(udp, &one->source)) {
        udp_count_drops(udp, EDGE_UDP_DROP_PREFIX, 1);
        return false;
    }
    one->watch = (struct io_watch){.fd = -1, .ready = udp_on_server_ready};
    one->generation = udp->generation;
    one->udp = udp;
    enum edge_udp_drop why = EDGE_UDP_DROP_SESSIONS;
    bool is_connected = connect_server(udp, one, &why);
    if (is_connected && io_watch_add(udp->options.io, &one->watch, one->fd, POLLIN)) {
        return true;
    }
    udp_count_drops(udp, is_connected ? EDGE_UDP_DROP_SESSIONS : why, 1);
    if (is_connected) {
        (void)close(one->fd);
    }
    source_connection_released(udp->options.sources, &one->source);
    return false;
}

/* nullptr when there is no room or no server for it; that was counted. */
struct udp_session *udp_begin_session(struct udp *udp, const struct session_key *key,
                                      unsigned index) {
    bool is_full = false;
    struct udp_session *one = udp->is_draining ? nullptr : calloc(1, sizeof *one);
    if (one == nullptr) {
        udp_count_drops(udp, EDGE_UDP_DROP_SESSIONS, 1);
        return nullptr;
    }
    one->client = udp->batch->names[index];
    one->client_size = udp->batch->messages[index].msg_hdr.msg_namelen;
    if (!make_session(udp, one)) {
        free(one);
        return nullptr;
    }
    one->began_us = io_now_us(udp->options.io);
    udp->why = "evicted";
    one->session = session_table_insert(udp->table, key, udp_now_ms(udp), &is_full);
    one->session->owner = one;
    if (is_full) {
        limit_hit(LIMIT_ID_EDGE_SESSIONS);
    }
    udp_await_silence(udp);
    metrics_add(udp->options.metrics, METRIC_UDP_SESSIONS, udp_at_listener(udp), 1);
    metrics_add(udp->options.metrics, METRIC_UDP_SESSIONS_LIVE, udp_at_listener(udp), 1);
    return one;
}

/* Its server says that nobody listens there. */
void udp_server_failed(struct udp_session *one) {
    struct udp *udp = one->udp;
    uint32_t random = 0;
    random_fill(&random, sizeof random);
    if (one->generation == udp->generation) {
        (void)upstream_failed(udp->options.chooser, &one->choice, udp_now_ms(udp), random);
    }
    metrics_error(udp->options.metrics, EDGE_ERROR_CONNECT);
    udp->why = "server-gone";
    session_table_remove(udp->table, one->session);
}
