/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "keys/cosignature.h"

enum { NOW = 1763700000 };
static const char NAME[] = "witness.example/w1";
static const struct slice BODY = {(const uint8_t *)"log.example\n7\nAAAA\n", 19};

struct fixture {
    struct ed25519_key *key;
    struct note_vkey vkey;
    struct builder text;
};

static void fixture_init(struct fixture *fixture) {
    static const uint8_t SEED[ED25519_SEED_BYTES] = {42};
    uint8_t public_key[ED25519_PUBLIC_BYTES];
    struct error err = {0};
    assert_true(status_is_ok(ed25519_key_new(SEED, &fixture->key, &err)));
    ed25519_key_public(fixture->key, public_key);
    cosignature_vkey_make(NAME, public_key, &fixture->vkey);
    builder_init(&fixture->text, NOTE_BYTES_MAX);
}

static void fixture_deinit(struct fixture *fixture) {
    ed25519_key_free(fixture->key);
    builder_deinit(&fixture->text);
}

/* One signature line. */
static void format_line(const struct note_vkey *vkey, uint64_t time_s,
                        const uint8_t signature[static ED25519_SIGNATURE_BYTES],
                        struct builder *out) {
    struct builder bytes;
    builder_init(&bytes, NOTE_KEY_ID_BYTES + 8 + ED25519_SIGNATURE_BYTES);
    builder_bytes(&bytes, slice_of(vkey->key_id, NOTE_KEY_ID_BYTES));
    builder_u64_be(&bytes, time_s);
    builder_bytes(&bytes, slice_of(signature, ED25519_SIGNATURE_BYTES));
    note_line_format(vkey->name, builder_slice(&bytes), out);
    builder_deinit(&bytes);
}

/* Appends a line that `vkey` is to have made: signed by the fixture's key, over time and body. */
static void add_line(struct fixture *fixture, const struct note_vkey *vkey, uint64_t time_s,
                     struct slice body) {
    uint8_t signature[ED25519_SIGNATURE_BYTES];
    struct builder message;
    builder_init(&message, NOTE_BYTES_MAX);
    cosignature_message(time_s, body, &message);
    ed25519_sign(fixture->key, builder_slice(&message), signature);
    builder_deinit(&message);
    format_line(vkey, time_s, signature, &fixture->text);
}

static enum cosignature_verdict check(struct fixture *fixture, struct cosignature *ret) {
    return cosignature_check(builder_slice(&fixture->text), BODY, &fixture->vkey, NOW, ret);
}

static void keys(void **state) {
    (void)state;
    struct fixture fixture;
    struct note_vkey vkey;
    struct note_vkey plain;
    struct builder text;
    fixture_init(&fixture);
    builder_init(&text, 1024);
    note_vkey_make(NAME, fixture.vkey.public_key, &plain);
    note_vkey_format(&plain, &text);
    assert_false(cosignature_vkey_parse(builder_slice(&text), &vkey));
    assert_memory_not_equal(plain.key_id, fixture.vkey.key_id, NOTE_KEY_ID_BYTES);
    builder_deinit(&text);
    /* Public key 32 zero bytes; the id by sha256sum over "witness.example/w1" 0A 04 and them. */
    static const char GOOD[] =
        "witness.example/w1+490ca8b1+BAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";
    static const char WRONG[] =
        "witness.example/w1+00000000+BAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";
    assert_true(cosignature_vkey_parse(SLICE_LITERAL(GOOD), &vkey));
    assert_string_equal(vkey.name, NAME);
    assert_false(cosignature_vkey_parse(SLICE_LITERAL(WRONG), &vkey));
    assert_false(cosignature_vkey_parse(SLICE_LITERAL("witness.example/w1"), &vkey));
    assert_false(cosignature_vkey_parse(SLICE_LITERAL("a b+00000000+BA=="), &vkey));
    assert_false(cosignature_vkey_parse(SLICE_LITERAL(""), &vkey));
    fixture_deinit(&fixture);
}

