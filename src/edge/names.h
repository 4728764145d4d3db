/* SPDX-License-Identifier: Apache-2.0
 *
 * The addresses of servers that have names: asked for at start and every LIMIT_EDGE_RESOLVE_MS, all
 * of a name's addresses used in turn. When a name cannot be resolved (any more), the addresses it
 * had stay in use, and that is counted. Names of /etc/hosts never ask anybody.
 */
#pragma once

#include "edge/log.h"
#include "edge/upstream.h"
#include "proxy/resolve.h"

struct names;

struct names_options {
    struct loop *loop;
    struct resolver *resolver;
    struct upstreams *upstreams;
    struct metrics *metrics;
    struct log_writer *log;
};
/* Everything is borrowed until names_free(). */
status_t names_new(const struct names_options *options, struct names **ret_names,
                   struct error *err);
void names_free(struct names *names); /* nullptr is fine */
