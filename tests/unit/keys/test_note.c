/* SPDX-License-Identifier: Apache-2.0 */
#include "keys/note.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

/* The example of the C2SP signed-note specification. */
static const char VKEY[] = "example.com/foo+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k";

static void the_known_key_is_read_and_written_back(void **state) {
    (void)state;
    struct note_vkey vkey;
    struct builder out;
    assert_true(note_vkey_parse(slice_of_string(VKEY), &vkey));
    assert_string_equal(vkey.name, "example.com/foo");
    builder_init(&out, 1024);
    note_vkey_format(&vkey, &out);
    assert_string_equal(builder_c_string(&out), VKEY);
    builder_deinit(&out);
}

static void no_other_key_is_read(void **state) {
    (void)state;
    struct note_vkey vkey;
    char text[sizeof VKEY];
    for (size_t i = 0; i < sizeof VKEY - 1; i++) {
        for (unsigned bit = 0; bit < 8; bit++) {
            memcpy(text, VKEY, sizeof text);
            text[i] = (char)(text[i] ^ (1 << bit));
            /* Hex digits may be of either case; all else is one spelling. */
            bool is_case = bit == 5 && i >= 16 && i < 24 && text[i] >= 'A';
            assert_true(is_case || !note_vkey_parse(slice_of(text, sizeof VKEY - 1), &vkey));
        }
    }
    for (size_t size = 0; size < sizeof VKEY - 1; size++) {
        assert_false(note_vkey_parse(slice_of(VKEY, size), &vkey));
    }
}

static const char BODY[] = "example.com/log\n"
                           "7\n"
                           "3bib5AOAnjJXUNPSY814kpwpQreUKjS3fhIslZSnTIw=\n";
static const char SIGNATURE[] =
    "\xe2\x80\x94 example.com/log "
    "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
    "AAAAAAAAAAAAAAAAAAAAAAAA=\n";

static bool parses(const char *body, const char *middle, const char *signatures) {
    struct builder text;
    struct note note;
    builder_init(&text, 4096);
    builder_format(&text, "%s%s%s", body, middle, signatures);
    bool fits = note_parse(builder_slice(&text), &note);
    builder_deinit(&text);
    return fits;
}

static void a_checkpoint_has_one_form(void **state) {
    (void)state;
    assert_true(parses(BODY, "\n", SIGNATURE));
    assert_false(parses(BODY, "", SIGNATURE));
    assert_false(parses(BODY, "\n", ""));
    assert_false(parses(BODY, "extension\n\n", SIGNATURE));
    assert_false(parses(BODY, "\n", "\xe2\x80\x94 example.com/log AAAA\n"));
    assert_false(parses(BODY, "\n", "- example.com/log AAAAAAAAAAA=\n"));
    assert_false(parses("example.com/log\n07\n3bib5AOAnjJXUNPSY814kpwpQreUKjS3fhIslZSnTIw=\n", "\n",
                        SIGNATURE));
    assert_false(parses("example.com/log\n-7\n3bib5AOAnjJXUNPSY814kpwpQreUKjS3fhIslZSnTIw=\n", "\n",
                        SIGNATURE));
    assert_false(parses("example.com/a log\n7\n3bib5AOAnjJXUNPSY814kpwpQreUKjS3fhIslZSnTIw=\n",
                        "\n", SIGNATURE));
    assert_false(parses("example.com/log\n7\n3bib5AOAnjJXUNPSY814kpwpQreUKjS3fhIslZSnTIx=\n", "\n",
                        SIGNATURE));
    assert_false(parses("example.com/log\n7\n\n", "\n", SIGNATURE));
}

static void what_is_signed_verifies_with_that_key_only(void **state) {
    (void)state;
    static const uint8_t SEED[2][ED25519_SEED_BYTES] = {{1}, {2}};
    struct error err;
    struct note_vkey vkeys[2];
    struct builder text;
    uint8_t signature[ED25519_SIGNATURE_BYTES];
    builder_init(&text, 4096);
    builder_format(&text, "%s\n", BODY);
    for (size_t i = 0; i < 2; i++) {
        struct ed25519_key *key;
        uint8_t public_key[ED25519_PUBLIC_BYTES];
        assert_true(status_is_ok(ed25519_key_new(SEED[i], &key, &err)));
        ed25519_key_public(key, public_key);
        note_vkey_make("example.com/log", public_key, &vkeys[i]);
        if (i == 0) {
            ed25519_sign(key, slice_of_string(BODY), signature);
        }
        ed25519_key_free(key);
    }
    note_format_signature(&vkeys[0], signature, &text);
    struct note note;
    assert_true(note_parse(builder_slice(&text), &note));
    assert_int_equal(note.checkpoint.size, 7);
    assert_int_equal(note_verify(&note, &vkeys[0]), NOTE_VALID);
    assert_int_equal(note_verify(&note, &vkeys[1]), NOTE_UNSIGNED);
    text.data[sizeof "example.com/log\n" - 1] = '8';
    assert_true(note_parse(builder_slice(&text), &note));
    assert_int_equal(note_verify(&note, &vkeys[0]), NOTE_BAD_SIGNATURE);
    builder_deinit(&text);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_known_key_is_read_and_written_back),
        cmocka_unit_test(no_other_key_is_read),
        cmocka_unit_test(a_checkpoint_has_one_form),
        cmocka_unit_test(what_is_signed_verifies_with_that_key_only),
    };
    return cmocka_run_group_tests_name("note", tests, nullptr, nullptr);
}
