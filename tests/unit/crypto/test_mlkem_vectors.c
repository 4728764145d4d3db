/* SPDX-License-Identifier: Apache-2.0
 *
 * ML-KEM and X25519 with Wycheproof's cases (Apache-2.0; those of ML-KEM are made from FIPS 203 and
 * of CCTV), and X-Wing with those of the HPKE drafts, found through AIRLOCK_VECTORS; without it the
 * tests say that they were skipped.
 */
#include "crypto/hybrid_kem.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "codec/json.h"
#include "codec/text.h"
#include "sys/file.h"

enum { FILE_BYTES_MAX = 16 << 20 };

static struct error err;
static unsigned cases;
static unsigned refused; /* how many of them were to be refused, and were */

struct bytes {
    size_t size;
    uint8_t data[4096];
};

static struct slice slice_of_bytes(const struct bytes *bytes) {
    return slice_of(bytes->data, bytes->size);
}

static void get_bytes(const struct json *test, const char *name, struct bytes *ret) {
    const char *hex = json_get_text(test, name);
    assert_non_null(hex);
    ret->size = strlen(hex) / 2;
    assert_true(ret->size <= sizeof ret->data);
    assert_true(text_unhex(slice_of_string(hex), ret->data, ret->size));
}

/* `valid` and `acceptable` are two things; nothing here is both. */
static bool result_is(const struct json *test, const char *result) {
    const char *said = json_get_text(test, "result");
    assert_non_null(said);
    return strcmp(said, result) == 0;
}

static struct json *load(const char *folder_name, const char *name) {
    const char *vectors = getenv("AIRLOCK_VECTORS");
    char path[4096];
    if (vectors == nullptr) {
        print_message("# AIRLOCK_VECTORS is not set: the outside cases were NOT run\n");
        skip();
    }
    struct builder text;
    struct json *document = nullptr;
    bool found = false;
    int folder = -1;
    (void)snprintf(path, sizeof path, "%s/%s", vectors, folder_name);
    assert_true(status_is_ok(file_open_folder(-1, path, false, 0, &folder, &err)));
    builder_init(&text, FILE_BYTES_MAX);
    assert_true(status_is_ok(file_read(folder, name, &text, &found, &err)) && found);
    (void)close(folder);
    assert_true(status_is_ok(json_parse(builder_slice(&text), name, &document, &err)));
    builder_deinit(&text);
    cases = 0;
    refused = 0;
    return document;
}

typedef void run_case(enum mlkem_set set, const struct json *test);

static void run_file(const char *name, enum mlkem_set set, run_case *run) {
    CLEANUP(json_freep) struct json *document = load("wycheproof", name);
    const struct json *groups = json_get(document, "testGroups");
    int64_t said = 0;
    for (size_t i = 0; i < json_array_count(groups); i++) {
        const struct json *tests = json_get(json_array_at(groups, i), "tests");
        for (size_t j = 0; j < json_array_count(tests); j++) {
            run(set, json_array_at(tests, j));
            cases++;
        }
    }
    print_message("# %s: %u cases, %u of them refused\n", name, cases, refused);
    assert_true(json_get_integer(document, "numberOfTests", &said));
    assert_int_equal(cases, said);
}

/* A seed gives the public key; the decapsulation key gives the same one, and is refused with one
 * bit flipped in the public key or its hash. */
