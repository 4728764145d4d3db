/* SPDX-License-Identifier: Apache-2.0
 *
 * Altered tokens: flipped, cut, put together anew, widened.
 */
#include "token_kit.h"

static bool bytes_are_valid(struct kit *kit, struct slice bytes) {
    static struct token token;
    struct token_facts facts = kit_facts();
    return token_parse(bytes, &token) &&
           token_judge(kit->authority, &token, &facts).result == TOKEN_VALID;
}

static void every_flipped_bit_is_refused(void **state) {
    (void)state;
    struct kit kit;
    struct builder bytes;
    kit_init(&kit);
    kit_issue_narrowed(&kit);
    builder_init(&bytes, LIMIT_TOKEN_BYTES);
    assert_true(token_format(&kit.token, &bytes));
    assert_true(bytes_are_valid(&kit, builder_slice(&bytes)));
    for (size_t bit = 0; bit < 8 * bytes.size; bit++) {
        bytes.data[bit / 8] ^= (uint8_t)(1U << (bit % 8));
        assert_false(bytes_are_valid(&kit, builder_slice(&bytes)));
        bytes.data[bit / 8] ^= (uint8_t)(1U << (bit % 8));
    }
    builder_deinit(&bytes);
    kit_deinit(&kit);
}

static void every_flipped_bit_of_the_text_is_refused(void **state) {
    (void)state;
    struct kit kit;
    uint8_t buffer[LIMIT_TOKEN_BYTES];
    static struct token token;
    struct token_facts facts = kit_facts();
    kit_init(&kit);
    kit_issue_narrowed(&kit);
    for (size_t bit = 0; bit < 8 * kit.text.size; bit++) {
        kit.text.data[bit / 8] ^= (uint8_t)(1U << (bit % 8));
        assert_false(token_parse_text(builder_slice(&kit.text), buffer, &token) &&
                     token_judge(kit.authority, &token, &facts).result == TOKEN_VALID);
        kit.text.data[bit / 8] ^= (uint8_t)(1U << (bit % 8));
    }
    assert_true(token_parse_text(builder_slice(&kit.text), buffer, &token));
    assert_int_equal(token_judge(kit.authority, &token, &facts).result, TOKEN_VALID);
    kit_deinit(&kit);
}

static void every_truncation_and_trailing_byte_is_refused(void **state) {
    (void)state;
    struct kit kit;
    struct builder bytes;
    static struct token token;
    kit_init(&kit);
    kit_issue_narrowed(&kit);
    builder_init(&bytes, LIMIT_TOKEN_BYTES);
    assert_true(token_format(&kit.token, &bytes));
    for (size_t size = 0; size < bytes.size; size++) {
        assert_false(token_parse(slice_of(bytes.data, size), &token));
    }
    builder_u8(&bytes, 0);
    assert_false(token_parse(builder_slice(&bytes), &token));
    builder_deinit(&bytes);
    kit_deinit(&kit);
}

static void removing_a_caveat_is_refused(void **state) {
    (void)state;
    struct kit kit;
    struct token_facts facts = kit_facts();
    kit_init(&kit);
    kit_issue_narrowed(&kit);
    for (unsigned out = 0; out < kit.token.caveat_count; out++) {
        struct token token = kit.token;
        token.caveat_count--;
        for (unsigned i = out; i < token.caveat_count; i++) {
            token.caveats[i] = token.caveats[i + 1];
        }
        assert_int_equal(token_judge(kit.authority, &token, &facts).result, TOKEN_FORGED);
    }
    struct token bare = kit.token;
    bare.caveat_count = 0;
    assert_int_equal(token_judge(kit.authority, &bare, &facts).result, TOKEN_FORGED);
    kit_deinit(&kit);
}

static void reordering_caveats_is_refused(void **state) {
    (void)state;
    struct kit kit;
    struct token_facts facts = kit_facts();
    kit_init(&kit);
    kit_issue_narrowed(&kit);
    for (unsigned a = 0; a < kit.token.caveat_count; a++) {
        for (unsigned b = a + 1; b < kit.token.caveat_count; b++) {
            struct token token = kit.token;
            token.caveats[a] = kit.token.caveats[b];
            token.caveats[b] = kit.token.caveats[a];
            assert_int_equal(token_judge(kit.authority, &token, &facts).result, TOKEN_FORGED);
        }
    }
    kit_deinit(&kit);
}

static void swapping_caveats_between_tokens_is_refused(void **state) {
    (void)state;
    struct kit kit;
    struct kit other;
    struct error err;
    struct token_facts facts = kit_facts();
    struct token_grant grant = kit_grant();
    kit_init(&kit);
    kit_init(&other); /* the same key */
    kit_issue(&kit, &grant);
    kit_issue(&other, &grant);
    struct token_caveat tight = {.kind = TOKEN_CAVEAT_OPS, .max_ops = 1};
    struct token_caveat loose = {.kind = TOKEN_CAVEAT_OPS, .max_ops = 3};
    assert_true(status_is_ok(kit_attenuate(&kit, &tight, &err)));
    assert_true(status_is_ok(kit_attenuate(&other, &loose, &err)));
    struct token swapped = kit.token;
    swapped.caveats[0] = other.token.caveats[0];
    assert_int_equal(token_judge(kit.authority, &swapped, &facts).result, TOKEN_FORGED);
    swapped.seal = other.token.seal;
    assert_int_equal(token_judge(kit.authority, &swapped, &facts).result, TOKEN_FORGED);
    swapped = kit.token;
    swapped.root = other.token.root;
    assert_int_equal(token_judge(kit.authority, &swapped, &facts).result, TOKEN_FORGED);
    kit_deinit(&other);
    kit_deinit(&kit);
}

