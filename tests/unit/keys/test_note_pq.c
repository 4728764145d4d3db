/* SPDX-License-Identifier: Apache-2.0 */
#include "pq_kit.h"

#include "codec/text.h"

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

/* The key with another type, a byte more or less, another id, or not in base64 to its end. */
static void no_other_key_is_read(void **state) {
    (void)state;
    struct note_pq_vkey vkey;
    struct note_vkey small;
    uint8_t key[1 + MLDSA44_PUBLIC_BYTES + 1] = {NOTE_TYPE_MLDSA44};
    memcpy(key + 1, kit.keys.pq.public_key, MLDSA44_PUBLIC_BYTES);
    const struct slice bytes = slice_of(key + 1, MLDSA44_PUBLIC_BYTES);
    note_vkey_join("example.com/log", NOTE_TYPE_MLDSA44, bytes, &text);
    assert_true(note_pq_vkey_parse(builder_slice(&text), &vkey));
    assert_memory_equal(&vkey, &kit.keys.pq, sizeof vkey);
    assert_false(note_vkey_parse(builder_slice(&text), &small));
    for (size_t size = 0; size < text.size; size++) {
        assert_false(note_pq_vkey_parse(slice_of(text.data, size), &vkey));
    }
    for (size_t i = 0; i < text.size; i++) {
        text.data[i] ^= 1; /* no bit that turns a hex digit into its other case */
        assert_false(note_pq_vkey_parse(builder_slice(&text), &vkey));
        text.data[i] ^= 1;
    }
    static const uint8_t TYPES[] = {0, 1, 4, 5, 7, 0xff};
    for (size_t i = 0; i < sizeof TYPES; i++) {
        builder_reset(&text);
        note_vkey_join("example.com/log", TYPES[i], bytes, &text);
        assert_false(note_pq_vkey_parse(builder_slice(&text), &vkey));
    }
    for (size_t size = MLDSA44_PUBLIC_BYTES - 1; size <= MLDSA44_PUBLIC_BYTES + 1; size += 2) {
        builder_reset(&text);
        note_vkey_join("example.com/log", NOTE_TYPE_MLDSA44, slice_of(key + 1, size), &text);
        assert_false(note_pq_vkey_parse(builder_slice(&text), &vkey));
    }
}

static enum note_verdict verdict(const char *body, const char *line) {
    struct note note;
    assert_true(
        pq_kit_note(&text, body, (const char *const[]){kit.log_line, line, nullptr}, &note));
    return note_pq_verify(&note, &kit.keys.pq);
}

/* A line with other bytes; `size` of them. */
static enum note_verdict verdict_of(const uint8_t *bytes, size_t size) {
    char line[8192];
    struct builder out;
    builder_init(&out, sizeof line);
    note_line_format("example.com/log", slice_of(bytes, size), &out);
    (void)snprintf(line, sizeof line, "%s", builder_c_string(&out));
    builder_deinit(&out);
    return verdict(BODY, line);
}

