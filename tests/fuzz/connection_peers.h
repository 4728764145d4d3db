/* SPDX-License-Identifier: Apache-2.0
 *
 * What fuzz_connection.c needs around one connection: an edge without threads and listeners, and
 * the two who speak over it, in TLS (libssl's own) or in clear, and know what they said and heard.
 */
#pragma once

#include <openssl/types.h>

#include "base/assert.h"
#include "edge/connection.h"
#include "memory_io.h"

enum {
    STAGE_DOORS = 9, /* the listeners of STAGE_CONFIG, in its order */
    PEER_SAYS_BYTES = 1 << 20,
};

struct peer {
    struct memory_end *end; /* its side of a stream */
    SSL *tls;               /* owned; nullptr: it speaks in clear */
    bool is_raw;            /* a server that does not speak the TLS that is asked for */
    bool is_changed;        /* its wire: what comes of it need not be TLS any more */
    bool is_opaque;         /* what it hears is TLS that it does not speak */
    bool has_header_to_come;
    size_t header_size; /* of the PROXY header in front of what it hears */
    size_t said_size, heard_size, head_size;
    uint8_t head[4096]; /* of what may become a PROXY header */
    uint8_t said[PEER_SAYS_BYTES];
    uint8_t heard[2 * MEMORY_WIRE_BYTES];
};

struct stage {
    struct memory_io io; /* first */
    bool is_made;
    bool is_rough;        /* something happened after which not all has to be heard */
    bool is_asked_itself; /* for evidence */
    bool has_moved;
    unsigned door; /* of this connection */
    struct worker worker;
    struct tenure tenure;
    struct setup setup;
    struct door doors[STAGE_DOORS];
    struct peer client, server;
    struct builder hello, header; /* a real ClientHello, a PROXY header */
    struct metric_names *names;
    struct metric_sources sources;
    SSL_CTX *as_client, *as_server;
    int64_t bytes_in, bytes_out, connections, complaints; /* counted before */
};

void stage_make(struct stage *stage); /* once */
void stage_begin(struct stage *stage, unsigned door, bool is_late);
bool stage_speaks_tls(const struct stage *stage); /* with clients */
void stage_check(const struct stage *stage);      /* what holds when the connection is gone */
void stage_end(struct stage *stage);

void peer_speak_as_client(struct peer *peer, unsigned groups, bool asks_for_evidence);
void peer_say(struct peer *peer, size_t size);
void peer_shut(struct peer *peer); /* close_notify, where it speaks TLS */
void peer_new_keys(struct peer *peer, bool asks_for_others);
void peer_pump(struct peer *peer); /* its TLS goes on */
/* For connection_stage.c. */
void peer_clear(struct peer *peer);
void peer_speak_as_server(struct peer *peer, SSL_CTX *context);
void peer_hear(struct peer *peer, struct slice bytes);
