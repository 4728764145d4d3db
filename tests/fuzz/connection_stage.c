/* SPDX-License-Identifier: Apache-2.0 */
#include <openssl/bio.h>
#include <openssl/ssl.h>
#include <string.h>

#include "../unit/edge/certificate_maker.h"
#include "connection_peers.h"
#include "edge/proxy_protocol.h"

/* One network may have one connection: who is not given back is noticed by the next one. */
#define DOOR(number, name, rest)                                         \
    "- {name: " name ", bind: \"tcp://127.0.0.1:" number "\", limits: {" \
    "connections_per_prefix: 1, handshake_budget: 1m}, " rest "}\n"
#define OURS "tls: {cert: cert.pem, key: key.pem}, "
#define HEADERS(out) "proxy_protocol: {in: [\"0.0.0.0/0\"], out: " out "}, "

static const char CONFIG[] =
    "version: 1\n"
    "listeners:\n" DOOR("1", "through", "mode: passthrough, routes: [{to: plain}]") DOOR(
        "2", "by_name", "mode: passthrough, routes: [{sni: a.example, to: plain}]")
        DOOR("3", "ends", "mode: terminate, " OURS "routes: [{to: plain}]") DOOR(
            "4", "again",
            "mode: reencrypt, " OURS
            "routes: [{to: sealed}]") DOOR("5", "speaks", "mode: originate, routes: [{to: sealed}]")
            DOOR("6", "echo", "mode: echo") DOOR(
                "7", "echo_tls", "mode: echo, tls: {cert: cert.pem, key: key.pem, attest: true}")
                DOOR("8", "header", "mode: passthrough, " HEADERS("v2") "routes: [{to: plain}]")
                    DOOR(
                        "9", "header_tls",
                        "mode: reencrypt, " HEADERS("v1") OURS
                        "routes: [{to: sealed}]") "upstreams:\n"
                                                  "- {name: plain, servers: [{addr: "
                                                  "\"127.0.0.1:1\"}, {addr: \"127.0.0.1:2\"}]}\n"
                                                  "- {name: sealed, servers: [{addr: "
                                                  "\"127.0.0.1:3\"}, {addr: \"127.0.0.1:4\"}],\n"
                                                  "   tls: {ca: ca.pem, server_name: localhost}}\n";

static void is_made(status_t status, const struct error *err) {
    if (!status_is_ok(status)) {
        (void)fprintf(stderr, "%s: %s\n", err->message, err->detail);
    }
    ASSERT(status_is_ok(status));
}

static void make_contexts(struct stage *stage) {
    stage->as_client = SSL_CTX_new(TLS_client_method());
    stage->as_server = SSL_CTX_new(TLS_server_method());
    ASSERT(stage->as_client != nullptr && stage->as_server != nullptr);
    int is_set =
        SSL_CTX_use_certificate_file(stage->as_server, made_path("cert.pem"), SSL_FILETYPE_PEM) ==
            1 &&
        SSL_CTX_use_PrivateKey_file(stage->as_server, made_path("key.pem"), SSL_FILETYPE_PEM) == 1;
    ASSERT(is_set);
    SSL_CTX_set_verify(stage->as_client, SSL_VERIFY_NONE, nullptr);
}

static void make_setup(struct stage *stage) {
    struct error err;
    struct setup *setup = &stage->setup;
    is_made(edge_config_parse(SLICE_LITERAL(CONFIG), made_path("proxy.yaml"), &setup->config, &err),
            &err);
    const struct edge_config *config = setup->config;
    ASSERT(config->listener_count == STAGE_DOORS);
    setup->references = 1;
    setup->listeners = calloc(config->listener_count, sizeof *setup->listeners);
    setup->clients = calloc(config->upstream_count, sizeof *setup->clients);
    ASSERT(setup->listeners != nullptr && setup->clients != nullptr);
    for (uint32_t i = 0; i < config->listener_count; i++) {
        struct setup_listener *one = &setup->listeners[i];
        *one = (struct setup_listener){.config = &config->listeners[i], .fd = -1};
        one->live = calloc(1, sizeof *one->live);
        ASSERT(one->live != nullptr);
        one->number = metric_names_listener(stage->names, one->config->name);
        one->needs_hello = one->config->mode == EDGE_PASSTHROUGH && one->config->routes[0].sni[0];
        if (one->config->tls.is_there) {
            is_made(tls_server_new(config, one->config, &one->tls, &err), &err);
        }
        stage->doors[i] = (struct door){.tenure = &stage->tenure, .listener = one};
    }
    for (uint32_t i = 0; i < config->upstream_count; i++) {
        if (config->upstreams[i].tls.is_there) {
            is_made(tls_client_new(&config->upstreams[i], &setup->clients[i], &err), &err);
        }
    }
}

