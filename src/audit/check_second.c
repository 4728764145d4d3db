/* SPDX-License-Identifier: Apache-2.0
 *
 * Is keys/last_checkpoint_pq what it should be? It may lag behind keys/last_checkpoint, because a
 * command may end between the two signatures and second signatures may be turned off; it is never
 * ahead of it.
 */
#include <fcntl.h>
#include <inttypes.h>
#include <unistd.h>

#include "audit/check.h"
#include "audit/checkpoint.h"
#include "audit/rows.h"
#include "keys/protocol.h"

/* No second checkpoint: fine unless a second key was made, because that one has signed at once. */
static status_t check_none(const struct state *state, struct error *err) {
    if (faccessat(state->keys_fd, KEYS_FILE_PQ_VKEY, F_OK, AT_SYMLINK_NOFOLLOW) != 0) {
        return STATUS_OK;
    }
    (void)error_set(err, ERROR_AUDIT_ROLLED_BACK, 0, "keys/%s is gone", KEYS_FILE_PQ_CHECKPOINT);
    error_hint(err,
               "Put it back from a backup. For a new second key, move keys/log_pq.* away too.");
    return (status_t){ERROR_AUDIT_ROLLED_BACK};
}

static status_t check_note(const struct state *state, struct slice text, struct error *err) {
    struct note note;
    struct note_keys keys;
    struct note_signers signers;
    struct error why = {0};
    TRY(checkpoint_own_keys(state, &keys, err));
    keys.needs_pq = true;
    if (!keys.has_pq) {
        return error_set(err, ERROR_AUDIT_DAMAGED, 0, "keys/%s is gone", KEYS_FILE_PQ_VKEY);
    }
    return note_parse(text, &note) &&
                   status_is_ok(checkpoint_judge(&note, &keys, false, &signers, &why))
               ? STATUS_OK
               : error_set(err, ERROR_AUDIT_DAMAGED, 0,
                           "keys/%s is not signed by both keys of this log",
                           KEYS_FILE_PQ_CHECKPOINT);
}

status_t audit_check_second(struct audit_log *log, const struct checkpoint *second,
                            struct slice text, uint64_t last_size, struct error *err) {
    struct digest root;
    if (second->size == 0) {
        return check_none(audit_log_state(log), err);
    }
    TRY(check_note(audit_log_state(log), text, err));
    if (second->size > last_size) {
        return error_set(err, ERROR_AUDIT_ROLLED_BACK, 0,
                         "keys/%s covers %" PRIu64 " entries, and keys/%s only %" PRIu64,
                         KEYS_FILE_PQ_CHECKPOINT, second->size, KEYS_FILE_CHECKPOINT, last_size);
    }
    TRY(merkle_root_of_size(second->size, audit_log_read_hash, log, &root, err));
    return digest_equal(&root, &second->root)
               ? STATUS_OK
               : error_set(err, ERROR_AUDIT_DAMAGED, 0,
                           "the log was rewritten: keys/%s was signed over other entries",
                           KEYS_FILE_PQ_CHECKPOINT);
}
