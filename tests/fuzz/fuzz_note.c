/* SPDX-License-Identifier: Apache-2.0
 *
 * Signed checkpoints with one signature or two, and verifier keys: what parses is formatted back
 * into the same bytes, and no bytes pass for a signature by a key that never signed.
 */
#include <string.h>
#include <strings.h>

#include "base/assert.h"
#include "fuzz.h"
#include "keys/note_keys.h"

static void keys_make(struct note_keys *ret_keys) {
    static const uint8_t PUBLIC_KEY[MLDSA44_PUBLIC_BYTES] = {1, 2, 3};
    *ret_keys = (struct note_keys){.has_pq = true};
    note_vkey_make("example.org/log", PUBLIC_KEY, &ret_keys->log);
    note_pq_vkey_make("example.org/log", PUBLIC_KEY, &ret_keys->pq);
}

/* 0: a note with one signature; 1: with two; 2: the keys, one a line. */
bool fuzz_seed(unsigned number, struct builder *out) {
    static const uint8_t SIGNATURE[MLDSA44_SIGNATURE_BYTES] = {4, 5, 6};
    struct note_keys keys;
    keys_make(&keys);
    if (number > 2) {
        return false;
    }
    if (number == 2) {
        note_vkey_format(&keys.log, out);
        builder_u8(out, '\n');
        note_pq_vkey_format(&keys.pq, out);
        return true;
    }
    struct checkpoint checkpoint = {.origin = "example.org/log", .size = 1234567};
    memset(&checkpoint.root, 7, sizeof checkpoint.root);
    checkpoint_format(&checkpoint, out);
    builder_text(out, "\n");
    note_format_signature(&keys.log, SIGNATURE, out);
    if (number == 1) {
        note_pq_format(&keys.pq, 1763700000, SIGNATURE, out);
    }
    return true;
}

/* A key that parses has one spelling, but for the case of its id's hex digits. */
static void check_vkey(struct slice text) {
    struct note_pq_vkey vkey;
    struct builder again;
    if (!note_pq_vkey_parse(text, &vkey)) {
        return;
    }
    builder_init(&again, text.size + 1);
    note_pq_vkey_format(&vkey, &again);
    ASSERT(builder_is_ok(&again) && again.size == text.size &&
           strncasecmp((const char *)again.data, (const char *)text.data, text.size) == 0);
    builder_deinit(&again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct note note;
    struct note_vkey vkey;
    struct note_keys keys;
    struct note_signers signers;
    (void)note_vkey_parse(slice_of(data, size), &vkey);
    (void)note_keys_parse(slice_of(data, size), &keys);
    check_vkey(slice_of(data, size));
    if (!note_parse(slice_of(data, size), &note)) {
        return 0;
    }
    struct builder body;
    builder_init(&body, size + 1024);
    checkpoint_format(&note.checkpoint, &body);
    ASSERT(slice_equal(builder_slice(&body), note.body));
    builder_deinit(&body);
    keys_make(&keys);
    ASSERT(note_verify(&note, &keys.log) != NOTE_VALID);
    ASSERT(note_pq_verify(&note, &keys.pq) != NOTE_VALID);
    enum note_keys_verdict verdict = note_keys_verify(&note, &keys, &signers);
    ASSERT(verdict != NOTE_KEYS_VALID && verdict != NOTE_KEYS_UNKNOWN);
    return 0;
}
