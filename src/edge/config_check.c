/* SPDX-License-Identifier: Apache-2.0
 *
 * What does not go together, although each value is fine. Nothing in a file is without effect: a
 * key that its mode does not look at is an error, since whoever wrote it relies on it.
 */
#include <netinet/in.h>
#include <string.h>

#include "edge/config_internal.h"

/* Where a key stands; the section when it does not. */
static const struct yaml_node *at(const struct yaml_node *node, const char *key) {
    const struct yaml_node *value = yaml_get(node, key);
    return value != nullptr ? value->key : node;
}

static bool has(const struct yaml_node *node, const char *key) {
    return yaml_get(node, key) != nullptr;
}

static bool opens_tls(const struct edge_listener *listener) {
    return listener->mode == EDGE_TERMINATE || listener->mode == EDGE_REENCRYPT ||
           (listener->mode == EDGE_ECHO && listener->tls.is_there);
}

static const char *mode_name(enum edge_mode mode) {
    size_t count;
    return config_words(CONFIG_AS_MODE, &count)[mode];
}

/* --- upstreams --- */

static status_t check_upstream_tls(struct config_reader *reader, const struct yaml_node *node,
                                   const struct edge_upstream *upstream) {
    const struct yaml_node *tls = yaml_get(node, "tls");
    bool has_certificate = upstream->tls.certificate_file[0] != '\0';
    bool has_unix = false;
    if (has_certificate != (upstream->tls.key_file[0] != '\0')) {
        return config_refuse(reader, at(tls, has_certificate ? "cert" : "key"),
                             "Name both files, or neither.", "%s stands here without %s",
                             has_certificate ? "cert" : "key", has_certificate ? "key" : "cert");
    }
    for (uint32_t i = 0; i < upstream->server_count; i++) {
        has_unix = has_unix || upstream->servers[i].path[0] != '\0';
    }
    if (has_unix && upstream->tls.server_name[0] == '\0' && upstream->tls.pin_count == 0) {
        return config_refuse(reader, at(node, "tls"), "Add server_name: or pins: to its tls.",
                             "a Unix socket has no name that its certificate could be checked for");
    }
    return STATUS_OK;
}

static status_t check_health(struct config_reader *reader, const struct yaml_node *node,
                             const struct edge_upstream *upstream) {
    if (upstream->health.timeout_ms > upstream->health.interval_ms) {
        const struct yaml_node *health = yaml_get(node, "health");
        return config_refuse(reader, at(health, has(health, "timeout") ? "timeout" : "interval"),
                             "Make timeout: shorter, or interval: longer.",
                             "the timeout of a health check (%u ms) is longer than its interval "
                             "(%u ms)",
                             (unsigned)upstream->health.timeout_ms,
                             (unsigned)upstream->health.interval_ms);
    }
    if (!upstream->tls.is_there && has(yaml_get(node, "health"), "tls")) {
        return config_refuse(reader, at(yaml_get(node, "health"), "tls"),
                             "Add tls: {} to the upstream, or take tls: out of its health.",
                             "tls has no effect on the health of an upstream without tls");
    }
    for (uint32_t i = 0; i < upstream->server_count; i++) {
        if (upstream->servers[i].path[0] != '\0') {
            return config_refuse(reader, at(node, "health"),
                                 "Take health: out; a socket that nobody serves refuses at once.",
                                 "the health of a Unix socket is not checked: %s",
                                 config_show(upstream->servers[i].address).text);
        }
    }
    return STATUS_OK;
}

status_t config_check_upstream(struct config_reader *reader, const struct yaml_node *node,
                               const struct edge_upstream *upstream) {
    if (upstream->tls.is_there) {
        TRY(check_upstream_tls(reader, node, upstream));
    } else if (has(node, "pq")) {
        return config_refuse(reader, at(node, "pq"),
                             "Add tls: {} to the upstream, or take pq: out.",
                             "pq has no effect on an upstream without tls");
    }
    return upstream->health.is_there ? check_health(reader, node, upstream) : STATUS_OK;
}

/* --- listeners --- */

static status_t check_client(struct config_reader *reader, const struct yaml_node *tls,
                             const struct edge_tls *own) {
    const struct yaml_node *client = yaml_get(tls, "client");
    bool has_trust = own->pin_count > 0 || own->ca_file[0] != '\0';
    if (client == nullptr || has_trust == (own->client != EDGE_CLIENT_NONE)) {
        return STATUS_OK;
    }
    if (has_trust) {
        return config_refuse(reader, at(client, own->pin_count > 0 ? "pins" : "ca"),
                             "Write auth: require, or auth: request.",
                             "with auth: none no client's certificate is looked at");
    }
    return config_refuse(reader, at(client, "auth"), "Add pins: [...] or ca: FILE.",
                         "nothing says which clients' certificates are good");
}

