/* SPDX-License-Identifier: Apache-2.0 */
#include "keys/cosignature.h"

#include <inttypes.h>
#include <string.h>

enum { MESSAGE_BYTES_MAX = NOTE_BYTES_MAX + 64 };

void cosignature_vkey_make(const char *name, const uint8_t public_key[static ED25519_PUBLIC_BYTES],
                           struct note_vkey *ret_vkey) {
    note_vkey_make(name, public_key, ret_vkey);
    note_key_id(slice_of_string(name), COSIGNATURE_TYPE_ED25519,
                slice_of(public_key, ED25519_PUBLIC_BYTES), ret_vkey->key_id);
}

bool cosignature_vkey_parse(struct slice text, struct note_vkey *ret_vkey) {
    struct note_vkey vkey;
    if (!note_vkey_split(text, COSIGNATURE_TYPE_ED25519, vkey.name, vkey.public_key,
                         sizeof vkey.public_key)) {
        return false;
    }
    cosignature_vkey_make(vkey.name, vkey.public_key, ret_vkey);
    return true;
}

void cosignature_message(uint64_t time_s, struct slice body, struct builder *out) {
    builder_format(out, "cosignature/v1\ntime %" PRIu64 "\n", time_s);
    builder_bytes(out, body);
}

static bool signature_fits(const struct note_vkey *vkey, uint64_t time_s, struct slice body,
                           const uint8_t *signature) {
    struct builder message;
    builder_init(&message, MESSAGE_BYTES_MAX);
    cosignature_message(time_s, body, &message);
    bool fits = builder_is_ok(&message) &&
                ed25519_verify(vkey->public_key, builder_slice(&message), signature);
    builder_deinit(&message);
    return fits;
}

/* What one line is worth; MISSING when it is by another key. */
static enum cosignature_verdict line_check(const struct note_line *line, struct slice body,
                                           const struct note_vkey *vkey, uint64_t now_s,
                                           uint64_t *ret_time_s) {
    uint8_t bytes[NOTE_KEY_ID_BYTES + COSIGNATURE_BYTES];
    if (!slice_equal(line->name, slice_of_string(vkey->name)) ||
        !note_unbase64(line->base64, bytes, sizeof bytes) ||
        memcmp(bytes, vkey->key_id, NOTE_KEY_ID_BYTES) != 0) {
        return COSIGNATURE_MISSING;
    }
    struct cursor cursor = cursor_of(slice_of(bytes, sizeof bytes));
    (void)cursor_bytes(&cursor, NOTE_KEY_ID_BYTES);
    uint64_t time_s = cursor_u64_be(&cursor);
    if (!signature_fits(vkey, time_s, body, cursor_bytes(&cursor, ED25519_SIGNATURE_BYTES).data)) {
        return COSIGNATURE_WRONG;
    }
    *ret_time_s = time_s;
    return time_s == 0 || time_s > now_s + COSIGNATURE_AHEAD_S ? COSIGNATURE_TIME
                                                               : COSIGNATURE_VALID;
}

enum cosignature_verdict cosignature_check(struct slice lines, struct slice body,
                                           const struct note_vkey *vkey, uint64_t now_s,
                                           struct cosignature *ret) {
    struct cursor cursor = cursor_of(lines);
    struct cosignature found = {0};
    enum cosignature_verdict verdict = COSIGNATURE_MISSING;
    unsigned count = 0;
    while (cursor_remaining(&cursor) > 0) {
        struct note_line line;
        size_t start = cursor.offset;
        if (++count > NOTE_SIGNATURES_MAX - 1 || !note_line_parse(&cursor, &line)) {
            return COSIGNATURE_MALFORMED;
        }
        enum cosignature_verdict one = line_check(&line, body, vkey, now_s, &found.time_s);
        if (one == COSIGNATURE_MISSING) {
            continue;
        }
        if (one != COSIGNATURE_VALID || verdict == COSIGNATURE_VALID) {
            return one == COSIGNATURE_VALID ? COSIGNATURE_MALFORMED : one;
        }
        found.line = slice_of(lines.data + start, cursor.offset - start);
        verdict = one;
    }
    if (verdict == COSIGNATURE_VALID) {
        *ret = found;
    }
    return verdict;
}
