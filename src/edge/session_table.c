/* SPDX-License-Identifier: Apache-2.0
 *
 * One array of sessions and one of buckets, both as long as they will ever be. A session is in one
 * of two lists: the free ones (a stack), or the live ones from the newest to the oldest, both by
 * index. A live one is besides in the chain of its bucket. Because the newest is always put in
 * front, and the clock does not go back, the oldest is at the end: expiring looks at nothing else.
 *
 * Invariants, proved in tests/proof/session_table.c: every link is SESSION_NONE or an index below
 * the capacity; free and live sessions are all there are, and no one is both; a session is in the
 * chain of its bucket exactly while it lives.
 */
#include "edge/session_table.h"

#include <stdbit.h>
#include <stdlib.h>
#include <string.h>

#include "base/assert.h"

enum : uint32_t { SESSION_NONE = UINT32_MAX };

struct session_table {
    struct session_table_options options;
    struct session *sessions; /* capacity */
    uint32_t *buckets;        /* bucket_count, a power of two: the first of the chain */
    uint32_t bucket_count;
    uint32_t count;
    uint32_t newest, oldest, free;
};

static void link_free(struct session_table *table) {
    uint32_t capacity = table->options.capacity;
    for (uint32_t i = 0; i < capacity; i++) {
        table->sessions[i].slot = i;
        table->sessions[i].older = i + 1 < capacity ? i + 1 : SESSION_NONE;
    }
    for (uint32_t i = 0; i < table->bucket_count; i++) {
        table->buckets[i] = SESSION_NONE;
    }
    table->free = 0;
    table->newest = SESSION_NONE;
    table->oldest = SESSION_NONE;
}

status_t session_table_new(const struct session_table_options *options,
                           struct session_table **ret_table, struct error *err) {
    ASSERT(options->capacity >= 1 && options->capacity <= SESSION_CAPACITY_MAX);
    ASSERT(options->gone != nullptr);
    struct session_table *table = calloc(1, sizeof *table);
    if (table == nullptr) {
        return error_set(err, ERROR_NO_MEMORY, 0, "cannot hold a table of UDP sessions");
    }
    table->options = *options;
    table->bucket_count = stdc_bit_ceil(options->capacity);
    table->sessions = calloc(options->capacity, sizeof *table->sessions);
    table->buckets = calloc(table->bucket_count, sizeof *table->buckets);
    if (table->sessions == nullptr || table->buckets == nullptr) {
        session_table_free(table);
        return error_set(err, ERROR_NO_MEMORY, 0, "cannot hold %u UDP sessions",
                         (unsigned)options->capacity);
    }
    link_free(table);
    *ret_table = table;
    return STATUS_OK;
}

void session_table_free(struct session_table *table) {
    if (table == nullptr) {
        return;
    }
    while (table->count > 0) {
        (void)session_table_evict_oldest(table);
    }
    free(table->sessions);
    free(table->buckets);
    free(table);
}

void session_table_freep(struct session_table **table) {
    session_table_free(*table);
    *table = nullptr;
}

uint32_t session_table_count(const struct session_table *table) {
    return table->count;
}

static struct session *session_at(const struct session_table *table, uint32_t index) {
    ASSERT(index < table->options.capacity);
    return &table->sessions[index];
}

static uint32_t *bucket_of(const struct session_table *table, const struct session_key *key) {
    uint64_t hash = siphash(&table->options.key, slice_of(key, sizeof *key));
    return &table->buckets[hash & (table->bucket_count - 1)];
}

static bool key_equal(const struct session_key *a, const struct session_key *b) {
    return memcmp(a, b, sizeof *a) == 0;
}

struct session *session_table_find(struct session_table *table, const struct session_key *key) {
    for (uint32_t at = *bucket_of(table, key); at != SESSION_NONE;) {
        struct session *session = session_at(table, at);
        if (key_equal(&session->key, key)) {
            return session;
        }
        at = session->next;
    }
    return nullptr;
}

/* ---- the list by age ---- */

