/* SPDX-License-Identifier: Apache-2.0 */
#include "kernel/engine_socket.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "kernel/config.h"

static bool is_socket(const char *path) {
    struct stat there;
    return stat(path, &there) == 0 && S_ISSOCK(there.st_mode);
}

/* A socket that nobody named counts only when it is the caller's own: whoever serves it decides
 * what runs. */
static bool is_own_socket(const char *path) {
    struct stat there;
    return stat(path, &there) == 0 && S_ISSOCK(there.st_mode) && there.st_uid == geteuid();
}

static status_t take_named(const char *path, const char *by, char ret_path[static LIMIT_PATH_BYTES],
                           struct error *err) {
    if (path[0] != '/' || strlen(path) >= (size_t)LIMIT_PATH_BYTES || !is_socket(path)) {
        (void)error_set(err, ERROR_ENGINE_SOCKET, 0, "%.300s, from %s, is no socket", path, by);
        error_hint(err, "Name the absolute path of the engine's socket.");
        return (status_t){ERROR_ENGINE_SOCKET};
    }
    (void)snprintf(ret_path, LIMIT_PATH_BYTES, "%s", path);
    return STATUS_OK;
}

/* What config.yaml says; "" when it says nothing. */
static status_t look_in_config(enum engine_kind kind, char ret_path[static LIMIT_PATH_BYTES],
                               struct error *err) {
    struct config config;
    TRY(config_read(&config, err));
    const char *path =
        config.values[kind == ENGINE_PODMAN ? CONFIG_ENGINES_PODMAN : CONFIG_ENGINES_DOCKER];
    status_t status = STATUS_OK;
    ret_path[0] = '\0';
    if (path != nullptr) {
        status = take_named(path, "config.yaml", ret_path, err);
    }
    config_deinit(&config);
    return status;
}

static bool look_in_usual(enum engine_kind kind, const char *runtime,
                          char ret_path[static LIMIT_PATH_BYTES]) {
    bool is_podman = kind == ENGINE_PODMAN;
    const char *const system[] = {
        is_podman ? "/run/podman/podman.sock" : "/run/docker.sock",
        is_podman ? "/var/run/podman/podman.sock" : "/var/run/docker.sock",
    };
    if (runtime != nullptr && runtime[0] == '/') {
        int size = snprintf(ret_path, LIMIT_PATH_BYTES, "%s/%s", runtime,
                            is_podman ? "podman/podman.sock" : "docker.sock");
        if (size < LIMIT_PATH_BYTES && is_own_socket(ret_path)) {
            return true;
        }
    }
    for (size_t i = 0; i < sizeof system / sizeof system[0]; i++) {
        (void)snprintf(ret_path, LIMIT_PATH_BYTES, "%s", system[i]);
        if (is_socket(ret_path)) {
            return true;
        }
    }
    return false;
}

status_t engine_socket_find(enum engine_kind kind, const struct engine_places *places,
                            char ret_path[static LIMIT_PATH_BYTES], struct error *err) {
    if (places->option != nullptr) {
        return take_named(places->option, "--engine-socket", ret_path, err);
    }
    if (places->environment != nullptr && places->environment[0] != '\0') {
        return take_named(places->environment, "AIRLOCK_ENGINE_SOCKET", ret_path, err);
    }
    TRY(look_in_config(kind, ret_path, err));
    if (ret_path[0] != '\0' || look_in_usual(kind, places->runtime, ret_path)) {
        return STATUS_OK;
    }
    return error_set(err, ERROR_ENGINE_SOCKET, 0, "no socket of %s was found",
                     engine_kind_text(kind));
}

status_t engine_socket_open(const struct engine_options *options, struct engine **ret_engine,
                            struct engine_version *ret_version, struct error *err) {
    CLEANUP(engine_closep) struct engine *engine = nullptr;
    TRY(engine_open(options, &engine, err));
    TRY(engine_ping(engine, ret_version, err));
    bool is_podman = options->kind == ENGINE_PODMAN;
    if (ret_version->is_podman != is_podman) {
        (void)error_set(err, ERROR_ENGINE_UNSUPPORTED, 0, "the engine at %s is not %s",
                        options->socket, engine_kind_text(options->kind));
        error_hint(err, "Name it as what it is: --engine %s",
                   engine_kind_text(is_podman ? ENGINE_DOCKER : ENGINE_PODMAN));
        return (status_t){ERROR_ENGINE_UNSUPPORTED};
    }
    *ret_engine = TAKE(engine);
    return STATUS_OK;
}
