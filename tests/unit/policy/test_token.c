/* SPDX-License-Identifier: Apache-2.0
 *
 * What a token allows, and that it allows nothing else. Attacks stand in test_token_attacks.c.
 */
#include "policy/token.h"

#include "token_kit.h"

static void a_fresh_token_is_good_for_what_it_names(void **state) {
    (void)state;
    struct kit kit;
    struct token_facts facts = kit_facts();
    struct token_grant grant = kit_grant();
    kit_init(&kit);
    kit_issue(&kit, &grant);
    assert_int_equal(kit_check(&kit, &facts), TOKEN_VALID);
    assert_string_equal(kit.token.grant.constraints.template_name, "code-executor");
    assert_string_equal(kit.token.grant.constraints.rates[0].rule, "write-sources");
    assert_int_equal(kit.token.grant.constraints.file_bytes_max, 102400);
    kit_deinit(&kit);
}

static void defaults_are_one_operation_and_thirty_seconds(void **state) {
    (void)state;
    struct kit kit;
    struct token_facts facts = kit_facts();
    struct token_grant grant = kit_grant();
    grant.max_ops = 0;
    kit_init(&kit);
    kit_issue(&kit, &grant);
    assert_int_equal(kit.token.grant.max_ops, 1);
    assert_int_equal(kit.token.grant.expires_ms, NOW + 30000);
    assert_int_equal(kit_check(&kit, &facts), TOKEN_VALID);
    assert_int_equal(kit_check(&kit, &facts), TOKEN_USED_UP);
    kit_deinit(&kit);
}

static void judging_counts_nothing(void **state) {
    (void)state;
    struct kit kit;
    struct token_facts facts = kit_facts();
    struct token_grant grant = kit_grant();
    grant.max_ops = 1;
    kit_init(&kit);
    kit_issue(&kit, &grant);
    for (int i = 0; i < 5; i++) {
        assert_int_equal(kit_judge(&kit, &facts), TOKEN_VALID);
    }
    assert_int_equal(kit_check(&kit, &facts), TOKEN_VALID);
    assert_int_equal(kit_judge(&kit, &facts), TOKEN_USED_UP);
    kit_deinit(&kit);
}

struct path_row {
    const char *path;
    bool is_folder;
    enum token_result result;
};

static void paths_are_globs_over_resolved_paths(void **state) {
    (void)state;
    static const struct path_row ROWS[] = {
        {"src/main.c", false, TOKEN_VALID},
        {"src/a/b/c.h", false, TOKEN_VALID},
        {"docs/guide.md", false, TOKEN_VALID},
        {"docs/a/guide.md", false, TOKEN_WRONG_PATH},
        {"src", true, TOKEN_WRONG_PATH}, /* what is inside, not the folder itself */
        {"src/secret/key", false, TOKEN_WRONG_PATH},
        {"other/src/main.c", false, TOKEN_WRONG_PATH},
        {"srcx/main.c", false, TOKEN_WRONG_PATH},
        {"", false, TOKEN_WRONG_PATH},
        {"src/../etc/passwd", false, TOKEN_WRONG_PATH},
        {"src/./main.c", false, TOKEN_WRONG_PATH},
        {"src//main.c", false, TOKEN_WRONG_PATH},
        {"/src/main.c", false, TOKEN_WRONG_PATH},
        {"src/main.c/", false, TOKEN_WRONG_PATH},
        {"SRC/main.c", false, TOKEN_WRONG_PATH},
        {nullptr, false, TOKEN_WRONG_PATH},
    };
    struct kit kit;
    struct token_grant grant = kit_grant();
    kit_init(&kit);
    kit_issue(&kit, &grant);
    for (size_t i = 0; i < sizeof ROWS / sizeof ROWS[0]; i++) {
        struct token_facts facts = kit_facts();
        facts.path = ROWS[i].path;
        facts.path_is_folder = ROWS[i].is_folder;
        if (kit_judge(&kit, &facts) != ROWS[i].result) {
            fail_msg("%s", ROWS[i].path != nullptr ? ROWS[i].path : "(none)");
        }
    }
    kit_deinit(&kit);
}

static void a_token_without_paths_is_for_requests_without_one(void **state) {
    (void)state;
    struct kit kit;
    struct token_facts facts = kit_facts();
    struct token_grant grant = kit_grant();
    grant.paths.count = 0;
    kit_init(&kit);
    kit_issue(&kit, &grant);
    assert_int_equal(kit_judge(&kit, &facts), TOKEN_WRONG_PATH);
    facts.path = nullptr;
    assert_int_equal(kit_judge(&kit, &facts), TOKEN_VALID);
    kit_deinit(&kit);
}

static void arguments_are_bound_when_the_token_names_them(void **state) {
    (void)state;
    struct kit kit;
    struct token_facts facts = kit_facts();
    struct token_grant grant = kit_grant();
    struct digest other = {.bytes = {9}};
    kit_init(&kit);
    kit_issue(&kit, &grant);
    facts.argument_digest = &other; /* the token names none */
    assert_int_equal(kit_judge(&kit, &facts), TOKEN_VALID);
    grant.has_argument_digest = true;
    grant.argument_digest = (struct digest){.bytes = {8}};
    kit_issue(&kit, &grant);
    assert_int_equal(kit_judge(&kit, &facts), TOKEN_WRONG_ARGUMENTS);
    facts.argument_digest = nullptr;
    assert_int_equal(kit_judge(&kit, &facts), TOKEN_WRONG_ARGUMENTS);
    facts.argument_digest = &grant.argument_digest;
    assert_int_equal(kit_judge(&kit, &facts), TOKEN_VALID);
    kit_deinit(&kit);
}

