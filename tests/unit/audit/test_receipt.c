/* SPDX-License-Identifier: Apache-2.0 */
#include "scratch.h"

#include "audit/checkpoint.h"
#include "codec/text.h"

struct made {
    struct builder receipt;
    char vkey[512];
};

static void make_receipt(struct scratch *scratch, unsigned before, unsigned after,
                         struct made *ret_made) {
    struct builder text;
    struct note_vkey vkey;
    scratch_open(scratch);
    scratch_append(scratch, before + 1 + after);
    scratch_start_keys(scratch);
    must(receipt_checkpoint(scratch->log, scratch->keys, before, &scratch_error));
    builder_init(&ret_made->receipt, LIMIT_RECEIPT_BYTES);
    must(receipt_write(scratch->log, before, &ret_made->receipt, &scratch_error));
    must(checkpoint_own_vkey(&scratch->state, &vkey, &scratch_error));
    builder_init(&text, sizeof ret_made->vkey);
    note_vkey_format(&vkey, &text);
    (void)snprintf(ret_made->vkey, sizeof ret_made->vkey, "%s", builder_c_string(&text));
    builder_deinit(&text);
}

static void made_close(struct scratch *scratch, struct made *made) {
    builder_deinit(&made->receipt);
    scratch_close(scratch);
}

static enum error_code verify(struct slice receipt, const char *vkey, bool allow_unknown) {
    struct error err = {0};
    struct receipt_result result;
    if (!status_is_ok(receipt_verify(receipt, vkey, allow_unknown, &result, &err))) {
        return err.code;
    }
    json_free(result.entry);
    return ERROR_NONE;
}

static void a_receipt_verifies(void **state) {
    (void)state;
    static const unsigned PLACES[][2] = {{0, 0}, {0, 1}, {3, 4}, {6, 0}, {5, 7}};
    for (size_t i = 0; i < sizeof PLACES / sizeof PLACES[0]; i++) {
        struct scratch scratch;
        struct made made;
        make_receipt(&scratch, PLACES[i][0], PLACES[i][1], &made);
        struct receipt_result result;
        must(receipt_verify(builder_slice(&made.receipt), made.vkey, false, &result,
                            &scratch_error));
        assert_int_equal(result.seq, PLACES[i][0]);
        assert_int_equal(result.tree_size, PLACES[i][0] + 1 + PLACES[i][1]);
        assert_string_equal(json_get_text(result.entry, "type"), "decision");
        json_free(result.entry);
        made_close(&scratch, &made);
    }
}

/* Every byte, every single bit and the all-ones mask: nothing passes, strict or not. */
static void any_flipped_byte_fails(void **state) {
    (void)state;
    struct scratch scratch;
    struct made made;
    make_receipt(&scratch, 5, 6, &made);
    for (size_t i = 0; i < made.receipt.size; i++) {
        for (unsigned bit = 0; bit <= 8; bit++) {
            uint8_t kept = made.receipt.data[i];
            made.receipt.data[i] ^= bit == 8 ? 0xff : (uint8_t)(1U << bit);
            if (verify(builder_slice(&made.receipt), made.vkey, false) == ERROR_NONE) {
                fail_msg("byte %zu, bit %u: the receipt still verifies", i, bit);
            }
            made.receipt.data[i] = kept;
        }
    }
    assert_int_equal(verify(builder_slice(&made.receipt), made.vkey, false), ERROR_NONE);
    made_close(&scratch, &made);
}

static void any_truncation_and_any_tail_fails(void **state) {
    (void)state;
    struct scratch scratch;
    struct made made;
    make_receipt(&scratch, 2, 1, &made);
    for (size_t size = 0; size < made.receipt.size; size++) {
        assert_int_not_equal(verify(slice_of(made.receipt.data, size), made.vkey, true),
                             ERROR_NONE);
    }
    builder_text(&made.receipt, "\n");
    assert_int_equal(verify(builder_slice(&made.receipt), made.vkey, false),
                     ERROR_RECEIPT_MALFORMED);
    made_close(&scratch, &made);
}

