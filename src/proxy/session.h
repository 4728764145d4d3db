/* SPDX-License-Identifier: Apache-2.0
 *
 * One connection that a program in the sandbox made. Its first byte says what it speaks: SOCKS5, or
 * HTTP. It asks for a target; the target is judged and dialled (dial.h); then bytes go both ways,
 * in a tunnel (relay.h) or message by message (exchange.h).
 *
 * session_drive() is the whole machine: whatever happened, it does what can be done in the state
 * the session is in, and then says what it waits for. Nobody else changes the state.
 */
#pragma once

#include "proxy/counts.h"
#include "proxy/dial.h"
#include "proxy/exchange.h"
#include "proxy/relay.h"

struct egress;

enum session_state : uint8_t {
    SESSION_FIRST,   /* the first byte says what it speaks */
    SESSION_SOCKS,   /* greeting and request */
    SESSION_REQUEST, /* the head of an HTTP request */
    SESSION_DIAL,
    SESSION_GRANT, /* a tunnel's "yes" is being written */
    SESSION_SHAKE, /* TLS with both sides of a tunnel that is not just passed on */
    SESSION_HELLO, /* the first bytes of a tunnel are looked at; the other way is open */
    SESSION_TUNNEL,
    SESSION_EXCHANGE, /* an HTTP request and its response */
    SESSION_FAREWELL, /* the last bytes are being written */
    SESSION_LINGER,   /* until the client has read them */
    SESSION_OVER,
};

enum session_speech : uint8_t { SPEECH_NONE, SPEECH_HTTP, SPEECH_CONNECT, SPEECH_SOCKS };

struct session {
    struct egress *egress;
    struct session *next, *previous; /* of all that live */
    enum session_state state;
    enum session_speech speech;
    struct stream client, upstream;
    struct timer timer;
    struct dial dial;
    struct queue in;  /* from the client, not used up */
    struct queue out; /* to the client */
    struct relay relay;
    bool relaying;
    bool socks_greeted;
    bool intercepted; /* the tunnel ends here, in TLS, and another begins */
    bool client_shaken, upstream_shaken, upstream_failed;
    bool client_ended;         /* it says no more; what it said still counts */
    bool *gone;                /* of session_drive() while it is in there: set when this is freed */
    bool changed;              /* it looks again */
    struct exchange *exchange; /* owned; HTTP only */
    struct count_row *row;     /* of the target; nullptr before there is one */
    struct host host;          /* the target */
    uint16_t port;
};

/* Takes the fd. False when there is no room; the fd is closed. */
bool session_start(struct egress *egress, int fd);
/* Ends it at once. */
void session_free(struct session *session);
void session_drive(struct session *session);

/* For the parts. */

void session_become(struct session *session, enum session_state state);
/* The time until which something has to happen, from now. */
void session_wait(struct session *session, uint64_t ms);
/* Ends what there is of an upstream. */
void session_drop_upstream(struct session *session, bool reset);
/* The upstream is there: says yes to a tunnel, or sends the request. */
void session_grant(struct session *session);

/* Reads more of what the client says into `in`; false when nothing more will come of it. */
bool session_read(struct session *session);

/* nullptr, or why there is no tunnel to that target. One that ends here is judged message by
 * message. */
const char *session_judge_tunnel(const struct session *session, const struct host *host,
                                 uint16_t port);
/* Dials; the state is DIAL, or already another. */
void session_dial(struct session *session, const struct host *host, uint16_t port);
/* Refuses, in the words of what the client speaks, and counts. `host` may be text that is none. */
void session_deny(struct session *session, const char *host, uint16_t port, const char *why);
/* The same for what is no policy: HTTP status and SOCKS reply as given. */
struct session_failure {
    unsigned status;
    uint8_t reply;
    const char *why;
};
void session_fail(struct session *session, const struct session_failure *failure);

/* session_tls.c: goes on with both handshakes of a tunnel that is intercepted. */
void session_shake(struct session *session);

/* socks.c: goes on with what `in` holds. */
void socks_drive(struct session *session);
/* Appends the reply to `out`. */
void socks_reply(struct session *session, uint8_t code);
enum socks_code : uint8_t {
    SOCKS_GRANTED = 0,
    SOCKS_FAILED = 1,
    SOCKS_DENIED = 2,
    SOCKS_NETWORK = 3,
    SOCKS_UNREACHABLE = 4,
    SOCKS_REFUSED = 5,
    SOCKS_LATE = 6,
    SOCKS_COMMAND = 7,
    SOCKS_ADDRESS = 8,
};
