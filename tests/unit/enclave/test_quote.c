/* SPDX-License-Identifier: Apache-2.0 */
#include "evidence_kit.h"

static struct kit kit;
static struct builder bytes;
static uint8_t report[EVIDENCE_REPORT_BYTES];

static int set_up(void **state) {
    (void)state;
    struct error err = {};
    kit_make(&kit);
    memset(report, 'r', sizeof report);
    builder_init(&bytes, QUOTE_BYTES_MAX + 1);
    assert_true(status_is_ok(quote_simulate(kit.root, &kit.measurement, report, &bytes, &err)));
    return 0;
}

static int tear_down(void **state) {
    (void)state;
    builder_deinit(&bytes);
    kit_free(&kit);
    return 0;
}

static void what_is_made_is_read(void **state) {
    (void)state;
    struct quote quote;
    struct builder spki;
    struct digest root;
    assert_int_equal(quote_read(builder_slice(&bytes), &quote), QUOTE_GOOD);
    assert_true(digest_equal(&quote.measurement, &kit.measurement));
    assert_memory_equal(quote.report_data, report, sizeof report);
    builder_init(&spki, 1024);
    assert_true(es256_spki(kit.root, &spki));
    sha256_of(builder_slice(&spki), &root);
    assert_true(digest_equal(&quote.root, &root));
    builder_deinit(&spki);
}

/* An SGX quote has its version, 3 or 4, in its first two bytes. */
static void it_is_no_quote_of_hardware(void **state) {
    (void)state;
    struct cursor cursor = cursor_of(builder_slice(&bytes));
    assert_int_equal(cursor_u16(&cursor), 'a' | 'i' << 8);
    assert_true(bytes.size < 432); /* the least that header and report body take */
}

static void every_bit_counts(void **state) {
    (void)state;
    struct quote quote;
    for (size_t i = 0; i < bytes.size * 8; i++) {
        bytes.data[i / 8] ^= (uint8_t)(1u << i % 8);
        assert_int_not_equal(quote_read(builder_slice(&bytes), &quote), QUOTE_GOOD);
        bytes.data[i / 8] ^= (uint8_t)(1u << i % 8);
    }
    for (size_t size = 0; size < bytes.size; size++) {
        assert_int_not_equal(quote_read(slice_of(bytes.data, size), &quote), QUOTE_GOOD);
    }
    builder_u8(&bytes, 0);
    assert_int_equal(quote_read(builder_slice(&bytes), &quote), QUOTE_MALFORMED);
}

/* Signed again by somebody else, under the first root's name. */
static void another_root_is_another_root(void **state) {
    (void)state;
    struct quote mine;
    struct quote others;
    struct builder forged;
    struct error err = {};
    builder_init(&forged, QUOTE_BYTES_MAX);
    assert_true(status_is_ok(quote_simulate(kit.other, &kit.measurement, report, &forged, &err)));
    assert_int_equal(quote_read(builder_slice(&bytes), &mine), QUOTE_GOOD);
    assert_int_equal(quote_read(builder_slice(&forged), &others), QUOTE_GOOD);
    assert_false(digest_equal(&mine.root, &others.root));
    /* Both have one length: everything but the signature of one, with the signature of the other.
     */
    assert_int_equal(forged.size, bytes.size);
    memcpy(bytes.data + bytes.size - ES256_SIGNATURE_BYTES,
           forged.data + forged.size - ES256_SIGNATURE_BYTES, ES256_SIGNATURE_BYTES);
    assert_int_equal(quote_read(builder_slice(&bytes), &mine), QUOTE_BAD_SIGNATURE);
    builder_deinit(&forged);
}

int main(void) {
#define ROW(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        ROW(what_is_made_is_read),
        ROW(it_is_no_quote_of_hardware),
        ROW(every_bit_counts),
        ROW(another_root_is_another_root),
    };
    return cmocka_run_group_tests(tests, nullptr, nullptr);
}
