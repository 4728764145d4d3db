/* SPDX-License-Identifier: Apache-2.0
 *
 * Addresses: what is bound, who is reached, names and networks.
 */
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/un.h>

#include "codec/host.h"
#include "codec/text.h"
#include "edge/config_internal.h"
#include "proxy/address.h"

static const char BIND_FORMS[] =
    "Write tcp://ADDRESS:PORT, udp://ADDRESS:PORT or unix:///PATH; every address: tcp://[::]:PORT";

status_t config_unix_path(struct config_reader *reader, const struct yaml_node *node,
                          struct edge_bind *ret_bind) {
    const char *path = node->text + sizeof "unix://" - 1;
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    size_t size = strlen(path);
    if (path[0] != '/' || size < 2 || path[size - 1] == '/') {
        return config_refuse(reader, node, "Write unix:// and an absolute path: unix:///run/x.sock",
                             "\"%s\" names no Unix socket", config_show(node->text).text);
    }
    if (size >= sizeof address.sun_path) {
        return config_refuse(reader, node, "The kernel takes 107 bytes: use a shorter path.",
                             "the path of this Unix socket is too long");
    }
    memcpy(address.sun_path, path, size + 1);
    memcpy(&ret_bind->address, &address, sizeof address);
    ret_bind->transport = EDGE_UNIX;
    ret_bind->size = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + size + 1);
    return STATUS_OK;
}

static status_t read_socket(struct config_reader *reader, const struct yaml_node *node,
                            struct edge_bind *bind) {
    struct host host;
    uint16_t port = 0;
    const char *authority = node->text + sizeof "tcp://" - 1;
    const char *why = host_parse_authority(slice_of_string(authority), 0, &host, &port);
    if (why != nullptr) {
        return config_refuse(reader, node, BIND_FORMS, "\"%s\" cannot be bound: %s",
                             config_show(node->text).text, why);
    }
    if (!host.is_address) {
        return config_refuse(reader, node, "Write an address of this machine; [::] is all of them.",
                             "\"%s\" is a name, not an address", config_show(host.text).text);
    }
    bind->size = address_to_socket(&host.address, port, &bind->address);
    return STATUS_OK;
}

status_t config_read_bind(struct config_reader *reader, const struct config_value *value) {
    struct edge_bind *bind = value->member;
    const struct yaml_node *node = value->node;
    TRY(config_is_text(reader, value));
    bool is_tcp = strncmp(node->text, "tcp://", 6) == 0;
    if (strncmp(node->text, "unix://", 7) == 0) {
        TRY(config_unix_path(reader, node, bind));
    } else if (is_tcp || strncmp(node->text, "udp://", 6) == 0) {
        bind->transport = is_tcp ? EDGE_TCP : EDGE_UDP;
        TRY(read_socket(reader, node, bind));
    } else {
        return config_refuse(reader, node, BIND_FORMS, "\"%s\" does not say what to bind",
                             config_show(node->text).text);
    }
    bind->text = arena_text(reader->arena, slice_of(node->text, node->size));
    return bind->text == nullptr ? config_starved(reader, node) : STATUS_OK;
}

static status_t read_inet_server(struct config_reader *reader, const struct yaml_node *node,
                                 struct edge_server *server) {
    struct host host;
    const char *why =
        host_parse_authority(slice_of(node->text, node->size), 0, &host, &server->port);
    if (why != nullptr) {
        return config_refuse(reader, node,
                             strstr(node->text, "://") != nullptr
                                 ? "A server is no URL: write HOST:PORT alone."
                                 : "Write HOST:PORT, [IPv6]:PORT or unix:///PATH.",
                             "\"%s\" is no server: %s", config_show(node->text).text, why);
    }
    server->host = arena_text(reader->arena, slice_of_string(host.text));
    return server->host == nullptr ? config_starved(reader, node) : STATUS_OK;
}

status_t config_read_address(struct config_reader *reader, const struct config_value *value) {
    struct edge_server *server = value->target;
    const struct yaml_node *node = value->node;
    struct edge_bind ignored;
    TRY(config_is_text(reader, value));
    server->address = arena_text(reader->arena, slice_of(node->text, node->size));
    if (server->address == nullptr) {
        return config_starved(reader, node);
    }
    if (strncmp(node->text, "unix://", 7) != 0) {
        return read_inet_server(reader, node, server);
    }
    TRY(config_unix_path(reader, node, &ignored));
    server->path = server->address + sizeof "unix://" - 1;
    return STATUS_OK;
}

/* In lower case; an address in its one spelling. */
status_t config_read_host(struct config_reader *reader, const struct config_value *value) {
    struct host host;
    TRY(config_is_text(reader, value));
    const char *why = host_parse(slice_of(value->node->text, value->node->size), false, &host);
    if (why != nullptr) {
        return config_refuse(reader, value->node, "Write a host's name or address, without a port.",
                             "%s \"%s\" is no host: %s", value->key->name,
                             config_show(value->node->text).text, why);
    }
    const char *text = arena_text(reader->arena, slice_of_string(host.text));
    if (text == nullptr) {
        return config_starved(reader, value->node);
    }
    *(const char **)value->member = text;
    return STATUS_OK;
}

status_t config_read_sni(struct config_reader *reader, const struct config_value *value) {
    struct host host = {};
    TRY(config_is_text(reader, value));
    const char *pattern = value->node->text;
    size_t skipped = strncmp(pattern, "*.", 2) == 0 ? 2 : 0;
    const char *why = host_parse(slice_of_string(pattern + skipped), false, &host);
    if (why == nullptr && host.is_address) {
        why = "clients send names here, not addresses";
    }
    if (why != nullptr) {
        return config_refuse(reader, value->node, "Write a name, or *.NAME for one label more.",
                             "sni \"%s\" fits no name: %s", config_show(pattern).text, why);
    }
    size_t size = skipped + strlen(host.text) + 1;
    char *text = arena_alloc(reader->arena, size);
    if (text == nullptr) {
        return config_starved(reader, value->node);
    }
    (void)snprintf(text, size, "%s%s", skipped != 0 ? "*." : "", host.text);
    *(const char **)value->member = text;
    return STATUS_OK;
}
