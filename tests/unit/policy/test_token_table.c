/* SPDX-License-Identifier: Apache-2.0 */
#include "policy/token_table.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static struct token_table *table_of(void) {
    struct token_table *table = nullptr;
    struct error err;
    assert_true(status_is_ok(token_table_new(&table, &err)));
    return table;
}

/* `place` is the slot it wants, `number` tells those of one slot apart. */
static struct token_id id_of(uint64_t place, uint64_t number) {
    struct token_id id;
    memcpy(id.bytes, &place, 8);
    memcpy(id.bytes + 8, &number, 8);
    return id;
}

static void uses_are_counted_for_each_id(void **state) {
    (void)state;
    struct token_table *table = table_of();
    struct token_id a = id_of(5, 1);
    struct token_id b = id_of(5, 2);
    assert_int_equal(token_table_use(table, &a, 1), TOKEN_TABLE_UNKNOWN);
    assert_int_equal(token_table_insert(table, &a, 100, 1), TOKEN_TABLE_OK);
    assert_int_equal(token_table_insert(table, &a, 100, 1), TOKEN_TABLE_KNOWN);
    assert_int_equal(token_table_insert(table, &b, 100, 1), TOKEN_TABLE_OK);
    assert_int_equal(token_table_use(table, &a, 2), TOKEN_TABLE_OK);
    assert_int_equal(token_table_use(table, &a, 2), TOKEN_TABLE_OK);
    assert_int_equal(token_table_use(table, &a, 2), TOKEN_TABLE_USED_UP);
    assert_int_equal(token_table_look(table, &a, 2), TOKEN_TABLE_USED_UP);
    assert_int_equal(token_table_look(table, &a, 3), TOKEN_TABLE_OK);
    assert_int_equal(token_table_use(table, &b, 1), TOKEN_TABLE_OK);
    token_table_free(table);
}

enum { COUNT = 7, SLOTS = 2 * LIMIT_TOKEN_LIVE };

/* Neighbours that share slots, at the end of the table where probes go round. */
static struct token_id crowded_id(unsigned number) {
    static const uint64_t PLACES[COUNT] = {SLOTS - 2, SLOTS - 2, SLOTS - 1, SLOTS - 2,
                                           SLOTS,     1,         SLOTS - 1};
    return id_of(PLACES[number], number);
}

static void assert_found(struct token_table *table, const bool gone[static COUNT]) {
    for (unsigned i = 0; i < COUNT; i++) {
        struct token_id id = crowded_id(i);
        assert_int_equal(token_table_look(table, &id, 1),
                         gone[i] ? TOKEN_TABLE_UNKNOWN : TOKEN_TABLE_OK);
    }
}

/* Removed one by one, from `start` on in steps of `step`. */
static void remove_in_turn(unsigned start, unsigned step) {
    struct token_table *table = table_of();
    bool gone[COUNT] = {false};
    for (unsigned i = 0; i < COUNT; i++) {
        struct token_id id = crowded_id(i);
        assert_int_equal(token_table_insert(table, &id, 100, 1), TOKEN_TABLE_OK);
    }
    for (unsigned round = 0; round < COUNT; round++) {
        unsigned out = (start + round * step) % COUNT;
        struct token_id id = crowded_id(out);
        assert_true(token_table_remove(table, &id));
        assert_false(token_table_remove(table, &id));
        gone[out] = true;
        assert_found(table, gone);
    }
    assert_int_equal(token_table_count(table, 1), 0);
    token_table_free(table);
}

static void removing_leaves_the_others_findable(void **state) {
    (void)state;
    for (unsigned step = 1; step < COUNT; step++) {
        for (unsigned start = 0; start < COUNT; start++) {
            remove_in_turn(start, step);
        }
    }
}

static void only_what_has_expired_is_swept(void **state) {
    (void)state;
    struct token_table *table = table_of();
    for (uint64_t i = 0; i < LIMIT_TOKEN_LIVE; i++) {
        struct token_id id = id_of(i % 700, i);
        assert_int_equal(token_table_insert(table, &id, 100 + i % 2, 1), TOKEN_TABLE_OK);
    }
    struct token_id more = id_of(9, UINT64_MAX);
    assert_int_equal(token_table_insert(table, &more, 900, 99), TOKEN_TABLE_FULL);
    assert_int_equal(token_table_insert(table, &more, 900, 100), TOKEN_TABLE_OK);
    assert_int_equal(token_table_count(table, 100), LIMIT_TOKEN_LIVE / 2 + 1);
    for (uint64_t i = 0; i < LIMIT_TOKEN_LIVE; i++) {
        struct token_id id = id_of(i % 700, i);
        assert_int_equal(token_table_look(table, &id, 1),
                         i % 2 == 0 ? TOKEN_TABLE_UNKNOWN : TOKEN_TABLE_OK);
    }
    assert_int_equal(token_table_count(table, 101), 1);
    token_table_free(table);
}

static void time_may_lag_and_not_go_back(void **state) {
    (void)state;
    struct token_table *table = table_of();
    assert_true(token_table_clock_is_sound(table, 50000));
    assert_true(token_table_clock_is_sound(table, 50000 - LIMIT_TOKEN_CLOCK_LAG_MS));
    assert_false(token_table_clock_is_sound(table, 50000 - LIMIT_TOKEN_CLOCK_LAG_MS - 1));
    assert_false(token_table_clock_is_sound(table, 0));
    struct token_id id = id_of(1, 1);
    assert_int_equal(token_table_insert(table, &id, 60000, 10), TOKEN_TABLE_CLOCK);
    assert_true(token_table_clock_is_sound(table, UINT64_MAX));
    assert_false(token_table_clock_is_sound(table, 50000));
    token_table_free(table);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(uses_are_counted_for_each_id),
        cmocka_unit_test(removing_leaves_the_others_findable),
        cmocka_unit_test(only_what_has_expired_is_swept),
        cmocka_unit_test(time_may_lag_and_not_go_back),
    };
    return cmocka_run_group_tests_name("table of tokens", tests, nullptr, nullptr);
}
