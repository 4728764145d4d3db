/* SPDX-License-Identifier: Apache-2.0
 *
 * The thread beside the workers: /metrics and /health (admin.h), health checks (health.h), names of
 * servers (names.h). All of it is slow, rare, and has to go on when the workers are busy.
 */
#pragma once

#include "edge/admin.h"
#include "edge/upstream.h"

struct side;

struct side_options {
    const struct edge_bind *metrics; /* where /metrics is; nullptr: nowhere */
    struct edge_log *log;
    const struct metrics *const *threads; /* whose numbers are shown; borrowed until side_stop() */
    size_t thread_count;                  /* the side's own are added */
    struct metric_names *names;
    struct upstreams *upstreams; /* borrowed until side_use() with others, or side_stop() */
    uint32_t upstream_count;
};

/* What needs files: reads which DNS servers to ask. `hosts`, the text of /etc/hosts, is borrowed
 * until side_stop(). */
status_t side_new(struct slice hosts, struct side **ret_side, struct error *err);
/* Binds, then starts the thread; once. /ready says "starting" until side_set_ready(). */
status_t side_start(struct side *side, const struct side_options *options, struct error *err);
/* Also of one that was not started; nullptr is fine. */
void side_stop(struct side *side);

/* After a reload. When it returns, the upstreams of before are not used any more here; if it fails,
 * they still are. */
status_t side_use(struct side *side, struct upstreams *upstreams, uint32_t upstream_count,
                  struct error *err);
/* What /ready answers; `why` is a constant ("starting", "draining"), or nullptr: ready. */
void side_set_ready(struct side *side, const char *why);
