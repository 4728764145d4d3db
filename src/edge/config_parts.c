/* SPDX-License-Identifier: Apache-2.0
 *
 * Sections, and lists of sections.
 */
#include <string.h>

#include "base/assert.h"
#include "edge/config_internal.h"

static const struct edge_tls NO_TLS = {
    .certificate_file = "", .key_file = "", .ca_file = "", .server_name = ""};

/* A default that what was written rules out gives way to it: nobody wrote that. */
static void give_way(const struct yaml_node *node, const char *key, uint32_t *preset,
                     uint32_t most) {
    if (yaml_get(node, key) == nullptr && *preset > most) {
        *preset = most;
    }
}

static status_t read_health(struct config_reader *reader, const struct yaml_node *node,
                            struct edge_health *health) {
    health->is_there = true;
    TRY(config_section_read(reader, node, CONFIG_IN_HEALTH, health));
    give_way(node, "timeout", &health->timeout_ms, health->interval_ms);
    return STATUS_OK;
}

static status_t read_limits(struct config_reader *reader, const struct yaml_node *node,
                            struct edge_limits *limits) {
    TRY(config_section_read(reader, node, CONFIG_IN_LIMITS, limits));
    give_way(node, "hello", &limits->hello_ms, limits->handshake_ms);
    return STATUS_OK;
}

/* The section that a value is; whether it is there is kept too. */
status_t config_read_part(struct config_reader *reader, const struct config_value *value) {
    switch ((int)value->key->kind) {
    case CONFIG_AS_METRICS:
        reader->config->has_metrics = true;
        return config_section_read(reader, value->node, CONFIG_IN_METRICS, reader->config);
    case CONFIG_AS_HEALTH:
        return read_health(reader, value->node, value->member);
    case CONFIG_AS_TLS_OUT:
        ((struct edge_tls *)value->member)->is_there = true;
        return config_section_read(reader, value->node, CONFIG_IN_TLS_OUT, value->member);
    case CONFIG_AS_TLS_IN:
        ((struct edge_tls *)value->member)->is_there = true;
        return config_section_read(reader, value->node, CONFIG_IN_TLS_IN, value->member);
    case CONFIG_AS_CLIENT:
        return config_section_read(reader, value->node, CONFIG_IN_CLIENT, value->target);
    case CONFIG_AS_PROXY:
        return config_section_read(reader, value->node, CONFIG_IN_PROXY, value->target);
    default:
        ASSERT(value->key->kind == CONFIG_AS_LIMITS);
        return read_limits(reader, value->node, value->member);
    }
}

static status_t refuse_twice(struct config_reader *reader, const struct yaml_node *item,
                             const char *key, uint32_t line) {
    const struct yaml_node *at = yaml_get(item, key);
    return config_refuse(reader, at, "Give each its own.", "%s \"%s\" stands here twice: line %u",
                         key, config_show(at->text).text, (unsigned)line);
}

static uint32_t line_of_item(const struct yaml_node *list, uint32_t index) {
    const struct yaml_node *item = list->first;
    for (; index > 0; index--) {
        item = item->next;
    }
    return item->line;
}

status_t config_read_servers(struct config_reader *reader, const struct config_value *value) {
    struct edge_upstream *upstream = value->target;
    TRY(config_is_list(reader, value));
    struct edge_server *servers = arena_array(reader->arena, value->node->count, sizeof *servers);
    uint32_t count = 0;
    bool has_weight = false;
    if (servers == nullptr) {
        return config_starved(reader, value->node);
    }
    for (const struct yaml_node *item = value->node->first; item != nullptr; item = item->next) {
        struct edge_server *server = &servers[count];
        *server = (struct edge_server){.address = "", .host = "", .path = ""};
        TRY(config_section_read(reader, item, CONFIG_IN_SERVER, server));
        for (uint32_t i = 0; i < count; i++) {
            if (strcmp(servers[i].host, server->host) == 0 && servers[i].port == server->port &&
                strcmp(servers[i].path, server->path) == 0) {
                return refuse_twice(reader, item, "addr", line_of_item(value->node, i));
            }
        }
        has_weight = has_weight || server->weight > 0;
        count++;
    }
    if (!has_weight) {
        return config_refuse(reader, value->node, "Give one of them a weight of 1.",
                             "no server has a weight, so nothing would be sent to any");
    }
    upstream->servers = servers;
    upstream->server_count = count;
    return STATUS_OK;
}

