/* SPDX-License-Identifier: Apache-2.0 */
#include "audit/checkpoint.h"

#include <string.h>

#include "codec/text.h"
#include "keys/protocol.h"
#include "keys/slots.h"
#include "sys/file.h"

static status_t read_text(const struct state *state, const char *name, struct builder *out,
                          struct checkpoint *ret_checkpoint, struct error *err) {
    bool found = false;
    struct note note;
    TRY(slots_read(state->keys_fd, name, out, &found, err));
    if (!found) {
        *ret_checkpoint = (struct checkpoint){0};
        return STATUS_OK;
    }
    if (!note_parse(builder_slice(out), &note)) {
        return error_set(err, ERROR_AUDIT_DAMAGED, 0, "keys/%s is no signed checkpoint", name);
    }
    *ret_checkpoint = note.checkpoint;
    return STATUS_OK;
}

status_t checkpoint_last_text(const struct state *state, struct builder *out,
                              struct checkpoint *ret_checkpoint, struct error *err) {
    return read_text(state, KEYS_FILE_CHECKPOINT, out, ret_checkpoint, err);
}

status_t checkpoint_second_text(const struct state *state, struct builder *out,
                                struct checkpoint *ret_checkpoint, struct error *err) {
    return read_text(state, KEYS_FILE_PQ_CHECKPOINT, out, ret_checkpoint, err);
}

status_t checkpoint_published_text(const struct state *state, struct builder *out,
                                   struct checkpoint *ret_checkpoint, struct error *err) {
    return state->pq_signatures ? checkpoint_second_text(state, out, ret_checkpoint, err)
                                : checkpoint_last_text(state, out, ret_checkpoint, err);
}

status_t checkpoint_last(const struct state *state, struct checkpoint *ret_checkpoint,
                         struct error *err) {
    struct builder text;
    builder_init(&text, NOTE_BYTES_MAX);
    status_t status = checkpoint_last_text(state, &text, ret_checkpoint, err);
    builder_deinit(&text);
    return status;
}

status_t checkpoint_own_vkey(const struct state *state, struct note_vkey *ret_vkey,
                             struct error *err) {
    struct builder text;
    builder_init(&text, 1024);
    bool found = false;
    status_t status = file_read(state->keys_fd, KEYS_FILE_VKEY, &text, &found, err);
    struct cursor cursor = cursor_of(builder_slice(&text));
    if (status_is_ok(status) &&
        (!found || !note_vkey_parse(cursor_until(&cursor, '\n'), ret_vkey))) {
        status = error_set(err, ERROR_KEYS_FAILED, 0, "%s",
                           found ? "keys/log.vkey is damaged" : "this log has no key yet");
        error_hint(err, "The key is made by the first run: airlock run -- true");
    }
    builder_deinit(&text);
    return status;
}

status_t checkpoint_own_keys(const struct state *state, struct note_keys *ret_keys,
                             struct error *err) {
    struct builder text;
    struct note_keys keys = {0};
    TRY(checkpoint_own_vkey(state, &keys.log, err));
    builder_init(&text, NOTE_PQ_VKEY_TEXT);
    status_t status = file_read(state->keys_fd, KEYS_FILE_PQ_VKEY, &text, &keys.has_pq, err);
    struct cursor cursor = cursor_of(builder_slice(&text));
    if (status_is_ok(status) && keys.has_pq &&
        (!note_pq_vkey_parse(cursor_until(&cursor, '\n'), &keys.pq) ||
         strcmp(keys.pq.name, keys.log.name) != 0)) {
        status = error_set(err, ERROR_KEYS_FAILED, 0, "keys/%s is damaged, or of another log",
                           KEYS_FILE_PQ_VKEY);
        error_hint(err, "Remove it: airlock-keys-pq writes it again from keys/%s.",
                   KEYS_FILE_PQ_SEED);
    }
    builder_deinit(&text);
    if (status_is_ok(status)) {
        *ret_keys = keys;
    }
    return status;
}

static status_t refuse_unknown(const struct note_signers *signers, struct error *err) {
    struct builder name;
    builder_init(&name, (size_t)8 * NOTE_NAME_BYTES);
    text_escape(signers->unknown_name, &name);
    (void)error_set(err, ERROR_RECEIPT_KEY, 0,
                    "it carries %u signature%s by keys that were not named, the first by %.200s",
                    signers->unknown, signers->unknown == 1 ? "" : "s", builder_c_string(&name));
    builder_deinit(&name);
    error_hint(err, "Name the log's second key too (a --key for each), or pass over what cannot "
                    "be checked: --allow-unknown");
    return (status_t){ERROR_RECEIPT_KEY};
}

status_t checkpoint_judge(const struct note *note, const struct note_keys *keys, bool allow_unknown,
                          struct note_signers *ret_signers, struct error *err) {
    struct note_signers signers = {0};
    const char *name = keys->log.name;
    switch (note_keys_verify(note, keys, &signers)) {
    case NOTE_KEYS_UNSIGNED:
        return error_set(err, ERROR_RECEIPT_KEY, 0, "it is not signed by %s", name);
    case NOTE_KEYS_WRONG:
        return error_set(err, ERROR_RECEIPT_SIGNATURE, 0,
                         "the signature by %s does not fit the checkpoint", name);
    case NOTE_KEYS_UNSIGNED_PQ:
        return error_set(err, ERROR_RECEIPT_KEY, 0,
                         "it is not signed by the ML-DSA-44 key of %s that was named", name);
    case NOTE_KEYS_WRONG_PQ:
        return error_set(err, ERROR_RECEIPT_SIGNATURE, 0,
                         "the ML-DSA-44 signature by %s does not fit the checkpoint", name);
    case NOTE_KEYS_TWICE:
        return error_set(err, ERROR_RECEIPT_MALFORMED, 0, "a key of %s signed it twice", name);
    case NOTE_KEYS_UNKNOWN:
        if (!allow_unknown) {
            return refuse_unknown(&signers, err);
        }
        break;
    case NOTE_KEYS_VALID:
        break;
    }
    if (strcmp(note->checkpoint.origin, name) != 0) {
        return error_set(err, ERROR_RECEIPT_KEY, 0, "the key of %s signed for another log", name);
    }
    *ret_signers = signers;
    return STATUS_OK;
}
