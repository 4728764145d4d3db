/* SPDX-License-Identifier: Apache-2.0
 *
 * The way to a target: allow-list, one resolution, judgement of every address, and a connection to
 * an address that was judged. There is no second look at the name.
 */
#pragma once

#include "proxy/loop.h"
#include "proxy/protocol.h"
#include "proxy/resolve.h"

enum dial_result : uint8_t {
    DIAL_CONNECTED,
    DIAL_DENIED,      /* policy, or what its name leads to */
    DIAL_UNREACHABLE, /* not known, refused, no route */
    DIAL_LATE,
};

struct dial {
    struct loop *loop;
    struct resolver *resolver;
    const struct egress_config *config;
    /* `fd` is the receiver's; -1 unless CONNECTED. `why` is a reason for people. May be called
     * before dial_start() returns. */
    void (*done)(struct dial *dial, enum dial_result result, int fd, const char *why);

    struct loop_source source;
    struct timer timer;
    struct resolve_query *query;
    struct host host;
    uint16_t port;
    bool is_private;
    struct host_address addresses[LIMIT_EGRESS_ADDRESSES];
    size_t count, at;
    int fd;
    char why[EGRESS_TEXT_BYTES];
};

/* Whether the groups have the target; *ret_private: it may lead to a private address. */
bool dial_is_allowed(const struct egress_config *config, const struct host *host, uint16_t port,
                     bool *ret_private);
/* The caller has set the first four members. */
void dial_init(struct dial *dial);
void dial_start(struct dial *dial, const struct host *host, uint16_t port);
/* Ends it without a word, in whatever state it is. */
void dial_stop(struct dial *dial);
