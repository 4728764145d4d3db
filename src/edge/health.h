/* SPDX-License-Identifier: Apache-2.0
 *
 * Active health checks: every `interval` a connection is made to each server of an upstream that
 * has `health`, and closed at once; where it says `tls`, after a handshake by all that the
 * upstream's `tls` says. `fall` failures in a row make a server down, `rise` successes in a row up
 * again; it starts as up. The first checks are spread over one interval, so that a hundred servers
 * are not connected to in one moment.
 */
#pragma once

#include "edge/log.h"
#include "edge/upstream.h"
#include "proxy/loop.h"

struct health;

/* Everything is borrowed until health_free(). */
status_t health_new(struct loop *loop, struct upstreams *upstreams, struct metrics *metrics,
                    struct log_writer *log, struct health **ret_health, struct error *err);
void health_free(struct health *health); /* nullptr is fine */