/* Replaces the first `from` in the receipt by `to` and tells what verification says. */
static enum error_code verify_with(const struct made *made, const char *from, const char *to,
                                   bool allow_unknown) {
    struct slice all = builder_slice(&made->receipt);
    const char *at = memmem(all.data, all.size, from, strlen(from));
    assert_non_null(at);
    size_t before = (size_t)(at - (const char *)all.data);
    struct builder changed;
    builder_init(&changed, LIMIT_RECEIPT_BYTES);
    builder_bytes(&changed, slice_of(all.data, before));
    builder_text(&changed, to);
    builder_bytes(&changed, slice_of(at + strlen(from), all.size - before - strlen(from)));
    enum error_code code = verify(builder_slice(&changed), made->vkey, allow_unknown);
    builder_deinit(&changed);
    return code;
}

static void what_is_wrong_is_told_apart(void **state) {
    (void)state;
    struct scratch scratch;
    struct made made;
    make_receipt(&scratch, 2, 1, &made);
    /* "eyJj" is how {"c begins in base64; one character of the entry changes. */
    assert_int_equal(verify_with(&made, "entry eyJj", "entry eyJk", false), ERROR_RECEIPT_ENTRY);
    assert_int_equal(verify_with(&made, "index 2", "index 1", false), ERROR_RECEIPT_ENTRY);
    assert_int_equal(verify_with(&made, "\n4\n", "\n8\n", false), ERROR_RECEIPT_ROOT);
    assert_int_equal(verify_with(&made, "\n\nairlock.local/", "\n\nairlock.lokal/", false),
                     ERROR_RECEIPT_SIGNATURE);
    assert_int_equal(verify_with(&made, "\xe2\x80\x94 airlock", "\xe2\x80\x94 airlokk", false),
                     ERROR_RECEIPT_KEY);
    assert_int_equal(verify_with(&made, "receipt/1", "receipt/2", false), ERROR_RECEIPT_MALFORMED);
    assert_int_equal(verify_with(&made, "index 2", "index 02", false), ERROR_RECEIPT_MALFORMED);
    made_close(&scratch, &made);
}

static void another_logs_key_does_not_verify(void **state) {
    (void)state;
    struct scratch scratch;
    struct scratch other_scratch;
    struct made made;
    struct made other;
    make_receipt(&scratch, 0, 0, &made);
    make_receipt(&other_scratch, 0, 0, &other);
    assert_int_equal(verify(builder_slice(&made.receipt), other.vkey, false), ERROR_RECEIPT_KEY);
    assert_int_equal(verify(builder_slice(&made.receipt), "nonsense", false), ERROR_RECEIPT_KEY);
    made_close(&other_scratch, &other);
    made_close(&scratch, &made);
}

static void unknown_lines_need_permission(void **state) {
    (void)state;
    struct scratch scratch;
    struct made made;
    make_receipt(&scratch, 1, 1, &made);
    assert_int_equal(verify_with(&made, "c2sp", "note hello\nc2sp", false),
                     ERROR_RECEIPT_MALFORMED);
    assert_int_equal(verify_with(&made, "c2sp", "note hello\nc2sp", true), ERROR_NONE);
    assert_int_equal(verify_with(&made, "index", "extra AAAA\nindex", false),
                     ERROR_RECEIPT_MALFORMED);
    assert_int_equal(verify_with(&made, "index", "extra AAAA\nindex", true), ERROR_NONE);
    made_close(&scratch, &made);
}

static void an_entry_without_a_checkpoint_has_no_receipt(void **state) {
    (void)state;
    struct scratch scratch;
    struct builder out;
    scratch_open(&scratch);
    scratch_append(&scratch, 1);
    builder_init(&out, LIMIT_RECEIPT_BYTES);
    must_fail(receipt_write(scratch.log, 0, &out, &scratch_error), ERROR_AUDIT_NO_SUCH_ENTRY);
    must_fail(receipt_write(scratch.log, 7, &out, &scratch_error), ERROR_AUDIT_NO_SUCH_ENTRY);
    builder_deinit(&out);
    scratch_close(&scratch);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_receipt_verifies),
        cmocka_unit_test(any_flipped_byte_fails),
        cmocka_unit_test(any_truncation_and_any_tail_fails),
        cmocka_unit_test(what_is_wrong_is_told_apart),
        cmocka_unit_test(another_logs_key_does_not_verify),
        cmocka_unit_test(unknown_lines_need_permission),
        cmocka_unit_test(an_entry_without_a_checkpoint_has_no_receipt),
    };
    return cmocka_run_group_tests_name("receipt", tests, nullptr, nullptr);
}
