/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <openssl/bio.h>
#include <openssl/evp.h>
#include <openssl/pem.h>

#include "release/check.h"

static EVP_PKEY *pairs[RELEASE_KIND_COUNT];

static void write_public(EVP_PKEY *key, struct builder *out) {
    BIO *memory = BIO_new(BIO_s_mem());
    char *text = nullptr;
    assert_int_equal(PEM_write_bio_PUBKEY(memory, key), 1);
    long size = BIO_get_mem_data(memory, &text);
    builder_bytes(out, slice_of(text, (size_t)size));
    BIO_free(memory);
}

static int make_pairs(void **state) {
    (void)state;
    pairs[RELEASE_KIND_ED25519] = EVP_PKEY_Q_keygen(nullptr, nullptr, "ED25519");
    pairs[RELEASE_KIND_MLDSA65] = EVP_PKEY_Q_keygen(nullptr, nullptr, "ML-DSA-65");
    pairs[RELEASE_KIND_ECDSA] = EVP_EC_gen("P-256");
    for (size_t i = 0; i < RELEASE_KIND_COUNT; i++) {
        if (pairs[i] == nullptr) {
            return -1;
        }
    }
    return 0;
}

static int free_pairs(void **state) {
    (void)state;
    for (size_t i = 0; i < RELEASE_KIND_COUNT; i++) {
        EVP_PKEY_free(pairs[i]);
    }
    return 0;
}

/* The keys of these kinds, in this order, as bits from low to high. */
static status_t keys_of(unsigned kinds, struct release_keys *ret_keys, struct error *err) {
    struct builder text;
    builder_init(&text, (size_t)64 * 1024);
    for (unsigned i = 0; i < RELEASE_KIND_COUNT; i++) {
        if ((kinds >> i & 1) != 0) {
            write_public(pairs[i], &text);
        }
    }
    status_t status = release_keys_parse(builder_slice(&text), "keys", ret_keys, err);
    builder_deinit(&text);
    return status;
}

static void sign(enum release_kind kind, struct slice message, uint8_t *ret, size_t *size) {
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    const char *digest = kind == RELEASE_KIND_ECDSA ? "SHA2-256" : nullptr;
    assert_int_equal(
        EVP_DigestSignInit_ex(context, nullptr, digest, nullptr, nullptr, pairs[kind], nullptr), 1);
    assert_int_equal(EVP_DigestSign(context, ret, size, message.data, message.size), 1);
    EVP_MD_CTX_free(context);
}

static void both_required_keys_must_be_there(void **state) {
    (void)state;
    for (unsigned kinds = 0; kinds < 8; kinds++) {
        struct release_keys keys;
        struct error err = {};
        bool is_taken = status_is_ok(keys_of(kinds, &keys, &err));
        assert_true(is_taken == ((kinds & 3) == 3));
        if (is_taken) {
            assert_true((release_key_id(&keys, RELEASE_KIND_ECDSA) != nullptr) == (kinds == 7));
            release_keys_deinit(&keys);
        } else {
            assert_int_equal(err.code, ERROR_RELEASE_KEY);
        }
    }
}

static void a_signature_fits_its_own_kind_message_and_length(void **state) {
    (void)state;
    struct release_keys keys;
    struct error err;
    assert_true(status_is_ok(keys_of(7, &keys, &err)));
    for (uint8_t kind = 0; kind < RELEASE_KIND_COUNT; kind++) {
        uint8_t signature[ENVELOPE_SIGNATURE_BYTES_MAX] = {};
        size_t size = sizeof signature;
        sign((enum release_kind)kind, SLICE_LITERAL("message"), signature, &size);
        for (uint8_t other = 0; other < RELEASE_KIND_COUNT; other++) {
            assert_true(release_key_verify(&keys, (enum release_kind)other,
                                           SLICE_LITERAL("message"),
                                           slice_of(signature, size)) == (other == kind));
        }
        assert_false(release_key_verify(&keys, (enum release_kind)kind, SLICE_LITERAL("Message"),
                                        slice_of(signature, size)));
        assert_false(release_key_verify(&keys, (enum release_kind)kind, SLICE_LITERAL("message"),
                                        slice_of(signature, size - 1)));
        assert_false(release_key_verify(&keys, (enum release_kind)kind, SLICE_LITERAL("message"),
                                        slice_of(signature, size + 1)));
        assert_false(release_key_verify(&keys, (enum release_kind)kind, SLICE_LITERAL("message"),
                                        slice_of(nullptr, 0)));
        signature[size / 2] ^= 1;
        assert_false(release_key_verify(&keys, (enum release_kind)kind, SLICE_LITERAL("message"),
                                        slice_of(signature, size)));
    }
    release_keys_deinit(&keys);
}

static void names_are_those_of_the_table(void **state) {
    (void)state;
    assert_string_equal(release_kind_name(RELEASE_KIND_ED25519), "ED25519");
    assert_string_equal(release_kind_name(RELEASE_KIND_MLDSA65), "ML-DSA-65");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(both_required_keys_must_be_there),
        cmocka_unit_test(a_signature_fits_its_own_kind_message_and_length),
        cmocka_unit_test(names_are_those_of_the_table),
    };
    return cmocka_run_group_tests(tests, make_pairs, free_pairs);
}
