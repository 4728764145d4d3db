/* SPDX-License-Identifier: Apache-2.0
 *
 * Signed checkpoints: what parses is formatted back into the same body, and no bytes pass for a
 * signature by a key that never signed.
 */
#include <string.h>

#include "base/assert.h"
#include "fuzz.h"
#include "keys/note.h"

bool fuzz_seed(unsigned number, struct builder *out) {
    if (number > 0) {
        return false;
    }
    struct note_vkey vkey;
    const uint8_t public_key[ED25519_PUBLIC_BYTES] = {1, 2, 3};
    const uint8_t signature[ED25519_SIGNATURE_BYTES] = {4, 5, 6};
    note_vkey_make("example.org/log", public_key, &vkey);
    struct checkpoint checkpoint = {.origin = "example.org/log", .size = 1234567};
    memset(&checkpoint.root, 7, sizeof checkpoint.root);
    checkpoint_format(&checkpoint, out);
    builder_text(out, "\n");
    note_format_signature(&vkey, signature, out);
    return true;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct note note;
    struct note_vkey vkey;
    (void)note_vkey_parse(slice_of(data, size), &vkey);
    if (!note_parse(slice_of(data, size), &note)) {
        return 0;
    }
    struct builder body;
    builder_init(&body, size + 1024);
    checkpoint_format(&note.checkpoint, &body);
    ASSERT(slice_equal(builder_slice(&body), note.body));
    builder_deinit(&body);
    const uint8_t public_key[ED25519_PUBLIC_BYTES] = {1, 2, 3};
    note_vkey_make("example.org/log", public_key, &vkey);
    ASSERT(note_verify(&note, &vkey) != NOTE_VALID);
    return 0;
}
