/* SPDX-License-Identifier: Apache-2.0 */
#include "edge/confine.h"

#include <errno.h>
#include <linux/filter.h>
#include <stdlib.h>
#include <string.h>
#include <sys/un.h>

#include "base/limits.h"
#include "edge_filter.h"
#include "sys/confine.h"

struct places {
    struct confine_path paths[LIMIT_EDGE_FOLDERS];
    char *owned[LIMIT_EDGE_FOLDERS];
    size_t count;
    bool is_full;
};

/* Certificates are replaced by renaming others over them, so it is their folder that counts. */
static void add_folder_of(struct places *places, const char *file, bool has_sockets) {
    const char *slash = strrchr(file, '/');
    if (slash == nullptr || file[0] != '/') {
        return;
    }
    size_t size = slash == file ? 1 : (size_t)(slash - file);
    for (size_t i = 0; i < places->count; i++) {
        const char *there = places->paths[i].path;
        if (strlen(there) == size && strncmp(there, file, size) == 0) {
            places->paths[i].has_sockets = places->paths[i].has_sockets || has_sockets;
            return;
        }
    }
    char *folder = places->count < LIMIT_EDGE_FOLDERS ? strndup(file, size) : nullptr;
    if (folder == nullptr) {
        limit_hit(LIMIT_ID_EDGE_FOLDERS);
        places->is_full = true;
        return;
    }
    places->owned[places->count] = folder;
    places->paths[places->count++] = (struct confine_path){folder, has_sockets};
}

static void add_tls(struct places *places, const struct edge_tls *tls) {
    if (tls->is_there) {
        add_folder_of(places, tls->certificate_file, false);
        add_folder_of(places, tls->key_file, false);
        add_folder_of(places, tls->ca_file, false);
    }
}

static void add_bind(struct places *places, const struct edge_bind *bind) {
    if (bind->transport == EDGE_UNIX) {
        add_folder_of(places, ((const struct sockaddr_un *)&bind->address)->sun_path, true);
    }
}

static void add_all(struct places *places, const struct edge_config *config) {
    add_folder_of(places, config->file, false);
    for (uint32_t i = 0; i < config->listener_count; i++) {
        add_tls(places, &config->listeners[i].tls);
        add_bind(places, &config->listeners[i].bind);
    }
    for (uint32_t i = 0; i < config->upstream_count; i++) {
        add_tls(places, &config->upstreams[i].tls);
    }
    if (config->has_metrics) {
        add_bind(places, &config->metrics);
    }
    /* The system's authorities, and the names of hosts. */
    add_folder_of(places, "/etc/ssl/certs/ca-certificates.crt", false);
    add_folder_of(places, "/etc/pki/tls/certs/ca-bundle.crt", false);
    add_folder_of(places, "/usr/share/ca-certificates/x", false);
    add_folder_of(places, "/etc/ssl/x", false);
}

static status_t refuse(const char *what, int number, struct error *err) {
    (void)error_set(err, ERROR_IO, number, "cannot confine the proxy's %s", what);
    error_hint(
        err, "Where a container or an enclave is the wall and forbids this, say so: --unconfined");
    return (status_t){ERROR_IO};
}

status_t edge_confine_files(const struct edge_config *config, bool *ret_enforced,
                            struct error *err) {
    struct places *places = calloc(1, sizeof *places);
    if (places == nullptr) {
        return error_set(err, ERROR_NO_MEMORY, 0, "cannot confine the proxy");
    }
    add_all(places, config);
    bool is_full = places->is_full;
    bool is_set = !is_full && confine_files_to(places->paths, places->count, ret_enforced);
    int number = errno;
    for (size_t i = 0; i < places->count; i++) {
        free(places->owned[i]);
    }
    free(places);
    if (is_full) {
        (void)error_set(err, ERROR_LIMIT, 0, "the configuration names files in too many folders");
        error_hint(err, "Keep certificates in fewer folders: at most %d.", (int)LIMIT_EDGE_FOLDERS);
        return (status_t){ERROR_LIMIT};
    }
    return is_set ? STATUS_OK : refuse("files", number, err);
}

status_t edge_confine_calls(struct error *err) {
    return confine_all_calls_to(filter_edge, sizeof filter_edge / sizeof filter_edge[0])
               ? STATUS_OK
               : refuse("system calls", errno, err);
}
