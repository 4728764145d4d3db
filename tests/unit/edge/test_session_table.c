/* SPDX-License-Identifier: Apache-2.0
 *
 * The table of UDP sessions against a naive one that is looked through from end to end, a million
 * clients that come and go, and the rule of three times.
 */
#include "edge/session_table.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { MODEL_CAPACITY = 23, MODEL_CLIENTS = 64, MODEL_STEPS = 300000, IDLE_MS = 50 };

static struct error err;
static unsigned gone_count;
static struct session_key gone_last;

static void note_gone(void *context, struct session *session) {
    (void)context;
    gone_count++;
    gone_last = session->key;
    if (session->owner != nullptr) { /* as if a socket were closed */
        *(bool *)session->owner = false;
    }
}

static struct session_key key_of(uint32_t client) {
    struct session_key key = {.port = (uint16_t)(client * 7), .listener = (uint16_t)(client % 3)};
    memcpy(key.address, "\0\0\0\0\0\0\0\0\0\0\xff\xff", 12);
    memcpy(key.address + 12, &client, sizeof client);
    return key;
}

static struct session_table *table_of(uint32_t capacity) {
    struct session_table *table = nullptr;
    struct session_table_options options = {.capacity = capacity,
                                            .idle_ms = IDLE_MS,
                                            .key = {0x1234567890abcdef, 0xfedcba0987654321},
                                            .gone = note_gone};
    assert_true(status_is_ok(session_table_new(&options, &table, &err)));
    gone_count = 0;
    return table;
}

static struct session *insert(struct session_table *table, uint32_t client, uint64_t now_ms) {
    struct session_key key = key_of(client);
    bool is_full = false;
    return session_table_insert(table, &key, now_ms, &is_full);
}

static struct session *find(struct session_table *table, uint32_t client) {
    struct session_key key = key_of(client);
    return session_table_find(table, &key);
}

static void a_full_table_lets_the_silent_one_go(void **state) {
    (void)state;
    struct session_table *table = table_of(3);
    bool is_full = true;
    struct session_key key = key_of(0);
    assert_non_null(session_table_insert(table, &key, 1, &is_full));
    assert_false(is_full);
    assert_non_null(insert(table, 1, 2));
    assert_non_null(insert(table, 2, 3));
    session_table_touch(table, find(table, 0), 4); /* now 1 was silent longest */
    key = key_of(3);
    assert_non_null(session_table_insert(table, &key, 5, &is_full));
    assert_true(is_full);
    assert_int_equal(gone_count, 1);
    key = key_of(1);
    assert_memory_equal(&gone_last, &key, sizeof key);
    assert_null(find(table, 1));
    assert_non_null(find(table, 0));
    assert_int_equal(session_table_count(table), 3);
    session_table_free(table);
    assert_int_equal(gone_count, 4); /* whoever is left goes with the table */
}

static void a_table_of_one(void **state) {
    (void)state;
    struct session_table *table = table_of(1);
    for (uint32_t client = 0; client < 100; client++) {
        assert_non_null(insert(table, client, client));
        assert_int_equal(session_table_count(table), 1);
        assert_int_equal(gone_count, client);
        session_table_touch(table, find(table, client), client);
    }
    assert_true(session_table_evict_oldest(table));
    assert_false(session_table_evict_oldest(table));
    assert_int_equal(session_table_next_ms(table), UINT64_MAX);
    session_table_free(table);
    assert_int_equal(gone_count, 100);
}

static void the_silent_go_when_their_time_is_over(void **state) {
    (void)state;
    struct session_table *table = table_of(8);
    for (uint32_t client = 0; client < 5; client++) {
        assert_non_null(insert(table, client, 10 * client));
    }
    assert_int_equal(session_table_next_ms(table), IDLE_MS);
    assert_int_equal(session_table_expire(table, IDLE_MS - 1), 0);
    assert_int_equal(session_table_expire(table, IDLE_MS), 1);
    session_table_touch(table, find(table, 1), IDLE_MS + 5);
    assert_int_equal(session_table_next_ms(table), 20 + IDLE_MS);
    assert_int_equal(session_table_expire(table, 40 + IDLE_MS), 3);
    assert_non_null(find(table, 1));
    assert_int_equal(session_table_count(table), 1);
    assert_int_equal(session_table_expire(table, UINT64_MAX), 1);
    session_table_free(table);
    assert_int_equal(gone_count, 5);
}

/* Each part of a key tells two clients apart. */
static void keys_are_compared_whole(void **state) {
    (void)state;
    struct session_table *table = table_of(8);
    struct session_key key = key_of(9);
    bool is_full = false;
    assert_non_null(session_table_insert(table, &key, 0, &is_full));
    struct session_key other = key;
    other.port++;
    assert_null(session_table_find(table, &other));
    other = key;
    other.listener++;
    assert_null(session_table_find(table, &other));
    other = key;
    other.scope++;
    assert_null(session_table_find(table, &other));
    other = key;
    other.address[15] ^= 1;
    assert_null(session_table_find(table, &other));
    assert_non_null(session_table_find(table, &key));
    session_table_free(table);
}

/* ---- against a table that nobody could get wrong ---- */

struct model {
    struct {
        bool is_live;
        bool socket; /* what a session owns; `gone` closes it */
        uint64_t last_ms;
        uint64_t order; /* of the last touch: who is the oldest of those with one time */
    } clients[MODEL_CLIENTS];
    uint64_t order;
    unsigned count;
};