static void what_the_key_did_not_sign_is_refused(void **state) {
    (void)state;
    enum { SIZE = NOTE_KEY_ID_BYTES + NOTE_PQ_SIGNATURE_BYTES };
    uint8_t bytes[SIZE + 1] = {0};
    size_t start = strlen("\xe2\x80\x94 example.com/log ");
    struct slice base64 = slice_of(kit.pq_line + start, strlen(kit.pq_line) - start - 1);
    assert_true(note_unbase64(base64, bytes, SIZE));
    assert_int_equal(verdict_of(bytes, SIZE), NOTE_VALID);
    assert_int_equal(verdict(BODY, kit.other_line), NOTE_UNSIGNED);
    assert_int_equal(verdict(BODY, ""), NOTE_UNSIGNED);
    for (size_t i = 0; i < SIZE; i += i < 16 ? 1 : 97) {
        bytes[i] ^= 1;
        assert_int_equal(verdict_of(bytes, SIZE),
                         i < NOTE_KEY_ID_BYTES ? NOTE_UNSIGNED : NOTE_BAD_SIGNATURE);
        bytes[i] ^= 1;
    }
    bytes[NOTE_KEY_ID_BYTES] ^= 0x80; /* a time past 2^63 - 1 */
    assert_int_equal(verdict_of(bytes, SIZE), NOTE_BAD_SIGNATURE);
    bytes[NOTE_KEY_ID_BYTES] ^= 0x80;
    /* The key's name and id with another length: a line of its own, and a wrong one. */
    assert_int_equal(verdict_of(bytes, SIZE - 1), NOTE_BAD_SIGNATURE);
    assert_int_equal(verdict_of(bytes, SIZE + 1), NOTE_BAD_SIGNATURE);
    assert_int_equal(verdict_of(bytes, NOTE_KEY_ID_BYTES + 1), NOTE_BAD_SIGNATURE);
    assert_int_equal(verdict_of(bytes, NOTE_KEY_ID_BYTES + ED25519_SIGNATURE_BYTES),
                     NOTE_BAD_SIGNATURE);
}

/* Origin, size and root are all in what is signed. */
static void another_checkpoint_is_not_signed(void **state) {
    (void)state;
    static const char *const BODIES[] = {
        "example.com/log\n8\n3bib5AOAnjJXUNPSY814kpwpQreUKjS3fhIslZSnTIw=\n",
        "example.com/lob\n7\n3bib5AOAnjJXUNPSY814kpwpQreUKjS3fhIslZSnTIw=\n",
        "example.com/log\n7\n3bib5AOAnjJXUNPSY814kpwpQreUKjS3fhIslZSnTIA=\n",
    };
    for (size_t i = 0; i < sizeof BODIES / sizeof BODIES[0]; i++) {
        assert_int_equal(verdict(BODIES[i], kit.pq_line), NOTE_BAD_SIGNATURE);
    }
}

static void base64_that_is_cut_off_is_no_note(void **state) {
    (void)state;
    struct note note;
    char line[sizeof kit.pq_line];
    size_t size = strlen(kit.pq_line);
    for (size_t cut = 1; cut <= 8; cut++) {
        (void)snprintf(line, sizeof line, "%.*s\n", (int)(size - 1 - cut), kit.pq_line);
        const char *const lines[] = {kit.log_line, line, nullptr};
        if (pq_kit_note(&text, BODY, lines, &note)) { /* at a multiple of four it decodes */
            assert_int_equal(cut % 4, 0);
            assert_int_equal(note_pq_verify(&note, &kit.keys.pq), NOTE_BAD_SIGNATURE);
        }
    }
}

/* Byte for byte the cosigned_message of C2SP tlog-cosignature. */
static void the_signed_bytes_are_those_of_the_specification(void **state) {
    (void)state;
    static const char EXPECTED[] =
        "737562747265652f76310a00"
        "0161"
        "0000000065000001"
        "026263"
        "0000000000000000"
        "0000000000000102"
        "0505050505050505050505050505050505050505050505050505050505050505";
    struct checkpoint checkpoint = {.origin = "bc", .size = 0x102};
    struct builder hex;
    memset(checkpoint.root.bytes, 5, DIGEST_BYTES);
    note_pq_message("a", 0x65000001, &checkpoint, &text);
    builder_init(&hex, 1024);
    text_hex(builder_slice(&text), &hex);
    assert_string_equal(builder_c_string(&hex), EXPECTED);
    builder_deinit(&hex);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(no_other_key_is_read, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_the_key_did_not_sign_is_refused, set_up, tear_down),
        cmocka_unit_test_setup_teardown(another_checkpoint_is_not_signed, set_up, tear_down),
        cmocka_unit_test_setup_teardown(base64_that_is_cut_off_is_no_note, set_up, tear_down),
        cmocka_unit_test_setup_teardown(the_signed_bytes_are_those_of_the_specification, set_up,
                                        tear_down),
    };
    return cmocka_run_group_tests_name("note_pq", tests, nullptr, nullptr);
}
