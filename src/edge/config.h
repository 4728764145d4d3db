/* SPDX-License-Identifier: Apache-2.0
 *
 * What `airlock proxy -c FILE` is told: the file of docs/proxy.md, read, checked and in numbers.
 * A configuration never changes once it is read; a reload makes another one. The text of every
 * `const char *` is owned by the configuration.
 *
 * Nothing here opens a certificate or resolves a name: tls_context.h and upstream.h do, so that
 * reading a file can be fuzzed, and so that a file that cannot be put in force is told from one
 * that cannot be understood.
 */
#pragma once

#include <sys/socket.h>

#include "base/arena.h"
#include "base/bytes.h"
#include "base/error.h"

enum edge_mode : uint8_t {
    EDGE_TERMINATE,   /* TLS in, plain out */
    EDGE_REENCRYPT,   /* TLS in, TLS out */
    EDGE_ORIGINATE,   /* plain in, TLS out */
    EDGE_PASSTHROUGH, /* TLS is looked at, not opened; also plain TCP and UDP */
    EDGE_ECHO,        /* what comes goes back; in TLS when the listener has a certificate */
};

enum edge_pq : uint8_t {
    EDGE_PQ_REQUIRE, /* post-quantum groups alone; anything else fails */
    EDGE_PQ_PREFER,  /* X25519MLKEM768, after a retry if need be; else X25519, P-256 */
    EDGE_PQ_OFF,     /* classical groups alone */
};

enum edge_transport : uint8_t { EDGE_TCP, EDGE_UDP, EDGE_UNIX };

enum edge_client_auth : uint8_t { EDGE_CLIENT_NONE, EDGE_CLIENT_REQUEST, EDGE_CLIENT_REQUIRE };

enum edge_proxy_version : uint8_t { EDGE_PROXY_NONE, EDGE_PROXY_V1, EDGE_PROXY_V2 };

enum edge_engine : uint8_t { EDGE_ENGINE_AUTO, EDGE_ENGINE_IO_URING, EDGE_ENGINE_EPOLL };

enum { EDGE_SPKI_BYTES = 32, EDGE_NO_UPSTREAM = -1 };

/* tcp://ADDRESS:PORT, udp://ADDRESS:PORT, unix:///PATH; "[::]" serves both families. */
struct edge_bind {
    enum edge_transport transport;
    socklen_t size;
    struct sockaddr_storage address; /* also of a Unix path */
    const char *text;                /* as in the file */
};

/* A network of addresses: 10.0.0.0/8, ::1/128. IPv4 in its mapped IPv6 form. */
struct edge_network {
    uint8_t bytes[16];
    uint8_t bits; /* of 128 */
    bool is_unix; /* whoever may open the listener's Unix socket; nothing else stands here */
};

/* The SHA-256 of a public key (SubjectPublicKeyInfo, DER). */
struct edge_pin {
    uint8_t bytes[EDGE_SPKI_BYTES];
};

struct edge_tls {
    bool is_there;
    const char *certificate_file; /* PEM, leaf first; "" on an upstream: none is shown */
    const char *key_file;         /* PEM */
    enum edge_client_auth client; /* of a listener */
    const char *ca_file;          /* trusted for the peer; "": the system's, on an upstream */
    const char *server_name;     /* of an upstream: asked for and checked; "": the host of `addr` */
    const struct edge_pin *pins; /* peers with one of these keys are accepted, whoever signed */
    uint32_t pin_count;
    bool attest; /* of a listener: answers airlock-attest/1 */
    bool dev;    /* of a listener: its files are made, self-signed, when they are not there */
};

struct edge_route {
    const char *sni;   /* in lower case; "*.example.com": one label more; "": any, or none */
    const char *alpn;  /* "": any, or none */
    uint32_t upstream; /* index */
};

struct edge_limits {
    uint32_t connections;            /* at once */
    uint32_t connections_per_prefix; /* at once, from one IPv4 /24 or IPv6 /56 */
    uint32_t handshake_us_per_s;     /* processor time of handshakes a second, for one prefix */
    uint32_t hello_ms;               /* accepted until the ClientHello is whole */
    uint32_t handshake_ms;           /* accepted until the handshake is done */
    uint32_t connect_ms;             /* to one server of an upstream */
    uint32_t first_byte_ms;          /* connected until the upstream's first byte; 0: none */
    uint32_t idle_ms;                /* without a byte in either direction */
    uint32_t sessions;               /* UDP clients at once */
    uint32_t session_idle_ms;        /* UDP */
};

struct edge_listener {
    const char *name;
    struct edge_bind bind;
    enum edge_mode mode;
    enum edge_pq pq;
    struct edge_tls tls;
    const char *const *alpn; /* in the order of preference */
    uint32_t alpn_count;
    const struct edge_network *proxy_from; /* who sends a PROXY header, and has to */
    uint32_t proxy_from_count;
    enum edge_proxy_version proxy_out;
    const struct edge_route *routes; /* the first that fits counts */
    uint32_t route_count;
    struct edge_limits limits;
    uint32_t line; /* in the file */
};

struct edge_server {
    const char *address; /* "HOST:PORT" or "unix:///PATH", as in the file */
    const char *host;    /* without brackets; "" for a Unix path */
    const char *path;    /* of a Unix socket; "" else */
    uint16_t port;
    uint32_t weight; /* 0: drained, gets nothing new */
};

struct edge_health {
    bool is_there;
    uint32_t interval_ms;
    uint32_t timeout_ms;
    uint32_t rise; /* successes until a server counts as up again */
    uint32_t fall; /* failures until it counts as down */
    bool tls;      /* tried by a TLS handshake too; only where the upstream has tls */
};

struct edge_upstream {
    const char *name;
    const struct edge_server *servers;
    uint32_t server_count;
    struct edge_health health;
    enum edge_pq pq;
    struct edge_tls tls;
    const char *const *alpn; /* what it speaks; a listener offers no more than that */
    uint32_t alpn_count;
    uint32_t line;
};

struct edge_config {
    const char *file;   /* its path, absolute */
    const char *folder; /* where it lies; relative paths count from here */
    uint32_t version;   /* of the format: 1 */
    const struct edge_listener *listeners;
    uint32_t listener_count;
    const struct edge_upstream *upstreams;
    uint32_t upstream_count;
    bool has_metrics;
    struct edge_bind metrics;
    enum edge_engine engine;
    uint32_t workers;    /* threads; 0: one for each processor */
    uint32_t drain_ms;   /* how long what is under way may go on after SIGTERM */
    uint8_t digest[32];  /* SHA-256 of the file's bytes: what attestation speaks of */
    struct arena *arena; /* everything above */
};

/* Reads the text of a configuration; `file` is its absolute path. Errors name FILE:LINE:COLUMN and
 * say what may stand there: ERROR_PROXY_CONFIG, ERROR_BAD_ENCODING, ERROR_LIMIT, ERROR_NO_MEMORY.
 */
status_t edge_config_parse(struct slice text, const char *file, struct edge_config **ret_config,
                           struct error *err);
/* Reads the file, which nobody but its owner and group may be able to write. ERROR_IO too. */
status_t edge_config_load(const char *file, struct edge_config **ret_config, struct error *err);
void edge_config_free(struct edge_config *config); /* nullptr is fine */
void edge_config_freep(struct edge_config **config);
