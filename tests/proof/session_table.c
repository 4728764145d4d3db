/* SPDX-License-Identifier: Apache-2.0
 *
 * The links of edge/session_table.c: no index is past an array, the lists and chains hold what they
 * should, and each session that went was told of once, with any clock that does not go back and any
 * hash. Twice: an empty table is sound, and whatever call is made on a sound one leaves it sound,
 * so any number of calls does; and, beside that, a few calls from the empty one on.
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
static uint64_t bucket_of_client[4];   /* as many as any proof here has */

struct slice slice_of(const void *data, size_t size) {
    return (struct slice){data, size};
}

/* Any hash: whatever each client's is, it stays the same. */
uint64_t siphash(const struct siphash_key *key, struct slice bytes) {
    const struct session_key *client = (const void *)bytes.data;
    (void)key;
    prove(bytes.size == sizeof *client && client->port < 4);
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

/* ---- any number of calls ---- */

enum { SESSIONS_HERE = 2, BUCKETS_HERE = 2, KEYS_HERE = 3 };

static unsigned gone_of[KEYS_HERE];

static void count_gone(void *context, struct session *session) {
    (void)context;
    prove(session->is_live && session->key.port < KEYS_HERE);
    gone_of[session->key.port]++;
}

/* By age: from the newest to the oldest and back, no later than now. */
static bool ages_are_sound(const struct session_table *table, uint64_t now_ms,
                           bool ret_listed[static SESSIONS_HERE]) {
    uint32_t live = 0;
    uint32_t before = SESSION_NONE;
    for (uint32_t at = table->newest; at != SESSION_NONE; at = table->sessions[at].older) {
        if (at >= SESSIONS_HERE || live == SESSIONS_HERE || ret_listed[at]) {
            return false;
        }
        const struct session *session = &table->sessions[at];
        if (!session->is_live || session->newer != before || session->last_ms > now_ms ||
            (before != SESSION_NONE && table->sessions[before].last_ms < session->last_ms)) {
            return false;
        }
        ret_listed[at] = true;
        before = at;
        live++;
    }
    return table->oldest == before && table->count == live;
}

/* Those that are free, each once and none of the others. */
static bool rest_is_free(const struct session_table *table, bool listed[static SESSIONS_HERE]) {
    uint32_t spare = 0;
    for (uint32_t at = table->free; at != SESSION_NONE; at = table->sessions[at].older) {
        if (at >= SESSIONS_HERE || spare == SESSIONS_HERE || listed[at] ||
            table->sessions[at].is_live) {
            return false;
        }
        listed[at] = true;
        spare++;
    }
    return table->count + spare == SESSIONS_HERE;
}

/* Each live one is in the chain of its bucket, once, and nothing else is. */
static bool chains_are_sound(const struct session_table *table) {
    uint32_t chained = 0;
    bool is_there[KEYS_HERE] = {};
    for (uint32_t bucket = 0; bucket < BUCKETS_HERE; bucket++) {
        for (uint32_t at = table->buckets[bucket]; at != SESSION_NONE;
             at = table->sessions[at].next) {
            if (at >= SESSIONS_HERE || chained == table->count) {
                return false;
            }
            const struct session *session = &table->sessions[at];
            if (!session->is_live || session->key.port >= KEYS_HERE ||
                is_there[session->key.port] ||
                (bucket_of_client[session->key.port] & (BUCKETS_HERE - 1)) != bucket) {
                return false;
            }
            is_there[session->key.port] = true;
            chained++;
        }
    }
    return chained == table->count;
}

static bool is_sound(const struct session_table *table, uint64_t now_ms) {
    bool listed[SESSIONS_HERE] = {};
    if (!ages_are_sound(table, now_ms, listed) || !rest_is_free(table, listed)) {
        return false;
    }
    for (uint32_t i = 0; i < SESSIONS_HERE; i++) {
        if (table->sessions[i].slot != i) {
            return false;
        }
    }
    return chains_are_sound(table);
}

static bool is_live(const struct session_table *table, uint16_t port) {
    for (uint32_t i = 0; i < SESSIONS_HERE; i++) {
        if (table->sessions[i].is_live && table->sessions[i].key.port == port) {
            return true;
        }
    }
    return false;
}

static struct session any_sessions[SESSIONS_HERE];
static uint32_t any_buckets[BUCKETS_HERE];

static struct session_table any_table(void) {
    struct session_table table; /* its counters and links are anything */
    table.options.capacity = SESSIONS_HERE;
    table.options.gone = count_gone;
    table.options.context = nullptr;
    table.bucket_count = BUCKETS_HERE;
    table.sessions = any_sessions;
    table.buckets = any_buckets;
    for (uint32_t i = 0; i < SESSIONS_HERE; i++) {
        struct session session;
        any_sessions[i] = session;
    }
    for (uint32_t i = 0; i < BUCKETS_HERE; i++) {
        any_buckets[i] = nondet_u32();
    }
    for (unsigned i = 0; i < KEYS_HERE; i++) {
        bucket_of_client[i] = nondet_u64();
    }
    return table;
}

void proof_session_begins(void) {
    struct session_table table = any_table();
    link_free(&table);
    table.count = 0; /* as calloc(3) leaves it */
    for (uint32_t i = 0; i < SESSIONS_HERE; i++) {
        suppose(!any_sessions[i].is_live);
    }
    prove(is_sound(&table, 0));
}

void proof_session_step(void) {
    struct session_table table = any_table();
    struct session_key key = {.port = nondet_u8()};
    uint64_t before_ms = nondet_u64();
    uint64_t now_ms = nondet_u64();
    suppose(key.port < KEYS_HERE && now_ms >= before_ms && is_sound(&table, before_ms));
    bool was_live[KEYS_HERE];
    for (uint16_t i = 0; i < KEYS_HERE; i++) {
        was_live[i] = is_live(&table, i);
    }
    bool is_full = false;
    struct session *session = session_table_find(&table, &key);
    prove((session != nullptr) == was_live[key.port]);
    prove(session == nullptr || session->key.port == key.port);
    uint8_t what = nondet_u8();
    if (what == 0) {
        (void)session_table_expire(&table, now_ms);
        prove(table.count == 0 || session_table_next_ms(&table) > now_ms);
    } else if (what == 1) {
        (void)session_table_evict_oldest(&table);
    } else if (session == nullptr) {
        session = session_table_insert(&table, &key, now_ms, &is_full);
        prove(session->key.port == key.port && session->owner == nullptr);
    } else if (what == 2) {
        session_table_remove(&table, session);
    } else {
        session_table_touch(&table, session, now_ms);
    }
    prove(is_sound(&table, now_ms));
    for (uint16_t i = 0; i < KEYS_HERE; i++) {
        bool lives = is_live(&table, i);
        prove(gone_of[i] == (was_live[i] && !lives ? 1u : 0u));
    }
}

/* ---- a few calls ---- */

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
