/* SPDX-License-Identifier: Apache-2.0
 *
 * Who talks to a UDP listener: a table of sessions, one for each client address of a listener. It
 * is data alone: no socket, no clock. It never grows past the capacity it was made with; when it is
 * full the session that was silent the longest makes room. Whoever owns the table is told of each
 * session that goes, by a call, so that what belongs to it really is closed.
 *
 * Clients choose their addresses, so buckets are found by SipHash under a key of the table's own.
 *
 * It also keeps the rule against amplification: until a client's second datagram nobody knows that
 * the first one's sender is who it says, and it is sent at most three times the bytes that it sent
 * (RFC 9000, section 8.1, has the same for QUIC).
 */
#pragma once

#include "base/bytes.h"
#include "base/error.h"
#include "edge/siphash.h"

enum {
    SESSION_KEY_BYTES = 24,
    SESSION_ANSWER_FACTOR = 3,
    SESSION_CAPACITY_MAX = 1 << 20,
};

/* A client: address (IPv4 in its mapped form), port, listener, scope of a link-local address. */
struct session_key {
    uint8_t address[16];
    uint16_t port;
    uint16_t listener;
    uint32_t scope;
};
static_assert(sizeof(struct session_key) == SESSION_KEY_BYTES); /* no padding: it is hashed whole */

struct session {
    struct session_key key;
    uint64_t last_ms; /* of the table's clock: last datagram, in either direction */
    uint64_t bytes_in, bytes_out;
    uint64_t datagrams_in, datagrams_out;
    void *owner; /* the owner's; nullptr at first */
    /* What follows is the table's: indices of sessions, SESSION_NONE at an end. */
    uint32_t newer, older; /* by last_ms; of a free one `older` is the next free one */
    uint32_t next;         /* in its bucket */
    uint32_t slot;         /* its own index */
    bool is_live;
};

struct session_table;

/* Called for a session that goes, before it does: its owner closes what belongs to it. It may not
 * call the table. */
typedef void session_gone(void *context, struct session *session);

struct session_table_options {
    uint32_t capacity;      /* 1 to SESSION_CAPACITY_MAX */
    uint64_t idle_ms;       /* silent for this long, a session goes */
    struct siphash_key key; /* random */
    session_gone *gone;
    void *context;
};

/* All memory there will ever be. ERROR_NO_MEMORY. */
status_t session_table_new(const struct session_table_options *options,
                           struct session_table **ret_table, struct error *err);
/* Calls `gone` for every session left; nullptr is fine. */
void session_table_free(struct session_table *table);
void session_table_freep(struct session_table **table);
uint32_t session_table_count(const struct session_table *table);

/* nullptr when there is none. Pointers stay good until the session goes. */
struct session *session_table_find(struct session_table *table, const struct session_key *key);
/* A new session, the newest; there must be none of this key. When the table is full the one that
 * was silent longest goes first, and *ret_is_full says so. `now_ms` never goes back. */
struct session *session_table_insert(struct session_table *table, const struct session_key *key,
                                     uint64_t now_ms, bool *ret_is_full);
/* It was heard of: makes it the newest. */
void session_table_touch(struct session_table *table, struct session *session, uint64_t now_ms);
/* It goes now. */
void session_table_remove(struct session_table *table, struct session *session);
/* The one that was silent longest, and the next one after `session`; nullptr: none. */
struct session *session_table_oldest(struct session_table *table);
struct session *session_table_newer(struct session_table *table, const struct session *session);
/* The one that was silent longest goes; false when there is none. */
bool session_table_evict_oldest(struct session_table *table);
/* All that were silent too long go, and there were so many. */
uint32_t session_table_expire(struct session_table *table, uint64_t now_ms);
/* When session_table_expire() next has something to do; UINT64_MAX: never. */
uint64_t session_table_next_ms(const struct session_table *table);

/* Counts a datagram from the client. */
void session_heard(struct session *session, size_t size);
/* Whether an answer of `size` bytes may be sent to the client: then it counts as sent. */
bool session_may_answer(struct session *session, size_t size);