status_t config_read_upstreams(struct config_reader *reader, const struct config_value *value) {
    TRY(config_is_list(reader, value));
    struct edge_upstream *upstreams =
        arena_array(reader->arena, value->node->count, sizeof *upstreams);
    uint32_t count = 0;
    if (upstreams == nullptr) {
        return config_starved(reader, value->node);
    }
    for (const struct yaml_node *item = value->node->first; item != nullptr; item = item->next) {
        struct edge_upstream *upstream = &upstreams[count];
        *upstream = (struct edge_upstream){.name = "", .tls = NO_TLS, .line = item->line};
        config_section_preset(CONFIG_IN_HEALTH, &upstream->health);
        TRY(config_section_read(reader, item, CONFIG_IN_UPSTREAM, upstream));
        for (uint32_t i = 0; i < count; i++) {
            if (strcmp(upstreams[i].name, upstream->name) == 0) {
                return refuse_twice(reader, item, "name", upstreams[i].line);
            }
        }
        TRY(config_check_upstream(reader, item, upstream));
        count++;
    }
    reader->config->upstreams = upstreams;
    reader->config->upstream_count = count;
    return STATUS_OK;
}

status_t config_read_routes(struct config_reader *reader, const struct config_value *value) {
    struct edge_listener *listener = value->target;
    TRY(config_is_list(reader, value));
    struct edge_route *routes = arena_array(reader->arena, value->node->count, sizeof *routes);
    uint32_t count = 0;
    if (routes == nullptr) {
        return config_starved(reader, value->node);
    }
    for (const struct yaml_node *item = value->node->first; item != nullptr; item = item->next) {
        routes[count] = (struct edge_route){.sni = "", .alpn = ""};
        TRY(config_section_read(reader, item, CONFIG_IN_ROUTE, &routes[count++]));
    }
    listener->routes = routes;
    listener->route_count = count;
    return STATUS_OK;
}

static status_t is_unlike(struct config_reader *reader, const struct yaml_node *item,
                          const struct edge_listener *a, const struct edge_listener *b) {
    if (strcmp(a->name, b->name) == 0) {
        return refuse_twice(reader, item, "name", a->line);
    }
    if (config_binds_clash(&a->bind, &b->bind)) {
        return config_refuse(reader, yaml_get(item, "bind"), "Give each its own address or port.",
                             "the listener in line %u has this address already: %s",
                             (unsigned)a->line, config_show(a->bind.text).text);
    }
    return STATUS_OK;
}

status_t config_read_listeners(struct config_reader *reader, const struct config_value *value) {
    TRY(config_is_list(reader, value));
    struct edge_listener *listeners =
        arena_array(reader->arena, value->node->count, sizeof *listeners);
    uint32_t count = 0;
    if (listeners == nullptr) {
        return config_starved(reader, value->node);
    }
    for (const struct yaml_node *item = value->node->first; item != nullptr; item = item->next) {
        struct edge_listener *listener = &listeners[count];
        *listener = (struct edge_listener){.name = "", .tls = NO_TLS, .line = item->line};
        config_section_preset(CONFIG_IN_LIMITS, &listener->limits);
        TRY(config_section_read(reader, item, CONFIG_IN_LISTENER, listener));
        TRY(config_check_listener(reader, item, listener));
        for (uint32_t i = 0; i < count; i++) {
            TRY(is_unlike(reader, item, &listeners[i], listener));
        }
        count++;
    }
    reader->config->listeners = listeners;
    reader->config->listener_count = count;
    return STATUS_OK;
}
