/* SPDX-License-Identifier: Apache-2.0
 *
 * The states of a session, one function each, and the machine that calls them.
 */
#include <stdio.h>
#include <string.h>

#include "proxy/hello.h"
#include "proxy/permit.h"
#include "proxy/server.h"
#include "proxy/session.h"

enum { LINGER_MS = 2000, SOCKS_VERSION = 5 };

bool session_read(struct session *session) {
    size_t size;
    if (session->client_ended) {
        return queue_size(&session->in) > 0;
    }
    enum stream_result result = stream_read(&session->client, &session->in, &size);
    session->client_ended = result == STREAM_END;
    return result != STREAM_BROKEN && (!session->client_ended || queue_size(&session->in) > 0);
}

static void drive_first(struct session *session) {
    if (queue_size(&session->in) == 0 && !session_read(session)) {
        session_become(session, SESSION_OVER);
        return;
    }
    if (queue_size(&session->in) == 0) {
        return;
    }
    if (queue_slice(&session->in).data[0] == SOCKS_VERSION) {
        session->speech = SPEECH_SOCKS;
        session_become(session, SESSION_SOCKS);
        return;
    }
    session->speech = SPEECH_HTTP;
    session->exchange = exchange_new(session);
    session_become(session, session->exchange != nullptr ? SESSION_REQUEST : SESSION_OVER);
}

/* Methods and paths, where they can be seen. */
static const char *judge(struct session *session, const struct host *host, uint16_t port) {
    struct exchange *exchange = session->exchange;
    if (session->speech == SPEECH_CONNECT) {
        return session_judge_tunnel(session, host, port);
    }
    const struct permit_request request = {
        .host = host->text,
        .port = port,
        .method = llhttp_method_name((llhttp_method_t)exchange->request.method),
        .path = exchange_path(exchange),
    };
    return permit_request(&session->egress->config, &request);
}

static void ask(struct session *session) {
    struct host host;
    uint16_t port = 0;
    if (exchange_is_connect(session->exchange)) {
        session->speech = SPEECH_CONNECT;
    }
    const char *wrong = exchange_target(session->exchange, &host, &port);
    if (wrong != nullptr) {
        char why[EGRESS_TEXT_BYTES];
        (void)snprintf(why, sizeof why, "the target is refused: %s", wrong);
        session_deny(session, builder_c_string(&session->exchange->asked.url), port, why);
        return;
    }
    wrong = judge(session, &host, port);
    if (wrong != nullptr) {
        session_deny(session, host.text, port, wrong);
        return;
    }
    bool is_same = session->upstream.fd >= 0 && session->port == port &&
                   strcmp(session->host.text, host.text) == 0 && session->exchange->upstream_keeps;
    if (is_same) {
        session_grant(session);
    } else {
        session_dial(session, &host, port);
    }
}

static void drive_request(struct session *session) {
    if (!session_read(session)) {
        session_become(session, SESSION_OVER);
        return;
    }
    switch (exchange_request(session->exchange)) {
    case EXCHANGE_HEAD:
        ask(session);
        return;
    case EXCHANGE_BAD:
        session_fail(session, &(struct session_failure){session->exchange->failed_status, 0,
                                                        session->exchange->failed_why});
        return;
    case EXCHANGE_MORE:
    case EXCHANGE_NEXT:
    case EXCHANGE_LAST:
        if (session->client_ended) {
            session_become(session, SESSION_OVER);
        }
        return;
    }
}

static void drive_grant(struct session *session) {
    switch (stream_write(&session->client, &session->out)) {
    case STREAM_MOVED:
        session->intercepted = tls_served(&session->egress->tls, &session->egress->config,
                                          session->host.text, session->port) != nullptr;
        if (session->intercepted) {
            /* What came before the yes would be lost. */
            session_become(session, queue_size(&session->in) > 0 ? SESSION_OVER : SESSION_SHAKE);
            return;
        }
        relay_init(&session->relay, &session->client, &session->upstream);
        session->relaying = true;
        session_become(session, SESSION_HELLO);
        return;
    case STREAM_AGAIN:
        return;
    case STREAM_END:
    case STREAM_BROKEN:
        session_become(session, SESSION_OVER);
        return;
    }
}

/* A tunnel to a name carries TLS for that name, or no TLS: what the name resolves to may serve
 * other names too. */
