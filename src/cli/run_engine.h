/* SPDX-License-Identifier: Apache-2.0
 *
 * `airlock run --engine`: the options, and what is shown while an image is fetched.
 */
#pragma once

#include "cli/cli.h"
#include "codec/bar.h"
#include "engine/engine.h"
#include "kernel/run_exec.h"

struct run_engine_options {
    const char *name, *image, *socket;
    bool pull;
};

/* What a run with a container engine needs; stays where it is until run_engine_end(). */
struct run_engine_view {
    struct run_engine engine;
    char socket[LIMIT_PATH_BYTES];
    struct clock clock;
    struct bar bar;
    bool has_bar, is_json;
};

/* Checks the options and finds the socket; *ret_native: no container engine is wanted. ERROR_USAGE,
 * ERROR_ENGINE_UNKNOWN, ERROR_ENGINE_SOCKET. */
status_t run_engine_find(const struct cli *cli, const struct run_engine_options *options,
                         struct run_engine_view *ret_view, bool *ret_native, struct error *err);
void run_engine_end(struct run_engine_view *view);
