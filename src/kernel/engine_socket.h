/* SPDX-License-Identifier: Apache-2.0
 *
 * Where a container engine listens, and whether it answers.
 */
#pragma once

#include "engine/engine.h"

struct engine_places {
    const char *option;      /* --engine-socket; nullptr: none */
    const char *environment; /* AIRLOCK_ENGINE_SOCKET */
    const char *runtime;     /* XDG_RUNTIME_DIR */
};
/* In this order: the option, the environment, config.yaml (engines: { podman: PATH }), and the
 * places the engines themselves use. A place that is named must be a socket; of the usual ones the
 * first that is counts. ENGINE_SOCKET, CONFIG_INVALID. */
status_t engine_socket_find(enum engine_kind kind, const struct engine_places *places,
                            char ret_path[static LIMIT_PATH_BYTES], struct error *err);
/* Opens the engine at the socket and asks what it is. ENGINE_UNSUPPORTED when it is another one
 * than `kind`; otherwise the errors of engine_ping(). The caller closes *ret_engine. */
status_t engine_socket_open(const struct engine_options *options, struct engine **ret_engine,
                            struct engine_version *ret_version, struct error *err);
