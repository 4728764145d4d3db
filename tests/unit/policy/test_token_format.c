/* SPDX-License-Identifier: Apache-2.0
 *
 * One form for every token: what parses is written back byte for byte, and nothing else parses.
 */
#include "policy/token_format.h"

#include "token_kit.h"

/* The bytes of a token with the given root and no caveat. */
static void wrap(struct slice root, struct builder *out) {
    static const uint8_t SEAL[DIGEST_BYTES] = {7};
    builder_block(out, root);
    builder_u8(out, 0);
    builder_bytes(out, slice_of(SEAL, sizeof SEAL));
}

static bool root_parses(struct slice root) {
    static struct token token;
    struct builder bytes;
    builder_init(&bytes, LIMIT_TOKEN_BYTES);
    wrap(root, &bytes);
    bool parses = token_parse(builder_slice(&bytes), &token);
    builder_deinit(&bytes);
    return parses;
}

static void format_grant(const struct token_grant *grant, struct builder *out) {
    builder_init(out, LIMIT_TOKEN_BYTES);
    assert_true(token_format_root(grant, out));
}

static struct token_grant full_grant(void) {
    struct token_grant grant = kit_grant();
    grant.expires_ms = 123456789;
    grant.has_argument_digest = true;
    grant.argument_digest = (struct digest){.bytes = {4, 5, 6}};
    return grant;
}

static void what_is_written_is_read_back(void **state) {
    (void)state;
    static struct token token;
    struct builder root;
    struct builder bytes;
    struct builder again;
    struct token_grant grant = full_grant();
    format_grant(&grant, &root);
    builder_init(&bytes, LIMIT_TOKEN_BYTES);
    builder_init(&again, LIMIT_TOKEN_BYTES);
    wrap(builder_slice(&root), &bytes);
    assert_true(token_parse(builder_slice(&bytes), &token));
    assert_string_equal(token.grant.operation, "fs.*");
    assert_int_equal(token.grant.paths.count, 3);
    assert_string_equal(token.grant.paths.globs[2], "/docs/*.md");
    assert_int_equal(token.grant.expires_ms, 123456789);
    assert_int_equal(token.grant.max_ops, 3);
    assert_true(token.grant.has_argument_digest);
    assert_true(digest_equal(&token.grant.argument_digest, &grant.argument_digest));
    assert_string_equal(token.grant.sandbox_id, "box-1");
    assert_int_equal(token.grant.peer.kind, TOKEN_PEER_PIDFD);
    assert_int_equal(token.grant.peer.pidfd_inode, 77);
    assert_int_equal(token.grant.peer.uid, 1000);
    assert_int_equal(token.grant.constraints.rates[0].window_ms, 60000);
    assert_true(token_format_root(&token.grant, &again));
    assert_true(slice_equal(builder_slice(&again), token.root));
    builder_reset(&again);
    assert_true(token_format(&token, &again));
    assert_true(slice_equal(builder_slice(&again), builder_slice(&bytes)));
    builder_deinit(&again);
    builder_deinit(&bytes);
    builder_deinit(&root);
}

static void text_has_one_spelling(void **state) {
    (void)state;
    static struct token token;
    struct kit kit;
    struct token_grant grant = full_grant();
    kit_init(&kit);
    kit_issue(&kit, &grant);
    const char *text = builder_c_string(&kit.text);
    assert_int_equal(strncmp(text, "alc_", 4), 0);
    assert_null(strpbrk(text, "+/= \n"));
    /* Every character of the alphabet in the last place: one is right. */
    size_t last = kit.text.size - 1;
    char right = (char)kit.text.data[last];
    unsigned accepted = 0;
    for (unsigned byte = 0; byte < 256; byte++) {
        kit.text.data[last] = (uint8_t)byte;
        if (token_parse_text(builder_slice(&kit.text), kit.buffer, &token)) {
            accepted += memcmp(token.seal.bytes, kit.token.seal.bytes, DIGEST_BYTES) == 0;
        }
    }
    assert_int_equal(accepted, 1);
    kit.text.data[last] = (uint8_t)right;
    kit.text.data[2] = 'C';
    assert_false(token_parse_text(builder_slice(&kit.text), kit.buffer, &token));
    assert_false(token_parse_text(SLICE_LITERAL(""), kit.buffer, &token));
    assert_false(token_parse_text(SLICE_LITERAL("alc_"), kit.buffer, &token));
    kit_deinit(&kit);
}

static void other_versions_are_refused(void **state) {
    (void)state;
    struct builder root;
    struct token_grant grant = full_grant();
    format_grant(&grant, &root);
    assert_true(root_parses(builder_slice(&root)));
    for (unsigned version = 0; version < 256; version++) {
        root.data[3] = (uint8_t)version;
        assert_int_equal(root_parses(builder_slice(&root)), version == 1);
    }
    root.data[3] = 1;
    root.data[0] = 'A';
    assert_false(root_parses(builder_slice(&root)));
    builder_deinit(&root);
}

