/* SPDX-License-Identifier: Apache-2.0
 *
 * HMAC-SHA-256 with the cases of RFC 4231, and with Wycheproof's (Apache-2.0) where
 * AIRLOCK_VECTORS names them; without it the test says that it was skipped.
 */
#include "crypto/hmac.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "codec/json.h"
#include "codec/text.h"
#include "sys/file.h"

enum { BYTES_MAX = 4096 };

struct bytes {
    uint8_t data[BYTES_MAX];
    size_t size;
};

static void unhex(const char *text, struct bytes *ret) {
    assert_non_null(text);
    ret->size = strlen(text) / 2;
    assert_true(ret->size <= BYTES_MAX);
    assert_true(text_unhex(slice_of_string(text), ret->data, ret->size));
}

/* The first `size` bytes of the tag, which is how truncated tags are defined. */
static bool tag_is(const char *key_hex, const char *message_hex, const char *tag_hex) {
    static struct bytes key;
    static struct bytes message;
    static struct bytes expected;
    struct hmac_key prepared;
    struct digest tag;
    unhex(key_hex, &key);
    unhex(message_hex, &message);
    unhex(tag_hex, &expected);
    hmac_key_init(&prepared, slice_of(key.data, key.size));
    hmac_sha256(&prepared, slice_of(message.data, message.size), &tag);
    hmac_key_wipe(&prepared);
    assert_true(expected.size > 0 && expected.size <= DIGEST_BYTES);
    return memcmp(tag.bytes, expected.data, expected.size) == 0;
}

static void hex_of_repeated(uint8_t byte, size_t count, char *out) {
    for (size_t i = 0; i < count; i++) {
        (void)snprintf(out + 2 * i, 3, "%02x", byte);
    }
}

static void cases_of_rfc_4231(void **state) {
    (void)state;
    char key[263];
    char message[101];
    hex_of_repeated(0x0b, 20, key);
    assert_true(tag_is(key, "4869205468657265",
                       "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7"));
    assert_true(tag_is("4a656665", "7768617420646f2079612077616e7420666f72206e6f7468696e673f",
                       "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"));
    hex_of_repeated(0xaa, 20, key);
    hex_of_repeated(0xdd, 50, message);
    assert_true(
        tag_is(key, message, "773ea91e36800e46854db8ebd09181a72959098b3ef8c122d9635514ced565fe"));
    hex_of_repeated(0xcd, 50, message);
    assert_true(tag_is("0102030405060708090a0b0c0d0e0f10111213141516171819", message,
                       "82558a389a443c0ea4cc819899f2083a85f0faa3e578f8077a2e3ff46729665b"));
    hex_of_repeated(0x0c, 20, key);
    assert_true(tag_is(key, "546573742057697468205472756e636174696f6e",
                       "a3b6167473100ee06e0c796c2955552b"));
    hex_of_repeated(0xaa, 131, key);
    assert_true(tag_is(key,
                       "54657374205573696e67204c6172676572205468616e20426c6f636b2d53697a65204b6579"
                       "202d2048617368204b6579204669727374",
                       "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54"));
    assert_true(tag_is(key,
                       "5468697320697320612074657374207573696e672061206c6172676572207468616e20626c"
                       "6f636b2d73697a65206b657920616e642061206c6172676572207468616e20626c6f636b2d"
                       "73697a6520646174612e20546865206b6579206e6565647320746f20626520686173686564"
                       "206265666f7265206265696e6720757365642062792074686520484d414320616c676f7269"
                       "74686d2e",
                       "9b09ffa71b942fcb27635fbcd5b0e944bfdc63644f0713938a7f51535c3a35e2"));
}

static void keys_of_block_length_are_not_hashed(void **state) {
    (void)state;
    char exact[129];
    char longer[131];
    struct hmac_key key;
    struct hmac_key hashed;
    struct digest of_exact;
    struct digest of_longer;
    hex_of_repeated(0x61, 64, exact);
    hex_of_repeated(0x61, 65, longer);
    static struct bytes bytes;
    unhex(exact, &bytes);
    hmac_key_init(&key, slice_of(bytes.data, bytes.size));
    hmac_sha256(&key, SLICE_LITERAL("m"), &of_exact);
    unhex(longer, &bytes);
    struct digest digest;
    sha256_of(slice_of(bytes.data, bytes.size), &digest);
    hmac_key_init(&key, slice_of(bytes.data, bytes.size));
    hmac_key_init(&hashed, slice_of(digest.bytes, DIGEST_BYTES));
    hmac_sha256(&key, SLICE_LITERAL("m"), &of_longer);
    assert_false(digest_equal(&of_exact, &of_longer));
    hmac_sha256(&hashed, SLICE_LITERAL("m"), &of_exact);
    assert_true(digest_equal(&of_exact, &of_longer));
}

static void equal_in_constant_time_sees_every_bit(void **state) {
    (void)state;
    struct digest a;
    memset(&a, 0x5a, sizeof a);
    struct digest b = a;
    assert_true(digest_equal_constant(&a, &b));
    for (size_t bit = 0; bit < 8 * (size_t)DIGEST_BYTES; bit++) {
        b.bytes[bit / 8] ^= (uint8_t)(1U << (bit % 8));
        assert_false(digest_equal_constant(&a, &b));
        b.bytes[bit / 8] ^= (uint8_t)(1U << (bit % 8));
    }
}

static void wycheproof_cases(void **state) {
    (void)state;
    const char *folder = getenv("AIRLOCK_VECTORS");
    char path[4096];
    if (folder == nullptr) {
        print_message("# AIRLOCK_VECTORS is not set: the outside cases were NOT run\n");
        skip();
    }
    struct error err;
    struct builder text;
    struct json *file = nullptr;
    bool found = false;
    builder_init(&text, 16777216);
    (void)snprintf(path, sizeof path, "%s/wycheproof", folder);
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    assert_true(fd >= 0);
    assert_true(status_is_ok(file_read(fd, "hmac_sha256_test.json", &text, &found, &err)));
    (void)close(fd);
    assert_true(found);
    assert_true(status_is_ok(json_parse(builder_slice(&text), "cases", &file, &err)));
    const struct json *groups = json_get(file, "testGroups");
    unsigned cases = 0;
    unsigned good = 0;
    for (size_t i = 0; i < json_array_count(groups); i++) {
        const struct json *tests = json_get(json_array_at(groups, i), "tests");
        for (size_t j = 0; j < json_array_count(tests); j++) {
            const struct json *test = json_array_at(tests, j);
            bool is = tag_is(json_get_text(test, "key"), json_get_text(test, "msg"),
                             json_get_text(test, "tag"));
            assert_int_equal(is, strcmp(json_get_text(test, "result"), "valid") == 0);
            cases++;
            good += is;
        }
    }
    print_message("# Wycheproof: %u cases, %u of them good\n", cases, good);
    assert_true(cases > 150 && good > 50 && good < cases);
    json_free(file);
    builder_deinit(&text);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(cases_of_rfc_4231),
        cmocka_unit_test(keys_of_block_length_are_not_hashed),
        cmocka_unit_test(equal_in_constant_time_sees_every_bit),
        cmocka_unit_test(wycheproof_cases),
    };
    return cmocka_run_group_tests_name("hmac", tests, nullptr, nullptr);
}
