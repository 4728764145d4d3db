/* SPDX-License-Identifier: Apache-2.0 */
#include "keys/note_pq.h"

#include <string.h>

#include "base/assert.h"
#include "codec/text.h"

static const char LABEL[12] = "subtree/v1\n"; /* twelve bytes: its NUL belongs to it */

void note_pq_vkey_make(const char *name, const uint8_t public_key[static MLDSA44_PUBLIC_BYTES],
                       struct note_pq_vkey *ret_vkey) {
    struct slice bytes = slice_of_string(name);
    ASSERT(note_name_is_valid(bytes));
    *ret_vkey = (struct note_pq_vkey){0};
    memcpy(ret_vkey->name, bytes.data, bytes.size);
    memcpy(ret_vkey->public_key, public_key, MLDSA44_PUBLIC_BYTES);
    note_key_id(bytes, NOTE_TYPE_MLDSA44, slice_of(public_key, MLDSA44_PUBLIC_BYTES),
                ret_vkey->key_id);
}

bool note_pq_vkey_parse(struct slice text, struct note_pq_vkey *ret_vkey) {
    struct note_pq_vkey vkey = {0};
    if (!note_vkey_split(text, NOTE_TYPE_MLDSA44, vkey.name, vkey.public_key,
                         sizeof vkey.public_key)) {
        return false;
    }
    note_pq_vkey_make(vkey.name, vkey.public_key, ret_vkey);
    return true;
}

void note_pq_vkey_format(const struct note_pq_vkey *vkey, struct builder *out) {
    note_vkey_join(vkey->name, NOTE_TYPE_MLDSA44,
                   slice_of(vkey->public_key, sizeof vkey->public_key), out);
}

static void put_name(const char *name, struct builder *out) {
    struct slice bytes = slice_of_string(name);
    ASSERT(bytes.size > 0 && bytes.size <= UINT8_MAX);
    builder_u8(out, (uint8_t)bytes.size);
    builder_bytes(out, bytes);
}

void note_pq_message(const char *name, uint64_t time_s, const struct checkpoint *checkpoint,
                     struct builder *out) {
    static_assert(NOTE_NAME_BYTES - 1 == UINT8_MAX);
    builder_bytes(out, slice_of((const uint8_t *)LABEL, sizeof LABEL));
    put_name(name, out);
    builder_u64_be(out, time_s);
    put_name(checkpoint->origin, out);
    builder_u64_be(out, 0);
    builder_u64_be(out, checkpoint->size);
    builder_bytes(out, slice_of(checkpoint->root.bytes, DIGEST_BYTES));
}

void note_pq_format(const struct note_pq_vkey *vkey, uint64_t time_s,
                    const uint8_t signature[static MLDSA44_SIGNATURE_BYTES], struct builder *out) {
    struct builder bytes;
    builder_init(&bytes, NOTE_KEY_ID_BYTES + NOTE_PQ_SIGNATURE_BYTES);
    builder_bytes(&bytes, slice_of(vkey->key_id, NOTE_KEY_ID_BYTES));
    builder_u64_be(&bytes, time_s);
    builder_bytes(&bytes, slice_of(signature, MLDSA44_SIGNATURE_BYTES));
    note_line_format(vkey->name, builder_slice(&bytes), out);
    builder_deinit(&bytes);
}

bool note_pq_claims(const struct note_line *line, const struct note_pq_vkey *vkey) {
    return note_line_claims(line, vkey->name, vkey->key_id);
}

static bool signature_fits(const struct note_pq_vkey *vkey, const struct checkpoint *checkpoint,
                           struct slice bytes) {
    struct cursor cursor = cursor_of(bytes);
    struct builder message;
    (void)cursor_bytes(&cursor, NOTE_KEY_ID_BYTES);
    uint64_t time_s = cursor_u64_be(&cursor);
    const uint8_t *signature = cursor_bytes(&cursor, MLDSA44_SIGNATURE_BYTES).data;
    builder_init(&message, NOTE_PQ_MESSAGE_BYTES);
    note_pq_message(vkey->name, time_s, checkpoint, &message);
    /* The specification has no time past 2^63 - 1. */
    bool fits = builder_is_ok(&message) && cursor_is_finished(&cursor) &&
                time_s <= (uint64_t)INT64_MAX &&
                mldsa44_verify(vkey->public_key, builder_slice(&message), signature);
    builder_deinit(&message);
    return fits;
}

enum note_verdict note_pq_verify(const struct note *note, const struct note_pq_vkey *vkey) {
    struct cursor cursor = cursor_of(note->signatures);
    enum note_verdict verdict = NOTE_UNSIGNED;
    while (cursor_remaining(&cursor) > 0) {
        struct note_line line;
        uint8_t bytes[NOTE_KEY_ID_BYTES + NOTE_PQ_SIGNATURE_BYTES];
        if (!note_line_parse(&cursor, &line) || !note_pq_claims(&line, vkey)) {
            continue;
        }
        if (!note_unbase64(line.base64, bytes, sizeof bytes) ||
            !signature_fits(vkey, &note->checkpoint, slice_of(bytes, sizeof bytes))) {
            return NOTE_BAD_SIGNATURE;
        }
        verdict = NOTE_VALID;
    }
    return verdict;
}
