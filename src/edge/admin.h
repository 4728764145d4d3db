/* SPDX-License-Identifier: Apache-2.0
 *
 * The HTTP/1.1 server for operators: GET and HEAD of /metrics, /health and /ready. It is not on the
 * workers' engines, but on a plain loop (proxy/loop.h) in the thread of side.h: what tells how the
 * workers fare must answer when they are busy, and does not need to be fast.
 *
 * Whoever reaches it is a stranger as well: heads are at most LIMIT_EDGE_ADMIN_HEAD_BYTES long and
 * have to be whole in time, a connection that does not read or say anything is closed, and past
 * LIMIT_EDGE_ADMIN_CONNECTIONS the one idle longest makes room. Requests with a body are refused.
 */
#pragma once

#include "edge/config.h"
#include "edge/log.h"
#include "proxy/loop.h"

struct admin_options {
    /* Each writes a body, and returns the status: 200 or 503. */
    unsigned (*metrics)(void *context, struct builder *out); /* Prometheus text */
    unsigned (*health)(void *context, struct builder *out);  /* JSON */
    unsigned (*ready)(void *context, struct builder *out);   /* JSON */
    void *context;
    struct log_writer *log;
    uint32_t request_ms; /* until a request is whole, and its answer is read: LIMIT_EDGE_ADMIN_MS */
};

struct admin;

/* Consumes `fd`, also on failure. */
status_t admin_new(struct loop *loop, int fd, const struct admin_options *options,
                   struct admin **ret_admin, struct error *err);
void admin_free(struct admin *admin); /* closes everything; nullptr is fine */
