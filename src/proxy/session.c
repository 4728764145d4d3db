/* SPDX-License-Identifier: Apache-2.0 */
#include "proxy/session.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/assert.h"
#include "codec/text.h"
#include "proxy/server.h"

static struct session *of_client(struct loop_source *source) {
    return (struct session *)((char *)source - offsetof(struct session, client.source));
}

static struct session *of_upstream(struct loop_source *source) {
    return (struct session *)((char *)source - offsetof(struct session, upstream.source));
}

static void on_client(struct loop_source *source, uint32_t events) {
    (void)events;
    session_drive(of_client(source));
}

static void on_upstream(struct loop_source *source, uint32_t events) {
    (void)events;
    session_drive(of_upstream(source));
}

void session_wait(struct session *session, uint64_t ms) {
    (void)loop_timer_set(session->egress->loop, &session->timer, ms);
}

static void on_time(struct timer *timer) {
    struct session *session = (struct session *)((char *)timer - offsetof(struct session, timer));
    switch (session->state) {
    case SESSION_FIRST:
    case SESSION_SOCKS:
    case SESSION_REQUEST:
        limit_hit(LIMIT_ID_EGRESS_HEAD_MS);
        if (session->speech == SPEECH_HTTP && session->exchange != nullptr &&
            queue_size(&session->out) == 0) {
            session_fail(session,
                         &(struct session_failure){.status = 408, .why = "no request came"});
            session_drive(session);
            return;
        }
        break;
    case SESSION_HELLO:
    case SESSION_SHAKE:
        limit_hit(LIMIT_ID_EGRESS_HEAD_MS);
        break;
    case SESSION_TUNNEL:
    case SESSION_EXCHANGE:
        limit_hit(LIMIT_ID_EGRESS_IDLE_MS);
        break;
    case SESSION_DIAL:
    case SESSION_GRANT:
    case SESSION_FAREWELL:
    case SESSION_LINGER:
    case SESSION_OVER:
        break;
    }
    session_free(session);
}

static void on_dialled(struct dial *dial, enum dial_result result, int fd, const char *why);

