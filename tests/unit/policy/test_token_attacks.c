/* SPDX-License-Identifier: Apache-2.0
 *
 * One test for each way to get more out of a token that is what it was than it grants: replay,
 * time, somebody else's hands. Altered tokens stand in test_token_forgery.c.
 */
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>

#include "token_kit.h"

static void replay_past_max_ops_is_refused(void **state) {
    (void)state;
    struct kit kit;
    struct token_facts facts = kit_facts();
    struct token_grant grant = kit_grant();
    kit_init(&kit);
    kit_issue(&kit, &grant);
    for (unsigned i = 0; i < grant.max_ops; i++) {
        assert_int_equal(kit_check(&kit, &facts), TOKEN_VALID);
    }
    for (int i = 0; i < 100; i++) {
        assert_int_equal(kit_check(&kit, &facts), TOKEN_USED_UP);
    }
    kit_deinit(&kit);
}

/* Copies and narrowed copies share the count of their root. */
static void replay_through_descendants_is_refused(void **state) {
    (void)state;
    struct kit kit;
    struct error err;
    struct token_facts facts = kit_facts();
    struct token_grant grant = kit_grant();
    grant.max_ops = 2;
    kit_init(&kit);
    kit_issue(&kit, &grant);
    assert_int_equal(kit_check(&kit, &facts), TOKEN_VALID);
    struct token_caveat caveat = {.kind = TOKEN_CAVEAT_OPERATION, .operation = "fs.write"};
    assert_true(status_is_ok(kit_attenuate(&kit, &caveat, &err)));
    assert_int_equal(kit_check(&kit, &facts), TOKEN_VALID);
    assert_int_equal(kit_check(&kit, &facts), TOKEN_USED_UP);
    assert_true(status_is_ok(kit_attenuate(&kit, &caveat, &err)));
    assert_int_equal(kit_check(&kit, &facts), TOKEN_USED_UP);
    kit_deinit(&kit);
}

enum { THREADS = 16, ROUNDS = 50 };

struct racer {
    struct kit *kit;
    pthread_barrier_t *barrier;
    atomic_uint *winners;
};

static void *race(void *context) {
    struct racer *racer = context;
    struct token_facts facts = kit_facts();
    (void)pthread_barrier_wait(racer->barrier);
    struct token_verdict verdict = token_check(racer->kit->authority, &racer->kit->token, &facts);
    if (verdict.result == TOKEN_VALID) {
        atomic_fetch_add(racer->winners, 1);
    }
    return nullptr;
}

static void of_many_threads_with_one_operation_exactly_one_wins(void **state) {
    (void)state;
    struct kit kit;
    struct token_grant grant = kit_grant();
    grant.max_ops = 1;
    kit_init(&kit);
    for (int round = 0; round < ROUNDS; round++) {
        pthread_t threads[THREADS];
        pthread_barrier_t barrier;
        atomic_uint winners = 0;
        struct racer racer = {&kit, &barrier, &winners};
        kit_issue(&kit, &grant);
        assert_int_equal(pthread_barrier_init(&barrier, nullptr, THREADS), 0);
        for (int i = 0; i < THREADS; i++) {
            assert_int_equal(pthread_create(&threads[i], nullptr, race, &racer), 0);
        }
        for (int i = 0; i < THREADS; i++) {
            assert_int_equal(pthread_join(threads[i], nullptr), 0);
        }
        (void)pthread_barrier_destroy(&barrier);
        assert_int_equal(winners, 1);
    }
    kit_deinit(&kit);
}

static void reuse_after_pid_recycling_is_refused(void **state) {
    (void)state;
    struct kit kit;
    struct token_facts facts = kit_facts();
    struct token_grant grant = kit_grant();
    kit_init(&kit);
    /* With pidfs: the inode is another one, even for the same number. */
    kit_issue(&kit, &grant);
    facts.peer.pidfd_inode++;
    assert_int_equal(kit_check(&kit, &facts), TOKEN_WRONG_PEER);
    /* Without: the number is the same, the start is not. */
    grant.peer = (struct token_peer){
        .kind = TOKEN_PEER_START, .pid = 4711, .start_ticks = 123456, .uid = 1000};
    kit_issue(&kit, &grant);
    facts.peer = grant.peer;
    assert_int_equal(kit_judge(&kit, &facts), TOKEN_VALID);
    facts.peer.start_ticks = 123457;
    assert_int_equal(kit_check(&kit, &facts), TOKEN_WRONG_PEER);
    facts.peer.start_ticks = 123456;
    facts.peer.pid = 4712;
    assert_int_equal(kit_check(&kit, &facts), TOKEN_WRONG_PEER);
    /* Nor may one kind of identity stand for the other. */
    facts.peer = (struct token_peer){.kind = TOKEN_PEER_PIDFD, .pidfd_inode = 4711, .uid = 1000};
    assert_int_equal(kit_check(&kit, &facts), TOKEN_WRONG_PEER);
    kit_deinit(&kit);
}

