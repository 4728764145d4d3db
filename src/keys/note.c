/* SPDX-License-Identifier: Apache-2.0 */
#include "keys/note.h"

#include <inttypes.h>
#include <string.h>

#include "base/assert.h"
#include "codec/text.h"

static const char DASH[] = "\xe2\x80\x94 "; /* U+2014 and a space begin a signature line */

bool note_name_is_valid(struct slice name) {
    if (name.size == 0 || name.size >= NOTE_NAME_BYTES || !text_is_utf8(name)) {
        return false;
    }
    for (size_t i = 0; i < name.size; i++) {
        if (name.data[i] <= ' ' || name.data[i] == 0x7f || name.data[i] == '+') {
            return false;
        }
    }
    return true;
}

void note_vkey_make(const char *name, const uint8_t public_key[static ED25519_PUBLIC_BYTES],
                    struct note_vkey *ret_vkey) {
    struct slice bytes = slice_of_string(name);
    ASSERT(note_name_is_valid(bytes));
    *ret_vkey = (struct note_vkey){0};
    memcpy(ret_vkey->name, bytes.data, bytes.size);
    memcpy(ret_vkey->public_key, public_key, ED25519_PUBLIC_BYTES);
    static const uint8_t MIDDLE[] = {'\n', NOTE_TYPE_ED25519};
    struct sha256 hash;
    struct digest digest;
    sha256_init(&hash);
    sha256_update(&hash, bytes);
    sha256_update(&hash, slice_of(MIDDLE, sizeof MIDDLE));
    sha256_update(&hash, slice_of(public_key, ED25519_PUBLIC_BYTES));
    sha256_final(&hash, &digest);
    memcpy(ret_vkey->key_id, digest.bytes, NOTE_KEY_ID_BYTES);
}

bool note_unbase64(struct slice text, uint8_t *ret, size_t size) {
    struct builder bytes;
    builder_init(&bytes, size);
    bool fits = text_unbase64(text, &bytes) && bytes.size == size;
    if (fits) {
        memcpy(ret, bytes.data, size);
    }
    builder_deinit(&bytes);
    return fits;
}

bool note_vkey_parse(struct slice text, struct note_vkey *ret_vkey) {
    struct cursor cursor = cursor_of(text);
    struct slice name = cursor_until(&cursor, '+');
    struct slice id = cursor_until(&cursor, '+');
    if (!cursor_is_ok(&cursor) || !note_name_is_valid(name)) {
        return false;
    }
    uint8_t key[1 + ED25519_PUBLIC_BYTES];
    uint8_t key_id[NOTE_KEY_ID_BYTES];
    if (!note_unbase64(cursor_bytes(&cursor, cursor_remaining(&cursor)), key, sizeof key) ||
        !text_unhex(id, key_id, sizeof key_id) || key[0] != NOTE_TYPE_ED25519) {
        return false;
    }
    char name_text[NOTE_NAME_BYTES] = {0};
    memcpy(name_text, name.data, name.size);
    struct note_vkey vkey;
    note_vkey_make(name_text, key + 1, &vkey);
    if (memcmp(vkey.key_id, key_id, sizeof key_id) != 0) {
        return false;
    }
    *ret_vkey = vkey;
    return true;
}

void note_vkey_format(const struct note_vkey *vkey, struct builder *out) {
    uint8_t key[1 + ED25519_PUBLIC_BYTES] = {NOTE_TYPE_ED25519};
    memcpy(key + 1, vkey->public_key, ED25519_PUBLIC_BYTES);
    builder_format(out, "%s+", vkey->name);
    text_hex(slice_of(vkey->key_id, NOTE_KEY_ID_BYTES), out);
    builder_u8(out, '+');
    text_base64(slice_of(key, sizeof key), out);
}

void checkpoint_format(const struct checkpoint *checkpoint, struct builder *out) {
    builder_format(out, "%s\n%" PRIu64 "\n", checkpoint->origin, checkpoint->size);
    text_base64(slice_of(checkpoint->root.bytes, DIGEST_BYTES), out);
    builder_u8(out, '\n');
}

