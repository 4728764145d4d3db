/* SPDX-License-Identifier: Apache-2.0
 *
 * Two kinds of sockets are watched. The listener's: each datagram finds its client's session, or
 * begins one, and neighbours of one client are sent in one call. And one socket for each session:
 * all answers that wait there go to one client, in one call through the listener's socket.
 *
 * A server that is not there is known by the ICMP message that the next call on its socket returns:
 * the session ends, the circuit of that server counts it, and the client's next datagram begins a
 * session with another one.
 */
#include "edge/udp.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/assert.h"
#include "edge/udp_internal.h"
#include "sys/random.h"

enum { ROUNDS_MAX = 4 }; /* batches of one socket before the others have their turn */

static void count_sent(const struct udp *udp, enum edge_direction direction, unsigned count,
                       size_t bytes) {
    metrics_add(udp->options.metrics, METRIC_UDP_DATAGRAMS,
                (struct metric_at){.label_1 = udp->options.number, .label_2 = direction}, count);
    metrics_bytes(udp->options.metrics, udp->options.number, direction, bytes);
}

static size_t bytes_of(const struct udp_batch *batch, unsigned first, unsigned count) {
    size_t bytes = 0;
    for (unsigned i = first; i < first + count; i++) {
        bytes += udp_batch_datagram(batch, i).size;
    }
    return bytes;
}

/* ---- from clients ---- */

static void echo(struct udp *udp) {
    unsigned count = udp->batch->count;
    unsigned sent = udp_batch_send(udp->batch, udp->options.fd, 0, count);
    size_t bytes = bytes_of(udp->batch, 0, sent);
    count_sent(udp, EDGE_IN, count, bytes_of(udp->batch, 0, count));
    count_sent(udp, EDGE_OUT, sent, bytes);
    udp_count_drops(udp, EDGE_UDP_DROP_SEND, count - sent);
}

/* The session of the datagram at `index`, which is counted; nullptr when it is dropped. */
static struct udp_session *session_of(struct udp *udp, unsigned index) {
    if (udp_batch_is_cut(udp->batch, index)) {
        udp_count_drops(udp, EDGE_UDP_DROP_TRUNCATED, 1);
        return nullptr;
    }
    struct session_key key = udp_batch_client(udp->batch, index);
    struct session *session = session_table_find(udp->table, &key);
    struct udp_session *one =
        session != nullptr ? session->owner : udp_begin_session(udp, &key, index);
    if (one != nullptr) {
        session_heard(one->session, udp_batch_datagram(udp->batch, index).size);
        session_table_touch(udp->table, one->session, udp_now_ms(udp));
    }
    return one;
}

static bool is_same_client(const struct udp *udp, const struct udp_session *one, unsigned index) {
    if (udp_batch_is_cut(udp->batch, index)) {
        return false;
    }
    struct session_key key = udp_batch_client(udp->batch, index);
    return memcmp(&key, &one->session->key, sizeof key) == 0;
}

/* Sends the datagram at `first` and those behind it of the same client; how many. */
static unsigned forward(struct udp *udp, unsigned first) {
    struct udp_session *one = session_of(udp, first);
    unsigned end = first + 1;
    if (one == nullptr) {
        return 1;
    }
    while (end < udp->batch->count && is_same_client(udp, one, end) &&
           session_of(udp, end) == one) {
        end++;
    }
    unsigned count = end - first;
    udp_batch_address(udp->batch, first, count, nullptr, 0);
    unsigned sent = udp_batch_send(udp->batch, one->fd, first, count);
    if (sent < count && errno == ECONNREFUSED) { /* of an earlier one; this was not sent */
        udp_count_drops(udp, EDGE_UDP_DROP_SEND, count - sent);
        count_sent(udp, EDGE_IN, sent, bytes_of(udp->batch, first, sent));
        udp_server_failed(one);
        return count;
    }
    count_sent(udp, EDGE_IN, sent, bytes_of(udp->batch, first, sent));
    udp_count_drops(udp, EDGE_UDP_DROP_SEND, count - sent);
    return count;
}

static void on_clients_ready(struct io_watch *watch, uint32_t events) {
    struct udp *udp = (struct udp *)((uint8_t *)watch - offsetof(struct udp, watch));
    (void)events;
    for (unsigned round = 0; round < ROUNDS_MAX; round++) {
        if (!udp_batch_receive(udp->batch, udp->options.fd)) {
            return; /* also what an answer to somebody who is gone brought back: it says nothing */
        }
        if (udp->table == nullptr) {
            echo(udp);
            continue;
        }
        for (unsigned at = 0; at < udp->batch->count;) {
            at += forward(udp, at);
        }
    }
}

/* ---- from servers ---- */