static void make_worker(struct stage *stage) {
    struct error err;
    struct edge_log *log = nullptr;
    struct worker *worker = &stage->worker;
    is_made(metric_names_new(&stage->names, &err), &err);
    is_made(metrics_new(&worker->metrics, &err), &err);
    is_made(source_limits_new(64, &worker->sources, &err), &err);
    is_made(edge_log_start(-1, &log, &err), &err);
    const struct log_writer_options options = {clock_system(), worker->metrics};
    is_made(log_writer_new(log, &options, &worker->log, &err), &err);
    worker->io = &stage->io.base;
    worker->count = 1;
    stage->sources = (struct metric_sources){
        .threads = (const struct metrics *const *)&worker->metrics, .thread_count = 1};
}

static void make_openings(struct stage *stage) {
    struct proxy_header header = {
        .family = PROXY_FAMILY_IPV4,
        .transport = PROXY_TRANSPORT_STREAM,
        .source = {.address = {4, {192, 0, 2, 1}}, .port = 51234},
        .destination = {.address = {4, {192, 0, 2, 2}}, .port = 443},
    };
    uint8_t bytes[4096];
    size_t size = 0;
    SSL *tls = SSL_new(stage->as_client);
    SSL_set_bio(tls, BIO_new(BIO_s_mem()), BIO_new(BIO_s_mem()));
    (void)SSL_set_tlsext_host_name(tls, "a.example");
    (void)SSL_connect(tls);
    builder_init(&stage->hello, sizeof bytes);
    builder_init(&stage->header, LIMIT_PROXY_HEADER_BYTES);
    int is_read = BIO_read_ex(SSL_get_wbio(tls), bytes, sizeof bytes, &size);
    ASSERT(is_read == 1);
    builder_bytes(&stage->hello, slice_of(bytes, size));
    SSL_free(tls);
    proxy_protocol_encode(&header, PROXY_PROTOCOL_V2, &stage->header);
    ASSERT(builder_is_ok(&stage->hello) && builder_is_ok(&stage->header));
}

void stage_make(struct stage *stage) {
    (void)snprintf(made_folder, sizeof made_folder, "/tmp/connection.XXXXXX");
    bool is_there = leg_prepare() && mkdtemp(made_folder) != nullptr;
    ASSERT(is_there);
    struct made authority = make(&(struct made_options){.is_authority = true});
    struct made leaf = make(&(struct made_options){.by = &authority});
    (void)write_certificates("ca.pem", &authority, 1);
    (void)write_certificates("cert.pem", &leaf, 1);
    (void)write_key("key.pem", leaf.key, nullptr);
    made_free(&leaf);
    made_free(&authority);
    make_worker(stage);
    make_setup(stage);
    make_contexts(stage);
    make_openings(stage);
    (void)unlink(made_path("ca.pem"));
    (void)unlink(made_path("cert.pem"));
    (void)unlink(made_path("key.pem"));
    (void)rmdir(made_folder);
    stage->io.now_us = 1000000;
    stage->is_made = true;
}

static struct stage *of_io(struct memory_io *io) {
    return (struct stage *)io;
}

static const struct setup_listener *listener_of(const struct stage *stage) {
    return stage->doors[stage->door].listener;
}

bool stage_speaks_tls(const struct stage *stage) {
    return listener_of(stage)->tls != nullptr;
}

static bool server_speaks_tls(const struct stage *stage) {
    const struct edge_listener *config = listener_of(stage)->config;
    return config->route_count > 0 && stage->setup.clients[config->routes[0].upstream] != nullptr;
}

static void on_took(struct memory_io *io, struct memory_end *end, struct slice bytes) {
    struct stage *stage = of_io(io);
    peer_hear(end == &io->client ? &stage->client : &stage->server, bytes);
}

/* What a server that is given up was told is nothing of the client's. */
static void on_asked(struct memory_io *io) {
    struct stage *stage = of_io(io);
    ASSERT(stage->server.heard_size == 0);
    peer_clear(&stage->server);
    stage->server.has_header_to_come = listener_of(stage)->config->proxy_out != EDGE_PROXY_NONE;
    if (server_speaks_tls(stage)) {
        peer_speak_as_server(&stage->server, stage->as_server);
    }
}

static int64_t value(const struct stage *stage, enum metric metric, uint16_t label_1,
                     uint16_t label_2) {
    return metrics_value(&stage->sources, metric,
                         (struct metric_at){.label_1 = label_1, .label_2 = label_2});
}

static int64_t bytes_counted(const struct stage *stage, enum edge_direction direction) {
    return value(stage, METRIC_BYTES, listener_of(stage)->number, direction);
}