void note_format_signature(const struct note_vkey *vkey,
                           const uint8_t signature[static ED25519_SIGNATURE_BYTES],
                           struct builder *out) {
    uint8_t bytes[NOTE_KEY_ID_BYTES + ED25519_SIGNATURE_BYTES];
    memcpy(bytes, vkey->key_id, NOTE_KEY_ID_BYTES);
    memcpy(bytes + NOTE_KEY_ID_BYTES, signature, ED25519_SIGNATURE_BYTES);
    builder_format(out, "%s%s ", DASH, vkey->name);
    text_base64(slice_of(bytes, sizeof bytes), out);
    builder_u8(out, '\n');
}

bool note_parse_decimal(struct slice text, uint64_t *ret_value) {
    if (text.size == 0 || text.size > 18 || (text.size > 1 && text.data[0] == '0')) {
        return false;
    }
    uint64_t value = 0;
    for (size_t i = 0; i < text.size; i++) {
        if (text.data[i] < '0' || text.data[i] > '9') {
            return false;
        }
        value = value * 10 + (uint64_t)(text.data[i] - '0');
    }
    *ret_value = value;
    return true;
}

bool note_line_parse(struct cursor *cursor, struct note_line *ret_line) {
    struct cursor line = cursor_of(cursor_until(cursor, '\n'));
    if (!slice_equal(cursor_bytes(&line, sizeof DASH - 1), SLICE_LITERAL("\xe2\x80\x94 "))) {
        return false;
    }
    ret_line->name = cursor_until(&line, ' ');
    ret_line->base64 = cursor_bytes(&line, cursor_remaining(&line));
    return cursor_is_ok(cursor) && cursor_is_ok(&line) && note_name_is_valid(ret_line->name);
}

static bool signatures_are_valid(struct slice text, unsigned *ret_count) {
    struct cursor cursor = cursor_of(text);
    unsigned count = 0;
    while (cursor_remaining(&cursor) > 0) {
        struct note_line line;
        struct builder bytes;
        builder_init(&bytes, NOTE_BYTES_MAX);
        bool fits = note_line_parse(&cursor, &line) && text_unbase64(line.base64, &bytes) &&
                    bytes.size > NOTE_KEY_ID_BYTES && ++count <= NOTE_SIGNATURES_MAX;
        builder_deinit(&bytes);
        if (!fits) {
            return false;
        }
    }
    *ret_count = count;
    return count > 0;
}

bool note_parse(struct slice text, struct note *ret_note) {
    struct note note = {.signature_count = 0};
    struct cursor cursor = cursor_of(text);
    struct slice origin = cursor_until(&cursor, '\n');
    struct slice size = cursor_until(&cursor, '\n');
    struct slice root = cursor_until(&cursor, '\n');
    note.body = slice_of(text.data, cursor.offset);
    struct slice empty = cursor_until(&cursor, '\n');
    note.signatures = cursor_bytes(&cursor, cursor_remaining(&cursor));
    if (!cursor_is_ok(&cursor) || text.size > NOTE_BYTES_MAX || empty.size != 0 ||
        !note_name_is_valid(origin) || !note_parse_decimal(size, &note.checkpoint.size) ||
        !note_unbase64(root, note.checkpoint.root.bytes, DIGEST_BYTES) ||
        !signatures_are_valid(note.signatures, &note.signature_count)) {
        return false;
    }
    memcpy(note.checkpoint.origin, origin.data, origin.size);
    *ret_note = note;
    return true;
}

enum note_verdict note_verify(const struct note *note, const struct note_vkey *vkey) {
    struct cursor cursor = cursor_of(note->signatures);
    enum note_verdict verdict = NOTE_UNSIGNED;
    while (cursor_remaining(&cursor) > 0) {
        struct note_line line;
        uint8_t bytes[NOTE_KEY_ID_BYTES + ED25519_SIGNATURE_BYTES];
        if (!note_line_parse(&cursor, &line) || !note_unbase64(line.base64, bytes, sizeof bytes) ||
            !slice_equal(line.name, slice_of_string(vkey->name)) ||
            memcmp(bytes, vkey->key_id, NOTE_KEY_ID_BYTES) != 0) {
            continue;
        }
        if (!ed25519_verify(vkey->public_key, note->body, bytes + NOTE_KEY_ID_BYTES)) {
            return NOTE_BAD_SIGNATURE;
        }
        verdict = NOTE_VALID;
    }
    return verdict;
}
