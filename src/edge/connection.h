/* SPDX-License-Identifier: Apache-2.0
 *
 * A connection from a client, and the one to a server that belongs to it.
 *
 *   accepted -> header (PROXY, from trusted networks) -> hello (passthrough by name)
 *                                                     -> handshake (gone by its end: closed)
 *            -> attest (ALPN airlock-attest/1) -> closed
 *            -> connect, on another server when one fails -> server handshake -> relay -> closed
 *
 * One phase at a time decides what bytes mean; connection_phase.c and connection_server.c change
 * it. A deadline stands in every phase. What a client sends while nobody can take it is not read,
 * or held.
 */
#pragma once

#include "edge/leg.h"
#include "edge/proxy_protocol.h"
#include "edge/worker.h"

enum phase : uint8_t {
    PHASE_HEADER,
    PHASE_HELLO,
    PHASE_HANDSHAKE,
    PHASE_ATTEST, /* reads one request about itself */
    PHASE_CONNECT,
    PHASE_SERVER_HANDSHAKE,
    PHASE_RELAY,
    PHASE_LINGER, /* the client is told why; what it sends is thrown away */
    PHASE_CLOSED,
};

struct connection {
    struct leg client; /* first */
    struct leg server;
    struct connection *before, *next; /* in the worker's list */
    struct worker *worker;
    struct tenure *tenure;
    struct setup_listener *listener;
    enum phase phase;
    bool is_client_open, is_server_open; /* the engine knows the stream */
    bool is_to_retry;                    /* when the server's stream is closed */
    bool is_succeeded;                   /* the choice is reported as such */
    enum edge_error server_error;        /* of the last server that was tried */
    bool has_first_byte;
    bool is_counted; /* by source_limits */
    struct timer timer;
    struct tls_peer peer;
    enum edge_group group; /* of the handshake, once it is done */
    uint16_t group_code;
    struct upstream_choice choice;
    uint32_t upstream;
    struct source_key source;
    struct sockaddr_storage address; /* the client's, as the PROXY header says where there is one */
    struct sockaddr_storage target;  /* what it connected to */
    uint64_t accepted_us, handshaken_us, connecting_us, connected_us, first_byte_us, last_us;
    uint64_t cpu_us; /* of the handshake, and of evidence */
    uint64_t bytes_in, bytes_out;
    uint64_t delivered;      /* a mark of what got to both ends, as of the last look */
    bool is_delivering;      /* something was on its way then */
    struct builder *request; /* of PHASE_ATTEST; owned */
    const char *end;         /* for the log: a constant */
    const char *why;         /* what the system or libssl said of it: a constant, or nullptr */
    bool is_refused;
};

/* Takes over what was accepted. */
void connection_accept(struct door *door, int fd);
/* At the end of draining. */
void connection_abort(struct connection *connection, enum edge_error error);

/* For connection_*.c. */
void connection_begin(struct connection *connection); /* in the phase that it has */
/* Whether its source may have one more; counts it. */
bool connection_admit(struct connection *connection, enum edge_refusal *ret_refusal);
uint32_t connection_random(void);
/* Begins to measure what this thread uses, until connection_charge(). */
struct stopwatch {
    uint64_t cpu_us, fresh_us;
};
struct stopwatch connection_stopwatch(void);
/* What it used since then goes to the budget of its network. */
void connection_charge(struct connection *connection, const struct stopwatch *watch);
/* Whether whoever connects from there has to send a PROXY header. */
bool connection_is_trusted(const struct edge_listener *listener, const struct sockaddr *address);
void connection_log(const struct connection *connection); /* it is over */
void connection_refuse(struct connection *connection, enum edge_refusal refusal);
/* Both legs, at once. */
void connection_close(struct connection *connection, const char *end, bool reset);
void connection_deadline(struct connection *connection, uint32_t after_ms);
void connection_route(struct connection *connection);   /* the client is known: choose */
void connection_connect(struct connection *connection); /* the next server, or the end */
/* Another one, or the end. */
void connection_server_failed(struct connection *connection, enum edge_handshake how);
/* To whoever chooses servers: the one that was chosen, and connected to, says nothing. */
void connection_blame_silence(struct connection *connection);
void connection_relay(struct connection *connection); /* both legs stand */
void connection_linger(struct connection *connection, const char *end);
/* A relay whose client broke TLS: the alert that libssl has written for it still goes out, the
 * server sees an abort. */
void connection_break(struct connection *connection, enum edge_error error);
void connection_received(struct connection *connection, struct slice bytes); /* before the relay */
void connection_handshake(struct connection *connection, struct slice bytes);
void connection_server_connected(struct connection *connection, int error);
void connection_server_handshake(struct connection *connection, struct slice bytes);
/* attestation.c: evidence about the connection, instead of a server. */
void connection_attest(struct connection *connection);
void connection_attest_received(struct connection *connection, struct slice bytes);
void connection_attest_forget(struct connection *connection);
/* Relay: bytes of one leg, its end, and room on it for the other's. */
void relay_received(struct connection *connection, struct leg *from, struct slice bytes);
void relay_passed(struct connection *connection, struct leg *from, size_t size); /* by the kernel */
void relay_ended(struct connection *connection, struct leg *from);
void relay_drained(struct connection *connection, struct leg *to);
/* connection_idle.c: a deadline of the relay, and of what is left to be sent when it is over. */
void connection_idle(struct connection *connection);
void connection_idle_at_end(struct connection *connection);
/* The PROXY header towards the server. */
bool connection_send_header(struct connection *connection);
