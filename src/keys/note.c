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

void note_key_id(struct slice name, uint8_t type, struct slice public_key,
                 uint8_t ret_key_id[static NOTE_KEY_ID_BYTES]) {
    const uint8_t middle[] = {'\n', type};
    struct sha256 hash;
    struct digest digest;
    sha256_init(&hash);
    sha256_update(&hash, name);
    sha256_update(&hash, slice_of(middle, sizeof middle));
    sha256_update(&hash, public_key);
    sha256_final(&hash, &digest);
    memcpy(ret_key_id, digest.bytes, NOTE_KEY_ID_BYTES);
}

void note_vkey_make(const char *name, const uint8_t public_key[static ED25519_PUBLIC_BYTES],
                    struct note_vkey *ret_vkey) {
    struct slice bytes = slice_of_string(name);
    ASSERT(note_name_is_valid(bytes));
    *ret_vkey = (struct note_vkey){0};
    memcpy(ret_vkey->name, bytes.data, bytes.size);
    memcpy(ret_vkey->public_key, public_key, ED25519_PUBLIC_BYTES);
    note_key_id(bytes, NOTE_TYPE_ED25519, slice_of(public_key, ED25519_PUBLIC_BYTES),
                ret_vkey->key_id);
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

bool note_vkey_split(struct slice text, uint8_t type, char ret_name[static NOTE_NAME_BYTES],
                     uint8_t *ret_public_key, size_t public_key_size) {
    struct cursor cursor = cursor_of(text);
    struct slice name = cursor_until(&cursor, '+');
    struct slice id = cursor_until(&cursor, '+');
    uint8_t key_id[NOTE_KEY_ID_BYTES];
    uint8_t right_id[NOTE_KEY_ID_BYTES];
    if (!cursor_is_ok(&cursor) || !note_name_is_valid(name) ||
        !text_unhex(id, key_id, sizeof key_id)) {
        return false;
    }
    struct builder key;
    builder_init(&key, 1 + public_key_size);
    bool fits = text_unbase64(cursor_bytes(&cursor, cursor_remaining(&cursor)), &key) &&
                key.size == 1 + public_key_size && key.data[0] == type;
    if (fits) {
        memset(ret_name, 0, NOTE_NAME_BYTES);
        memcpy(ret_name, name.data, name.size);
        memcpy(ret_public_key, key.data + 1, public_key_size);
        note_key_id(name, type, slice_of(ret_public_key, public_key_size), right_id);
    }
    builder_deinit(&key);
    return fits && memcmp(right_id, key_id, sizeof key_id) == 0;
}

bool note_vkey_parse(struct slice text, struct note_vkey *ret_vkey) {
    struct note_vkey vkey;
    if (!note_vkey_split(text, NOTE_TYPE_ED25519, vkey.name, vkey.public_key,
                         sizeof vkey.public_key)) {
        return false;
    }
    note_vkey_make(vkey.name, vkey.public_key, ret_vkey);
    return true;
}

void note_vkey_join(const char *name, uint8_t type, struct slice public_key, struct builder *out) {
    uint8_t key_id[NOTE_KEY_ID_BYTES];
    struct builder key;
    builder_init(&key, 1 + public_key.size);
    builder_u8(&key, type);
    builder_bytes(&key, public_key);
    note_key_id(slice_of_string(name), type, public_key, key_id);
    builder_format(out, "%s+", name);
    text_hex(slice_of(key_id, sizeof key_id), out);
    builder_u8(out, '+');
    text_base64(builder_slice(&key), out);
    builder_deinit(&key);
}

void note_vkey_format(const struct note_vkey *vkey, struct builder *out) {
    note_vkey_join(vkey->name, NOTE_TYPE_ED25519,
                   slice_of(vkey->public_key, sizeof vkey->public_key), out);
}

void checkpoint_format(const struct checkpoint *checkpoint, struct builder *out) {
    builder_format(out, "%s\n%" PRIu64 "\n", checkpoint->origin, checkpoint->size);
    text_base64(slice_of(checkpoint->root.bytes, DIGEST_BYTES), out);
    builder_u8(out, '\n');
}

void note_line_format(const char *name, struct slice bytes, struct builder *out) {
    builder_format(out, "%s%s ", DASH, name);
    text_base64(bytes, out);
    builder_u8(out, '\n');
}

void note_format_signature(const struct note_vkey *vkey,
                           const uint8_t signature[static ED25519_SIGNATURE_BYTES],
                           struct builder *out) {
    uint8_t bytes[NOTE_KEY_ID_BYTES + ED25519_SIGNATURE_BYTES];
    memcpy(bytes, vkey->key_id, NOTE_KEY_ID_BYTES);
    memcpy(bytes + NOTE_KEY_ID_BYTES, signature, ED25519_SIGNATURE_BYTES);
    note_line_format(vkey->name, slice_of(bytes, sizeof bytes), out);
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

bool note_line_claims(const struct note_line *line, const char *name,
                      const uint8_t key_id[static NOTE_KEY_ID_BYTES]) {
    enum { START = 8 }; /* characters of base64: six bytes, or with padding no less than four */
    struct builder bytes;
    if (line->base64.size < START || !slice_equal(line->name, slice_of_string(name))) {
        return false;
    }
    builder_init(&bytes, START);
    bool fits = text_unbase64(slice_of(line->base64.data, START), &bytes) &&
                bytes.size >= NOTE_KEY_ID_BYTES &&
                memcmp(bytes.data, key_id, NOTE_KEY_ID_BYTES) == 0;
    builder_deinit(&bytes);
    return fits;
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
        if (!note_line_parse(&cursor, &line) ||
            !note_line_claims(&line, vkey->name, vkey->key_id)) {
            continue;
        }
        if (!note_unbase64(line.base64, bytes, sizeof bytes) ||
            !ed25519_verify(vkey->public_key, note->body, bytes + NOTE_KEY_ID_BYTES)) {
            return NOTE_BAD_SIGNATURE;
        }
        verdict = NOTE_VALID;
    }
    return verdict;
}
