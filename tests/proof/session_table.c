/* SPDX-License-Identifier: Apache-2.0
 *
 * The links of edge/session_table.c: after any few calls on a table of two, in any order, with
 * any clock that does not go back and any hash, no index is past an array, the lists hold what they
 * should, and each session that went was told of once.
 */
#include "proof.h"

#include "edge/session_table.h"

/* Clients differ by their ports here. */
static int compare_keys(const struct session_key *a, const struct session_key *b, size_t size) {
    prove(size == sizeof *a);
    return a->port == b->port ? 0 : 1;
}

#define memcmp compare_keys
#include "edge/session_table.c" /* whole, to look at its links */

enum { CAPACITY_HERE = 2, CALLS_HERE = 3, CLIENTS_HERE = 3 };

static unsigned live_of[CLIENTS_HERE]; /* by port: sessions that were made and are not gone */
static uint64_t bucket_of_client[CLIENTS_HERE];

struct slice slice_of(const void *data, size_t size) {
    return (struct slice){data, size};
}

/* Any hash: whatever each client's is, it stays the same. */
uint64_t siphash(const struct siphash_key *key, struct slice bytes) {
    const struct session_key *client = (const void *)bytes.data;
    (void)key;
    prove(bytes.size == sizeof *client && client->port < CLIENTS_HERE);
    return bucket_of_client[client->port];
}

static void note_gone(void *context, struct session *session) {
    (void)context;
    prove(session->is_live && live_of[session->key.port] == 1);
    live_of[session->key.port]--;
}

static void check(const struct session_table *table) {
    uint32_t live = 0;
    uint32_t before = SESSION_NONE;
    for (uint32_t at = table->newest; at != SESSION_NONE; at = table->sessions[at].older) {
        prove(at < CAPACITY_HERE && live < CAPACITY_HERE);
        const struct session *session = &table->sessions[at];
        prove(session->is_live && session->slot == at && session->newer == before);
        prove(before == SESSION_NONE || table->sessions[before].last_ms >= session->last_ms);
        prove(live_of[session->key.port] == 1);
        before = at;
        live++;
    }
    prove(table->oldest == before && table->count == live);
    uint32_t spare = 0;
    for (uint32_t at = table->free; at != SESSION_NONE; at = table->sessions[at].older) {
        prove(at < CAPACITY_HERE && spare < CAPACITY_HERE);
        prove(!table->sessions[at].is_live);
        spare++;
    }
    prove(live + spare == CAPACITY_HERE);
}

static void call(struct session_table *table, uint64_t now_ms) {
    struct session_key key = {.port = nondet_u8()};
    bool is_full = false;
    suppose(key.port < CLIENTS_HERE);
    struct session *session = session_table_find(table, &key);
    prove((session != nullptr) == (live_of[key.port] == 1));
    prove(session == nullptr || (session->is_live && session->key.port == key.port));
    uint8_t what = nondet_u8();
    if (what == 1) {
        (void)session_table_evict_oldest(table);
    } else if (session == nullptr) {
        session = session_table_insert(table, &key, now_ms, &is_full);
        prove(session->key.port == key.port && session->owner == nullptr);
        live_of[key.port]++;
    } else if (what == 2) {
        session_table_remove(table, session);
    } else {
        session_table_touch(table, session, now_ms);
    }
    check(table);
}

void proof_session_table(void) {
    struct session_table table = {.options = {.capacity = CAPACITY_HERE, .gone = note_gone},
                                  .bucket_count = 2};
    static struct session sessions[CAPACITY_HERE];
    static uint32_t buckets[2];
    uint64_t now_ms = nondet_u64();
    table.options.idle_ms = nondet_u64();
    table.sessions = sessions;
    table.buckets = buckets;
    for (unsigned i = 0; i < CLIENTS_HERE; i++) {
        bucket_of_client[i] = nondet_u64();
    }
    link_free(&table);
    check(&table);
    for (unsigned i = 0; i < CALLS_HERE; i++) {
        uint64_t later_ms = nondet_u64();
        suppose(later_ms >= now_ms);
        now_ms = later_ms;
        call(&table, now_ms);
    }
    (void)session_table_expire(&table, now_ms);
    check(&table);
    prove(table.count == 0 || session_table_next_ms(&table) > now_ms);
}

/* Three times: a session that keeps to it does so after any answer. */
void proof_session_answers(void) {
    struct session session = {.datagrams_in = nondet_u8(),
                              .bytes_in = nondet_u32() & UINT16_MAX,
                              .bytes_out = nondet_u32()};
    suppose(session.datagrams_in <= 1 && session.bytes_out <= 3 * session.bytes_in);
    size_t size = nondet_size();
    bool may = session_may_answer(&session, size);
    prove(session.bytes_out <= 3 * session.bytes_in);
    prove(may || size > 0);
}
