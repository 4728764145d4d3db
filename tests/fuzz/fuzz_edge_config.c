/* SPDX-License-Identifier: Apache-2.0
 *
 * proxy.yaml: what is read keeps the promises of edge/config.h; what is not says why, at a place
 * inside the text.
 */
#include <string.h>

#include "base/assert.h"
#include "codec/text.h"
#include "edge/config.h"
#include "fuzz.h"

static const char *const SEEDS[] = {
    "version: 1\nlisteners: [{name: e, bind: \"tcp://[::1]:1\", mode: echo}]\n",
    "version: 1\nmetrics: {bind: \"unix:///m\"}\nlisteners:\n- name: a\n  bind: tcp://[::]:8443\n"
    "  mode: terminate\n  tls: {cert: c, key: k, client: {auth: require, ca: x}}\n"
    "  alpn: [h2]\n  proxy_protocol: {in: [10.0.0.0/8, \"::1\"], out: v2}\n"
    "  routes: [{sni: \"*.b.c\", alpn: h2, to: w}, {to: w}]\n  limits: {idle: 1m}\n"
    "upstreams: [{name: w, alpn: [h2], servers: [{addr: \"h:80\", weight: 2}], health: {}}]\n",
    "version: 1\nlisteners:\n- {name: u, bind: \"udp://1.2.3.4:5\", mode: passthrough,\n"
    "   routes: [{to: w}], limits: {sessions: 3}}\n"
    "- {name: o, bind: \"unix:///s\", mode: originate, routes: [{to: t}]}\n"
    "upstreams:\n- {name: w, servers: [{addr: \"[::1]:80\"}]}\n"
    "- {name: t, servers: [{addr: \"unix:///t\"}], pq: prefer, tls: {pins:\n"
    "   [AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=]}}\n",
};

bool fuzz_seed(unsigned number, struct builder *out) {
    if (number >= sizeof SEEDS / sizeof SEEDS[0]) {
        return false;
    }
    builder_text(out, SEEDS[number]);
    return true;
}

static void check_tls(const struct edge_tls *tls) {
    ASSERT(tls->certificate_file != nullptr && tls->key_file != nullptr);
    ASSERT(tls->ca_file != nullptr && tls->server_name != nullptr);
    ASSERT((tls->certificate_file[0] == '\0') == (tls->key_file[0] == '\0'));
    ASSERT((tls->pin_count == 0) == (tls->pins == nullptr));
}

static void check_listener(const struct edge_config *config, const struct edge_listener *listener) {
    ASSERT(listener->name[0] != '\0' && listener->bind.text != nullptr && listener->bind.size > 0);
    ASSERT(listener->limits.connections > 0 && listener->limits.sessions > 0);
    ASSERT((listener->mode == EDGE_ECHO) == (listener->route_count == 0));
    ASSERT(listener->tls.is_there ||
           (listener->mode != EDGE_TERMINATE && listener->mode != EDGE_REENCRYPT));
    ASSERT(listener->bind.transport != EDGE_UDP || !listener->tls.is_there);
    check_tls(&listener->tls);
    for (uint32_t i = 0; i < listener->route_count; i++) {
        const struct edge_route *route = &listener->routes[i];
        ASSERT(route->upstream < config->upstream_count);
        ASSERT(route->sni != nullptr && route->alpn != nullptr);
        ASSERT(config->upstreams[route->upstream].tls.is_there ==
               (listener->mode == EDGE_REENCRYPT || listener->mode == EDGE_ORIGINATE));
    }
    for (uint32_t i = 0; i < listener->proxy_from_count; i++) {
        ASSERT(listener->proxy_from[i].bits <= 128);
    }
}

static void check_upstream(const struct edge_upstream *upstream) {
    uint64_t weight = 0;
    ASSERT(upstream->name[0] != '\0' && upstream->server_count > 0);
    check_tls(&upstream->tls);
    for (uint32_t i = 0; i < upstream->server_count; i++) {
        const struct edge_server *server = &upstream->servers[i];
        ASSERT((server->host[0] == '\0') != (server->path[0] == '\0'));
        ASSERT((server->port == 0) == (server->host[0] == '\0'));
        weight += server->weight;
    }
    ASSERT(weight > 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct edge_config *config = nullptr;
    struct error err = {};
    if (!status_is_ok(edge_config_parse(slice_of(data, size), "/f/fuzz.yaml", &config, &err))) {
        ASSERT(config == nullptr && err.message[0] != '\0');
        ASSERT(err.code == ERROR_PROXY_CONFIG || err.code == ERROR_BAD_ENCODING ||
               err.code == ERROR_LIMIT);
        ASSERT(strncmp(err.message, "/f/fuzz.yaml:", 13) == 0);
        ASSERT(text_is_utf8(slice_of_string(err.message)));
        ASSERT(text_is_utf8(slice_of_string(err.hint)));
        return 0;
    }
    ASSERT(err.code == ERROR_NONE && config->listener_count > 0 && config->version == 1);
    for (uint32_t i = 0; i < config->listener_count; i++) {
        check_listener(config, &config->listeners[i]);
    }
    for (uint32_t i = 0; i < config->upstream_count; i++) {
        check_upstream(&config->upstreams[i]);
    }
    edge_config_free(config);
    return 0;
}