bool session_start(struct egress *egress, int fd) {
    struct session *session = calloc(1, sizeof *session);
    int on = 1;
    if (session == nullptr) {
        (void)close(fd);
        return false;
    }
    session->egress = egress;
    session->client = (struct stream){.source = {.fd = -1, .ready = on_client}, .fd = fd};
    session->upstream = (struct stream){.source = {.fd = -1, .ready = on_upstream}, .fd = -1};
    session->timer.fire = on_time;
    session->dial = (struct dial){
        .loop = egress->loop,
        .resolver = egress->resolver,
        .config = &egress->config,
        .done = on_dialled,
    };
    dial_init(&session->dial);
    queue_init(&session->in, LIMIT_EGRESS_HEAD_BYTES);
    queue_init(&session->out, (size_t)16 * LIMIT_EGRESS_HEAD_BYTES);
    (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    session->next = egress->sessions;
    if (session->next != nullptr) {
        session->next->previous = session;
    }
    egress->sessions = session;
    egress->session_count++;
    if (!loop_add(egress->loop, &session->client.source, fd, LOOP_READ)) {
        session_free(session);
        return false;
    }
    session_wait(session, (uint64_t)LIMIT_EGRESS_HEAD_MS);
    return true;
}

void session_drop_upstream(struct session *session, bool reset) {
    if (session->relaying) {
        relay_deinit(&session->relay);
        session->relaying = false;
    }
    if (session->upstream.fd >= 0) {
        session->row->live--;
    }
    if (session->exchange != nullptr) { /* what it said too much is no answer of the next */
        queue_drop(&session->exchange->down, queue_size(&session->exchange->down));
    }
    session->upstream_shaken = session->upstream_failed = false;
    stream_close(session->egress->loop, &session->upstream, reset);
}

void session_free(struct session *session) {
    struct egress *egress = session->egress;
    if (session->gone != nullptr) {
        *session->gone = true;
    }
    dial_stop(&session->dial);
    session_drop_upstream(session, session->state != SESSION_OVER);
    stream_close(egress->loop, &session->client, session->state != SESSION_OVER);
    loop_timer_clear(egress->loop, &session->timer);
    exchange_free(session->exchange);
    queue_deinit(&session->in);
    queue_deinit(&session->out);
    if (session->previous != nullptr) {
        session->previous->next = session->next;
    } else {
        egress->sessions = session->next;
    }
    if (session->next != nullptr) {
        session->next->previous = session->previous;
    }
    egress->session_count--;
    free(session);
    egress_accept_again(egress);
}

void session_become(struct session *session, enum session_state state) {
    session->state = state;
    session->changed = true;
}

void session_fail(struct session *session, const struct session_failure *failure) {
    if (session->speech == SPEECH_SOCKS) {
        socks_reply(session, failure->reply);
    } else {
        char denied[HOST_TEXT_BYTES + 32] = "";
        if (failure->status == 403 && session->row != nullptr) {
            (void)snprintf(denied, sizeof denied, "%s:%u is refused", session->row->host,
                           session->row->port);
        }
        exchange_refuse(&session->out, failure->status, denied, failure->why);
    }
    session_become(session, SESSION_FAREWELL);
}

void session_deny(struct session *session, const char *host, uint16_t port, const char *why) {
    struct counts *counts = &session->egress->counts;
    struct builder shown;
    session_drop_upstream(session, false); /* it counts for another row */
    builder_init(&shown, (size_t)2 * HOST_TEXT_BYTES);
    text_escape_short(slice_of_string(host), HOST_TEXT_BYTES - 1, &shown);
    session->row = counts_row(counts, builder_c_string(&shown), port);
    builder_deinit(&shown);
    counts_denied(counts, session->row, why);
    session_fail(session, &(struct session_failure){403, SOCKS_DENIED, why});
}

void session_dial(struct session *session, const struct host *host, uint16_t port) {
    if (session->upstream.fd >= 0) {
        session_drop_upstream(session, false);
    }
    session->host = *host;
    session->port = port;
    session->row = nullptr;
    session_become(session, SESSION_DIAL);
    loop_timer_clear(session->egress->loop, &session->timer); /* the dial has its own */
    dial_start(&session->dial, host, port);
}

/* Counts towards the target from here on; false: there are too many of it already. */
static bool count_in(struct session *session) {
    struct counts *counts = &session->egress->counts;
    session->row = counts_row(counts, session->host.text, session->port);
    if (session->row->live >= LIMIT_EGRESS_HOST_CONNECTIONS) {
        limit_hit(LIMIT_ID_EGRESS_HOST_CONNECTIONS);
        return false;
    }
    session->row->live++;
    session->row->connections++;
    counts->connections++;
    return true;
}

void session_grant(struct session *session) {
    session_wait(session, (uint64_t)LIMIT_EGRESS_HEAD_MS);
    if (session->intercepted && !session->upstream_shaken) {
        session_become(session, SESSION_SHAKE); /* another upstream for the same tunnel */
        return;
    }
    if (session->speech == SPEECH_HTTP) {
        session_wait(session, (uint64_t)LIMIT_EGRESS_IDLE_MS);
        session_become(session,
                       exchange_begin(session->exchange) ? SESSION_EXCHANGE : SESSION_OVER);
        return;
    }
    if (session->speech == SPEECH_SOCKS) {
        socks_reply(session, SOCKS_GRANTED);
    } else {
        (void)queue_put(&session->out,
                        SLICE_LITERAL("HTTP/1.1 200 Connection established\r\n\r\n"));
    }
    session_become(session, SESSION_GRANT);
}

static void on_dialled(struct dial *dial, enum dial_result result, int fd, const char *why) {
    struct session *session = (struct session *)((char *)dial - offsetof(struct session, dial));
    switch (result) {
    case DIAL_CONNECTED:
        session->upstream.fd = fd;
        if (!count_in(session)) {
            session->upstream.fd = -1;
            (void)close(fd);
            session_fail(session, &(struct session_failure){503, SOCKS_FAILED,
                                                            "too many connections to one target"});
        } else if (!loop_add(session->egress->loop, &session->upstream.source, fd, 0)) {
            session_become(session, SESSION_OVER);
        } else {
            session_grant(session);
        }
        break;
    case DIAL_DENIED:
        session_deny(session, session->host.text, session->port, why);
        break;
    case DIAL_UNREACHABLE:
        session_fail(session, &(struct session_failure){502, SOCKS_UNREACHABLE, why});
        break;
    case DIAL_LATE:
        session_fail(session, &(struct session_failure){504, SOCKS_LATE, why});
        break;
    }
    session_drive(session);
}
