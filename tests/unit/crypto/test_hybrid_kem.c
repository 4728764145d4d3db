/* SPDX-License-Identifier: Apache-2.0
 *
 * Hybrid key encapsulation: what must be refused, what must differ, and that a key is used
 * once.
 */
#include "crypto/hybrid_kem.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "codec/text.h"
#include "crypto/hash.h"

static struct error err;

static struct slice slice_of_share(const struct hybrid_kem_share *share) {
    return slice_of(share->bytes, share->size);
}

static struct secret *secret_of(struct slice bytes) {
    struct secret *secret = nullptr;
    assert_true(status_is_ok(secret_new(bytes.size, &secret, &err)));
    memcpy(secret_data(secret), bytes.data, bytes.size);
    return secret;
}

static struct hybrid_kem_key *key_from(enum hybrid_kem kem, struct slice bytes) {
    struct hybrid_kem_key *key = nullptr;
    struct secret *secret = secret_of(bytes);
    assert_true(status_is_ok(hybrid_kem_key_from(kem, secret, &key, &err)));
    secret_free(secret);
    return key;
}

/* A key pair that is the same every time, and a ciphertext for it with its secret. */
struct pair {
    struct hybrid_kem_key *key;
    struct hybrid_kem_share public_share;
    struct hybrid_kem_share ciphertext;
    struct digest secret;
};

static void take_secret(struct secret *secret, struct digest *ret) {
    assert_int_equal(secret_size(secret), HYBRID_KEM_SECRET_BYTES);
    memcpy(ret->bytes, secret_data(secret), HYBRID_KEM_SECRET_BYTES);
    secret_free(secret);
}

static void pair_make(enum hybrid_kem kem, struct pair *ret) {
    uint8_t seed[96];
    struct secret *secret = nullptr;
    memset(seed, 0x37, sizeof seed);
    ret->key = key_from(kem, slice_of(seed, hybrid_kem_sizes(kem).seed_bytes));
    hybrid_kem_key_public(ret->key, &ret->public_share);
    assert_true(status_is_ok(hybrid_kem_encapsulate(kem, slice_of_share(&ret->public_share),
                                                    &ret->ciphertext, &secret, &err)));
    take_secret(secret, &ret->secret);
}

/* What a key makes of a ciphertext; false when it is refused, with `err` set. */
static bool opens(struct hybrid_kem_key *key, struct slice ciphertext, struct digest *ret) {
    struct secret *secret = nullptr;
    if (!status_is_ok(hybrid_kem_decapsulate(key, ciphertext, &secret, &err))) {
        assert_null(secret);
        assert_int_equal(err.code, ERROR_KEY_EXCHANGE);
        return false;
    }
    take_secret(secret, ret);
    return true;
}

/* A fresh copy of the key of pair_make(), because each is used once. */
static bool opens_again(enum hybrid_kem kem, struct slice ciphertext, struct digest *ret) {
    uint8_t seed[96];
    memset(seed, 0x37, sizeof seed);
    struct hybrid_kem_key *key = key_from(kem, slice_of(seed, hybrid_kem_sizes(kem).seed_bytes));
    bool is = opens(key, ciphertext, ret);
    hybrid_kem_key_free(key);
    return is;
}

static bool seals(enum hybrid_kem kem, struct slice public_share) {
    struct hybrid_kem_share ciphertext;
    struct secret *secret = nullptr;
    memset(&ciphertext, 0xee, sizeof ciphertext);
    bool is = status_is_ok(hybrid_kem_encapsulate(kem, public_share, &ciphertext, &secret, &err));
    if (!is) { /* nothing is handed out */
        assert_null(secret);
        assert_int_equal(ciphertext.size, 0xeeee);
        assert_int_equal(err.code, ERROR_KEY_EXCHANGE);
    }
    secret_free(secret);
    return is;
}

static void every_wrong_length_is_refused(void **state) {
    (void)state;
    static uint8_t bytes[HYBRID_KEM_SHARE_BYTES_MAX + 64];
    for (unsigned kem = 0; kem < HYBRID_KEM_COUNT; kem++) {
        struct hybrid_kem_sizes sizes = hybrid_kem_sizes((enum hybrid_kem)kem);
        for (size_t size = 0; size <= sizeof bytes; size++) {
            if (size != sizes.public_bytes) {
                assert_false(seals((enum hybrid_kem)kem, slice_of(bytes, size)));
            }
        }
    }
}

