/* SPDX-License-Identifier: Apache-2.0
 *
 * A shard is rows, chains of them by hash, and the list of those without a connection, the one
 * unused longest first. Rows are taken one after the other until all are in use; only then does one
 * of the list go to somebody else. Row 0 is the shared one; 0 ends chains and lists.
 */
#include "edge/source_limits.h"

#include <netinet/in.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "base/assert.h"
#include "base/bits.h"
#include "base/limits.h"
#include "edge/siphash.h"
#include "sys/random.h"

enum { SHARDS = 64, LINE_BYTES = 64, SECOND_US = 1000000, DEBT_S = 60 };

struct source_row {
    uint8_t bytes[12]; /* of its key */
    uint32_t chain;    /* the next one of the same bucket */
    uint32_t older, newer;
    uint32_t connections;
    bool has_budget; /* `left` is of `at_us` */
    int64_t left;    /* of the budget, in 10^-6 us: what a microsecond brings is a whole number */
    uint64_t at_us;
};

struct shard {
    alignas(LINE_BYTES) pthread_mutex_t lock;
    struct source_row *rows; /* owned */
    uint32_t *buckets;       /* owned */
    uint32_t rows_used, rows_max;
    uint32_t oldest, newest; /* of those without a connection */
};

struct source_limits {
    struct siphash_key key;
    uint32_t bucket_mask;
    struct shard shards[SHARDS];
};

static const uint8_t MAPPED[12] = {[10] = 0xff, [11] = 0xff};

struct source_key source_key_of(uint16_t listener, const struct sockaddr *client) {
    struct source_key key = {.bytes = {(uint8_t)listener, (uint8_t)(listener >> 8)}};
    if (client->sa_family == AF_INET) {
        struct sockaddr_in v4;
        memcpy(&v4, client, sizeof v4);
        key.bytes[2] = 4;
        memcpy(key.bytes + 3, &v4.sin_addr, 3);
        key.is_limited = true;
    } else if (client->sa_family == AF_INET6) {
        struct sockaddr_in6 v6;
        memcpy(&v6, client, sizeof v6);
        bool is_v4 = memcmp(v6.sin6_addr.s6_addr, MAPPED, sizeof MAPPED) == 0;
        key.bytes[2] = is_v4 ? 4 : 6;
        memcpy(key.bytes + 3, v6.sin6_addr.s6_addr + (is_v4 ? sizeof MAPPED : 0), is_v4 ? 3 : 7);
        key.is_limited = true;
    }
    return key;
}

static bool shard_init(struct shard *shard, uint32_t rows, uint32_t buckets) {
    ASSERT(rows > 0 && buckets > 0);
    (void)pthread_mutex_init(&shard->lock, nullptr);
    shard->rows_used = 1;
    shard->rows_max = rows + 1;
    shard->rows = calloc(shard->rows_max, sizeof *shard->rows);
    shard->buckets = calloc(buckets, sizeof *shard->buckets);
    return shard->rows != nullptr && shard->buckets != nullptr;
}

status_t source_limits_new(uint32_t networks_max, struct source_limits **ret_limits,
                           struct error *err) {
    ASSERT(networks_max > 0);
    struct source_limits *limits = aligned_alloc(LINE_BYTES, sizeof *limits);
    if (limits == nullptr) {
        return error_set(err, ERROR_NO_MEMORY, 0, "cannot make the table of networks");
    }
    memset(limits, 0, sizeof *limits);
    random_fill(&limits->key, sizeof limits->key);
    uint32_t rows = (networks_max + SHARDS - 1) / SHARDS;
    uint32_t buckets = (uint32_t)bits_floor(rows);
    limits->bucket_mask = buckets - 1;
    bool is_made = true;
    for (size_t i = 0; i < SHARDS; i++) {
        is_made = shard_init(&limits->shards[i], rows, buckets) && is_made;
    }
    if (!is_made) {
        source_limits_free(limits);
        return error_set(err, ERROR_NO_MEMORY, 0, "cannot make the table of networks");
    }
    *ret_limits = limits;
    return STATUS_OK;
}

void source_limits_free(struct source_limits *limits) {
    if (limits == nullptr) {
        return;
    }
    for (size_t i = 0; i < SHARDS; i++) {
        (void)pthread_mutex_destroy(&limits->shards[i].lock);
        free(limits->shards[i].rows);
        free(limits->shards[i].buckets);
    }
    free(limits);
}

static void idle_remove(struct shard *shard, uint32_t at) {
    struct source_row *row = &shard->rows[at];
    *(row->older != 0 ? &shard->rows[row->older].newer : &shard->oldest) = row->newer;
    *(row->newer != 0 ? &shard->rows[row->newer].older : &shard->newest) = row->older;
    row->older = row->newer = 0;
}

static void idle_add(struct shard *shard, uint32_t at) {
    struct source_row *row = &shard->rows[at];
    row->older = shard->newest;
    row->newer = 0;
    *(shard->newest != 0 ? &shard->rows[shard->newest].newer : &shard->oldest) = at;
    shard->newest = at;
}

