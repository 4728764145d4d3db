/* SPDX-License-Identifier: Apache-2.0
 *
 * A receipt, line by line (docs/receipts.md):
 *
 *   airlock-receipt/1
 *   entry <base64 of the entry's bytes>
 *   c2sp.org/tlog-proof@v1
 *   index <n>
 *   <base64 hash>, one a line, from the leaf's sibling up
 *   <empty line>
 *   <the signed checkpoint>
 */
#include "audit/receipt.h"

#include <inttypes.h>
#include <string.h>

#include "audit/checkpoint.h"
#include "audit/log_file.h"
#include "audit/rows.h"
#include "base/assert.h"
#include "codec/text.h"

static const char HEADER[] = "airlock-receipt/1\n";
static const char PROOF_HEADER[] = "c2sp.org/tlog-proof@v1\n";
enum { SIGN_TRIES_MAX = 1000 };

/* One try to have the present head signed. */
static status_t sign_head(struct audit_log *log, struct keys_client *keys, uint64_t old_size,
                          struct error *err) {
    struct audit_head head;
    struct merkle_proof proof = {0};
    TRY(audit_log_head(log, &head, err));
    if (head.size < old_size) {
        return error_set(err, ERROR_AUDIT_ROLLED_BACK, 0,
                         "the log became smaller than its last checkpoint");
    }
    TRY(merkle_prove_consistency(old_size, head.size, audit_log_read_hash, log, &proof, err));
    enum keys_sign_result result;
    /* STALE is no failure: the checkpoint that overtook this one is read by the next try. */
    return keys_client_sign(keys, old_size, head.size, &head.root, &proof, &result, err);
}

/* Until keys/last_checkpoint covers the entry. */
static status_t sign_first(struct audit_log *log, struct keys_client *keys, uint64_t seq,
                           struct error *err) {
    for (int i = 0; i < SIGN_TRIES_MAX; i++) {
        struct checkpoint last;
        TRY(checkpoint_last(audit_log_state(log), &last, err));
        if (last.size > seq) {
            return i > 0 ? audit_signed_note(log, &last, err) : STATUS_OK;
        }
        ASSERT(keys != nullptr);
        TRY(sign_head(log, keys, last.size, err));
    }
    return error_set(err, ERROR_BUSY, 0, "other commands have checkpoints signed all the time");
}

static status_t second_last(const struct state *state, struct checkpoint *ret_second,
                            struct error *err) {
    struct builder text;
    builder_init(&text, NOTE_BYTES_MAX);
    status_t status = checkpoint_second_text(state, &text, ret_second, err);
    builder_deinit(&text);
    return status;
}

/* Until keys/last_checkpoint_pq does too. What it signs is the tree of keys/last_checkpoint. */
static status_t sign_second(struct audit_log *log, struct keys_client *keys, uint64_t seq,
                            struct error *err) {
    for (int i = 0; i < SIGN_TRIES_MAX; i++) {
        struct checkpoint last;
        struct checkpoint second;
        struct merkle_proof proof = {0};
        enum keys_sign_result result;
        TRY(second_last(audit_log_state(log), &second, err));
        if (second.size > seq) {
            return STATUS_OK;
        }
        TRY(checkpoint_last(audit_log_state(log), &last, err));
        if (second.size > last.size) {
            return error_set(err, ERROR_AUDIT_ROLLED_BACK, 0,
                             "keys/last_checkpoint is older than keys/last_checkpoint_pq");
        }
        ASSERT(keys != nullptr && keys_client_second(keys) != nullptr);
        TRY(merkle_prove_consistency(second.size, last.size, audit_log_read_hash, log, &proof,
                                     err));
        TRY(keys_client_sign(keys_client_second(keys), second.size, last.size, &last.root, &proof,
                             &result, err));
    }
    return error_set(err, ERROR_BUSY, 0, "other commands have checkpoints signed all the time");
}

status_t receipt_checkpoint(struct audit_log *log, struct keys_client *keys, uint64_t seq,
                            struct error *err) {
    TRY(sign_first(log, keys, seq, err));
    return audit_log_state(log)->pq_signatures ? sign_second(log, keys, seq, err) : STATUS_OK;
}

status_t receipt_is_covered(struct audit_log *log, uint64_t seq, bool *ret_covered,
                            struct error *err) {
    const struct state *state = audit_log_state(log);
    struct checkpoint last;
    TRY(checkpoint_last(state, &last, err));
    *ret_covered = last.size > seq;
    if (*ret_covered && state->pq_signatures) {
        TRY(second_last(state, &last, err));
        *ret_covered = last.size > seq;
    }
    return STATUS_OK;
}

static void format_proof(uint64_t index, const struct merkle_proof *proof, struct slice checkpoint,
                         struct builder *out) {
    builder_format(out, "index %" PRIu64 "\n", index);
    for (unsigned i = 0; i < proof->count; i++) {
        text_base64(slice_of(proof->hashes[i].bytes, DIGEST_BYTES), out);
        builder_u8(out, '\n');
    }
    builder_u8(out, '\n');
    builder_bytes(out, checkpoint);
}