static void every_truncated_ciphertext_is_refused(void **state) {
    (void)state;
    struct digest secret;
    for (unsigned kem = 0; kem < HYBRID_KEM_COUNT; kem++) {
        struct pair pair;
        pair_make((enum hybrid_kem)kem, &pair);
        struct slice whole = slice_of_share(&pair.ciphertext);
        for (size_t size = 0; size < whole.size; size += size < 40 ? 1 : 31) {
            assert_false(opens_again((enum hybrid_kem)kem, slice_of(whole.data, size), &secret));
        }
        static uint8_t longer[HYBRID_KEM_SHARE_BYTES_MAX + 1];
        memcpy(longer, whole.data, whole.size);
        assert_false(opens_again((enum hybrid_kem)kem, slice_of(longer, whole.size + 1), &secret));
        assert_false(opens_again((enum hybrid_kem)kem, slice_of(longer, whole.size - 1), &secret));
        hybrid_kem_key_free(pair.key);
    }
}

static void a_private_key_of_a_wrong_length_is_refused(void **state) {
    (void)state;
    for (unsigned kem = 0; kem < HYBRID_KEM_COUNT; kem++) {
        struct hybrid_kem_sizes sizes = hybrid_kem_sizes((enum hybrid_kem)kem);
        for (size_t size = 1; size <= SECRET_BYTES_MAX; size += size < 130 ? 1 : 3) {
            struct hybrid_kem_key *key = nullptr;
            struct secret *secret = nullptr;
            if (size == sizes.seed_bytes || size == sizes.expanded_bytes) {
                continue;
            }
            assert_true(status_is_ok(secret_new(size, &secret, &err)));
            assert_false(
                status_is_ok(hybrid_kem_key_from((enum hybrid_kem)kem, secret, &key, &err)));
            assert_int_equal(err.code, ERROR_KEY_EXCHANGE);
            assert_null(key);
            secret_free(secret);
        }
    }
}

/* FIPS 203, section 7.2: 3329 at any place of the public key. */
static void a_coefficient_past_the_modulus_is_refused(void **state) {
    (void)state;
    for (unsigned kem = 0; kem < HYBRID_KEM_COUNT; kem++) {
        struct pair pair;
        pair_make((enum hybrid_kem)kem, &pair);
        size_t coefficients = pair.public_share.size - X25519_BYTES - 32;
        for (size_t at = 0; at < coefficients; at += 3) {
            struct hybrid_kem_share changed = pair.public_share;
            bool is_first = (at / 3) % 2 == 0;
            if (is_first) { /* 3329 = 0xd01 in the low 12 bits */
                changed.bytes[at] = 0x01;
                changed.bytes[at + 1] = (uint8_t)((changed.bytes[at + 1] & 0xf0) | 0x0d);
            } else {
                changed.bytes[at + 1] = (uint8_t)((changed.bytes[at + 1] & 0x0f) | 0x10);
                changed.bytes[at + 2] = 0xd0;
            }
            assert_false(seals((enum hybrid_kem)kem, slice_of_share(&changed)));
        }
        struct hybrid_kem_share largest = pair.public_share; /* 3328 = 0xd00 is one */
        largest.bytes[0] = 0x00;
        largest.bytes[1] = (uint8_t)((largest.bytes[1] & 0xf0) | 0x0d);
        assert_true(seals((enum hybrid_kem)kem, slice_of_share(&largest)));
        hybrid_kem_key_free(pair.key);
    }
}

/* The points of small order, each in its canonical spelling and with the top bit set. */
static const char *const SMALL_ORDER[] = {
    "0000000000000000000000000000000000000000000000000000000000000000",
    "0100000000000000000000000000000000000000000000000000000000000000",
    "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    "e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800",
    "5f9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f1157",
};

static void an_x25519_key_of_small_order_is_refused(void **state) {
    (void)state;
    struct digest secret;
    for (unsigned kem = 0; kem < HYBRID_KEM_COUNT; kem++) {
        struct pair pair;
        pair_make((enum hybrid_kem)kem, &pair);
        for (unsigned i = 0; i < 2 * (sizeof SMALL_ORDER / sizeof SMALL_ORDER[0]); i++) {
            uint8_t point[X25519_BYTES];
            assert_true(text_unhex(slice_of_string(SMALL_ORDER[i / 2]), point, sizeof point));
            point[31] |= i % 2 == 0 ? 0 : 0x80;
            struct hybrid_kem_share share = pair.public_share;
            memcpy(share.bytes + share.size - X25519_BYTES, point, sizeof point);
            assert_false(seals((enum hybrid_kem)kem, slice_of_share(&share)));
            share = pair.ciphertext;
            memcpy(share.bytes + share.size - X25519_BYTES, point, sizeof point);
            assert_false(opens_again((enum hybrid_kem)kem, slice_of_share(&share), &secret));
        }
        hybrid_kem_key_free(pair.key);
    }
}

