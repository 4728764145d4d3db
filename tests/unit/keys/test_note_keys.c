/* SPDX-License-Identifier: Apache-2.0 */
#include "pq_kit.h"

static struct pq_kit kit;
static struct builder text;

static int set_up(void **state) {
    (void)state;
    pq_kit_make(&kit);
    builder_init(&text, NOTE_BYTES_MAX);
    return 0;
}

static int tear_down(void **state) {
    (void)state;
    builder_deinit(&text);
    return 0;
}

static const char STRANGER[] = "\xe2\x80\x94 witness.example/w "
                               "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\n";

static enum note_keys_verdict judge(const char *const *lines, struct note_signers *ret_signers) {
    struct note note;
    assert_true(pq_kit_note(&text, BODY, lines, &note));
    return note_keys_verify(&note, &kit.keys, ret_signers);
}

static void each_line_is_judged(void **state) {
    (void)state;
    const char *const log = kit.log_line;
    const char *const pq = kit.pq_line;
    char bad_log[sizeof kit.log_line];
    char bad_pq[sizeof kit.pq_line];
    memcpy(bad_log, kit.log_line, sizeof bad_log);
    memcpy(bad_pq, kit.pq_line, sizeof bad_pq);
    char *in_log = bad_log + strlen(bad_log) - 9;
    char *in_pq = bad_pq + strlen(bad_pq) - 9;
    *in_log = *in_log == 'A' ? 'B' : 'A';
    *in_pq = *in_pq == 'A' ? 'B' : 'A';
    const struct {
        const char *lines[4];
        bool needs_pq;
        enum note_keys_verdict verdict;
        bool has_pq;
        unsigned unknown;
    } CASES[] = {
        {{pq}, false, NOTE_KEYS_UNSIGNED, false, 0},
        {{STRANGER}, false, NOTE_KEYS_UNSIGNED, false, 0},
        {{bad_log, pq}, false, NOTE_KEYS_WRONG, false, 0},
        {{log, bad_pq}, false, NOTE_KEYS_WRONG_PQ, false, 0},
        {{bad_pq, log}, false, NOTE_KEYS_WRONG_PQ, false, 0},
        {{log, pq, pq}, false, NOTE_KEYS_TWICE, false, 0},
        {{log, log, pq}, false, NOTE_KEYS_TWICE, false, 0},
        {{log, pq, bad_pq}, false, NOTE_KEYS_TWICE, false, 0},
        {{log}, true, NOTE_KEYS_UNSIGNED_PQ, false, 0},
        {{log, kit.other_line}, true, NOTE_KEYS_UNSIGNED_PQ, false, 0},
        {{log, STRANGER}, true, NOTE_KEYS_UNSIGNED_PQ, false, 0},
        {{log, kit.other_line}, false, NOTE_KEYS_UNKNOWN, false, 1},
        {{log, pq, STRANGER}, true, NOTE_KEYS_UNKNOWN, true, 1},
        {{STRANGER, log, STRANGER}, false, NOTE_KEYS_UNKNOWN, false, 2},
        {{log}, false, NOTE_KEYS_VALID, false, 0},
        {{log, pq}, true, NOTE_KEYS_VALID, true, 0},
        {{pq, log}, true, NOTE_KEYS_VALID, true, 0}, /* the order says nothing */
    };
    for (size_t i = 0; i < sizeof CASES / sizeof CASES[0]; i++) {
        struct note_signers signers = {0};
        kit.keys.needs_pq = CASES[i].needs_pq;
        if (judge(CASES[i].lines, &signers) != CASES[i].verdict) {
            fail_msg("case %zu", i);
        }
        assert_int_equal(signers.has_pq, CASES[i].has_pq);
        assert_int_equal(signers.unknown, CASES[i].unknown);
    }
}

/* Without the second key its line is by a stranger, right or wrong. */
static void a_line_by_a_key_that_was_not_named_is_told(void **state) {
    (void)state;
    struct note_signers signers = {0};
    kit.keys.has_pq = false;
    kit.keys.needs_pq = false;
    assert_int_equal(judge((const char *const[]){kit.log_line, kit.pq_line, nullptr}, &signers),
                     NOTE_KEYS_UNKNOWN);
    assert_false(signers.has_pq);
    assert_int_equal(signers.unknown, 1);
    assert_true(slice_equal(signers.unknown_name, slice_of_string("example.com/log")));
}

static void put(const char *name, uint8_t type, const uint8_t *key, size_t size) {
    note_vkey_join(name, type, slice_of(key, size), &text);
    builder_u8(&text, '\n');
}

static bool parses(struct note_keys *ret_keys) {
    return note_keys_parse(builder_slice(&text), ret_keys);
}

static void keys_are_one_log_s(void **state) {
    (void)state;
    struct note_keys keys;
    const uint8_t *log = kit.keys.log.public_key;
    const uint8_t *pq = kit.keys.pq.public_key;
    assert_false(parses(&keys));
    put("a", NOTE_TYPE_MLDSA44, pq, MLDSA44_PUBLIC_BYTES); /* the second alone */
    assert_false(parses(&keys));
    put("b", NOTE_TYPE_ED25519, log, ED25519_PUBLIC_BYTES); /* of two logs */
    assert_false(parses(&keys));
    builder_reset(&text);
    put("a", NOTE_TYPE_MLDSA44, pq, MLDSA44_PUBLIC_BYTES);
    put("a", NOTE_TYPE_ED25519, log, ED25519_PUBLIC_BYTES);
    assert_true(parses(&keys));
    assert_true(keys.has_pq && keys.needs_pq);
    assert_true(note_keys_parse(slice_of(text.data, text.size - 1), &keys)); /* no last line feed */
    builder_u8(&text, '\n'); /* an empty line is no key */
    assert_false(parses(&keys));
    builder_reset(&text);
    put("a", NOTE_TYPE_ED25519, log, ED25519_PUBLIC_BYTES);
    assert_true(parses(&keys));
    assert_false(keys.has_pq || keys.needs_pq);
    put("a", NOTE_TYPE_ED25519, log, ED25519_PUBLIC_BYTES);
    assert_false(parses(&keys)); /* twice */
    builder_reset(&text);
    put("a", NOTE_TYPE_ED25519, log, ED25519_PUBLIC_BYTES);
    put("a", 4, log, ED25519_PUBLIC_BYTES); /* a witness's */
    assert_false(parses(&keys));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(each_line_is_judged, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_line_by_a_key_that_was_not_named_is_told, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(keys_are_one_log_s, set_up, tear_down),
    };
    return cmocka_run_group_tests_name("note_keys", tests, nullptr, nullptr);
}
