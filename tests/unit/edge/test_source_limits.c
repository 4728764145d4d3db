/* SPDX-License-Identifier: Apache-2.0 */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/un.h>

#include <cmocka.h>

#include "base/limits.h"
#include "edge/source_limits.h"

enum { SECOND = 1000000, START = 5 * SECOND };

static struct source_key key_of(uint16_t listener, const char *address) {
    struct sockaddr_storage storage = {};
    struct in_addr v4;
    struct in6_addr v6;
    if (inet_pton(AF_INET, address, &v4) == 1) {
        struct sockaddr_in in = {.sin_family = AF_INET, .sin_port = 77, .sin_addr = v4};
        memcpy(&storage, &in, sizeof in);
    } else {
        assert_int_equal(inet_pton(AF_INET6, address, &v6), 1);
        struct sockaddr_in6 in = {.sin6_family = AF_INET6, .sin6_port = 78, .sin6_addr = v6};
        memcpy(&storage, &in, sizeof in);
    }
    return source_key_of(listener, (struct sockaddr *)&storage);
}

static bool same(const char *a, const char *b) {
    struct source_key one = key_of(3, a);
    struct source_key other = key_of(3, b);
    return memcmp(one.bytes, other.bytes, sizeof one.bytes) == 0;
}

static struct source_limits *limits_of(uint32_t networks) {
    struct source_limits *limits;
    struct error err;
    assert_true(status_is_ok(source_limits_new(networks, &limits, &err)));
    return limits;
}

static void what_is_one_network(void **state) {
    (void)state;
    assert_false(same("192.0.2.1", "192.0.3.1"));
    assert_true(same("192.0.2.1", "192.0.2.254"));
    assert_true(same("192.0.2.1", "::ffff:192.0.2.77"));
    assert_false(same("2001:db8:0:100::1", "2001:db8:0:200::1"));
    assert_true(same("2001:db8:0:100::1", "2001:db8:0:1ff:ffff::1"));
    assert_false(same("::", "0.0.0.0"));
    struct source_key one = key_of(1, "192.0.2.1");
    struct source_key other = key_of(257, "192.0.2.1");
    assert_memory_not_equal(one.bytes, other.bytes, sizeof one.bytes);
}

static void a_unix_peer_is_not_limited(void **state) {
    (void)state;
    struct source_limits *limits = limits_of(64);
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    struct source_key key = source_key_of(0, (struct sockaddr *)&address);
    for (int i = 0; i < 10; i++) {
        assert_true(source_connection_admit(limits, &key, 1));
        assert_true(source_handshake_admit(limits, &key, 1, START));
        source_handshake_charged(limits, &key, 1, SECOND);
    }
    source_connection_released(limits, &key);
    source_limits_free(limits);
}

static void one_more_than_allowed_is_refused_and_others_are_not(void **state) {
    (void)state;
    struct source_limits *limits = limits_of(1024);
    struct source_key key = key_of(0, "198.51.100.7");
    struct source_key neighbour = key_of(0, "198.51.100.200");
    struct source_key stranger = key_of(0, "203.0.113.1");
    struct source_key elsewhere = key_of(1, "198.51.100.7");
    assert_true(source_connection_admit(limits, &key, 2));
    assert_true(source_connection_admit(limits, &neighbour, 2));
    assert_false(source_connection_admit(limits, &key, 2));
    assert_true(source_connection_admit(limits, &stranger, 2));
    assert_true(source_connection_admit(limits, &elsewhere, 2));
    source_connection_released(limits, &neighbour);
    assert_true(source_connection_admit(limits, &key, 2));
    assert_false(source_connection_admit(limits, &key, 2));
    assert_true(source_connection_admit(limits, &key, 0));
    source_limits_free(limits);
}

static void a_budget_that_is_used_up_comes_back_with_time(void **state) {
    (void)state;
    struct source_limits *limits = limits_of(1024);
    struct source_key key = key_of(0, "198.51.100.7");
    struct source_key other = key_of(0, "198.51.101.7");
    enum { BUDGET = 1000 };
    assert_true(source_connection_admit(limits, &key, 0));
    unsigned admitted = 0;
    while (source_handshake_admit(limits, &key, BUDGET, START)) {
        source_handshake_charged(limits, &key, BUDGET, 300);
        admitted++;
    }
    assert_int_equal(admitted, 4); /* 1,000 us: the fourth one begins, and owes 200 */
    assert_true(source_handshake_admit(limits, &other, BUDGET, START));
    assert_false(source_handshake_admit(limits, &key, BUDGET, START + SECOND / 5));
    assert_true(source_handshake_admit(limits, &key, BUDGET, START + SECOND / 5 + 2000));
    source_limits_free(limits);
}

/* Over a minute the processor time that one network gets is its budget, however it asks. */
static void the_long_run_is_the_budget(void **state) {
    (void)state;
    struct source_limits *limits = limits_of(1024);
    struct source_key key = key_of(0, "198.51.100.7");
    enum { BUDGET = 50000, COST = 451 };
    assert_true(source_connection_admit(limits, &key, 0));
    uint64_t used = 0;
    for (uint64_t now = START; now < START + UINT64_C(60) * SECOND; now += 97) {
        if (source_handshake_admit(limits, &key, BUDGET, now)) {
            source_handshake_charged(limits, &key, BUDGET, COST);
            used += COST;
        }
    }
    assert_in_range(used, UINT64_C(60) * BUDGET, UINT64_C(61) * BUDGET + COST);
    source_limits_free(limits);
}

