/* SPDX-License-Identifier: Apache-2.0
 *
 * A tunnel that is not just passed on: TLS with the program, TLS with the server, HTTP between.
 */
#include <stdio.h>

#include "proxy/permit.h"
#include "proxy/server.h"
#include "proxy/session.h"

const char *session_judge_tunnel(const struct session *session, const struct host *host,
                                 uint16_t port) {
    const struct egress *egress = session->egress;
    return tls_served(&egress->tls, &egress->config, host->text, port) != nullptr
               ? nullptr
               : permit_tunnel(&egress->config, host->text, port);
}

static enum tls_step shake_one(struct stream *stream, bool *done) {
    if (*done) {
        return TLS_DONE;
    }
    enum tls_step step = tls_shake(stream->tls);
    *done = step == TLS_DONE;
    stream->wants_read = step == TLS_READ;
    stream->wants_write = step == TLS_WRITE;
    return step;
}

static bool make_ends(struct session *session) {
    struct egress *egress = session->egress;
    if (session->client.tls == nullptr) {
        session->client.tls =
            tls_accept(tls_served(&egress->tls, &egress->config, session->host.text, session->port),
                       session->client.fd);
    }
    if (session->upstream.tls == nullptr) {
        session->upstream.tls = tls_connect(&egress->tls, session->host.text, session->upstream.fd);
    }
    return session->client.tls != nullptr && session->upstream.tls != nullptr;
}

/* Both handshakes are through: the tunnel carries HTTP from here on. */
static void begin_within(struct session *session) {
    if (session->speech == SPEECH_HTTP) { /* a request waits already */
        session_grant(session);
        return;
    }
    exchange_free(session->exchange);
    session->exchange = exchange_new(session);
    session->speech = SPEECH_HTTP;
    if (session->exchange != nullptr) {
        session->exchange->upstream_keeps = true;
    }
    session_become(session, session->exchange != nullptr ? SESSION_REQUEST : SESSION_OVER);
}

void session_shake(struct session *session) {
    if (!make_ends(session)) {
        session_become(session, SESSION_OVER);
        return;
    }
    enum tls_step client = shake_one(&session->client, &session->client_shaken);
    if (client == TLS_FAILED) {
        counts_denied(&session->egress->counts, session->row,
                      "TLS for another name, or a program that does not trust the run's authority");
        session_become(session, SESSION_OVER);
        return;
    }
    enum tls_step upstream = session->upstream_failed
                                 ? TLS_FAILED
                                 : shake_one(&session->upstream, &session->upstream_shaken);
    if (upstream == TLS_FAILED && !session->upstream_failed) {
        session->upstream_failed = true; /* the program hears of it when it can */
        session->upstream.wants_read = session->upstream.wants_write = false;
        (void)snprintf(session->dial.why, sizeof session->dial.why,
                       "TLS with the server failed: %.100s", tls_reason(session->upstream.tls));
        counts_denied(&session->egress->counts, session->row, session->dial.why);
    }
    if (client == TLS_DONE && upstream == TLS_FAILED) {
        session->speech = SPEECH_HTTP;
        session_drop_upstream(session, true);
        session_fail(session, &(struct session_failure){502, 0, session->dial.why});
    } else if (client == TLS_DONE && upstream == TLS_DONE) {
        begin_within(session);
    }
}
