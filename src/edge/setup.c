/* SPDX-License-Identifier: Apache-2.0 */
#include "edge/setup.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/un.h>
#include <unistd.h>

#include "edge/listen.h"
#include "enclave/es256.h"
#include "sys/fd.h"

static const struct setup_listener *find_listener(const struct setup *setup,
                                                  const struct edge_bind *bind) {
    for (uint32_t i = 0; setup != nullptr && i < setup->config->listener_count; i++) {
        const struct edge_bind *one = &setup->listeners[i].config->bind;
        if (one->transport == bind->transport && one->size == bind->size &&
            memcmp(&one->address, &bind->address, bind->size) == 0) {
            return &setup->listeners[i];
        }
    }
    return nullptr;
}

/* What the setup before has open already, so that nobody who waits there is turned away. */
static status_t open_listener(const struct setup *previous, struct setup_listener *listener,
                              struct error *err) {
    const struct edge_bind *bind = &listener->config->bind;
    const struct setup_listener *one = find_listener(previous, bind);
    listener->fd = one != nullptr ? fcntl(one->fd, F_DUPFD_CLOEXEC, 0) : -1;
    if (listener->fd >= 0) {
        listener->path = one->path;
        return STATUS_OK;
    }
    TRY(listen_open(bind, &listener->fd, err));
    listener->path = listen_path_of(bind);
    return STATUS_OK;
}

/* The count of the listener that had the name before, or one of its own; nullptr: no memory. */
static struct setup_live *share_live(const struct setup *previous, const char *name) {
    for (uint32_t i = 0; previous != nullptr && i < previous->config->listener_count; i++) {
        if (strcmp(previous->listeners[i].config->name, name) == 0) {
            previous->listeners[i].live->references++;
            return previous->listeners[i].live;
        }
    }
    struct setup_live *live = calloc(1, sizeof *live);
    if (live != nullptr) {
        live->references = 1;
    }
    return live;
}

static bool asks_for_hello(const struct edge_listener *listener) {
    for (uint32_t i = 0; i < listener->route_count; i++) {
        if (listener->routes[i].sni[0] != '\0' || listener->routes[i].alpn[0] != '\0') {
            return listener->mode == EDGE_PASSTHROUGH && listener->bind.transport != EDGE_UDP;
        }
    }
    return false;
}

static status_t prepare_listener(const struct setup_options *options, struct setup_listener *one,
                                 struct error *err) {
    const struct edge_listener *config = one->config;
    one->number = metric_names_listener(options->names, config->name);
    one->needs_hello = asks_for_hello(config);
    one->live = share_live(options->previous, config->name);
    if (one->live == nullptr) {
        return error_set(err, ERROR_NO_MEMORY, 0, "cannot put a configuration in force");
    }
    if (config->tls.is_there) {
        TRY(tls_server_new(options->config, config, &one->tls, err));
    }
    if (config->tls.attest && !es256_is_key(tls_server_key(one->tls))) {
        (void)error_set(err, ERROR_PROXY_CONFIG, 0, "attest is for a key that signs with ES256");
        error_hint(err, "Give the listener an ECDSA key on P-256, or leave attest out.");
        return (status_t){ERROR_PROXY_CONFIG};
    }
    return open_listener(options->previous, one, err);
}

/* Only where evidence is given: a kind of quotes that is not known then stops everything. */
static status_t prepare_provider(struct setup *setup, struct error *err) {
    for (uint32_t i = 0; i < setup->config->listener_count; i++) {
        if (setup->config->listeners[i].tls.attest) {
            return provider_open(PROVIDER_FOLDER, &setup->provider_socket, &setup->provider, err);
        }
    }
    return STATUS_OK;
}

static status_t prepare(const struct setup_options *options, struct setup *setup,
                        struct error *err) {
    const struct edge_config *config = setup->config;
    setup->listeners = calloc(config->listener_count + 1, sizeof *setup->listeners);
    setup->clients = calloc(config->upstream_count + 1, sizeof *setup->clients);
    if (setup->listeners == nullptr || setup->clients == nullptr) {
        return error_set(err, ERROR_NO_MEMORY, 0, "cannot put a configuration in force");
    }
    for (uint32_t i = 0; i < config->listener_count; i++) {
        setup->listeners[i] = (struct setup_listener){.config = &config->listeners[i], .fd = -1};
    }
    for (uint32_t i = 0; i < config->upstream_count; i++) {
        const struct edge_upstream *upstream = &config->upstreams[i];
        if (upstream->tls.is_there &&
            !status_is_ok(tls_client_new(upstream, &setup->clients[i], err))) {
            return error_context(err, "in upstream %s", upstream->name);
        }
    }
    const struct upstreams_options servers = {
        .config = config,
        .hosts = options->hosts,
        .names = options->names,
        .clients = setup->clients,
        .previous = options->previous != nullptr ? options->previous->upstreams : nullptr,
    };
    TRY(upstreams_new(&servers, &setup->upstreams, err));
    TRY(prepare_provider(setup, err));
    for (uint32_t i = 0; i < config->listener_count; i++) {
        if (!status_is_ok(prepare_listener(options, &setup->listeners[i], err))) {
            return error_context(err, "in listener %s", config->listeners[i].name);
        }
    }
    return STATUS_OK;
}

status_t setup_new(const struct setup_options *options, struct setup **ret_setup,
                   struct error *err) {
    struct setup *setup = calloc(1, sizeof *setup);
    if (setup == nullptr) {
        edge_config_free(options->config);
        return error_set(err, ERROR_NO_MEMORY, 0, "cannot put a configuration in force");
    }
    setup->references = 1;
    setup->config = options->config;
    status_t status = prepare(options, setup, err);
    if (!status_is_ok(status)) {
        setup_release(setup);
        return status;
    }
    *ret_setup = setup;
    return STATUS_OK;
}

void setup_stop_listening(struct setup *setup, const struct setup *stays, bool but_udp) {
    for (uint32_t i = 0; i < setup->config->listener_count; i++) {
        struct setup_listener *one = &setup->listeners[i];
        if (!but_udp || one->config->bind.transport != EDGE_UDP) {
            fd_closep(&one->fd);
            if (find_listener(stays, &one->config->bind) == nullptr) {
                listen_forget(&one->config->bind, &one->path);
            }
        }
    }
}

void setup_reference(struct setup *setup) {
    setup->references++;
}

void setup_release(struct setup *setup) {
    if (setup == nullptr || --setup->references > 0) {
        return;
    }
    for (uint32_t i = 0; setup->listeners != nullptr && i < setup->config->listener_count; i++) {
        fd_closep(&setup->listeners[i].fd);
        tls_server_free(setup->listeners[i].tls);
        struct setup_live *live = setup->listeners[i].live;
        if (live != nullptr && --live->references == 0) {
            free(live);
        }
    }
    for (uint32_t i = 0; setup->clients != nullptr && i < setup->config->upstream_count; i++) {
        tls_client_free(setup->clients[i]);
    }
    upstreams_free(setup->upstreams);
    edge_config_free(setup->config);
    free(setup->listeners);
    free(setup->clients);
    free(setup);
}