static void a_debt_is_paid_off_and_never_more_than_a_minute_s(void **state) {
    (void)state;
    struct source_limits *limits = limits_of(1024);
    struct source_key key = key_of(0, "198.51.100.7");
    enum { BUDGET = 1000 };
    assert_true(source_connection_admit(limits, &key, 0));
    assert_true(source_handshake_admit(limits, &key, BUDGET, START));
    source_handshake_charged(limits, &key, BUDGET, 11000); /* 10 s */
    assert_false(source_handshake_admit(limits, &key, BUDGET, START + 10 * SECOND));
    assert_true(source_handshake_admit(limits, &key, BUDGET, START + 10 * SECOND + 1000));
    source_handshake_charged(limits, &key, BUDGET, UINT64_MAX);
    source_handshake_charged(limits, &key, BUDGET, UINT64_MAX);
    assert_false(source_handshake_admit(limits, &key, BUDGET, START + 69 * SECOND));
    assert_true(source_handshake_admit(limits, &key, BUDGET, START + 71 * SECOND));
    source_limits_free(limits);
}

static void a_rest_does_not_grow_past_a_second(void **state) {
    (void)state;
    struct source_limits *limits = limits_of(1024);
    struct source_key key = key_of(0, "198.51.100.7");
    assert_true(source_connection_admit(limits, &key, 0));
    assert_true(source_handshake_admit(limits, &key, 1000, START));
    uint64_t later = START + UINT64_C(86400) * SECOND;
    assert_true(source_handshake_admit(limits, &key, 1000, later));
    source_handshake_charged(limits, &key, 1000, 1000);
    assert_false(source_handshake_admit(limits, &key, 1000, later));
    /* A clock that goes back gives nothing. */
    assert_false(source_handshake_admit(limits, &key, 1000, START));
    source_limits_free(limits);
}

static struct source_key nth_key(uint32_t n) {
    struct sockaddr_in in = {.sin_family = AF_INET, .sin_addr = {htonl(n << 8)}};
    return source_key_of(0, (struct sockaddr *)&in);
}

static void idle_networks_make_room_and_busy_ones_stay(void **state) {
    (void)state;
    struct source_limits *limits = limits_of(64);
    struct source_key busy = key_of(9, "192.0.2.1");
    assert_true(source_connection_admit(limits, &busy, 1));
    uint64_t hits = limit_hit_count(LIMIT_ID_EDGE_SOURCES);
    for (uint32_t i = 0; i < 100000; i++) {
        struct source_key key = nth_key(i);
        if (source_connection_admit(limits, &key, 1)) {
            source_connection_released(limits, &key);
        }
    }
    assert_false(source_connection_admit(limits, &busy, 1));
    /* One row a shard, and one of them is busy: those that fall to it share. */
    assert_in_range(limit_hit_count(LIMIT_ID_EDGE_SOURCES) - hits, 500, 4000);
    source_limits_free(limits);
}

static void when_all_are_busy_the_others_share_one_row(void **state) {
    (void)state;
    struct source_limits *limits = limits_of(64);
    enum { COUNT = 2000 };
    static struct source_key keys[COUNT];
    static bool admitted[COUNT];
    unsigned shared = 0;
    for (uint32_t i = 0; i < COUNT; i++) {
        keys[i] = nth_key(i);
        admitted[i] = source_connection_admit(limits, &keys[i], 3);
        shared += admitted[i] && keys[i].is_shared ? 1 : 0;
    }
    assert_int_equal(shared, 3 * 64); /* a shard each */
    for (uint32_t i = 0; i < COUNT; i++) {
        if (admitted[i]) {
            source_connection_released(limits, &keys[i]);
        }
    }
    /* Everybody is gone: nothing is left of it. */
    for (uint32_t i = 0; i < 64; i++) {
        struct source_key key = nth_key(i + 1000000);
        assert_true(source_connection_admit(limits, &key, 1));
        source_connection_released(limits, &key);
    }
    source_limits_free(limits);
}

static void *come_and_go(void *context) {
    for (uint32_t i = 0; i < 50000; i++) {
        struct source_key key = nth_key(i % 300);
        if (source_connection_admit(context, &key, 1)) {
            if (source_handshake_admit(context, &key, 1000, START + i)) {
                source_handshake_charged(context, &key, 1000, 10);
            }
            source_connection_released(context, &key);
        }
    }
    return nullptr;
}

static void threads_leave_nothing_behind(void **state) {
    (void)state;
    struct source_limits *limits = limits_of(128);
    pthread_t threads[2];
    for (size_t i = 0; i < 2; i++) {
        assert_int_equal(pthread_create(&threads[i], nullptr, come_and_go, limits), 0);
    }
    for (size_t i = 0; i < 2; i++) {
        assert_int_equal(pthread_join(threads[i], nullptr), 0);
    }
    for (uint32_t i = 0; i < 300; i++) {
        struct source_key key = nth_key(i);
        assert_true(source_connection_admit(limits, &key, 1));
        source_connection_released(limits, &key);
    }
    source_limits_free(limits);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_one_network),
        cmocka_unit_test(a_unix_peer_is_not_limited),
        cmocka_unit_test(one_more_than_allowed_is_refused_and_others_are_not),
        cmocka_unit_test(a_budget_that_is_used_up_comes_back_with_time),
        cmocka_unit_test(the_long_run_is_the_budget),
        cmocka_unit_test(a_debt_is_paid_off_and_never_more_than_a_minute_s),
        cmocka_unit_test(a_rest_does_not_grow_past_a_second),
        cmocka_unit_test(idle_networks_make_room_and_busy_ones_stay),
        cmocka_unit_test(when_all_are_busy_the_others_share_one_row),
        cmocka_unit_test(threads_leave_nothing_behind),
    };
    return cmocka_run_group_tests(tests, nullptr, nullptr);
}