static const char *judge_hello(struct session *session, bool *ret_more) {
    uint8_t scratch[HELLO_BYTES_MAX];
    struct slice name = {};
    struct host host;
    *ret_more = false;
    switch (hello_parse(queue_slice(&session->in), scratch, &name)) {
    case HELLO_MORE:
        *ret_more = true;
        return nullptr;
    case HELLO_NONE:
    case HELLO_NO_NAME:
        return nullptr;
    case HELLO_NAME:
        return host_parse(name, false, &host) == nullptr &&
                       strcmp(host.text, session->host.text) == 0
                   ? nullptr
                   : "TLS for another name than that of the tunnel";
    case HELLO_MALFORMED:
        return "a malformed TLS ClientHello";
    }
    return "a malformed TLS ClientHello";
}

static void refuse_hello(struct session *session, const char *why) {
    static const uint8_t UNRECOGNIZED_NAME[] = {21, 3, 1, 0, 2, 2, 112};
    counts_denied(&session->egress->counts, session->row, why);
    session_drop_upstream(session, true);
    (void)queue_put(&session->out, slice_of(UNRECOGNIZED_NAME, sizeof UNRECOGNIZED_NAME));
    session_become(session, SESSION_FAREWELL);
}

/* Moves bytes of the tunnel; the session may be over then. */
static void drive_relay(struct session *session) {
    uint64_t up = 0;
    uint64_t down = 0;
    enum relay_result result = relay_drive(&session->relay, &up, &down);
    if (up + down > 0) {
        counts_moved(&session->egress->counts, session->row, up, down);
        if (session->state == SESSION_TUNNEL) {
            session_wait(session, (uint64_t)LIMIT_EGRESS_IDLE_MS);
        }
    }
    if (result == RELAY_ENDED) {
        session_become(session, SESSION_OVER);
    } else if (result == RELAY_BROKEN) {
        session_free(session);
    }
}

static void drive_hello(struct session *session) {
    bool more = true;
    const char *why = nullptr;
    if (queue_size(&session->in) == 0) {
        /* A server may speak first; until the client does there is nothing to look at. */
        session_wait(session, (uint64_t)LIMIT_EGRESS_IDLE_MS);
    }
    size_t size;
    enum stream_result result = stream_read(&session->client, &session->in, &size);
    if (result == STREAM_MOVED && size == queue_size(&session->in)) {
        session_wait(session, (uint64_t)LIMIT_EGRESS_HEAD_MS); /* the first bytes */
    }
    if (queue_size(&session->in) > 0) {
        why = judge_hello(session, &more);
    }
    if (why == nullptr && more && queue_size(&session->in) >= HELLO_BYTES_MAX) {
        why = "a malformed TLS ClientHello";
    }
    if (why != nullptr) {
        refuse_hello(session, why);
        return;
    }
    if (!more || result == STREAM_END || result == STREAM_BROKEN) {
        relay_open_up(&session->relay, &session->in);
        session->relay.up.ended = result == STREAM_END;
        session_become(session, result == STREAM_BROKEN ? SESSION_OVER : SESSION_TUNNEL);
        session_wait(session, (uint64_t)LIMIT_EGRESS_IDLE_MS);
        return;
    }
    drive_relay(session);
}

static void drive_exchange(struct session *session) {
    struct exchange *exchange = session->exchange;
    uint64_t up = session->upstream.written;
    uint64_t down = session->client.written;
    enum exchange_result result = exchange_drive(exchange);
    counts_moved(&session->egress->counts, session->row, session->upstream.written - up,
                 session->client.written - down);
    switch (result) {
    case EXCHANGE_MORE:
    case EXCHANGE_HEAD:
        session_wait(session, (uint64_t)LIMIT_EGRESS_IDLE_MS);
        return;
    case EXCHANGE_NEXT:
        if (!exchange->upstream_keeps) {
            session_drop_upstream(session, false);
        }
        session_become(session, SESSION_REQUEST);
        session_wait(session, (uint64_t)LIMIT_EGRESS_IDLE_MS);
        return;
    case EXCHANGE_LAST:
        session_drop_upstream(session, false);
        session_become(session, SESSION_FAREWELL);
        return;
    case EXCHANGE_BAD:
        session_drop_upstream(session, true);
        if (exchange->started) {
            session_become(session, SESSION_OVER);
            session_free(session); /* cut short, so that nobody takes it for whole */
            return;
        }
        session_fail(session,
                     &(struct session_failure){exchange->failed_status, 0, exchange->failed_why});
        return;
    }
}

