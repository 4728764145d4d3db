/* SPDX-License-Identifier: Apache-2.0 */
#include "audit/checkpoint.h"

#include "keys/protocol.h"
#include "keys/slots.h"
#include "sys/file.h"

status_t checkpoint_last_text(const struct state *state, struct builder *out,
                              struct checkpoint *ret_checkpoint, struct error *err) {
    bool found = false;
    struct note note;
    TRY(slots_read(state->keys_fd, out, &found, err));
    if (!found) {
        *ret_checkpoint = (struct checkpoint){0};
        return STATUS_OK;
    }
    if (!note_parse(builder_slice(out), &note)) {
        return error_set(err, ERROR_AUDIT_DAMAGED, 0, "keys/%s is no signed checkpoint",
                         KEYS_FILE_CHECKPOINT);
    }
    *ret_checkpoint = note.checkpoint;
    return STATUS_OK;
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