static void fields_have_their_bounds(void **state) {
    (void)state;
    struct builder out;
    builder_init(&out, LIMIT_TOKEN_BYTES);
    char word[TOKEN_WORD_BYTES_MAX + 2];
    memset(word, 'a', sizeof word - 1);
    word[sizeof word - 1] = '\0';
    static const char *const BAD[] = {"", "a b", "a\n", "\x80", "a*b", "**"};
    struct token_grant grant = full_grant();
    for (size_t i = 0; i < sizeof BAD / sizeof BAD[0]; i++) {
        grant.operation = BAD[i];
        assert_false(token_format_root(&grant, &out));
        assert_false(token_operation_is_valid(BAD[i]));
    }
    grant = full_grant();
    grant.sandbox_id = word;
    assert_false(token_format_root(&grant, &out));
    word[TOKEN_WORD_BYTES_MAX] = '\0';
    builder_reset(&out);
    assert_true(token_format_root(&grant, &out));
    assert_true(root_parses(builder_slice(&out)));
    grant = full_grant();
    grant.max_ops = 0;
    assert_false(token_format_root(&grant, &out));
    grant = full_grant();
    grant.paths.count = LIMIT_TOKEN_GLOBS + 1;
    uint64_t before = limit_hit_count(LIMIT_ID_TOKEN_GLOBS);
    assert_false(token_format_root(&grant, &out));
    assert_int_equal(limit_hit_count(LIMIT_ID_TOKEN_GLOBS), before + 1);
    grant = full_grant();
    grant.paths.globs[0] = "";
    assert_false(token_format_root(&grant, &out));
    grant = full_grant();
    grant.constraints.rate_count = TOKEN_RATE_COUNT_MAX + 1;
    assert_false(token_format_root(&grant, &out));
    builder_deinit(&out);
}

/* A byte after the last field, inside the root: its block is longer than what it holds. */
static void a_root_holds_nothing_more(void **state) {
    (void)state;
    struct builder root;
    struct token_grant grant = full_grant();
    format_grant(&grant, &root);
    builder_u8(&root, 0);
    assert_false(root_parses(builder_slice(&root)));
    builder_deinit(&root);
}

static bool caveat_parses(struct slice caveat) {
    static struct token token;
    struct builder root;
    struct builder bytes;
    static const uint8_t SEAL[DIGEST_BYTES] = {7};
    struct token_grant grant = full_grant();
    format_grant(&grant, &root);
    builder_init(&bytes, LIMIT_TOKEN_BYTES);
    builder_block(&bytes, builder_slice(&root));
    builder_u8(&bytes, 1);
    builder_block(&bytes, caveat);
    builder_bytes(&bytes, slice_of(SEAL, sizeof SEAL));
    bool parses = token_parse(builder_slice(&bytes), &token);
    if (parses) {
        struct builder again;
        builder_init(&again, LIMIT_TOKEN_BYTES);
        assert_true(token_format_caveat(&token.caveats[0], &again));
        assert_true(slice_equal(builder_slice(&again), caveat));
        builder_deinit(&again);
    }
    builder_deinit(&bytes);
    builder_deinit(&root);
    return parses;
}

static void caveats_have_one_form_each(void **state) {
    (void)state;
    assert_true(caveat_parses(SLICE_LITERAL("\x01\x05\0\0\0fs.*\0")));
    assert_true(caveat_parses(SLICE_LITERAL("\x02\x01\x04\0\0\0src\0")));
    assert_true(caveat_parses(SLICE_LITERAL("\x03\x01\0\0\0")));
    assert_true(caveat_parses(SLICE_LITERAL("\x04\0\0\0\0\0\0\0\0")));
    assert_false(caveat_parses(SLICE_LITERAL("")));
    assert_false(caveat_parses(SLICE_LITERAL("\x00")));
    assert_false(caveat_parses(SLICE_LITERAL("\x05\x01\0\0\0")));          /* unknown */
    assert_false(caveat_parses(SLICE_LITERAL("\x01\x01\0\0\0\0")));        /* no operation */
    assert_false(caveat_parses(SLICE_LITERAL("\x01\x04\0\0\0fs.*")));      /* no NUL */
    assert_false(caveat_parses(SLICE_LITERAL("\x01\x06\0\0\0fs\0*\0")));   /* NUL inside */
    assert_false(caveat_parses(SLICE_LITERAL("\x02\x00")));                /* no glob */
    assert_false(caveat_parses(SLICE_LITERAL("\x02\x01\x01\0\0\0\0")));    /* empty glob */
    assert_false(caveat_parses(SLICE_LITERAL("\x02\x02\x04\0\0\0src\0"))); /* one is missing */
    assert_false(caveat_parses(SLICE_LITERAL("\x03\0\0\0\0")));            /* no operations */
    assert_false(caveat_parses(SLICE_LITERAL("\x03\x01\0\0\0\0")));        /* trailing */
    assert_false(caveat_parses(SLICE_LITERAL("\x04\0\0\0\0\0\0\0")));      /* short */
}

static void too_many_caveats_are_refused(void **state) {
    (void)state;
    struct kit kit;
    struct error err = {0};
    struct token_grant grant = full_grant();
    kit_init(&kit);
    kit_issue(&kit, &grant);
    struct token_caveat caveat = {.kind = TOKEN_CAVEAT_OPS, .max_ops = 1};
    for (int64_t i = 0; i < LIMIT_TOKEN_CAVEATS; i++) {
        assert_true(status_is_ok(kit_attenuate(&kit, &caveat, &err)));
    }
    uint64_t hits = limit_hit_count(LIMIT_ID_TOKEN_CAVEATS);
    assert_false(status_is_ok(kit_attenuate(&kit, &caveat, &err)));
    assert_int_equal(err.code, ERROR_LIMIT);
    assert_int_equal(limit_hit_count(LIMIT_ID_TOKEN_CAVEATS), hits + 1);
    assert_int_equal(kit.token.caveat_count, LIMIT_TOKEN_CAVEATS);
    kit_deinit(&kit);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_written_is_read_back),
        cmocka_unit_test(text_has_one_spelling),
        cmocka_unit_test(other_versions_are_refused),
        cmocka_unit_test(fields_have_their_bounds),
        cmocka_unit_test(a_root_holds_nothing_more),
        cmocka_unit_test(caveats_have_one_form_each),
        cmocka_unit_test(too_many_caveats_are_refused),
    };
    return cmocka_run_group_tests_name("form of tokens", tests, nullptr, nullptr);
}