static void keygen_case(enum mlkem_set set, const struct json *test) {
    static struct bytes seed, expected, private_key;
    uint8_t public_key[MLKEM_PUBLIC_BYTES_MAX];
    get_bytes(test, "seed", &seed);
    get_bytes(test, "ek", &expected);
    get_bytes(test, "dk", &private_key);
    assert_true(result_is(test, "valid"));
    assert_true(status_is_ok(mlkem_public(set, slice_of_bytes(&seed), public_key, &err)));
    assert_memory_equal(public_key, expected.data, expected.size);
    assert_true(status_is_ok(mlkem_public(set, slice_of_bytes(&private_key), public_key, &err)));
    assert_memory_equal(public_key, expected.data, expected.size);
    size_t hash_at = private_key.size - 64;
    size_t inside_at = hash_at - expected.size;
    const size_t places[] = {inside_at, inside_at + expected.size - 1, hash_at, hash_at + 31};
    for (size_t i = 0; i < sizeof places / sizeof places[0]; i++) {
        private_key.data[places[i]] ^= 1;
        assert_false(status_is_ok(mlkem_check_private(set, slice_of_bytes(&private_key), &err)));
        assert_int_equal(err.code, ERROR_KEY_EXCHANGE);
        assert_false(
            status_is_ok(mlkem_public(set, slice_of_bytes(&private_key), public_key, &err)));
        private_key.data[places[i]] ^= 1;
        refused++;
    }
}

static void encapsulation_case(enum mlkem_set set, const struct json *test) {
    static struct bytes public_key, random, expected, secret;
    uint8_t ciphertext[MLKEM_CIPHERTEXT_BYTES_MAX];
    uint8_t shared[MLKEM_SECRET_BYTES];
    get_bytes(test, "ek", &public_key);
    get_bytes(test, "m", &random);
    assert_int_equal(random.size, MLKEM_RANDOM_BYTES);
    bool done = status_is_ok(
        mlkem_encapsulate(set, slice_of_bytes(&public_key), random.data, ciphertext, shared, &err));
    assert_int_equal(done, result_is(test, "valid"));
    if (!done) {
        assert_int_equal(err.code, ERROR_KEY_EXCHANGE);
        refused++;
        return;
    }
    get_bytes(test, "c", &expected);
    get_bytes(test, "K", &secret);
    assert_int_equal(expected.size, mlkem_sizes(set)->ciphertext_bytes);
    assert_memory_equal(ciphertext, expected.data, expected.size);
    assert_memory_equal(shared, secret.data, MLKEM_SECRET_BYTES);
}

static void decapsulation_case(enum mlkem_set set, const struct json *test) {
    static struct bytes seed, ciphertext, secret, public_key;
    uint8_t shared[MLKEM_SECRET_BYTES];
    uint8_t made[MLKEM_PUBLIC_BYTES_MAX];
    get_bytes(test, "seed", &seed);
    get_bytes(test, "c", &ciphertext);
    bool done = status_is_ok(
        mlkem_decapsulate(set, slice_of_bytes(&seed), slice_of_bytes(&ciphertext), shared, &err));
    assert_int_equal(done, result_is(test, "valid"));
    if (!done) {
        refused++;
        return;
    }
    get_bytes(test, "K", &secret);
    get_bytes(test, "ek", &public_key);
    assert_memory_equal(shared, secret.data, MLKEM_SECRET_BYTES);
    assert_true(status_is_ok(mlkem_public(set, slice_of_bytes(&seed), made, &err)));
    assert_memory_equal(made, public_key.data, public_key.size);
}

/* What Wycheproof calls acceptable is computed as RFC 7748 says, but for a result of zeros. */
static void x25519_case([[maybe_unused]] enum mlkem_set set, const struct json *test) {
    static const uint8_t zeros[X25519_BYTES];
    static struct bytes public_key, private_key, expected;
    uint8_t shared[X25519_BYTES];
    get_bytes(test, "public", &public_key);
    get_bytes(test, "private", &private_key);
    get_bytes(test, "shared", &expected);
    assert_int_equal(public_key.size, X25519_BYTES);
    assert_int_equal(private_key.size, X25519_BYTES);
    bool is_zero = memcmp(expected.data, zeros, sizeof zeros) == 0;
    bool done = status_is_ok(x25519_derive(private_key.data, public_key.data, shared, &err));
    assert_int_equal(done, !is_zero);
    if (done) {
        assert_memory_equal(shared, expected.data, X25519_BYTES);
        return;
    }
    assert_int_equal(err.code, ERROR_KEY_EXCHANGE);
    assert_false(result_is(test, "valid"));
    refused++;
}