/* Everything is wrong at once; each answer is put right in turn. */
static void the_order_of_the_answers_is_fixed(void **state) {
    (void)state;
    struct kit kit;
    struct kit stranger;
    struct token_grant grant = kit_grant();
    grant.has_argument_digest = true;
    kit_init(&kit);
    kit_init_with_key(&stranger, 0x43);
    kit_issue(&kit, &grant);
    struct token_facts facts = {.now_ms = NOW + 30000,
                                .operation = "run.exec",
                                .path = "etc/x",
                                .sandbox_id = "box-2",
                                .peer = {.kind = TOKEN_PEER_START}};
    assert_int_equal(token_judge(stranger.authority, &kit.token, &facts).result, TOKEN_FORGED);
    assert_int_equal(kit_judge(&kit, &facts), TOKEN_EXPIRED);
    kit_deinit(&kit);
    kit_init(&kit); /* the same key, and a table that does not know the token */
    facts.now_ms = NOW;
    assert_int_equal(kit_judge(&kit, &facts), TOKEN_REVOKED);
    kit_issue(&kit, &grant);
    assert_int_equal(kit_judge(&kit, &facts), TOKEN_POLICY_CHANGED);
    facts.policy_digest = grant.policy_digest;
    assert_int_equal(kit_judge(&kit, &facts), TOKEN_WRONG_OPERATION);
    facts.operation = "fs.write";
    assert_int_equal(kit_judge(&kit, &facts), TOKEN_WRONG_PATH);
    facts.path = "src/x";
    assert_int_equal(kit_judge(&kit, &facts), TOKEN_WRONG_ARGUMENTS);
    facts.argument_digest = &grant.argument_digest;
    assert_int_equal(kit_judge(&kit, &facts), TOKEN_WRONG_SANDBOX);
    facts.sandbox_id = "box-1";
    assert_int_equal(kit_judge(&kit, &facts), TOKEN_WRONG_PEER);
    facts.peer = grant.peer;
    assert_int_equal(kit_check(&kit, &facts), TOKEN_VALID);
    kit_deinit(&stranger);
    kit_deinit(&kit);
}

static void counting_and_revoking(void **state) {
    (void)state;
    struct kit kit;
    struct token_grant grant = kit_grant();
    struct error err;
    kit_init(&kit);
    assert_int_equal(token_count(kit.authority, NOW), 0);
    kit_issue(&kit, &grant);
    struct token_id first = kit.id;
    assert_true(status_is_ok(kit_try_issue(&kit, &grant, NOW + 10, &err)));
    assert_int_equal(token_count(kit.authority, NOW + 29999), 2);
    assert_int_equal(token_count(kit.authority, NOW + 30000), 1);
    assert_false(token_revoke(kit.authority, &first));
    assert_true(token_revoke(kit.authority, &kit.id));
    assert_false(token_revoke(kit.authority, &kit.id));
    assert_int_equal(token_count(kit.authority, NOW + 30000), 0);
    kit_deinit(&kit);
}

static void what_cannot_be_granted_is_not(void **state) {
    (void)state;
    struct kit kit;
    struct error err = {0};
    kit_init(&kit);
    struct token_grant grant = kit_grant();
    grant.operation = "";
    assert_false(status_is_ok(kit_try_issue(&kit, &grant, NOW, &err)));
    assert_int_equal(err.code, ERROR_USAGE);
    grant.operation = "fs.*x";
    assert_false(status_is_ok(kit_try_issue(&kit, &grant, NOW, &err)));
    grant = kit_grant();
    grant.paths.globs[1] = "src/[a";
    assert_false(status_is_ok(kit_try_issue(&kit, &grant, NOW, &err)));
    assert_int_equal(err.code, ERROR_USAGE);
    grant = kit_grant();
    grant.sandbox_id = "two words";
    assert_false(status_is_ok(kit_try_issue(&kit, &grant, NOW, &err)));
    grant = kit_grant();
    assert_false(status_is_ok(kit_try_issue(&kit, &grant, UINT64_MAX - 5, &err)));
    assert_int_equal(err.code, ERROR_LIMIT);
    uint8_t seed[TOKEN_SEED_BYTES] = {1};
    struct token_request request = {
        .grant = grant, .now_ms = NOW, .seed = seed, .life_ms = LIMIT_TOKEN_LIFE_MS + 1};
    assert_false(status_is_ok(token_issue(kit.authority, &request, &kit.text, &kit.id, &err)));
    assert_int_equal(err.code, ERROR_LIMIT);
    assert_int_equal(token_count(kit.authority, NOW), 0);
    kit_deinit(&kit);
}

static void every_result_has_a_text(void **state) {
    (void)state;
    for (int i = TOKEN_VALID; i <= TOKEN_USED_UP; i++) {
        assert_true(strlen(token_result_text((enum token_result)i)) > 4);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_fresh_token_is_good_for_what_it_names),
        cmocka_unit_test(defaults_are_one_operation_and_thirty_seconds),
        cmocka_unit_test(judging_counts_nothing),
        cmocka_unit_test(paths_are_globs_over_resolved_paths),
        cmocka_unit_test(a_token_without_paths_is_for_requests_without_one),
        cmocka_unit_test(arguments_are_bound_when_the_token_names_them),
        cmocka_unit_test(the_order_of_the_answers_is_fixed),
        cmocka_unit_test(counting_and_revoking),
        cmocka_unit_test(what_cannot_be_granted_is_not),
        cmocka_unit_test(every_result_has_a_text),
    };
    return cmocka_run_group_tests_name("tokens", tests, nullptr, nullptr);
}