static int64_t complaints(const struct stage *stage) {
    int64_t all = 0;
    for (uint16_t i = 0; i < EDGE_ERROR_COUNT; i++) {
        all += value(stage, METRIC_ERRORS, i, 0);
    }
    for (uint16_t i = 0; i < EDGE_REFUSED_COUNT; i++) {
        all += value(stage, METRIC_REFUSALS, i, 0);
    }
    return all;
}

void stage_begin(struct stage *stage, unsigned door, bool is_late) {
    struct error err;
    const struct upstreams_options options = {.config = stage->setup.config, .names = stage->names};
    stage->door = door;
    stage->io.now_us += 3600u * 1000000u; /* budgets are full again */
    memory_io_init(&stage->io);
    stage->io.is_late = is_late;
    stage->io.took = on_took;
    stage->io.asked = on_asked;
    is_made(upstreams_new(&options, &stage->setup.upstreams, &err), &err);
    stage->tenure = (struct tenure){.worker = &stage->worker, .setup = &stage->setup};
    is_made(
        chooser_new(stage->setup.upstreams, stage->worker.metrics, &stage->tenure.chooser, &err),
        &err);
    stage->is_rough = stage->is_asked_itself = stage->has_moved = false;
    stage->client.end = &stage->io.client;
    stage->server.end = &stage->io.server;
    peer_clear(&stage->client);
    peer_clear(&stage->server);
    stage->client.is_opaque = stage_speaks_tls(stage);
    stage->bytes_in = bytes_counted(stage, EDGE_IN);
    stage->bytes_out = bytes_counted(stage, EDGE_OUT);
    stage->complaints = complaints(stage);
    stage->connections = value(stage, METRIC_CONNECTIONS, listener_of(stage)->number, 0);
}

/* Payload; of one that does not speak the TLS that it should, there is none. */
static struct slice said_by(const struct peer *peer, bool is_tls, bool is_behind_header) {
    struct proxy_header header;
    size_t size = 0;
    if (is_tls) {
        return slice_of(peer->said, peer->tls != nullptr ? peer->said_size : 0);
    }
    struct slice wire = slice_of(peer->end->wire, peer->end->at);
    if (is_behind_header && proxy_protocol_decode(wire, &header, &size) != PROXY_PROTOCOL_DONE) {
        return (struct slice){};
    }
    return slice_of(wire.data + size, wire.size - size);
}

static struct slice heard_by(const struct peer *peer) {
    return slice_of(peer->heard, peer->is_opaque ? 0 : peer->heard_size);
}

static void check_stream(struct slice said, int64_t counted, struct slice heard, bool has_all) {
    ASSERT(counted >= 0 && (uint64_t)counted <= said.size && heard.size <= (uint64_t)counted);
    ASSERT(heard.size == 0 || memcmp(said.data, heard.data, heard.size) == 0);
    ASSERT(!has_all || heard.size == said.size);
}

void stage_check(const struct stage *stage) {
    const struct setup_listener *listener = listener_of(stage);
    const struct worker *worker = &stage->worker;
    ASSERT(worker->connections == nullptr && worker->connection_count == 0 && worker->live == 0);
    ASSERT(stage->tenure.connections == 0 && listener->live->count == 0);
    ASSERT(value(stage, METRIC_CONNECTIONS, listener->number, 0) == stage->connections + 1);
    ASSERT(value(stage, METRIC_CONNECTIONS_LIVE, listener->number, 0) == 0);
    ASSERT(value(stage, METRIC_REFUSALS, EDGE_REFUSED_PREFIX, 0) == 0);
    for (uint16_t i = 0; i < METRIC_SERVERS; i++) {
        ASSERT(value(stage, METRIC_UPSTREAM_LIVE, i, 0) == 0);
    }
    int64_t in = bytes_counted(stage, EDGE_IN) - stage->bytes_in;
    int64_t out = bytes_counted(stage, EDGE_OUT) - stage->bytes_out;
    bool has_all = complaints(stage) == stage->complaints && !stage->is_rough;
    bool is_echo = listener->config->mode == EDGE_ECHO;
    struct slice from_client =
        said_by(&stage->client, listener->tls != nullptr, listener->config->proxy_from_count > 0);
    if (stage->is_asked_itself) {
        ASSERT(in == 0 && out == 0);
    } else if (is_echo) {
        ASSERT(in == out);
        check_stream(from_client, in, heard_by(&stage->client), has_all);
    } else {
        check_stream(from_client, in, heard_by(&stage->server), has_all);
        check_stream(said_by(&stage->server, server_speaks_tls(stage), false), out,
                     heard_by(&stage->client), has_all);
    }
}

void stage_end(struct stage *stage) {
    chooser_free(stage->tenure.chooser);
    upstreams_free(stage->setup.upstreams);
    peer_clear(&stage->client);
    peer_clear(&stage->server);
    memory_io_deinit(&stage->io);
}