static void mlkem_keys(void **state) {
    (void)state;
    run_file("mlkem_768_keygen_seed_test.json", MLKEM_768, keygen_case);
    run_file("mlkem_1024_keygen_seed_test.json", MLKEM_1024, keygen_case);
}

static void mlkem_encapsulation(void **state) {
    (void)state;
    run_file("mlkem_768_encaps_test.json", MLKEM_768, encapsulation_case);
    assert_true(refused >= 12);
    run_file("mlkem_1024_encaps_test.json", MLKEM_1024, encapsulation_case);
    assert_true(refused >= 16);
}

static void mlkem_decapsulation(void **state) {
    (void)state;
    run_file("mlkem_768_test.json", MLKEM_768, decapsulation_case);
    run_file("mlkem_1024_test.json", MLKEM_1024, decapsulation_case);
}

static void x25519_exchange(void **state) {
    (void)state;
    run_file("x25519_test.json", MLKEM_768, x25519_case);
    assert_true(refused >= 30);
}

static struct secret *secret_of(const struct bytes *bytes) {
    struct secret *secret = nullptr;
    assert_true(status_is_ok(secret_new(bytes->size, &secret, &err)));
    memcpy(secret_data(secret), bytes->data, bytes->size);
    return secret;
}

/* skRm is the seed, ikmE what the sender drew; enc and shared_secret are the outcome. */
static void hpke_case(const struct json *test) {
    static struct bytes seed, random, public_key, ciphertext, expected;
    struct hybrid_kem_key *key = nullptr;
    struct hybrid_kem_share share;
    struct hybrid_kem_share made;
    struct secret *sent = nullptr;
    struct secret *got = nullptr;
    get_bytes(test, "skRm", &seed);
    get_bytes(test, "pkRm", &public_key);
    get_bytes(test, "ikmE", &random);
    get_bytes(test, "enc", &ciphertext);
    get_bytes(test, "shared_secret", &expected);
    struct secret *kept = secret_of(&seed);
    struct secret *drawn = secret_of(&random);
    assert_true(status_is_ok(hybrid_kem_key_from(HYBRID_KEM_XWING, kept, &key, &err)));
    hybrid_kem_key_public(key, &share);
    assert_int_equal(share.size, public_key.size);
    assert_memory_equal(share.bytes, public_key.data, public_key.size);
    assert_true(status_is_ok(hybrid_kem_encapsulate_from(
        HYBRID_KEM_XWING, slice_of_bytes(&public_key), drawn, &made, &sent, &err)));
    assert_int_equal(made.size, ciphertext.size);
    assert_memory_equal(made.bytes, ciphertext.data, ciphertext.size);
    assert_memory_equal(secret_data(sent), expected.data, HYBRID_KEM_SECRET_BYTES);
    assert_true(status_is_ok(hybrid_kem_decapsulate(key, slice_of_bytes(&ciphertext), &got, &err)));
    assert_memory_equal(secret_data(got), expected.data, HYBRID_KEM_SECRET_BYTES);
    secret_free(got);
    secret_free(sent);
    secret_free(drawn);
    secret_free(kept);
    hybrid_kem_key_free(key);
}

static void xwing_in_hpke(void **state) {
    (void)state;
    CLEANUP(json_freep) struct json *document = load("hpke", "hpke-pq.json");
    for (size_t i = 0; i < json_array_count(document); i++) {
        const struct json *test = json_array_at(document, i);
        int64_t kem = 0;
        if (json_get_integer(test, "kem_id", &kem) && kem == 0x647a) {
            hpke_case(test);
            cases++;
        }
    }
    print_message("# hpke-pq.json: %u cases of X-Wing\n", cases);
    assert_int_equal(cases, 2);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(mlkem_encapsulation), cmocka_unit_test(mlkem_keys),
        cmocka_unit_test(mlkem_decapsulation), cmocka_unit_test(x25519_exchange),
        cmocka_unit_test(xwing_in_hpke),
    };
    return cmocka_run_group_tests(tests, nullptr, nullptr);
}