static void age_link(struct session_table *table, struct session *session) {
    session->newer = SESSION_NONE;
    session->older = table->newest;
    if (table->newest == SESSION_NONE) {
        table->oldest = session->slot;
    } else {
        session_at(table, table->newest)->newer = session->slot;
    }
    table->newest = session->slot;
}

static void age_unlink(struct session_table *table, const struct session *session) {
    if (session->newer == SESSION_NONE) {
        table->newest = session->older;
    } else {
        session_at(table, session->newer)->older = session->older;
    }
    if (session->older == SESSION_NONE) {
        table->oldest = session->newer;
    } else {
        session_at(table, session->older)->newer = session->newer;
    }
}

/* ---- coming and going ---- */

static void chain_unlink(struct session_table *table, const struct session *session) {
    uint32_t *link = bucket_of(table, &session->key);
    while (*link != session->slot) {
        link = &session_at(table, *link)->next; /* asserts that the chain goes on */
    }
    *link = session->next;
}

void session_table_remove(struct session_table *table, struct session *session) {
    ASSERT(session->is_live && table->count > 0);
    table->options.gone(table->options.context, session);
    chain_unlink(table, session);
    age_unlink(table, session);
    session->is_live = false;
    session->owner = nullptr;
    session->older = table->free;
    table->free = session->slot;
    table->count--;
}

static struct session *session_or_none(struct session_table *table, uint32_t index) {
    return index == SESSION_NONE ? nullptr : session_at(table, index);
}

struct session *session_table_oldest(struct session_table *table) {
    return session_or_none(table, table->oldest);
}

struct session *session_table_newer(struct session_table *table, const struct session *session) {
    return session_or_none(table, session->newer);
}

bool session_table_evict_oldest(struct session_table *table) {
    if (table->oldest == SESSION_NONE) {
        return false;
    }
    session_table_remove(table, session_at(table, table->oldest));
    return true;
}

struct session *session_table_insert(struct session_table *table, const struct session_key *key,
                                     uint64_t now_ms, bool *ret_is_full) {
    *ret_is_full = table->free == SESSION_NONE;
    if (*ret_is_full) {
        (void)session_table_evict_oldest(table);
    }
    struct session *session = session_at(table, table->free);
    uint32_t *bucket = bucket_of(table, key);
    table->free = session->older;
    *session = (struct session){
        .key = *key,
        .last_ms = now_ms,
        .next = *bucket,
        .slot = session->slot,
        .is_live = true,
    };
    *bucket = session->slot;
    age_link(table, session);
    table->count++;
    return session;
}

void session_table_touch(struct session_table *table, struct session *session, uint64_t now_ms) {
    ASSERT(session->is_live);
    session->last_ms = now_ms;
    if (table->newest != session->slot) {
        age_unlink(table, session);
        age_link(table, session);
    }
}

uint64_t session_table_next_ms(const struct session_table *table) {
    if (table->oldest == SESSION_NONE) {
        return UINT64_MAX;
    }
    uint64_t last_ms = session_at(table, table->oldest)->last_ms;
    uint64_t idle_ms = table->options.idle_ms;
    return last_ms > UINT64_MAX - idle_ms ? UINT64_MAX : last_ms + idle_ms;
}

uint32_t session_table_expire(struct session_table *table, uint64_t now_ms) {
    uint32_t gone = 0;
    while (table->oldest != SESSION_NONE && session_table_next_ms(table) <= now_ms) {
        (void)session_table_evict_oldest(table);
        gone++;
    }
    return gone;
}

/* ---- what a client may be sent ---- */

void session_heard(struct session *session, size_t size) {
    session->bytes_in += size;
    session->datagrams_in++;
}

bool session_may_answer(struct session *session, size_t size) {
    bool is_known = session->datagrams_in >= 2;
    if (!is_known && (size > SESSION_ANSWER_FACTOR * session->bytes_in ||
                      session->bytes_out > SESSION_ANSWER_FACTOR * session->bytes_in - size)) {
        return false;
    }
    session->bytes_out += size;
    session->datagrams_out++;
    return true;
}