static void drive_farewell(struct session *session) {
    session_wait(session, LINGER_MS);
    switch (stream_write(&session->client, &session->out)) {
    case STREAM_MOVED:
        stream_shut(&session->client);
        session_become(session, SESSION_LINGER);
        return;
    case STREAM_AGAIN:
        return;
    case STREAM_END:
    case STREAM_BROKEN:
        session_become(session, SESSION_OVER);
        return;
    }
}

/* A connection that is closed while bytes wait is reset, and the client may lose the last words. */
static void drive_linger(struct session *session) {
    size_t size;
    queue_drop(&session->in, queue_size(&session->in));
    enum stream_result result = stream_read(&session->client, &session->in, &size);
    if (result == STREAM_END || result == STREAM_BROKEN) {
        session_become(session, SESSION_OVER);
    }
    /* Not again at once: who floods would keep the others waiting. */
}

/* TLS may have to read before it can write, and the other way around. */
static uint32_t tls_interest(const struct stream *stream, uint32_t interest) {
    if (stream->wants_write) {
        return interest | LOOP_WRITE;
    }
    return stream->wants_read ? LOOP_READ : interest;
}

static void wait_for_more(struct session *session) {
    uint32_t client = 0;
    uint32_t upstream = 0;
    switch (session->state) {
    case SESSION_FIRST:
    case SESSION_SOCKS:
    case SESSION_REQUEST:
    case SESSION_LINGER:
        client = LOOP_READ | (queue_size(&session->out) > 0 ? (uint32_t)LOOP_WRITE : 0);
        break;
    case SESSION_GRANT:
    case SESSION_FAREWELL:
        client = LOOP_WRITE;
        break;
    case SESSION_SHAKE:
        break;
    case SESSION_HELLO:
        relay_interest(&session->relay, &client, &upstream);
        client |= LOOP_READ;
        break;
    case SESSION_TUNNEL:
        relay_interest(&session->relay, &client, &upstream);
        break;
    case SESSION_EXCHANGE:
        exchange_interest(session->exchange, &client, &upstream);
        break;
    case SESSION_DIAL:
    case SESSION_OVER:
        break;
    }
    loop_set(session->egress->loop, &session->client.source,
             tls_interest(&session->client, client));
    loop_set(session->egress->loop, &session->upstream.source,
             tls_interest(&session->upstream, upstream));
    /* What TLS has decrypted already makes no descriptor readable. */
    session->changed = ((client & LOOP_READ) != 0 && stream_holds(&session->client)) ||
                       ((upstream & LOOP_READ) != 0 && stream_holds(&session->upstream));
}

/* One step. The session may be gone afterwards. */
static void step(struct session *session) {
    switch (session->state) {
    case SESSION_FIRST:
        drive_first(session);
        break;
    case SESSION_SOCKS:
        socks_drive(session);
        break;
    case SESSION_REQUEST:
        drive_request(session);
        break;
    case SESSION_GRANT:
        drive_grant(session);
        break;
    case SESSION_SHAKE:
        session_shake(session);
        break;
    case SESSION_HELLO:
        drive_hello(session);
        break;
    case SESSION_TUNNEL:
        drive_relay(session);
        break;
    case SESSION_EXCHANGE:
        drive_exchange(session);
        break;
    case SESSION_FAREWELL:
        drive_farewell(session);
        break;
    case SESSION_LINGER:
        drive_linger(session);
        break;
    case SESSION_DIAL:
    case SESSION_OVER:
        break;
    }
}

void session_drive(struct session *session) {
    if (session->gone != nullptr) {
        return; /* a dial that ended at once, within a step */
    }
    bool gone = false;
    session->gone = &gone;
    do {
        session->changed = false;
        step(session);
        if (gone) {
            return;
        }
        if (!session->changed && session->state != SESSION_OVER) {
            wait_for_more(session);
        }
    } while (session->changed && session->state != SESSION_OVER);
    session->gone = nullptr;
    if (session->state == SESSION_OVER) {
        session_free(session);
    }
}