static void use_by_another_user_is_refused(void **state) {
    (void)state;
    struct kit kit;
    struct token_facts facts = kit_facts();
    struct token_grant grant = kit_grant();
    kit_init(&kit);
    kit_issue(&kit, &grant);
    facts.peer.uid = 1001;
    assert_int_equal(kit_check(&kit, &facts), TOKEN_WRONG_PEER);
    facts.peer.uid = 0;
    assert_int_equal(kit_check(&kit, &facts), TOKEN_WRONG_PEER);
    kit_deinit(&kit);
}

static void use_from_another_sandbox_is_refused(void **state) {
    (void)state;
    struct kit kit;
    struct token_grant grant = kit_grant();
    static const char *const OTHERS[] = {"box-2", "box-", "box-11", "BOX-1", ""};
    kit_init(&kit);
    kit_issue(&kit, &grant);
    for (size_t i = 0; i < sizeof OTHERS / sizeof OTHERS[0]; i++) {
        struct token_facts facts = kit_facts();
        facts.sandbox_id = OTHERS[i];
        assert_int_equal(kit_check(&kit, &facts), TOKEN_WRONG_SANDBOX);
    }
    kit_deinit(&kit);
}

static void expiry_is_strict_at_the_boundary(void **state) {
    (void)state;
    struct kit kit;
    struct error err;
    struct token_facts facts = kit_facts();
    struct token_grant grant = kit_grant();
    kit_init(&kit);
    kit_issue(&kit, &grant);
    facts.now_ms = NOW + 29999;
    assert_int_equal(kit_judge(&kit, &facts), TOKEN_VALID);
    facts.now_ms = NOW + 30000;
    assert_int_equal(kit_judge(&kit, &facts), TOKEN_EXPIRED);
    facts.now_ms = NOW + 29999;
    struct token_caveat caveat = {.kind = TOKEN_CAVEAT_EXPIRES, .expires_ms = NOW + 29999};
    assert_true(status_is_ok(kit_attenuate(&kit, &caveat, &err)));
    struct token_verdict verdict = token_judge(kit.authority, &kit.token, &facts);
    assert_int_equal(verdict.result, TOKEN_EXPIRED);
    assert_int_equal(verdict.caveat, 0);
    kit_deinit(&kit);
}

static void a_clock_set_back_revives_nothing(void **state) {
    (void)state;
    struct kit kit;
    struct error err;
    struct token_facts facts = kit_facts();
    struct token_grant grant = kit_grant();
    kit_init(&kit);
    kit_issue(&kit, &grant);
    facts.now_ms = NOW + 40000;
    assert_int_equal(kit_check(&kit, &facts), TOKEN_EXPIRED);
    facts.now_ms = NOW; /* forty seconds back */
    assert_int_equal(kit_check(&kit, &facts), TOKEN_EXPIRED);
    assert_false(status_is_ok(kit_try_issue(&kit, &grant, NOW, &err)));
    facts.now_ms = NOW + 40000; /* caught up: tokens are issued and good again */
    assert_true(status_is_ok(kit_try_issue(&kit, &grant, NOW + 40000, &err)));
    assert_true(token_parse_text(builder_slice(&kit.text), kit.buffer, &kit.token));
    assert_int_equal(kit_check(&kit, &facts), TOKEN_VALID);
    kit_deinit(&kit);
}

/* Case 22: a request is judged by the one moment it began with, though others are further on. */
static void case_22_the_one_snapshot_of_now_decides(void **state) {
    (void)state;
    struct kit kit;
    struct token_grant grant = kit_grant();
    struct token_facts early = kit_facts();
    struct token_facts late = kit_facts();
    kit_init(&kit);
    kit_issue(&kit, &grant);
    early.now_ms = NOW + 29999;
    late.now_ms = NOW + 30000;
    assert_int_equal(kit_judge(&kit, &early), TOKEN_VALID);
    assert_int_equal(kit_judge(&kit, &late), TOKEN_EXPIRED);
    assert_int_equal(kit_judge(&kit, &early), TOKEN_VALID);
    assert_int_equal(token_use(kit.authority, &kit.token).result, TOKEN_VALID);
    kit_deinit(&kit);
}

static void case_21_used_up_is_invalid(void **state) {
    (void)state;
    struct kit kit;
    struct token_facts facts = kit_facts();
    struct token_grant grant = kit_grant();
    grant.max_ops = 1;
    kit_init(&kit);
    kit_issue(&kit, &grant);
    assert_int_equal(kit_check(&kit, &facts), TOKEN_VALID);
    assert_int_not_equal(kit_judge(&kit, &facts), TOKEN_VALID);
    kit_deinit(&kit);
}

