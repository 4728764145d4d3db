/* SPDX-License-Identifier: Apache-2.0
 *
 * What `airlock-proxy --egress` is made of: one loop, one listener in a sandbox, its sessions.
 */
#pragma once

#include "proxy/counts.h"
#include "proxy/loop.h"
#include "proxy/protocol.h"
#include "proxy/resolve.h"
#include "proxy/tls.h"

struct session;

struct egress {
    struct egress_config config; /* owned; texts in `message` */
    struct loop *loop;           /* owned */
    struct resolver *resolver;   /* owned */
    struct tls tls;
    struct counts counts;
    struct loop_source control; /* the socket to airlock */
    struct loop_source listener;
    int listener_fd; /* owned; -1: not yet */
    struct session *sessions;
    uint32_t session_count;
    bool is_over;
};

/* Serves until airlock says that it is over, or is gone. The config and the resolver are set. */
void egress_serve(struct egress *egress);
/* Takes back what was not accepted because there were too many. */
void egress_accept_again(struct egress *egress);
