/* SPDX-License-Identifier: Apache-2.0 */
#include "crypto/hash.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "codec/text.h"
#include "crypto/commitment.h"
#include "crypto/ed25519.h"

static void assert_digest(const struct digest *digest, const char *hex) {
    struct digest expected;
    assert_true(text_unhex(slice_of_string(hex), expected.bytes, DIGEST_BYTES));
    assert_true(digest_equal(digest, &expected));
}

/* FIPS 180-4 examples. */
static void known_digests_come_out(void **state) {
    (void)state;
    struct digest digest;
    sha256_of(SLICE_LITERAL("abc"), &digest);
    assert_digest(&digest, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    sha256_of((struct slice){nullptr, 0}, &digest);
    assert_digest(&digest, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
}

static void pieces_hash_like_the_whole(void **state) {
    (void)state;
    uint8_t bytes[300];
    struct digest whole;
    struct digest pieces;
    for (size_t i = 0; i < sizeof bytes; i++) {
        bytes[i] = (uint8_t)(i * 7);
    }
    sha256_of(slice_of(bytes, sizeof bytes), &whole);
    for (size_t cut = 0; cut <= sizeof bytes; cut++) {
        struct sha256 hash;
        sha256_init(&hash);
        sha256_update(&hash, slice_of(bytes, cut));
        sha256_update(&hash, slice_of(bytes + cut, sizeof bytes - cut));
        sha256_final(&hash, &pieces);
        assert_true(digest_equal(&whole, &pieces));
    }
}

/* Kind, salt, length and data each change a commitment; where kind ends and data begins is fixed.
 */
static void a_commitment_binds_all_of_it(void **state) {
    (void)state;
    uint8_t salt[COMMITMENT_SALT_BYTES] = {1};
    struct digest first;
    struct digest other;
    commitment_make("argv", salt, SLICE_LITERAL("data"), &first);
    commitment_make("argv", salt, SLICE_LITERAL("data"), &other);
    assert_true(digest_equal(&first, &other));
    commitment_make("arg", salt, SLICE_LITERAL("vdata"), &other);
    assert_false(digest_equal(&first, &other));
    commitment_make("argv", salt, SLICE_LITERAL("datb"), &other);
    assert_false(digest_equal(&first, &other));
    salt[31] = 1;
    commitment_make("argv", salt, SLICE_LITERAL("data"), &other);
    assert_false(digest_equal(&first, &other));
}

/* RFC 8032, section 7.1, test 2. */
static void a_known_signature_comes_out_and_verifies(void **state) {
    (void)state;
    static const char SEED[] = "4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb";
    static const char PUBLIC[] = "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c";
    static const char SIGNED[] = "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da"
                                 "085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00";
    uint8_t seed[ED25519_SEED_BYTES];
    uint8_t expected_public[ED25519_PUBLIC_BYTES];
    uint8_t expected[ED25519_SIGNATURE_BYTES];
    uint8_t public_key[ED25519_PUBLIC_BYTES];
    uint8_t signature[ED25519_SIGNATURE_BYTES];
    struct ed25519_key *key;
    struct error err;
    assert_true(text_unhex(SLICE_LITERAL(SEED), seed, sizeof seed));
    assert_true(text_unhex(SLICE_LITERAL(PUBLIC), expected_public, sizeof expected_public));
    assert_true(text_unhex(SLICE_LITERAL(SIGNED), expected, sizeof expected));
    assert_true(status_is_ok(ed25519_key_new(seed, &key, &err)));
    ed25519_key_public(key, public_key);
    assert_memory_equal(public_key, expected_public, sizeof public_key);
    for (int i = 0; i < 3; i++) { /* the prepared context is made anew each time */
        ed25519_sign(key, SLICE_LITERAL("\x72"), signature);
        assert_memory_equal(signature, expected, sizeof signature);
    }
    ed25519_key_free(key);
    assert_true(ed25519_verify(public_key, SLICE_LITERAL("\x72"), signature));
    assert_false(ed25519_verify(public_key, SLICE_LITERAL("\x73"), signature));
    for (size_t i = 0; i < sizeof signature; i++) {
        signature[i] ^= 1;
        assert_false(ed25519_verify(public_key, SLICE_LITERAL("\x72"), signature));
        signature[i] ^= 1;
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(known_digests_come_out),
        cmocka_unit_test(pieces_hash_like_the_whole),
        cmocka_unit_test(a_commitment_binds_all_of_it),
        cmocka_unit_test(a_known_signature_comes_out_and_verifies),
    };
    return cmocka_run_group_tests_name("hash", tests, nullptr, nullptr);
}