static uint32_t model_oldest(const struct model *model) {
    uint32_t oldest = MODEL_CLIENTS;
    for (uint32_t i = 0; i < MODEL_CLIENTS; i++) {
        if (model->clients[i].is_live &&
            (oldest == MODEL_CLIENTS || model->clients[i].order < model->clients[oldest].order)) {
            oldest = i;
        }
    }
    return oldest;
}

static void model_drop(struct model *model, uint32_t client) {
    assert_true(model->clients[client].is_live);
    assert_false(model->clients[client].socket); /* the real table closed it */
    model->clients[client].is_live = false;
    model->count--;
}

static void model_touch(struct model *model, uint32_t client, uint64_t now_ms) {
    model->clients[client].last_ms = now_ms;
    model->clients[client].order = ++model->order;
}

static void model_datagram(struct model *model, struct session_table *table, uint32_t client,
                           uint64_t now_ms) {
    struct session *session = find(table, client);
    assert_int_equal(session != nullptr, model->clients[client].is_live);
    if (session != nullptr) {
        session_table_touch(table, session, now_ms);
        model_touch(model, client, now_ms);
        return;
    }
    bool was_full = model->count == MODEL_CAPACITY;
    bool is_full = !was_full;
    uint32_t oldest = model_oldest(model);
    struct session_key key = key_of(client);
    session = session_table_insert(table, &key, now_ms, &is_full);
    assert_int_equal(is_full, was_full);
    if (was_full) {
        model_drop(model, oldest);
    }
    model->clients[client].is_live = true;
    model->clients[client].socket = true;
    session->owner = &model->clients[client].socket;
    model->count++;
    model_touch(model, client, now_ms);
}

static void model_expire(struct model *model, struct session_table *table, uint64_t now_ms) {
    unsigned due = 0;
    uint32_t oldest = model_oldest(model);
    assert_int_equal(session_table_next_ms(table), oldest == MODEL_CLIENTS
                                                       ? UINT64_MAX
                                                       : model->clients[oldest].last_ms + IDLE_MS);
    uint32_t gone = session_table_expire(table, now_ms);
    for (uint32_t i = 0; i < MODEL_CLIENTS; i++) {
        if (model->clients[i].is_live && model->clients[i].last_ms + IDLE_MS <= now_ms) {
            model_drop(model, i);
            due++;
        }
    }
    assert_int_equal(gone, due);
}

static void model_close(struct model *model, struct session_table *table, uint32_t client) {
    struct session *session = find(table, client);
    assert_int_equal(session != nullptr, model->clients[client].is_live);
    if (session != nullptr) {
        session_table_remove(table, session);
        model_drop(model, client);
    }
}

static void it_does_what_a_naive_table_does(void **state) {
    (void)state;
    static struct model model;
    struct session_table *table = table_of(MODEL_CAPACITY);
    uint64_t now_ms = 0;
    uint64_t seed = 88172645463325252;
    for (unsigned step = 0; step < MODEL_STEPS; step++) {
        seed ^= seed << 13; /* xorshift: the same walk every time */
        seed ^= seed >> 7;
        seed ^= seed << 17;
        uint32_t client = (uint32_t)(seed >> 32) % MODEL_CLIENTS;
        now_ms += seed % 4;
        switch (seed / 4 % 16) {
        case 0:
            model_expire(&model, table, now_ms);
            break;
        case 1:
            model_close(&model, table, client);
            break;
        default:
            model_datagram(&model, table, client, now_ms);
            break;
        }
        assert_int_equal(session_table_count(table), model.count);
    }
    assert_true(gone_count > MODEL_STEPS / 10);
    session_table_free(table);
    for (uint32_t i = 0; i < MODEL_CLIENTS; i++) {
        assert_false(model.clients[i].socket);
    }
}

static void a_million_come_and_go(void **state) {
    (void)state;
    enum { CAPACITY = 1000, CLIENTS = 1000000 };
    struct session_table *table = table_of(CAPACITY);
    for (uint32_t client = 0; client < CLIENTS; client++) {
        assert_null(find(table, client));
        assert_non_null(insert(table, client, client / 1000));
        assert_true(session_table_count(table) <= CAPACITY);
    }
    assert_int_equal(gone_count, CLIENTS - CAPACITY);
    for (uint32_t client = CLIENTS - CAPACITY; client < CLIENTS; client++) {
        assert_non_null(find(table, client));
    }
    assert_null(find(table, CLIENTS - CAPACITY - 1));
    session_table_free(table);
    assert_int_equal(gone_count, CLIENTS);
}

static void an_unknown_client_is_sent_three_times_at_most(void **state) {
    (void)state;
    struct session session = {};
    assert_false(session_may_answer(&session, 1)); /* nothing came yet */
    session_heard(&session, 100);
    assert_false(session_may_answer(&session, 301));
    assert_true(session_may_answer(&session, 200));
    assert_false(session_may_answer(&session, 101));
    assert_true(session_may_answer(&session, 100));
    assert_false(session_may_answer(&session, 1));
    assert_true(session_may_answer(&session, 0));
    assert_int_equal(session.bytes_out, 300);
    session_heard(&session, 0); /* a second one: it is there */
    assert_true(session_may_answer(&session, 65507));
    assert_int_equal(session.datagrams_out, 4);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_unknown_client_is_sent_three_times_at_most),
        cmocka_unit_test(a_full_table_lets_the_silent_one_go),
        cmocka_unit_test(a_table_of_one),
        cmocka_unit_test(the_silent_go_when_their_time_is_over),
        cmocka_unit_test(keys_are_compared_whole),
        cmocka_unit_test(it_does_what_a_naive_table_does),
        cmocka_unit_test(a_million_come_and_go),
    };
    return cmocka_run_group_tests(tests, nullptr, nullptr);
}