/* Appends the parts; `note` and `entry` are scratch. */
static status_t write_parts(struct audit_log *log, uint64_t seq, struct builder *note,
                            struct receipt_parts *ret_parts, struct error *err) {
    struct checkpoint last;
    TRY(checkpoint_published_text(audit_log_state(log), note, &last, err));
    if (last.size <= seq) {
        struct audit_head head;
        TRY(audit_log_head(log, &head, err));
        if (seq >= head.size) {
            return error_set(err, ERROR_AUDIT_NO_SUCH_ENTRY, 0, "entry %" PRIu64, seq);
        }
        return error_set(err, ERROR_AUDIT_NO_SUCH_ENTRY, 0,
                         "no checkpoint covers entry %" PRIu64 " yet", seq);
    }
    bool found = false;
    TRY(audit_log_read(log, seq, &ret_parts->entry, &found, err));
    if (!found) {
        return error_set(err, ERROR_AUDIT_DAMAGED, 0, "entry %" PRIu64 " is missing", seq);
    }
    if (ret_parts->entry.size == 0) {
        status_t gone = error_set(err, ERROR_AUDIT_NO_SUCH_ENTRY, 0,
                                  "retention deleted the bytes of entry %" PRIu64, seq);
        error_hint(err, "See which entries are gone: airlock log --type audit_archive_deleted");
        return gone;
    }
    struct merkle_proof proof;
    TRY(audit_log_prove(log, seq, last.size, &proof, err));
    format_proof(seq, &proof, builder_slice(note), &ret_parts->proof);
    return builder_is_ok(&ret_parts->proof)
               ? STATUS_OK
               : error_set(err, ERROR_NO_MEMORY, 0, "cannot hold a receipt");
}

status_t receipt_parts_make(struct audit_log *log, uint64_t seq, struct receipt_parts *ret_parts,
                            struct error *err) {
    struct receipt_parts parts;
    struct builder note;
    builder_init(&note, NOTE_BYTES_MAX);
    builder_init(&parts.entry, LIMIT_ENTRY_BYTES);
    builder_init(&parts.proof, LIMIT_RECEIPT_BYTES);
    status_t status = write_parts(log, seq, &note, &parts, err);
    builder_deinit(&note);
    if (!status_is_ok(status)) {
        receipt_parts_deinit(&parts);
        return status;
    }
    *ret_parts = parts;
    return STATUS_OK;
}

void receipt_parts_deinit(struct receipt_parts *parts) {
    builder_deinit(&parts->entry);
    builder_deinit(&parts->proof);
}

status_t receipt_write(struct audit_log *log, uint64_t seq, struct builder *out,
                       struct error *err) {
    struct receipt_parts parts;
    TRY(receipt_parts_make(log, seq, &parts, err));
    builder_text(out, HEADER);
    builder_text(out, "entry ");
    text_base64(builder_slice(&parts.entry), out);
    builder_u8(out, '\n');
    builder_text(out, PROOF_HEADER);
    builder_bytes(out, builder_slice(&parts.proof));
    receipt_parts_deinit(&parts);
    return builder_is_ok(out) ? STATUS_OK
                              : error_set(err, ERROR_LIMIT, 0, "the receipt does not fit");
}

/* A receipt taken apart; nothing of it is believed yet. */
struct parsed {
    struct builder entry; /* owned */
    uint64_t index;
    struct merkle_proof proof;
    struct note note;
};

static bool line_starts(struct slice line, const char *prefix, struct slice *ret_rest) {
    struct slice start = slice_of_string(prefix);
    if (!slice_starts_with(line, start)) {
        return false;
    }
    *ret_rest = slice_of(line.data + start.size, line.size - start.size);
    return true;
}

/* The next line that is not an unknown one, which only `allow_unknown` lets pass. */
static bool next_known(struct cursor *cursor, const char *prefix, bool allow_unknown,
                       struct slice *ret_rest) {
    struct slice line = cursor_until(cursor, '\n');
    while (cursor_is_ok(cursor) && !line_starts(line, prefix, ret_rest)) {
        if (!allow_unknown || line.size == 0) {
            return false;
        }
        line = cursor_until(cursor, '\n');
    }
    return cursor_is_ok(cursor);
}

static bool parse_hashes(struct cursor *cursor, struct merkle_proof *ret_proof) {
    for (;;) {
        struct slice line = cursor_until(cursor, '\n');
        if (!cursor_is_ok(cursor)) {
            return false;
        }
        if (line.size == 0) {
            return true;
        }
        struct builder hash;
        builder_init(&hash, DIGEST_BYTES);
        bool fits = text_unbase64(line, &hash) && hash.size == DIGEST_BYTES &&
                    !limit_past(ret_proof->count == LIMIT_PROOF_HASHES, LIMIT_ID_PROOF_HASHES);
        if (fits) {
            memcpy(ret_proof->hashes[ret_proof->count++].bytes, hash.data, DIGEST_BYTES);
        }
        builder_deinit(&hash);
        if (!fits) {
            return false;
        }
    }
}

