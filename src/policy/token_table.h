/* SPDX-License-Identifier: Apache-2.0
 *
 * The root ids of tokens that are alive, with the operations used of each. Bounded: when it is full
 * of tokens that have not expired, a new one is refused; an old one is never dropped before its
 * time. What is not in here is not valid, so revoking is removing, whatever descends from the root.
 *
 * Several threads may call at once: a mutex, held for one probe of the table and never across a
 * hash or a system call. Atomics alone would need a safe way to give slots back.
 */
#pragma once

#include "base/error.h"
#include "policy/token_format.h"

struct token_table;

/* Room for LIMIT_TOKEN_LIVE ids. */
status_t token_table_new(struct token_table **ret_table, struct error *err);
void token_table_free(struct token_table *table); /* nullptr is fine */

enum token_table_result : uint8_t {
    TOKEN_TABLE_OK,
    TOKEN_TABLE_FULL,    /* of tokens that have not expired; counted in LIMIT_TOKEN_LIVE */
    TOKEN_TABLE_KNOWN,   /* the id is in it already */
    TOKEN_TABLE_UNKNOWN, /* revoked, or expired and swept */
    TOKEN_TABLE_USED_UP,
    TOKEN_TABLE_CLOCK, /* the clock went back by more than LIMIT_TOKEN_CLOCK_LAG_MS */
};

/* Sweeps what has expired at `now_ms`, when there is no room without. */
enum token_table_result token_table_insert(struct token_table *table, const struct token_id *id,
                                           uint64_t expires_ms, uint64_t now_ms);
/* Whether the id is alive and has been used less than `max_ops` times. Counts nothing. */
enum token_table_result token_table_look(struct token_table *table, const struct token_id *id,
                                         uint32_t max_ops);
/* The same, and counts one use in the same step: of threads that race for the last one, one wins.
 */
enum token_table_result token_table_use(struct token_table *table, const struct token_id *id,
                                        uint32_t max_ops);
/* false when the id is not in it. */
bool token_table_remove(struct token_table *table, const struct token_id *id);
/* Ids that have not expired at `now_ms`. */
size_t token_table_count(struct token_table *table, uint64_t now_ms);

/* Notes the newest snapshot of time seen; false when this one lies too far behind it, which is a
 * clock that was set back: it must not bring back what has expired. */
bool token_table_clock_is_sound(struct token_table *table, uint64_t now_ms);