struct widening {
    const char *name;
    struct token_caveat caveat;
};

static const struct widening WIDENINGS[] = {
    {"operation", {.kind = TOKEN_CAVEAT_OPERATION, .operation = "*"}},
    {"other operation", {.kind = TOKEN_CAVEAT_OPERATION, .operation = "run.exec"}},
    {"prefix of the operation", {.kind = TOKEN_CAVEAT_OPERATION, .operation = "f*"}},
    {"operations", {.kind = TOKEN_CAVEAT_OPS, .max_ops = 4}},
    {"time", {.kind = TOKEN_CAVEAT_EXPIRES, .expires_ms = NOW + 30001}},
    {"all paths", {.kind = TOKEN_CAVEAT_PATHS, .paths = {.globs = {"**"}, .count = 1}}},
    {"other path", {.kind = TOKEN_CAVEAT_PATHS, .paths = {.globs = {"/etc/passwd"}, .count = 1}}},
    {"path at any depth", {.kind = TOKEN_CAVEAT_PATHS, .paths = {.globs = {"main.c"}, .count = 1}}},
    {"one more path",
     {.kind = TOKEN_CAVEAT_PATHS, .paths = {.globs = {"src/**", "lib/**"}, .count = 2}}},
    {"the folder itself", {.kind = TOKEN_CAVEAT_PATHS, .paths = {.globs = {"/src"}, .count = 1}}},
    {"below another star",
     {.kind = TOKEN_CAVEAT_PATHS, .paths = {.globs = {"/docs/*/x.md"}, .count = 1}}},
};

static void widening_is_refused(void **state) {
    (void)state;
    struct kit kit;
    struct token_grant grant = kit_grant();
    kit_init(&kit);
    kit_issue(&kit, &grant);
    for (size_t i = 0; i < sizeof WIDENINGS / sizeof WIDENINGS[0]; i++) {
        struct error err = {0};
        if (status_is_ok(kit_attenuate(&kit, &WIDENINGS[i].caveat, &err)) ||
            err.code != ERROR_POLICY_DENIED) {
            fail_msg("widening: %s", WIDENINGS[i].name);
        }
    }
    assert_int_equal(kit.token.caveat_count, 0);
    kit_deinit(&kit);
}

/* A holder who does not ask token_attenuate() can seal any caveat. It gains nothing. */
static void kit_add_unasked(struct kit *kit, const struct token_caveat *caveat,
                            struct builder *storage) {
    builder_init(storage, LIMIT_TOKEN_BYTES);
    assert_true(token_format_caveat(caveat, storage));
    struct token_caveat *added = &kit->token.caveats[kit->token.caveat_count++];
    *added = *caveat;
    added->encoded = builder_slice(storage);
    token_seal_next(&kit->token.seal, added->encoded);
}

static void widening_behind_the_back_gains_nothing(void **state) {
    (void)state;
    struct token_grant grant = kit_grant();
    for (size_t i = 0; i < sizeof WIDENINGS / sizeof WIDENINGS[0]; i++) {
        struct kit kit;
        struct builder storage;
        kit_init(&kit);
        kit_issue(&kit, &grant);
        kit_add_unasked(&kit, &WIDENINGS[i].caveat, &storage);
        struct token_facts facts = kit_facts();
        facts.operation = "run.exec";
        assert_int_equal(kit_judge(&kit, &facts), TOKEN_WRONG_OPERATION);
        facts = kit_facts();
        facts.path = "etc/passwd";
        assert_true(kit_judge(&kit, &facts) == TOKEN_WRONG_PATH ||
                    kit_judge(&kit, &facts) == TOKEN_WRONG_OPERATION);
        facts = kit_facts();
        facts.now_ms = NOW + 30000;
        assert_int_equal(kit_judge(&kit, &facts), TOKEN_EXPIRED);
        facts.now_ms = NOW + 29999;
        unsigned used = 0;
        while (used < 10 && kit_check(&kit, &facts) == TOKEN_VALID) {
            used++;
        }
        assert_true(used <= grant.max_ops);
        builder_deinit(&storage);
        kit_deinit(&kit);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_flipped_bit_is_refused),
        cmocka_unit_test(every_flipped_bit_of_the_text_is_refused),
        cmocka_unit_test(every_truncation_and_trailing_byte_is_refused),
        cmocka_unit_test(removing_a_caveat_is_refused),
        cmocka_unit_test(reordering_caveats_is_refused),
        cmocka_unit_test(swapping_caveats_between_tokens_is_refused),
        cmocka_unit_test(widening_is_refused),
        cmocka_unit_test(widening_behind_the_back_gains_nothing),
    };
    return cmocka_run_group_tests_name("forged tokens", tests, nullptr, nullptr);
}