static uint32_t *bucket_of(struct source_limits *limits, struct shard *shard, uint64_t hash) {
    return &shard->buckets[hash / SHARDS & limits->bucket_mask];
}

static uint64_t hash_of(const struct source_limits *limits, const uint8_t bytes[static 12]) {
    return siphash(&limits->key, slice_of(bytes, 12));
}

static uint32_t find(const struct shard *shard, uint32_t first, const struct source_key *key) {
    uint32_t at = first;
    while (at != 0 && memcmp(shard->rows[at].bytes, key->bytes, sizeof key->bytes) != 0) {
        at = shard->rows[at].chain;
    }
    return at;
}

/* A row for somebody else; 0 when all have connections. */
static uint32_t take_row(struct source_limits *limits, struct shard *shard) {
    if (shard->rows_used < shard->rows_max) {
        return shard->rows_used++;
    }
    uint32_t at = shard->oldest;
    if (at == 0) {
        limit_hit(LIMIT_ID_EDGE_SOURCES);
        return 0;
    }
    idle_remove(shard, at);
    uint32_t *link = bucket_of(limits, shard, hash_of(limits, shard->rows[at].bytes));
    while (*link != at) {
        link = &shard->rows[*link].chain;
    }
    *link = shard->rows[at].chain;
    return at;
}

/* The row of the key, with its shard locked. */
static struct source_row *lock_row(struct source_limits *limits, const struct source_key *key,
                                   struct shard **ret_shard) {
    uint64_t hash = hash_of(limits, key->bytes);
    struct shard *shard = &limits->shards[hash % SHARDS];
    (void)pthread_mutex_lock(&shard->lock);
    *ret_shard = shard;
    if (key->is_shared) {
        return &shard->rows[0];
    }
    uint32_t *bucket = bucket_of(limits, shard, hash);
    uint32_t at = find(shard, *bucket, key);
    if (at == 0) {
        at = take_row(limits, shard);
        if (at != 0) {
            struct source_row *row = &shard->rows[at];
            *row = (struct source_row){.chain = *bucket};
            memcpy(row->bytes, key->bytes, sizeof row->bytes);
            *bucket = at;
            idle_add(shard, at);
        }
    }
    return &shard->rows[at];
}

static void unlock(struct shard *shard) {
    (void)pthread_mutex_unlock(&shard->lock);
}

bool source_connection_admit(struct source_limits *limits, struct source_key *key,
                             uint32_t connections_max) {
    if (!key->is_limited) {
        return true;
    }
    struct shard *shard;
    struct source_row *row = lock_row(limits, key, &shard);
    uint32_t at = (uint32_t)(row - shard->rows);
    bool fits = connections_max == 0 || row->connections < connections_max;
    key->is_shared = at == 0;
    if (fits && row->connections++ == 0 && at != 0) {
        idle_remove(shard, at);
    }
    unlock(shard);
    return fits;
}

void source_connection_released(struct source_limits *limits, const struct source_key *key) {
    if (!key->is_limited) {
        return;
    }
    struct shard *shard;
    struct source_row *row = lock_row(limits, key, &shard);
    uint32_t at = (uint32_t)(row - shard->rows);
    ASSERT(row->connections > 0);
    if (--row->connections == 0 && at != 0) {
        idle_add(shard, at);
    }
    unlock(shard);
}

static void refill(struct source_row *row, uint32_t us_per_s, uint64_t now_us) {
    int64_t full = (int64_t)us_per_s * SECOND_US;
    uint64_t enough = (uint64_t)SECOND_US * (DEBT_S + 1);
    uint64_t passed = now_us > row->at_us ? now_us - row->at_us : 0;
    int64_t more = (int64_t)((passed < enough ? passed : enough) * us_per_s);
    row->left = row->has_budget && row->left + more < full ? row->left + more : full;
    row->at_us = passed > 0 || !row->has_budget ? now_us : row->at_us;
    row->has_budget = true;
}

bool source_handshake_admit(struct source_limits *limits, const struct source_key *key,
                            uint32_t us_per_s, uint64_t now_us) {
    if (!key->is_limited || us_per_s == 0) {
        return true;
    }
    struct shard *shard;
    struct source_row *row = lock_row(limits, key, &shard);
    refill(row, us_per_s, now_us);
    bool is_left = row->left > 0;
    unlock(shard);
    return is_left;
}

void source_handshake_charged(struct source_limits *limits, const struct source_key *key,
                              uint32_t us_per_s, uint64_t used_us) {
    if (!key->is_limited || us_per_s == 0) {
        return;
    }
    struct shard *shard;
    struct source_row *row = lock_row(limits, key, &shard);
    int64_t debt_max = (int64_t)us_per_s * SECOND_US * DEBT_S;
    uint64_t used_max = (uint64_t)debt_max / SECOND_US;
    int64_t used = (int64_t)(used_us < used_max ? used_us : used_max) * SECOND_US;
    row->left = row->left - used > -debt_max ? row->left - used : -debt_max;
    unlock(shard);
}