/* Those that may be sent move to the front; how many they are. */
static unsigned keep_allowed(struct udp *udp, struct udp_session *one) {
    unsigned kept = 0;
    for (unsigned i = 0; i < udp->batch->count; i++) {
        if (session_may_answer(one->session, udp_batch_datagram(udp->batch, i).size)) {
            udp_batch_move(udp->batch, i, kept);
            kept++;
        }
    }
    udp_count_drops(udp, EDGE_UDP_DROP_AMPLIFICATION, udp->batch->count - kept);
    return kept;
}

void udp_on_server_ready(struct io_watch *watch, uint32_t events) {
    struct udp_session *one = (struct udp_session *)watch; /* it is the first */
    struct udp *udp = one->udp;
    (void)events;
    for (unsigned round = 0; round < ROUNDS_MAX; round++) {
        if (!udp_batch_receive(udp->batch, one->fd)) {
            if (errno != EAGAIN && errno != EINTR) {
                udp_server_failed(one);
            }
            return;
        }
        session_table_touch(udp->table, one->session, udp_now_ms(udp));
        unsigned kept = keep_allowed(udp, one);
        udp_batch_address(udp->batch, 0, kept, &one->client, one->client_size);
        unsigned sent = udp_batch_send(udp->batch, udp->options.fd, 0, kept);
        count_sent(udp, EDGE_OUT, sent, bytes_of(udp->batch, 0, sent));
        udp_count_drops(udp, EDGE_UDP_DROP_SEND, kept - sent);
    }
}

/* ---- the listener ---- */

static const struct edge_upstream *upstream_of(const struct udp_options *options) {
    return options->listener->mode == EDGE_ECHO
               ? nullptr
               : &options->config->upstreams[options->listener->routes[0].upstream];
}

static status_t make_table(struct udp *udp, struct error *err) {
    struct session_table_options options = {
        .capacity = udp->options.listener->limits.sessions,
        .idle_ms = udp->options.listener->limits.session_idle_ms,
        .gone = udp_on_gone,
        .context = udp,
    };
    random_fill(&options.key, sizeof options.key);
    return session_table_new(&options, &udp->table, err);
}

status_t udp_open(const struct udp_options *options, struct udp **ret_udp, struct error *err) {
    ASSERT(options->listener->mode == EDGE_ECHO || options->listener->route_count > 0);
    struct udp *udp = calloc(1, sizeof *udp);
    if (udp == nullptr) {
        return error_set(err, ERROR_NO_MEMORY, 0, "cannot serve %s", options->listener->name);
    }
    udp->options = *options;
    udp->watch = (struct io_watch){.fd = -1, .ready = on_clients_ready};
    udp->timer.fire = udp_on_silence;
    status_t status = STATUS_OK;
    if (upstream_of(options) != nullptr) {
        udp->upstream = options->listener->routes[0].upstream;
        status = make_table(udp, err);
    }
    udp->batch = malloc(sizeof *udp->batch);
    if (status_is_ok(status) &&
        (udp->batch == nullptr || !io_watch_add(options->io, &udp->watch, options->fd, POLLIN))) {
        status = error_set(err, ERROR_NO_MEMORY, 0, "cannot serve %s", options->listener->name);
    }
    if (!status_is_ok(status)) {
        udp_close(udp);
        return status;
    }
    *ret_udp = udp;
    return STATUS_OK;
}

bool udp_fits(const struct udp *udp, const struct udp_options *options) {
    const struct edge_listener *before = udp->options.listener;
    const struct edge_listener *after = options->listener;
    const struct edge_upstream *from = upstream_of(&udp->options);
    const struct edge_upstream *to = upstream_of(options);
    return udp->options.number == options->number && strcmp(before->name, after->name) == 0 &&
           strcmp(before->bind.text, after->bind.text) == 0 &&
           before->limits.sessions == after->limits.sessions &&
           before->limits.session_idle_ms == after->limits.session_idle_ms &&
           (from == nullptr) == (to == nullptr) &&
           (from == nullptr || strcmp(from->name, to->name) == 0);
}

void udp_adopt(struct udp *udp, const struct udp_options *options) {
    ASSERT(udp_fits(udp, options));
    io_watch_remove(udp->options.io, &udp->watch);
    udp->options = *options;
    udp->generation++;
    if (udp->table != nullptr) {
        udp->upstream = options->listener->routes[0].upstream;
    }
    bool is_watched = io_watch_add(options->io, &udp->watch, options->fd, POLLIN);
    ASSERT(is_watched); /* it just gave one back */
}

void udp_drain(struct udp *udp) {
    udp->is_draining = true;
}

void udp_close(struct udp *udp) {
    if (udp == nullptr) {
        return;
    }
    if (udp->watch.fd >= 0) {
        io_watch_remove(udp->options.io, &udp->watch);
    }
    io_timer_clear(udp->options.io, &udp->timer);
    udp->why = udp->is_draining ? "drain" : "closed";
    session_table_free(udp->table); /* lets every session go */
    free(udp->batch);
    free(udp);
}

uint32_t udp_session_count(const struct udp *udp) {
    return udp->table == nullptr ? 0 : session_table_count(udp->table);
}
