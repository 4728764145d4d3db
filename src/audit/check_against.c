/* SPDX-License-Identifier: Apache-2.0
 *
 * Who can change the log can change keys/last_checkpoint too, so neither shows that an old copy of
 * both was put back. What was handed out before does.
 */
#include <inttypes.h>
#include <string.h>

#include "audit/check.h"
#include "audit/checkpoint.h"
#include "audit/receipt.h"
#include "audit/rows.h"

static status_t compare_tree(struct audit_log *log, uint64_t size, const struct digest *root,
                             struct error *err) {
    struct audit_head head;
    struct digest now;
    TRY(audit_log_head(log, &head, err));
    if (size > head.size) {
        return error_set(err, ERROR_AUDIT_ROLLED_BACK, 0,
                         "the log was rolled back or truncated: it has %" PRIu64
                         " entries, and had %" PRIu64 " when this was signed",
                         head.size, size);
    }
    TRY(merkle_root_of_size(size, audit_log_read_hash, log, &now, err));
    return digest_equal(&now, root)
               ? STATUS_OK
               : error_set(err, ERROR_AUDIT_DAMAGED, 0,
                           "the log was rewritten, or has a second writer: its first %" PRIu64
                           " entries are not those that were signed",
                           size);
}

status_t audit_check_receipt(struct audit_log *log, struct slice receipt, uint64_t *ret_size,
                             struct error *err) {
    struct note_keys keys;
    struct receipt_result result = {0};
    TRY(checkpoint_own_keys(audit_log_state(log), &keys, err));
    TRY(receipt_verify(receipt, &keys, false, &result, err));
    json_free(result.entry);
    TRY(compare_tree(log, result.tree_size, &result.root, err));
    *ret_size = result.tree_size;
    return STATUS_OK;
}

status_t audit_check_checkpoint(struct audit_log *log, struct slice checkpoint, uint64_t *ret_size,
                                struct error *err) {
    struct note note;
    struct note_keys keys;
    struct note_signers signers;
    if (!note_parse(checkpoint, &note)) {
        return error_set(err, ERROR_RECEIPT_MALFORMED, 0, "this is no signed checkpoint");
    }
    TRY(checkpoint_own_keys(audit_log_state(log), &keys, err));
    /* Witnesses' lines stand there too; they are judged when they come in. */
    TRY(checkpoint_judge(&note, &keys, true, &signers, err));
    TRY(compare_tree(log, note.checkpoint.size, &note.checkpoint.root, err));
    *ret_size = note.checkpoint.size;
    return STATUS_OK;
}
