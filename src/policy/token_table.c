/* SPDX-License-Identifier: Apache-2.0
 *
 * Open addressing with linear probing, at most half full. Ids are random bytes of our own choice
 * that are looked up only after the seal was found good, so nobody can aim at one slot: the first
 * eight bytes are the hash. A removed slot is closed by moving back what was pushed past it, so no
 * grave is left and a probe ends at the first empty slot.
 */
#include "policy/token_table.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "base/assert.h"

enum { SLOT_COUNT = 2 * (int)LIMIT_TOKEN_LIVE, NO_SLOT = SLOT_COUNT };
static_assert((SLOT_COUNT & (SLOT_COUNT - 1)) == 0);

struct slot {
    struct token_id id;
    uint64_t expires_ms;
    uint32_t used;
    bool taken;
};

struct token_table {
    pthread_mutex_t mutex; /* over everything below it but now_newest_ms */
    size_t count;
    uint64_t expires_first_ms; /* nothing in the table expires before it */
    _Atomic uint64_t now_newest_ms;
    struct slot slots[SLOT_COUNT];
};

status_t token_table_new(struct token_table **ret_table, struct error *err) {
    struct token_table *table = calloc(1, sizeof *table);
    if (table == nullptr) {
        return error_set(err, ERROR_NO_MEMORY, 0, "cannot hold the table of tokens");
    }
    ASSERT(pthread_mutex_init(&table->mutex, nullptr) == 0);
    table->expires_first_ms = UINT64_MAX;
    *ret_table = table;
    return STATUS_OK;
}

void token_table_free(struct token_table *table) {
    if (table != nullptr) {
        (void)pthread_mutex_destroy(&table->mutex);
        free(table);
    }
}

static void lock(struct token_table *table) {
    ASSERT(pthread_mutex_lock(&table->mutex) == 0);
}

static void unlock(struct token_table *table) {
    ASSERT(pthread_mutex_unlock(&table->mutex) == 0);
}

static size_t home_of(const struct token_id *id) {
    uint64_t hash;
    memcpy(&hash, id->bytes, sizeof hash);
    return hash % SLOT_COUNT;
}

static bool id_equal(const struct token_id *a, const struct token_id *b) {
    return memcmp(a->bytes, b->bytes, TOKEN_ID_BYTES) == 0;
}

/* The slot that holds the id, or the empty one where it belongs: one is always empty. */
static struct slot *slot_of(struct token_table *table, const struct token_id *id) {
    size_t at = home_of(id);
    while (table->slots[at].taken && !id_equal(&table->slots[at].id, id)) {
        at = (at + 1) % SLOT_COUNT;
    }
    return &table->slots[at];
}

/* Empties a slot, and moves back those behind it that would not be found past the hole. */
static void clear_slot(struct token_table *table, struct slot *slot) {
    size_t hole = (size_t)(slot - table->slots);
    size_t at = hole;
    ASSERT(slot->taken && table->count > 0);
    for (;;) {
        at = (at + 1) % SLOT_COUNT;
        if (!table->slots[at].taken) {
            break;
        }
        size_t home = home_of(&table->slots[at].id);
        /* It may move into the hole unless its home lies behind the hole, going round. */
        if ((at + SLOT_COUNT - home) % SLOT_COUNT >= (at + SLOT_COUNT - hole) % SLOT_COUNT) {
            table->slots[hole] = table->slots[at];
            hole = at;
        }
    }
    table->slots[hole] = (struct slot){0};
    table->count--;
}

/* Removes what has expired. Costs a walk of the table, and only when something can have. */
static void sweep(struct token_table *table, uint64_t now_ms) {
    if (now_ms < table->expires_first_ms) {
        return;
    }
    uint64_t first = UINT64_MAX;
    for (size_t i = 0; i < SLOT_COUNT; i++) {
        /* What moves into the hole is looked at too. */
        while (table->slots[i].taken && table->slots[i].expires_ms <= now_ms) {
            clear_slot(table, &table->slots[i]);
        }
        if (table->slots[i].taken && table->slots[i].expires_ms < first) {
            first = table->slots[i].expires_ms;
        }
    }
    table->expires_first_ms = first;
}

static enum token_table_result insert(struct token_table *table, const struct token_id *id,
                                      uint64_t expires_ms, uint64_t now_ms) {
    if (table->count >= LIMIT_TOKEN_LIVE) {
        sweep(table, now_ms);
    }
    if (table->count >= LIMIT_TOKEN_LIVE) {
        limit_hit(LIMIT_ID_TOKEN_LIVE);
        return TOKEN_TABLE_FULL;
    }
    struct slot *slot = slot_of(table, id);
    if (slot->taken) {
        return TOKEN_TABLE_KNOWN;
    }
    *slot = (struct slot){.id = *id, .expires_ms = expires_ms, .taken = true};
    table->count++;
    if (expires_ms < table->expires_first_ms) {
        table->expires_first_ms = expires_ms;
    }
    return TOKEN_TABLE_OK;
}

enum token_table_result token_table_insert(struct token_table *table, const struct token_id *id,
                                           uint64_t expires_ms, uint64_t now_ms) {
    if (!token_table_clock_is_sound(table, now_ms)) {
        return TOKEN_TABLE_CLOCK;
    }
    lock(table);
    enum token_table_result result = insert(table, id, expires_ms, now_ms);
    unlock(table);
    return result;
}

static enum token_table_result count_uses(struct token_table *table, const struct token_id *id,
                                          uint32_t max_ops, uint32_t more) {
    lock(table);
    struct slot *slot = slot_of(table, id);
    enum token_table_result result = TOKEN_TABLE_OK;
    if (!slot->taken) {
        result = TOKEN_TABLE_UNKNOWN;
    } else if (slot->used >= max_ops) {
        result = TOKEN_TABLE_USED_UP;
    } else {
        slot->used += more;
    }
    unlock(table);
    return result;
}

enum token_table_result token_table_look(struct token_table *table, const struct token_id *id,
                                         uint32_t max_ops) {
    return count_uses(table, id, max_ops, 0);
}

enum token_table_result token_table_use(struct token_table *table, const struct token_id *id,
                                        uint32_t max_ops) {
    return count_uses(table, id, max_ops, 1);
}

bool token_table_remove(struct token_table *table, const struct token_id *id) {
    lock(table);
    struct slot *slot = slot_of(table, id);
    bool found = slot->taken;
    if (found) {
        clear_slot(table, slot);
    }
    unlock(table);
    return found;
}

size_t token_table_count(struct token_table *table, uint64_t now_ms) {
    lock(table);
    sweep(table, now_ms);
    size_t count = table->count;
    unlock(table);
    return count;
}

bool token_table_clock_is_sound(struct token_table *table, uint64_t now_ms) {
    uint64_t newest = atomic_load(&table->now_newest_ms);
    while (now_ms > newest &&
           !atomic_compare_exchange_weak(&table->now_newest_ms, &newest, now_ms)) {
    }
    return now_ms >= newest ||
           !limit_past(newest - now_ms > LIMIT_TOKEN_CLOCK_LAG_MS, LIMIT_ID_TOKEN_CLOCK_LAG_MS);
}
