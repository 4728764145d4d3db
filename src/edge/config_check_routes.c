/* SPDX-License-Identifier: Apache-2.0
 *
 * Routes: that each can be reached, that its upstream suits the listener's mode, and that protocols
 * are offered only where somebody speaks them.
 */
#include <string.h>

#include "edge/config_internal.h"

struct checked_route {
    const struct edge_listener *listener;
    const struct edge_route *route;
    const struct edge_upstream *upstream;
    const struct yaml_node *node;
};

/* Whether every name that fits `narrow` fits `wide`. */
static bool covers_name(const char *wide, const char *narrow) {
    if (wide[0] == '\0' || strcmp(wide, narrow) == 0) {
        return true;
    }
    if (strncmp(wide, "*.", 2) != 0 || narrow[0] == '\0' || narrow[0] == '*') {
        return false;
    }
    const char *dot = strchr(narrow, '.');
    return dot != nullptr && strcmp(dot, wide + 1) == 0;
}

static status_t check_reached(struct config_reader *reader, const struct checked_route *checked) {
    for (const struct edge_route *before = checked->listener->routes; before < checked->route;
         before++) {
        bool is_covered =
            covers_name(before->sni, checked->route->sni) &&
            (before->alpn[0] == '\0' || strcmp(before->alpn, checked->route->alpn) == 0);
        if (is_covered) {
            return config_refuse(reader, checked->node, "Put the narrower route first.",
                                 "this route is never reached: route %u takes all of its "
                                 "connections",
                                 (unsigned)(before - checked->listener->routes) + 1);
        }
    }
    return STATUS_OK;
}

static bool has_protocol(const char *const *names, uint32_t count, const char *name) {
    for (uint32_t i = 0; i < count; i++) {
        if (strcmp(names[i], name) == 0) {
            return true;
        }
    }
    return false;
}

static status_t check_selectors(struct config_reader *reader, const struct checked_route *checked) {
    const struct edge_listener *listener = checked->listener;
    const struct edge_route *route = checked->route;
    bool is_plain = listener->mode == EDGE_ORIGINATE || listener->bind.transport == EDGE_UDP;
    if (is_plain && (route->sni[0] != '\0' || route->alpn[0] != '\0')) {
        return config_refuse(reader,
                             yaml_get(checked->node, route->sni[0] != '\0' ? "sni" : "alpn"),
                             "Take it out; such a listener has one route.",
                             "clients of this listener speak no TLS: they ask for no name and no "
                             "protocol");
    }
    if (route->alpn[0] == '\0' || listener->mode == EDGE_PASSTHROUGH) {
        return STATUS_OK;
    }
    const struct yaml_node *at = yaml_get(checked->node, "alpn");
    if (!has_protocol(listener->alpn, listener->alpn_count, route->alpn)) {
        return config_refuse(reader, at, "Add it to the listener's alpn.",
                             "the listener does not offer \"%s\", so nobody takes this route",
                             config_show(route->alpn).text);
    }
    if (!has_protocol(checked->upstream->alpn, checked->upstream->alpn_count, route->alpn)) {
        return config_refuse(reader, at, "Add it to the upstream's alpn, if its servers speak it.",
                             "the upstream %s does not speak \"%s\"", checked->upstream->name,
                             config_show(route->alpn).text);
    }
    return STATUS_OK;
}

static status_t check_upstream(struct config_reader *reader, const struct checked_route *checked) {
    const struct yaml_node *to = yaml_get(checked->node, "to");
    const struct edge_upstream *upstream = checked->upstream;
    bool wants_tls =
        checked->listener->mode == EDGE_REENCRYPT || checked->listener->mode == EDGE_ORIGINATE;
    if (wants_tls && !upstream->tls.is_there) {
        return config_refuse(reader, to, "Add tls: {} to the upstream, or write mode: terminate.",
                             "mode %s speaks TLS with its upstreams, and %s has no tls",
                             checked->listener->mode == EDGE_REENCRYPT ? "reencrypt" : "originate",
                             upstream->name);
    }
    if (!wants_tls && upstream->tls.is_there) {
        return config_refuse(reader, to,
                             checked->listener->mode == EDGE_TERMINATE
                                 ? "Write mode: reencrypt, or take tls: out of the upstream."
                                 : "Take tls: out of the upstream.",
                             "mode %s does not speak TLS with its upstreams, and %s has tls",
                             checked->listener->mode == EDGE_TERMINATE ? "terminate"
                                                                       : "passthrough",
                             upstream->name);
    }
    if (checked->listener->bind.transport != EDGE_UDP) {
        return STATUS_OK;
    }
    if (upstream->health.is_there) {
        return config_refuse(reader, to, "List the servers under another name, without health.",
                             "health is checked over TCP, which says nothing about UDP");
    }
    for (uint32_t i = 0; i < upstream->server_count; i++) {
        if (upstream->servers[i].path[0] != '\0') {
            return config_refuse(reader, to, "Name servers as HOST:PORT.",
                                 "datagrams are not sent to a Unix socket: %s",
                                 config_show(upstream->servers[i].address).text);
        }
    }
    return STATUS_OK;
}

/* A protocol that is offered and that no route leads on would be agreed on in vain. */
static status_t check_offers(struct config_reader *reader, const struct yaml_node *node,
                             const struct edge_listener *listener) {
    const struct yaml_node *item =
        listener->alpn_count == 0 ? nullptr : yaml_get(node, "alpn")->first;
    for (; item != nullptr; item = item->next) {
        bool is_spoken = false;
        for (uint32_t i = 0; i < listener->route_count; i++) {
            const struct edge_route *route = &listener->routes[i];
            const struct edge_upstream *upstream = &reader->config->upstreams[route->upstream];
            is_spoken =
                is_spoken || ((route->alpn[0] == '\0' || strcmp(route->alpn, item->text) == 0) &&
                              has_protocol(upstream->alpn, upstream->alpn_count, item->text));
        }
        if (!is_spoken) {
            return config_refuse(
                reader, item, "Add it to the alpn: of an upstream whose servers speak it.",
                "no upstream of this listener speaks \"%s\"", config_show(item->text).text);
        }
    }
    return STATUS_OK;
}

status_t config_check_routes(struct config_reader *reader, const struct yaml_node *node,
                             const struct edge_listener *listener) {
    const struct yaml_node *routes = yaml_get(node, "routes");
    if (listener->mode == EDGE_ECHO) {
        return routes == nullptr ? STATUS_OK
                                 : config_refuse(reader, routes->key, "Take them out.",
                                                 "mode echo answers by itself: it has no routes");
    }
    if (routes == nullptr) {
        return config_refuse(reader, node, "Add routes: [{to: UPSTREAM}].",
                             "this listener has no routes");
    }
    struct checked_route checked = {listener, listener->routes, nullptr, routes->first};
    for (; checked.node != nullptr; checked.node = checked.node->next) {
        checked.upstream = &reader->config->upstreams[checked.route->upstream];
        TRY(check_selectors(reader, &checked));
        TRY(check_reached(reader, &checked));
        TRY(check_upstream(reader, &checked));
        checked.route++;
    }
    return check_offers(reader, node, listener);
}