static void lies(void **state) {
    (void)state;
    struct fixture fixture;
    struct cosignature got;
    fixture_init(&fixture);
    struct note_vkey other = fixture.vkey;
    assert_int_equal(check(&fixture, &got), COSIGNATURE_MISSING);
    other.key_id[0] ^= 1;
    add_line(&fixture, &other, NOW, BODY);
    assert_int_equal(check(&fixture, &got), COSIGNATURE_MISSING);
    builder_reset(&fixture.text);
    other = fixture.vkey;
    other.name[0] = 'W';
    add_line(&fixture, &other, NOW, BODY);
    assert_int_equal(check(&fixture, &got), COSIGNATURE_MISSING);
    builder_reset(&fixture.text);
    add_line(&fixture, &fixture.vkey, NOW, SLICE_LITERAL("log.example\n8\nAAAA\n"));
    assert_int_equal(check(&fixture, &got), COSIGNATURE_WRONG);
    builder_reset(&fixture.text);
    add_line(&fixture, &fixture.vkey, 0, BODY);
    assert_int_equal(check(&fixture, &got), COSIGNATURE_TIME);
    builder_reset(&fixture.text);
    add_line(&fixture, &fixture.vkey, NOW + COSIGNATURE_AHEAD_S + 1, BODY);
    assert_int_equal(check(&fixture, &got), COSIGNATURE_TIME);
    builder_reset(&fixture.text);
    uint8_t plain[ED25519_SIGNATURE_BYTES];
    ed25519_sign(fixture.key, BODY, plain);
    note_format_signature(&fixture.vkey, plain, &fixture.text);
    assert_int_equal(check(&fixture, &got), COSIGNATURE_MISSING);
    builder_reset(&fixture.text);
    add_line(&fixture, &fixture.vkey, NOW, BODY);
    add_line(&fixture, &fixture.vkey, NOW, BODY);
    assert_int_equal(check(&fixture, &got), COSIGNATURE_MALFORMED);
    builder_reset(&fixture.text);
    for (int i = 0; i < NOTE_SIGNATURES_MAX; i++) {
        add_line(&fixture, &other, NOW, BODY);
    }
    assert_int_equal(check(&fixture, &got), COSIGNATURE_MALFORMED);
    fixture_deinit(&fixture);
}

/* No line passes that has one byte flipped, or is cut short. */
static void every_byte(void **state) {
    (void)state;
    struct fixture fixture;
    struct cosignature got;
    fixture_init(&fixture);
    add_line(&fixture, &fixture.vkey, NOW, BODY);
    for (size_t i = 0; i < fixture.text.size; i++) {
        fixture.text.data[i] ^= 1;
        assert_int_not_equal(check(&fixture, &got), COSIGNATURE_VALID);
        fixture.text.data[i] ^= 1;
        struct slice cut = slice_of(fixture.text.data, i);
        assert_int_not_equal(cosignature_check(cut, BODY, &fixture.vkey, NOW, &got),
                             COSIGNATURE_VALID);
    }
    assert_int_equal(check(&fixture, &got), COSIGNATURE_VALID);
    fixture_deinit(&fixture);
}

static void found_among_others(void **state) {
    (void)state;
    struct fixture fixture;
    struct cosignature got;
    fixture_init(&fixture);
    struct note_vkey other = fixture.vkey;
    other.name[0] = 'W';
    add_line(&fixture, &other, NOW, BODY);
    size_t start = fixture.text.size;
    add_line(&fixture, &fixture.vkey, NOW + COSIGNATURE_AHEAD_S, BODY);
    size_t size = fixture.text.size - start;
    add_line(&fixture, &other, NOW, BODY);
    assert_int_equal(check(&fixture, &got), COSIGNATURE_VALID);
    assert_int_equal(got.time_s, NOW + COSIGNATURE_AHEAD_S);
    assert_true(slice_equal(got.line, slice_of(fixture.text.data + start, size)));
    fixture_deinit(&fixture);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(keys),
        cmocka_unit_test(lies),
        cmocka_unit_test(every_byte),
        cmocka_unit_test(found_among_others),
    };
    return cmocka_run_group_tests(tests, nullptr, nullptr);
}