/* dev: what is made has to lie beside the configuration. */
static status_t check_dev(struct config_reader *reader, const struct yaml_node *tls,
                          const struct edge_tls *own) {
    static const char *const FILES[] = {"cert", "key"};
    if (!own->dev) {
        return STATUS_OK;
    }
    for (size_t i = 0; i < 2; i++) {
        const struct yaml_node *file = yaml_get(tls, FILES[i]);
        if (strchr(file->text, '/') != nullptr) {
            return config_refuse(reader, file, "Write a file's name alone, or take dev: out.",
                                 "a development certificate is made beside this file only, not at "
                                 "%s",
                                 config_show(file->text).text);
        }
    }
    return strcmp(own->certificate_file, own->key_file) != 0
               ? STATUS_OK
               : config_refuse(reader, yaml_get(tls, "key"), "Give it another name.",
                               "cert and key are one file");
}

static status_t check_tls(struct config_reader *reader, const struct yaml_node *node,
                          const struct edge_listener *listener) {
    static const char *const ONLY_WITH_TLS[] = {"pq", "alpn"};
    const char *mode = mode_name(listener->mode);
    if (opens_tls(listener)) {
        const struct yaml_node *tls = yaml_get(node, "tls");
        if (tls == nullptr) {
            return config_refuse(reader, node,
                                 "Add tls: {cert: FILE, key: FILE}; for a try: airlock proxy init",
                                 "mode %s needs tls with a certificate", mode);
        }
        TRY(check_client(reader, tls, &listener->tls));
        return check_dev(reader, tls, &listener->tls);
    }
    if (listener->tls.is_there) {
        return config_refuse(reader, at(node, "tls"),
                             listener->mode == EDGE_PASSTHROUGH
                                 ? "Take tls: out, or open it with mode: terminate or reencrypt."
                                 : "Take tls: out, or write mode: reencrypt.",
                             "mode %s does not open its clients' TLS: it needs no certificate",
                             mode);
    }
    for (size_t i = 0; i < 2; i++) {
        if (has(node, ONLY_WITH_TLS[i])) {
            return config_refuse(
                reader, at(node, ONLY_WITH_TLS[i]),
                listener->mode == EDGE_ORIGINATE ? "Say it of the upstream instead."
                                                 : "Take it out, or give the listener tls.",
                "%s has no effect on a listener of mode %s without tls", ONLY_WITH_TLS[i], mode);
        }
    }
    return STATUS_OK;
}

static status_t check_udp(struct config_reader *reader, const struct yaml_node *node,
                          const struct edge_listener *listener) {
    if (listener->tls.is_there ||
        (listener->mode != EDGE_PASSTHROUGH && listener->mode != EDGE_ECHO)) {
        return config_refuse(reader, at(node, listener->tls.is_there ? "tls" : "mode"),
                             "Write mode: passthrough, or bind tcp://.",
                             "TLS runs over TCP; over UDP there are passthrough and echo alone");
    }
    return has(node, "proxy_protocol")
               ? config_refuse(reader, at(node, "proxy_protocol"), "Take it out, or bind tcp://.",
                               "datagrams carry no PROXY header")
               : STATUS_OK;
}

static status_t check_limits(struct config_reader *reader, const struct yaml_node *node,
                             const struct edge_listener *listener) {
    static const char *const UDP[] = {"sessions", "session_idle"},
                             BOTH[] = "connections_per_prefix";
    const struct yaml_node *limits = yaml_get(node, "limits");
    bool is_udp = listener->bind.transport == EDGE_UDP;
    for (const struct yaml_node *limit = limits == nullptr ? nullptr : limits->first;
         limit != nullptr; limit = limit->next) {
        const char *key = limit->key->text;
        bool is_of_udp = strcmp(key, UDP[0]) == 0 || strcmp(key, UDP[1]) == 0;
        if (is_of_udp != is_udp && strcmp(key, BOTH) != 0) {
            return config_refuse(reader, limit->key,
                                 is_udp ? "Over UDP there are sessions, session_idle and "
                                          "connections_per_prefix."
                                        : "Take it out; it is for listeners that bind udp://.",
                                 "%s has no effect on a listener that is %sUDP", key,
                                 is_udp ? "" : "not ");
        }
    }
    return listener->limits.hello_ms <= listener->limits.handshake_ms
               ? STATUS_OK
               : config_refuse(reader, at(limits, has(limits, "hello") ? "hello" : "handshake"),
                               "Make hello: shorter, or handshake: longer.",
                               "the ClientHello may take longer (%u ms) than the whole handshake "
                               "(%u ms)",
                               (unsigned)listener->limits.hello_ms,
                               (unsigned)listener->limits.handshake_ms);
}