static void revoking_the_root_revokes_all_descendants(void **state) {
    (void)state;
    struct kit kit;
    struct token_facts facts = kit_facts();
    kit_init(&kit);
    kit_issue_narrowed(&kit);
    assert_int_equal(kit_judge(&kit, &facts), TOKEN_VALID);
    assert_true(token_revoke(kit.authority, &kit.id));
    assert_int_equal(kit_check(&kit, &facts), TOKEN_REVOKED);
    assert_int_equal(token_use(kit.authority, &kit.token).result, TOKEN_REVOKED);
    kit_deinit(&kit);
}

static void another_policy_voids_it(void **state) {
    (void)state;
    struct kit kit;
    struct token_facts facts = kit_facts();
    struct token_grant grant = kit_grant();
    kit_init(&kit);
    kit_issue(&kit, &grant);
    facts.policy_digest.bytes[31] ^= 1;
    assert_int_equal(kit_check(&kit, &facts), TOKEN_POLICY_CHANGED);
    kit_deinit(&kit);
}

static void a_restart_of_the_kernel_voids_it(void **state) {
    (void)state;
    struct kit before;
    struct kit after;
    struct token_facts facts = kit_facts();
    struct token_grant grant = kit_grant();
    kit_init(&before);
    kit_init_with_key(&after, 0x43);
    kit_issue(&before, &grant);
    assert_int_equal(token_check(after.authority, &before.token, &facts).result, TOKEN_FORGED);
    kit_deinit(&after);
    kit_deinit(&before);
}

static void a_full_table_refuses_and_drops_nothing(void **state) {
    (void)state;
    struct kit kit;
    struct error err = {0};
    struct token_facts facts = kit_facts();
    struct token_grant grant = kit_grant();
    kit_init(&kit);
    kit_issue(&kit, &grant);
    struct token first = kit.token;
    uint8_t bytes[LIMIT_TOKEN_BYTES];
    assert_true(token_parse_text(builder_slice(&kit.text), bytes, &first));
    for (int64_t i = 1; i < LIMIT_TOKEN_LIVE; i++) {
        assert_true(status_is_ok(kit_try_issue(&kit, &grant, NOW + 1, &err)));
    }
    uint64_t hits = limit_hit_count(LIMIT_ID_TOKEN_LIVE);
    assert_false(status_is_ok(kit_try_issue(&kit, &grant, NOW + 2, &err)));
    assert_int_equal(err.code, ERROR_LIMIT);
    assert_int_equal(limit_hit_count(LIMIT_ID_TOKEN_LIVE), hits + 1);
    assert_int_equal(token_count(kit.authority, NOW + 2), LIMIT_TOKEN_LIVE);
    assert_int_equal(token_judge(kit.authority, &first, &facts).result, TOKEN_VALID);
    /* The first one expires a millisecond before the others, and makes room for one. */
    assert_true(status_is_ok(kit_try_issue(&kit, &grant, NOW + 30000, &err)));
    assert_false(status_is_ok(kit_try_issue(&kit, &grant, NOW + 30000, &err)));
    assert_true(status_is_ok(kit_try_issue(&kit, &grant, NOW + 30001, &err)));
    assert_int_equal(token_count(kit.authority, NOW + 30001), 2);
    kit_deinit(&kit);
}

static void one_id_is_never_issued_twice(void **state) {
    (void)state;
    struct kit kit;
    struct error err = {0};
    uint8_t seed[TOKEN_SEED_BYTES] = {5, 5, 5};
    struct token_request request = {.grant = kit_grant(), .now_ms = NOW, .seed = seed};
    kit_init(&kit);
    assert_true(status_is_ok(token_issue(kit.authority, &request, &kit.text, &kit.id, &err)));
    assert_false(status_is_ok(token_issue(kit.authority, &request, &kit.text, &kit.id, &err)));
    kit_deinit(&kit);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(replay_past_max_ops_is_refused),
        cmocka_unit_test(replay_through_descendants_is_refused),
        cmocka_unit_test(of_many_threads_with_one_operation_exactly_one_wins),
        cmocka_unit_test(reuse_after_pid_recycling_is_refused),
        cmocka_unit_test(use_by_another_user_is_refused),
        cmocka_unit_test(use_from_another_sandbox_is_refused),
        cmocka_unit_test(expiry_is_strict_at_the_boundary),
        cmocka_unit_test(a_clock_set_back_revives_nothing),
        cmocka_unit_test(case_21_used_up_is_invalid),
        cmocka_unit_test(case_22_the_one_snapshot_of_now_decides),
        cmocka_unit_test(revoking_the_root_revokes_all_descendants),
        cmocka_unit_test(another_policy_voids_it),
        cmocka_unit_test(a_restart_of_the_kernel_voids_it),
        cmocka_unit_test(a_full_table_refuses_and_drops_nothing),
        cmocka_unit_test(one_id_is_never_issued_twice),
    };
    return cmocka_run_group_tests_name("attacks on tokens", tests, nullptr, nullptr);
}