static void both_sides_have_one_secret(void **state) {
    (void)state;
    struct digest before = {};
    for (unsigned kem = 0; kem < HYBRID_KEM_COUNT; kem++) {
        struct hybrid_kem_sizes sizes = hybrid_kem_sizes((enum hybrid_kem)kem);
        for (unsigned i = 0; i < 8; i++) {
            struct hybrid_kem_key *key = nullptr;
            struct hybrid_kem_share share;
            struct hybrid_kem_share ciphertext;
            struct secret *secret = nullptr;
            struct digest sent;
            struct digest got;
            assert_true(status_is_ok(hybrid_kem_keygen((enum hybrid_kem)kem, &key, &err)));
            hybrid_kem_key_public(key, &share);
            assert_int_equal(share.size, sizes.public_bytes);
            assert_true(status_is_ok(hybrid_kem_encapsulate(
                (enum hybrid_kem)kem, slice_of_share(&share), &ciphertext, &secret, &err)));
            assert_int_equal(ciphertext.size, sizes.ciphertext_bytes);
            take_secret(secret, &sent);
            assert_true(opens(key, slice_of_share(&ciphertext), &got));
            assert_true(digest_equal(&sent, &got));
            assert_false(digest_equal(&sent, &before)); /* and another one every time */
            before = sent;
            hybrid_kem_key_free(key);
        }
    }
}

/* No byte of the ciphertext can be changed without the secret becoming another one, or none. */
static void a_changed_ciphertext_gives_another_secret(void **state) {
    (void)state;
    for (unsigned kem = 0; kem < HYBRID_KEM_COUNT; kem++) {
        struct pair pair;
        pair_make((enum hybrid_kem)kem, &pair);
        struct digest secret;
        assert_true(opens(pair.key, slice_of_share(&pair.ciphertext), &secret));
        assert_true(digest_equal(&secret, &pair.secret));
        size_t x25519_at = pair.ciphertext.size - X25519_BYTES;
        for (size_t at = 0; at < pair.ciphertext.size; at += at < x25519_at - 8 ? 7 : 1) {
            struct hybrid_kem_share changed = pair.ciphertext;
            changed.bytes[at] ^= (uint8_t)(1U << at % 8);
            if (opens_again((enum hybrid_kem)kem, slice_of_share(&changed), &secret)) {
                assert_false(digest_equal(&secret, &pair.secret));
            }
        }
        /* X25519 does not look at the top bit, but the secret depends on the bytes as they came. */
        struct hybrid_kem_share top = pair.ciphertext;
        top.bytes[top.size - 1] ^= 0x80;
        assert_true(opens_again((enum hybrid_kem)kem, slice_of_share(&top), &secret));
        assert_false(digest_equal(&secret, &pair.secret));
        hybrid_kem_key_free(pair.key);
    }
}

/* A public share that was changed on its way: the receiver's secret is another one. */
static void a_changed_public_share_gives_another_secret(void **state) {
    (void)state;
    for (unsigned kem = 0; kem < HYBRID_KEM_COUNT; kem++) {
        struct pair pair;
        pair_make((enum hybrid_kem)kem, &pair);
        for (size_t at = 0; at < pair.public_share.size; at += 53) {
            struct hybrid_kem_share changed = pair.public_share;
            struct hybrid_kem_share ciphertext;
            struct secret *secret = nullptr;
            struct digest sent;
            struct digest got;
            changed.bytes[at] ^= 1;
            if (!status_is_ok(hybrid_kem_encapsulate((enum hybrid_kem)kem, slice_of_share(&changed),
                                                     &ciphertext, &secret, &err))) {
                assert_int_equal(err.code, ERROR_KEY_EXCHANGE);
                continue;
            }
            take_secret(secret, &sent);
            assert_true(opens_again((enum hybrid_kem)kem, slice_of_share(&ciphertext), &got));
            assert_false(digest_equal(&sent, &got));
        }
        hybrid_kem_key_free(pair.key);
    }
}

/* The rows with ML-KEM-768 have the same lengths and take each other's shares; what comes of them
 * is never the same. */
