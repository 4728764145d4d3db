/* SPDX-License-Identifier: Apache-2.0 */
#include "scratch.h"

#include "audit/checkpoint.h"
#include "audit/rows.h"
#include "codec/text.h"
#include "keys/server.h"

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

static status_t verify_text(struct slice receipt, const char *vkey, bool allow_unknown,
                            struct receipt_result *ret_result, struct error *err) {
    struct note_keys keys;
    return note_keys_parse(slice_of_string(vkey), &keys)
               ? receipt_verify(receipt, &keys, allow_unknown, ret_result, err)
               : error_set(err, ERROR_RECEIPT_KEY, 0, "the verifier key is malformed");
}

static enum error_code verify(struct slice receipt, const char *vkey, bool allow_unknown) {
    struct error err = {0};
    struct receipt_result result;
    if (!status_is_ok(verify_text(receipt, vkey, allow_unknown, &result, &err))) {
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
        must(verify_text(builder_slice(&made.receipt), made.vkey, false, &result, &scratch_error));
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

/* Both keys in this process, as keys/client.h has them in two others. */
static void sign_twice(struct scratch *scratch) {
    struct signer signer;
    struct audit_head head;
    struct checkpoint last;
    struct keys_reply reply;
    const struct signer_scheme *const schemes[] = {&SIGNER_SCHEME_LOG, &SIGNER_SCHEME_PQ};
    must(audit_log_head(scratch->log, &head, &scratch_error));
    for (size_t i = 0; i < 2; i++) {
        struct keys_request request = {.size = head.size, .root = head.root};
        must(signer_open(schemes[i], scratch->state.keys_fd, &signer, &scratch_error));
        must(i == 0 ? checkpoint_last(&scratch->state, &last, &scratch_error) : STATUS_OK);
        if (i == 1) {
            struct builder text;
            builder_init(&text, NOTE_BYTES_MAX);
            must(checkpoint_second_text(&scratch->state, &text, &last, &scratch_error));
            builder_deinit(&text);
        }
        request.old_size = last.size;
        must(merkle_prove_consistency(last.size, head.size, audit_log_read_hash, scratch->log,
                                      &request.proof, &scratch_error));
        signer_answer(&signer, &request, &reply);
        assert_int_equal(reply.answer, KEYS_ANSWER_SIGNED);
        signer_close(&signer);
    }
}

static void keys_text(const struct note_keys *keys, bool with_log, bool with_pq, char *ret_text,
                      size_t size) {
    struct builder text;
    builder_init(&text, size);
    if (with_log) {
        note_vkey_format(&keys->log, &text);
        builder_u8(&text, '\n');
    }
    if (with_pq) {
        note_pq_vkey_format(&keys->pq, &text);
    }
    (void)snprintf(ret_text, size, "%s", builder_c_string(&text));
    builder_deinit(&text);
}

/* A log that had one signature, then two, then one again. */
static void second_signatures_come_and_go(void **state) {
    (void)state;
    struct scratch scratch;
    struct builder receipts[3];
    struct note_keys keys;
    static char both[4096];
    static char log_only[4096];
    static char pq_only[4096];
    struct receipt_result result;
    scratch_open(&scratch);
    for (size_t i = 0; i < 3; i++) {
        scratch.state.pq_signatures = i == 1;
        scratch_append(&scratch, 3);
        if (i == 1) {
            bool covered = true;
            must(receipt_is_covered(scratch.log, 2, &covered, &scratch_error));
            assert_false(covered); /* the second key has not signed anything yet */
            sign_twice(&scratch);
            must(receipt_is_covered(scratch.log, 5, &covered, &scratch_error));
            assert_true(covered);
        } else {
            sign(&scratch, 3 * i);
        }
        builder_init(&receipts[i], LIMIT_RECEIPT_BYTES);
        must(receipt_write(scratch.log, 3 * i, &receipts[i], &scratch_error));
    }
    must(checkpoint_own_keys(&scratch.state, &keys, &scratch_error));
    assert_true(keys.has_pq && !keys.needs_pq);
    keys_text(&keys, true, true, both, sizeof both);
    keys_text(&keys, true, false, log_only, sizeof log_only);
    keys_text(&keys, false, true, pq_only, sizeof pq_only);
    for (size_t i = 0; i < 3; i++) { /* the log's owner takes all three */
        must(receipt_verify(builder_slice(&receipts[i]), &keys, false, &result, &scratch_error));
        assert_int_equal(result.has_pq, i == 1);
        assert_int_equal(result.unknown, 0);
        json_free(result.entry);
        /* Who names both keys wants both signatures. */
        assert_int_equal(verify(builder_slice(&receipts[i]), both, false),
                         i == 1 ? ERROR_NONE : ERROR_RECEIPT_KEY);
        assert_int_equal(verify(builder_slice(&receipts[i]), both, true),
                         i == 1 ? ERROR_NONE : ERROR_RECEIPT_KEY);
        /* Who names one does not take another signature for nothing. */
        assert_int_equal(verify(builder_slice(&receipts[i]), log_only, false),
                         i == 1 ? ERROR_RECEIPT_KEY : ERROR_NONE);
        assert_int_equal(verify(builder_slice(&receipts[i]), log_only, true), ERROR_NONE);
        assert_int_equal(verify(builder_slice(&receipts[i]), pq_only, true), ERROR_RECEIPT_KEY);
    }
    must(check(&scratch, &scratch_error)); /* the second signature may lag behind */
    for (size_t i = 0; i < 3; i++) {
        builder_deinit(&receipts[i]);
    }
    scratch_close(&scratch);
}

/* Bits of every byte below the checkpoint, both signatures and the names before them. */
static void a_flipped_byte_in_either_signature_fails(void **state) {
    (void)state;
    struct scratch scratch;
    struct builder receipt;
    struct note_keys keys;
    struct receipt_result result;
    struct error err = {0};
    scratch_open(&scratch);
    scratch.state.pq_signatures = true;
    scratch_append(&scratch, 3);
    sign_twice(&scratch);
    builder_init(&receipt, LIMIT_RECEIPT_BYTES);
    must(receipt_write(scratch.log, 1, &receipt, &scratch_error));
    must(checkpoint_own_keys(&scratch.state, &keys, &scratch_error));
    const uint8_t *lines = memmem(receipt.data, receipt.size, "\xe2\x80\x94 ", 4);
    assert_non_null(lines);
    for (size_t i = (size_t)(lines - receipt.data); i < receipt.size; i++) {
        receipt.data[i] ^= (uint8_t)(1U << (i % 8));
        if (status_is_ok(receipt_verify(builder_slice(&receipt), &keys, false, &result, &err))) {
            fail_msg("byte %zu: the receipt still verifies", i);
        }
        receipt.data[i] ^= (uint8_t)(1U << (i % 8));
    }
    must(receipt_verify(builder_slice(&receipt), &keys, false, &result, &scratch_error));
    json_free(result.entry);
    builder_deinit(&receipt);
    scratch_close(&scratch);
}

static void write_keys_file(struct scratch *scratch, const char *name, const char *text) {
    must(file_write_atomic(scratch->state.keys_fd, name, slice_of_string(text),
                           &(struct file_write_options){.mode = 0600}, &scratch_error));
}

static void the_log_check_looks_at_the_second_signature(void **state) {
    (void)state;
    struct scratch scratch;
    scratch_open(&scratch);
    scratch.state.pq_signatures = true;
    scratch_append(&scratch, 3);
    sign_twice(&scratch);
    must(check(&scratch, &scratch_error));
    const char *const names[] = {KEYS_FILE_PQ_VKEY, KEYS_FILE_PQ_CHECKPOINT};
    for (size_t i = 0; i < 2; i++) {
        assert_int_equal(renameat(scratch.state.keys_fd, names[i], scratch.state.keys_fd, "kept"),
                         0);
        must_fail(check(&scratch, &scratch_error),
                  i == 0 ? ERROR_AUDIT_DAMAGED : ERROR_AUDIT_ROLLED_BACK);
        write_keys_file(&scratch, names[i], "nonsense\n");
        must_fail(check(&scratch, &scratch_error),
                  i == 0 ? ERROR_KEYS_FAILED : ERROR_AUDIT_DAMAGED);
        assert_int_equal(renameat(scratch.state.keys_fd, "kept", scratch.state.keys_fd, names[i]),
                         0);
        must(check(&scratch, &scratch_error));
    }
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
        cmocka_unit_test(second_signatures_come_and_go),
        cmocka_unit_test(a_flipped_byte_in_either_signature_fails),
        cmocka_unit_test(the_log_check_looks_at_the_second_signature),
    };
    return cmocka_run_group_tests_name("receipt", tests, nullptr, nullptr);
}