static status_t check_proxy(struct config_reader *reader, const struct yaml_node *node,
                            const struct edge_listener *listener) {
    const struct yaml_node *proxy = yaml_get(node, "proxy_protocol");
    for (uint32_t i = 0; i < listener->proxy_from_count; i++) {
        bool is_unix = listener->bind.transport == EDGE_UNIX;
        if (listener->proxy_from[i].is_unix == is_unix) {
            continue;
        }
        return is_unix ? config_refuse(reader, at(proxy, "in"),
                                       "Write in: [unix]; who may open the socket is its mode.",
                                       "clients of a Unix socket come from no network")
                       : config_refuse(reader, at(proxy, "in"), "Write ADDRESS/BITS: 10.0.0.0/8.",
                                       "this listener is no Unix socket");
    }
    if (listener->proxy_out != EDGE_PROXY_NONE && listener->mode == EDGE_ECHO) {
        return config_refuse(reader, at(proxy, "out"), "Take it out.",
                             "mode echo has no upstream that could get a header");
    }
    return STATUS_OK;
}

status_t config_check_listener(struct config_reader *reader, const struct yaml_node *node,
                               const struct edge_listener *listener) {
    if (listener->bind.transport == EDGE_UDP) {
        TRY(check_udp(reader, node, listener));
    }
    TRY(check_tls(reader, node, listener));
    TRY(check_proxy(reader, node, listener));
    TRY(check_limits(reader, node, listener));
    return config_check_routes(reader, node, listener);
}

/* --- addresses --- */

struct place {
    bool is_any;
    uint16_t port;
};

static struct place place_of(const struct edge_bind *bind) {
    if (bind->address.ss_family == AF_INET) {
        const struct sockaddr_in *four = (const struct sockaddr_in *)&bind->address;
        return (struct place){four->sin_addr.s_addr == htonl(INADDR_ANY), four->sin_port};
    }
    const struct sockaddr_in6 *six = (const struct sockaddr_in6 *)&bind->address;
    return (struct place){IN6_IS_ADDR_UNSPECIFIED(&six->sin6_addr) != 0, six->sin6_port};
}

/* [::] is every address of both families, 0.0.0.0 every IPv4 one. SO_REUSEPORT, which the workers
 * need, lets the kernel accept what clashes: so it is told here. */
bool config_binds_clash(const struct edge_bind *a, const struct edge_bind *b) {
    if (a->transport != b->transport) {
        return false;
    }
    if (a->size == b->size && memcmp(&a->address, &b->address, a->size) == 0) {
        return true;
    }
    if (a->transport == EDGE_UNIX) {
        return false;
    }
    struct place here = place_of(a), there = place_of(b);
    bool is_one_family = a->address.ss_family == b->address.ss_family;
    bool covers = (here.is_any && (is_one_family || a->address.ss_family == AF_INET6)) ||
                  (there.is_any && (is_one_family || b->address.ss_family == AF_INET6));
    return here.port == there.port && covers;
}

status_t config_check_binds(struct config_reader *reader, const struct yaml_node *root) {
    const struct edge_config *config = reader->config;
    if (!config->has_metrics) {
        return STATUS_OK;
    }
    const struct yaml_node *bind = yaml_get(yaml_get(root, "metrics"), "bind");
    if (config->metrics.transport == EDGE_UDP) {
        return config_refuse(reader, bind, "Write tcp://127.0.0.1:9443 or unix:///PATH.",
                             "metrics are served over TCP or a Unix socket");
    }
    for (uint32_t i = 0; i < config->listener_count; i++) {
        if (config_binds_clash(&config->metrics, &config->listeners[i].bind)) {
            return config_refuse(reader, bind, "Give metrics an address or port of their own.",
                                 "the listener in line %u has this address already",
                                 (unsigned)config->listeners[i].line);
        }
    }
    return STATUS_OK;
}