static void rows_do_not_understand_each_other(void **state) {
    (void)state;
    uint8_t seed[SECRET_BYTES_MAX];
    memset(seed, 0x37, sizeof seed);
    struct digest secrets[HYBRID_KEM_COUNT] = {};
    struct hybrid_kem_share shares[HYBRID_KEM_COUNT];
    uint8_t random[HYBRID_KEM_RANDOM_BYTES] = {9};
    struct hybrid_kem_key *key = key_from(HYBRID_KEM_MLKEM768_X25519, slice_of(seed, 96));
    struct hybrid_kem_share share;
    hybrid_kem_key_public(key, &share);
    struct secret *handed = secret_of(slice_of(random, sizeof random));
    for (unsigned kem = HYBRID_KEM_MLKEM768_X25519; kem <= HYBRID_KEM_XWING; kem++) {
        struct secret *secret = nullptr;
        assert_true(status_is_ok(hybrid_kem_encapsulate_from(
            (enum hybrid_kem)kem, slice_of_share(&share), handed, &shares[kem], &secret, &err)));
        take_secret(secret, &secrets[kem]);
    }
    secret_free(handed);
    assert_true(slice_equal(slice_of_share(&shares[HYBRID_KEM_XWING]),
                            slice_of_share(&shares[HYBRID_KEM_MLKEM768_X25519])));
    assert_false(digest_equal(&secrets[HYBRID_KEM_XWING], &secrets[HYBRID_KEM_MLKEM768_X25519]));
    struct digest got;
    assert_true(opens(key, slice_of_share(&shares[HYBRID_KEM_XWING]), &got));
    assert_true(digest_equal(&got, &secrets[HYBRID_KEM_MLKEM768_X25519]));
    hybrid_kem_key_free(key);
    struct pair pair;
    pair_make(HYBRID_KEM_MLKEM768_X25519, &pair);
    assert_false(seals(HYBRID_KEM_MLKEM1024_X25519, slice_of_share(&pair.public_share)));
    assert_false(opens_again(HYBRID_KEM_MLKEM1024_X25519, slice_of_share(&pair.ciphertext), &got));
    hybrid_kem_key_free(pair.key);
}

static void a_key_is_used_once_whatever_came_of_it(void **state) {
    (void)state;
    struct digest got;
    for (unsigned kem = 0; kem < HYBRID_KEM_COUNT; kem++) {
        struct pair pair;
        struct pair other;
        pair_make((enum hybrid_kem)kem, &pair);
        pair_make((enum hybrid_kem)kem, &other);
        struct slice good = slice_of_share(&pair.ciphertext);
        assert_true(opens(pair.key, good, &got));
        assert_false(opens(pair.key, good, &got));
        assert_non_null(strstr(err.message, "used before"));
        assert_false(opens(other.key, slice_of(good.data, good.size - 1), &got)); /* a bad one */
        assert_false(opens(other.key, slice_of_share(&other.ciphertext), &got));
        assert_non_null(strstr(err.message, "used before"));
        hybrid_kem_key_free(pair.key);
        hybrid_kem_key_free(other.key);
    }
}

struct race {
    struct pair pair;
    atomic_uint opened;
    atomic_bool go;
};

static void *race_thread(void *context) {
    struct race *race = context;
    struct error failed;
    struct secret *secret = nullptr;
    while (!atomic_load(&race->go)) {
    }
    if (status_is_ok(hybrid_kem_decapsulate(race->pair.key, slice_of_share(&race->pair.ciphertext),
                                            &secret, &failed))) {
        atomic_fetch_add(&race->opened, 1);
    }
    secret_free(secret);
    return nullptr;
}

static void of_threads_that_use_a_key_one_succeeds(void **state) {
    (void)state;
    for (unsigned round = 0; round < 20; round++) {
        static struct race race;
        pthread_t threads[4];
        race = (struct race){};
        pair_make(HYBRID_KEM_XWING, &race.pair);
        for (unsigned i = 0; i < 4; i++) {
            assert_int_equal(pthread_create(&threads[i], nullptr, race_thread, &race), 0);
        }
        atomic_store(&race.go, true);
        for (unsigned i = 0; i < 4; i++) {
            assert_int_equal(pthread_join(threads[i], nullptr), 0);
        }
        assert_int_equal(atomic_load(&race.opened), 1);
        hybrid_kem_key_free(race.pair.key);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_wrong_length_is_refused),
        cmocka_unit_test(every_truncated_ciphertext_is_refused),
        cmocka_unit_test(a_private_key_of_a_wrong_length_is_refused),
        cmocka_unit_test(a_coefficient_past_the_modulus_is_refused),
        cmocka_unit_test(an_x25519_key_of_small_order_is_refused),
        cmocka_unit_test(a_changed_ciphertext_gives_another_secret),
        cmocka_unit_test(a_changed_public_share_gives_another_secret),
        cmocka_unit_test(rows_do_not_understand_each_other),
        cmocka_unit_test(a_key_is_used_once_whatever_came_of_it),
        cmocka_unit_test(of_threads_that_use_a_key_one_succeeds),
        cmocka_unit_test(both_sides_have_one_secret),
    };
    return cmocka_run_group_tests(tests, nullptr, nullptr);
}