static bool parse(struct slice receipt, bool allow_unknown, struct parsed *parsed) {
    struct cursor cursor = cursor_of(receipt);
    struct slice rest;
    if (receipt.size > (size_t)LIMIT_RECEIPT_BYTES ||
        !line_starts(cursor_until(&cursor, '\n'), "airlock-receipt/1", &rest) || rest.size != 0) {
        return false;
    }
    if (!next_known(&cursor, "entry ", allow_unknown, &rest) ||
        !text_unbase64(rest, &parsed->entry) ||
        !next_known(&cursor, "c2sp.org/tlog-proof@v1", allow_unknown, &rest) || rest.size != 0 ||
        !next_known(&cursor, "index ", allow_unknown, &rest) ||
        !note_parse_decimal(rest, &parsed->index)) {
        return false;
    }
    return parse_hashes(&cursor, &parsed->proof) &&
           note_parse(cursor_bytes(&cursor, cursor_remaining(&cursor)), &parsed->note) &&
           cursor_is_finished(&cursor);
}

/* Which of the parts is wrong. A root that the proof does not lead to is the checkpoint's fault
 * when its signature is wrong too, else the entry's. */
static status_t judge(const struct parsed *parsed, const struct note_keys *keys, bool allow_unknown,
                      struct note_signers *ret_signers, struct error *err) {
    const struct checkpoint *checkpoint = &parsed->note.checkpoint;
    struct digest leaf;
    struct digest root;
    merkle_leaf(builder_slice(&parsed->entry), &leaf);
    bool leads =
        merkle_root_from_inclusion(parsed->index, checkpoint->size, &leaf, &parsed->proof, &root) &&
        digest_equal(&root, &checkpoint->root);
    status_t status = checkpoint_judge(&parsed->note, keys, allow_unknown, ret_signers, err);
    if (!leads && !status_is_ok(status) && err->code == ERROR_RECEIPT_SIGNATURE) {
        return error_set(err, ERROR_RECEIPT_ROOT, 0,
                         "the proof does not lead to the checkpoint, nor does the signature fit "
                         "it");
    }
    if (!leads && status_is_ok(status)) {
        return error_set(err, ERROR_RECEIPT_ENTRY, 0,
                         "entry %" PRIu64 " is not in the tree that was signed", parsed->index);
    }
    return status;
}

static status_t finish(const struct parsed *parsed, struct receipt_result *ret_result,
                       struct error *err) {
    struct json *entry;
    int64_t seq;
    struct error inner = {0};
    if (!status_is_ok(json_parse(builder_slice(&parsed->entry), "the entry", &entry, &inner))) {
        return error_set(err, ERROR_RECEIPT_ENTRY, 0, "the entry is no JSON");
    }
    if (!json_get_integer(entry, "seq", &seq) || seq < 0 || (uint64_t)seq != parsed->index) {
        json_free(entry);
        return error_set(err, ERROR_RECEIPT_ENTRY, 0, "the entry names another place in the log");
    }
    struct receipt_result result = {.seq = parsed->index,
                                    .tree_size = parsed->note.checkpoint.size,
                                    .root = parsed->note.checkpoint.root,
                                    .entry = entry};
    merkle_leaf(builder_slice(&parsed->entry), &result.leaf);
    static_assert(sizeof result.origin == NOTE_NAME_BYTES);
    memcpy(result.origin, parsed->note.checkpoint.origin, NOTE_NAME_BYTES);
    *ret_result = result;
    return STATUS_OK;
}

status_t receipt_verify(struct slice receipt, const struct note_keys *keys, bool allow_unknown,
                        struct receipt_result *ret_result, struct error *err) {
    struct parsed parsed = {0};
    struct note_signers signers;
    builder_init(&parsed.entry, LIMIT_ENTRY_BYTES);
    status_t status = STATUS_OK;
    if (!parse(receipt, allow_unknown, &parsed)) {
        status = error_set(err, ERROR_RECEIPT_MALFORMED, 0, "the receipt is malformed");
    }
    if (status_is_ok(status)) {
        status = judge(&parsed, keys, allow_unknown, &signers, err);
    }
    if (status_is_ok(status)) {
        status = finish(&parsed, ret_result, err);
    }
    if (status_is_ok(status)) {
        ret_result->has_pq = signers.has_pq;
        ret_result->unknown = signers.unknown;
    }
    builder_deinit(&parsed.entry);
    return status;
}

status_t receipt_own_vkey(const struct state *state, struct builder *out, struct error *err) {
    struct note_vkey vkey;
    TRY(checkpoint_own_vkey(state, &vkey, err));
    note_vkey_format(&vkey, out);
    return STATUS_OK;
}
