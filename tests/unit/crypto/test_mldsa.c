/* SPDX-License-Identifier: Apache-2.0
 *
 * ML-DSA-44 with cases of Wycheproof (tests/vectors/mldsa44.txt), and with itself.
 */
#include "crypto/mldsa.h"

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
#include "sys/file.h"

static struct error err;

struct vector {
    uint8_t public_key[MLDSA44_PUBLIC_BYTES];
    uint8_t signature[MLDSA44_SIGNATURE_BYTES];
    uint8_t message[64];
    size_t message_size;
    bool is_valid;
};

static bool starts(struct slice line, const char *word, struct slice *ret_rest) {
    struct slice start = slice_of_string(word);
    *ret_rest = slice_starts_with(line, start)
                    ? slice_of(line.data + start.size, line.size - start.size)
                    : slice_of(nullptr, 0);
    return ret_rest->size > 0;
}

/* The fields of the next case up to its signature, which is the last; false at the end. */
static bool next_case(struct cursor *cursor, struct vector *vector) {
    while (cursor_remaining(cursor) > 0) {
        struct slice rest;
        struct slice line = cursor_until(cursor, '\n');
        if (starts(line, "expect ", &rest)) {
            vector->is_valid = slice_equal(rest, SLICE_LITERAL("valid"));
        } else if (starts(line, "public ", &rest)) {
            assert_true(text_unhex(rest, vector->public_key, sizeof vector->public_key));
        } else if (starts(line, "message ", &rest)) {
            vector->message_size = rest.size / 2;
            assert_true(vector->message_size <= sizeof vector->message);
            assert_true(text_unhex(rest, vector->message, vector->message_size));
        } else if (starts(line, "signature ", &rest)) {
            assert_true(text_unhex(rest, vector->signature, sizeof vector->signature));
            return true;
        }
    }
    return false;
}

static bool verifies(const struct vector *vector) {
    return mldsa44_verify(vector->public_key, slice_of(vector->message, vector->message_size),
                          vector->signature);
}

static void vectors_open(struct builder *ret_text) {
    char path[4096];
    bool found = false;
    (void)snprintf(path, sizeof path, "%s/tests/vectors", getenv("AIRLOCK_SOURCE_DIR"));
    int folder = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    assert_true(folder >= 0);
    builder_init(ret_text, 1 << 20);
    assert_true(status_is_ok(file_read(folder, "mldsa44.txt", ret_text, &found, &err)));
    assert_true(found);
    (void)close(folder);
}

static void outside_cases_are_judged_as_they_should_be(void **state) {
    (void)state;
    struct builder text;
    static struct vector vector;
    unsigned valid = 0;
    unsigned invalid = 0;
    vectors_open(&text);
    struct cursor cursor = cursor_of(builder_slice(&text));
    while (next_case(&cursor, &vector)) {
        assert_int_equal(verifies(&vector), vector.is_valid);
        valid += vector.is_valid;
        invalid += !vector.is_valid;
    }
    assert_int_equal(valid, 4);
    assert_int_equal(invalid, 6);
    builder_deinit(&text);
}

/* One bit in each eighth byte of the signature, the message and the key. */
static void a_flipped_bit_is_seen(void **state) {
    (void)state;
    struct builder text;
    static struct vector vector;
    vectors_open(&text);
    struct cursor cursor = cursor_of(builder_slice(&text));
    assert_true(next_case(&cursor, &vector));
    assert_true(verifies(&vector));
    for (size_t i = 0; i < sizeof vector.signature; i += 8) {
        vector.signature[i] ^= 1;
        assert_false(verifies(&vector));
        vector.signature[i] ^= 1;
    }
    for (size_t i = 0; i < sizeof vector.public_key; i += 8) {
        vector.public_key[i] ^= 1;
        assert_false(verifies(&vector));
        vector.public_key[i] ^= 1;
    }
    for (size_t i = 0; i < vector.message_size; i++) {
        vector.message[i] ^= 1;
        assert_false(verifies(&vector));
        vector.message[i] ^= 1;
    }
    assert_true(verifies(&vector));
    builder_deinit(&text);
}

static void a_seed_makes_one_key_whose_signatures_verify(void **state) {
    (void)state;
    static const uint8_t SEED[2][MLDSA44_SEED_BYTES] = {{1}, {2}};
    uint8_t public_keys[3][MLDSA44_PUBLIC_BYTES];
    uint8_t signatures[2][MLDSA44_SIGNATURE_BYTES];
    struct slice message = slice_of_string("a checkpoint");
    for (size_t i = 0; i < 3; i++) {
        struct mldsa44_key *key;
        assert_true(status_is_ok(mldsa44_key_new(SEED[i % 2], &key, &err)));
        mldsa44_key_public(key, public_keys[i]);
        if (i == 0) {
            assert_true(status_is_ok(mldsa44_sign(key, message, signatures[0], &err)));
            assert_true(status_is_ok(mldsa44_sign(key, message, signatures[1], &err)));
        }
        mldsa44_key_freep(&key);
        assert_null(key);
    }
    assert_memory_equal(public_keys[0], public_keys[2], MLDSA44_PUBLIC_BYTES);
    assert_memory_not_equal(public_keys[0], public_keys[1], MLDSA44_PUBLIC_BYTES);
    assert_memory_not_equal(signatures[0], signatures[1], MLDSA44_SIGNATURE_BYTES); /* hedged */
    for (size_t i = 0; i < 2; i++) {
        assert_true(mldsa44_verify(public_keys[0], message, signatures[i]));
        assert_false(mldsa44_verify(public_keys[1], message, signatures[i]));
        assert_false(
            mldsa44_verify(public_keys[0], slice_of_string("a checkpoinT"), signatures[i]));
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(outside_cases_are_judged_as_they_should_be),
        cmocka_unit_test(a_flipped_bit_is_seen),
        cmocka_unit_test(a_seed_makes_one_key_whose_signatures_verify),
    };
    return cmocka_run_group_tests_name("mldsa", tests, nullptr, nullptr);
}
