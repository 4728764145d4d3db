/* SPDX-License-Identifier: Apache-2.0
 *
 * Hybrid key encapsulation with the known answers of tests/vectors/hybrid_kem.txt.
 */
#include "crypto/hybrid_kem.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "codec/text.h"
#include "crypto/hash.h"
#include "sys/file.h"

static struct error err;

static struct slice slice_of_share(const struct hybrid_kem_share *share) {
    return slice_of(share->bytes, share->size);
}

static struct secret *secret_of(const uint8_t *bytes, size_t size) {
    struct secret *secret = nullptr;
    assert_true(status_is_ok(secret_new(size, &secret, &err)));
    memcpy(secret_data(secret), bytes, size);
    return secret;
}

struct known {
    enum hybrid_kem kem;
    size_t seed_size;
    uint8_t seed[96];
    uint8_t random[HYBRID_KEM_RANDOM_BYTES];
    struct digest public_share;
    struct digest ciphertext;
    struct digest secret;
};

static bool field(struct slice line, const char *word, struct slice *ret_rest) {
    struct slice start = slice_of_string(word);
    *ret_rest = slice_starts_with(line, start)
                    ? slice_of(line.data + start.size, line.size - start.size)
                    : slice_of(nullptr, 0);
    return ret_rest->size > 0;
}

/* False at the end; `secret` is a case's last field. */
static bool next_known(struct cursor *cursor, struct known *ret) {
    while (cursor_remaining(cursor) > 0) {
        struct slice rest;
        struct slice line = cursor_until(cursor, '\n');
        char name[64] = "";
        if (field(line, "row ", &rest)) {
            (void)snprintf(name, sizeof name, "%.*s", (int)rest.size, (const char *)rest.data);
            ret->kem = hybrid_kem_find(name);
            assert_true(ret->kem < HYBRID_KEM_COUNT);
        } else if (field(line, "seed ", &rest)) {
            ret->seed_size = hybrid_kem_sizes(ret->kem).seed_bytes;
            assert_true(text_unhex(rest, ret->seed, ret->seed_size));
        } else if (field(line, "random ", &rest)) {
            assert_true(text_unhex(rest, ret->random, sizeof ret->random));
        } else if (field(line, "public ", &rest)) {
            assert_true(text_unhex(rest, ret->public_share.bytes, DIGEST_BYTES));
        } else if (field(line, "ciphertext ", &rest)) {
            assert_true(text_unhex(rest, ret->ciphertext.bytes, DIGEST_BYTES));
        } else if (field(line, "secret ", &rest)) {
            assert_true(text_unhex(rest, ret->secret.bytes, DIGEST_BYTES));
            return true;
        }
    }
    return false;
}

/* Consumes `secret`. */
static void check_secret(struct secret *secret, const struct digest *expected) {
    assert_int_equal(secret_size(secret), HYBRID_KEM_SECRET_BYTES);
    assert_memory_equal(secret_data(secret), expected->bytes, HYBRID_KEM_SECRET_BYTES);
    secret_free(secret);
}

static void check_digest(const struct hybrid_kem_share *share, const struct digest *expected) {
    struct digest is;
    sha256_of(slice_of_share(share), &is);
    assert_true(digest_equal(&is, expected));
}

static void check_known(const struct known *known) {
    struct hybrid_kem_share share;
    struct hybrid_kem_share ciphertext;
    struct hybrid_kem_key *key = nullptr;
    struct secret *sent = nullptr;
    struct secret *got = nullptr;
    struct secret *seed = secret_of(known->seed, known->seed_size);
    struct secret *random = secret_of(known->random, sizeof known->random);
    assert_true(status_is_ok(hybrid_kem_key_from(known->kem, seed, &key, &err)));
    hybrid_kem_key_public(key, &share);
    check_digest(&share, &known->public_share);
    assert_true(status_is_ok(hybrid_kem_encapsulate_from(known->kem, slice_of_share(&share), random,
                                                         &ciphertext, &sent, &err)));
    check_digest(&ciphertext, &known->ciphertext);
    check_secret(sent, &known->secret);
    assert_true(status_is_ok(hybrid_kem_decapsulate(key, slice_of_share(&ciphertext), &got, &err)));
    check_secret(got, &known->secret);
    secret_free(random);
    secret_free(seed);
    hybrid_kem_key_free(key);
}

static void known_answers(void **state) {
    (void)state;
    char path[4096];
    bool found = false;
    struct builder text;
    struct known known = {};
    unsigned counts[HYBRID_KEM_COUNT] = {};
    (void)snprintf(path, sizeof path, "%s/tests/vectors", getenv("AIRLOCK_SOURCE_DIR"));
    int folder = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    assert_true(folder >= 0);
    builder_init(&text, 1 << 20);
    assert_true(status_is_ok(file_read(folder, "hybrid_kem.txt", &text, &found, &err)) && found);
    (void)close(folder);
    struct cursor cursor = cursor_of(builder_slice(&text));
    while (next_known(&cursor, &known)) {
        check_known(&known);
        counts[known.kem]++;
    }
    assert_int_equal(counts[HYBRID_KEM_XWING], 3);
    assert_int_equal(counts[HYBRID_KEM_MLKEM768_X25519], 2);
    assert_int_equal(counts[HYBRID_KEM_MLKEM1024_X25519], 2);
    builder_deinit(&text);
}

static void rows_are_found_by_name(void **state) {
    (void)state;
    for (unsigned kem = 0; kem < HYBRID_KEM_COUNT; kem++) {
        assert_int_equal(hybrid_kem_find(hybrid_kem_sizes((enum hybrid_kem)kem).name), kem);
    }
    assert_int_equal(hybrid_kem_find("x-wing"), HYBRID_KEM_COUNT);
    assert_int_equal(hybrid_kem_find(""), HYBRID_KEM_COUNT);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(known_answers),
        cmocka_unit_test(rows_are_found_by_name),
    };
    return cmocka_run_group_tests(tests, nullptr, nullptr);
}
