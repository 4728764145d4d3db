/* SPDX-License-Identifier: Apache-2.0
 *
 * What one network may use: connections at once, and processor time of handshakes. A network is an
 * IPv4 /24 or an IPv6 /56: less than that costs an attacker nothing.
 *
 * One table for all workers, because the kernel spreads the connections of one network over them
 * as it likes: a share for each would refuse the honest half-way. It is in SHARDS parts with a lock
 * each, held for some tens of nanoseconds, twice a connection.
 *
 * The table is bounded and made at start. It is found in through SipHash with a random key, so that
 * nobody can aim at one slot. The networks without a connection go first, the one unused longest
 * first. When all that could go hold connections, those that come share one row and its limits:
 * who floods from that many networks meets the listener's own limit of connections first.
 */
#pragma once

#include <stdint.h>
#include <sys/socket.h>

#include "base/error.h"

struct source_limits;

/* Whose it is: a listener's number (metrics.h) and a network. */
struct source_key {
    uint8_t bytes[12];
    bool is_limited; /* not on a Unix socket: who may connect is the file's mode */
    bool is_shared;  /* set by source_connection_admit(): counted with others */
};

struct source_key source_key_of(uint16_t listener, const struct sockaddr *client);

/* For so many networks at once. */
status_t source_limits_new(uint32_t networks_max, struct source_limits **ret_limits,
                           struct error *err);
void source_limits_free(struct source_limits *limits); /* nullptr is fine */

/* One more connection: false when `connections_max` (0: any number) of the network are there.
 * Every one that was admitted has to be released, with the key as it is now. What follows is for
 * admitted connections. */
[[nodiscard]] bool source_connection_admit(struct source_limits *limits, struct source_key *key,
                                           uint32_t connections_max);
void source_connection_released(struct source_limits *limits, const struct source_key *key);

/* The budget of processor time: `us_per_s` comes in each second, and at most one second's worth is
 * kept. A handshake may begin as long as something is left; what it took is charged afterwards, and
 * may make a debt, of at most a minute, which has to be paid off before the next one begins.
 * `us_per_s` 0: no limit. */
[[nodiscard]] bool source_handshake_admit(struct source_limits *limits,
                                          const struct source_key *key, uint32_t us_per_s,
                                          uint64_t now_us);
void source_handshake_charged(struct source_limits *limits, const struct source_key *key,
                              uint32_t us_per_s, uint64_t used_us);
