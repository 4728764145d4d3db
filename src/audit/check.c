/* SPDX-License-Identifier: Apache-2.0 */
#include "audit/check.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "audit/checkpoint.h"
#include "audit/entry.h"
#include "audit/entry_scan.h"
#include "audit/rows.h"
#include "base/cleanup.h"
#include "codec/text.h"

struct check {
    const struct audit_check_options *options;
    struct merkle_frontier frontier; /* recomputed from the entries' bytes */
    struct digest previous;          /* the leaf of the entry before */
    uint64_t total;
    uint64_t signed_size;
    struct digest signed_root; /* recomputed at signed_size */
    uint64_t gone;             /* entries without bytes so far */
    uint64_t gone_told;        /* how many the entries about retention account for */
    const char *wrong; /* what is wrong with the entry at frontier.size; nullptr while nothing is */
    char place[64];    /* room for a text of `wrong` */
};

/* The newest entry about retention counts: it tells the whole of what is gone. */
static void note_deleted(struct check *check, struct slice bytes) {
    struct error ignored = {0};
    CLEANUP(json_freep) struct json *entry = nullptr;
    int64_t to;
    if (status_is_ok(json_parse(bytes, "the entry", &entry, &ignored)) &&
        json_get_integer(entry, "to", &to) && to >= 0 && (uint64_t)to < check->total) {
        check->gone_told = (uint64_t)to + 1;
    }
}

/* The form of the entry, and the fields that tie it to its place. */
static const char *check_entry(struct check *check, const struct audit_row *row) {
    struct entry_place place;
    struct error ignored = {0};
    if (!entry_scan(row->bytes, &place)) {
        CLEANUP(json_freep) struct json *entry = nullptr;
        bool is_json = status_is_ok(json_parse(row->bytes, "the entry", &entry, &ignored));
        return is_json ? "it is not in canonical form" : "it is no JSON";
    }
    if (!place.has_v || place.v != 1) {
        return "it is of another version";
    }
    if (!place.has_seq) {
        return "it names no place";
    }
    if (place.seq != row->seq) {
        (void)snprintf(check->place, sizeof check->place,
                       "it is out of order: entry %" PRIu64 " stands in its place", place.seq);
        return check->place;
    }
    if (!place.has_time_ms) {
        return "it has no time";
    }
    struct digest expected = check->previous;
    if (row->seq == 0) {
        entry_genesis(place.time_ms, &expected);
    }
    if (slice_equal(place.type, slice_of_string(audit_event_text(AUDIT_EVENT_ARCHIVE_DELETED)))) {
        note_deleted(check, row->bytes);
    }
    struct digest named;
    if (!text_unhex(place.prev_hash, named.bytes, DIGEST_BYTES) ||
        !digest_equal(&named, &expected)) {
        return "it does not name the entry before it";
    }
    return nullptr;
}

/* Retention takes the bytes of the first entries and leaves their hashes; whether an entry says so
 * is seen at the end. */
static const char *check_gone(struct check *check, const struct audit_row *row) {
    if (row->seq != check->gone) {
        return "its bytes are gone, though those of an older one are there";
    }
    check->gone++;
    return nullptr;
}

/* The leaf of an entry without bytes is the stored one: the signed root vouches for it. */
static const char *check_hashes(struct check *check, const struct audit_row *row) {
    struct digest leaf;
    struct digest completed[64];
    unsigned count;
    if (row->leaf.size != DIGEST_BYTES) {
        return "its hash is not the stored one";
    }
    memcpy(leaf.bytes, row->leaf.data, DIGEST_BYTES);
    if (row->bytes.size > 0) {
        merkle_leaf(row->bytes, &leaf);
    }
    if (!slice_equal(row->leaf, slice_of(leaf.bytes, DIGEST_BYTES))) {
        return "its hash is not the stored one";
    }
    merkle_frontier_append(&check->frontier, &leaf, completed, &count);
    check->previous = leaf;
    return slice_equal(row->nodes, slice_of(completed, count * DIGEST_BYTES))
               ? nullptr
               : "the tree's hashes stored with it are not the computed ones";
}

static bool check_row(void *context, const struct audit_row *row) {
    struct check *check = context;
    if (row->seq >= check->total) {
        return false; /* appended by another command meanwhile */
    }
    if (row->seq != check->frontier.size) {
        check->wrong = "it is missing";
        return false;
    }
    const char *wrong = row->bytes.size > 0 ? check_entry(check, row) : check_gone(check, row);
    if (wrong == nullptr) {
        wrong = check_hashes(check, row);
    }
    if (wrong != nullptr) {
        check->wrong = wrong;
        return false;
    }
    if (check->frontier.size == check->signed_size) {
        merkle_frontier_root(&check->frontier, &check->signed_root);
    }
    if (check->options->progress != nullptr && check->frontier.size % 1024 == 0) {
        check->options->progress(check->options->context, check->frontier.size, check->total);
    }
    return true;
}

static status_t check_rows(struct audit_log *log, struct check *check,
                           const struct audit_tail *tail, struct error *err) {
    status_t scanned = audit_log_scan_rows(log, 0, check_row, check, err);
    TRY(scanned);
    if (check->wrong == nullptr && check->frontier.size != tail->frontier.size) {
        return error_set(err, ERROR_AUDIT_DAMAGED, 0,
                         "the log is truncated: it has %" PRIu64
                         " entries, its head names %" PRIu64,
                         check->frontier.size, tail->frontier.size);
    }
    if (check->wrong != nullptr) {
        uint64_t seq = check->frontier.size;
        return error_set(err, ERROR_AUDIT_DAMAGED, 0, "entry %" PRIu64 ": %s", seq, check->wrong);
    }
    if (check->gone > check->gone_told) {
        return error_set(err, ERROR_AUDIT_DAMAGED, 0,
                         "the bytes of entry %" PRIu64
                         " are gone, and no entry says that retention "
                         "deleted them",
                         check->gone_told);
    }
    struct digest root;
    merkle_frontier_root(&check->frontier, &root);
    return digest_equal(&root, &tail->root)
               ? STATUS_OK
               : error_set(err, ERROR_AUDIT_DAMAGED, 0,
                           "the entries do not lead to the root that the head names");
}

static status_t check_signed(const struct check *check, const struct note *note,
                             const struct state *state, struct error *err) {
    struct note_vkey vkey;
    TRY(checkpoint_own_vkey(state, &vkey, err));
    if (strcmp(vkey.name, note->checkpoint.origin) != 0 || note_verify(note, &vkey) != NOTE_VALID) {
        return error_set(err, ERROR_AUDIT_DAMAGED, 0,
                         "the last checkpoint is not signed by this log's key");
    }
    if (!digest_equal(&check->signed_root, &note->checkpoint.root)) {
        return error_set(err, ERROR_AUDIT_DAMAGED, 0,
                         "the log was rewritten, or has a second writer: its last checkpoint was "
                         "signed over other entries");
    }
    return STATUS_OK;
}

static status_t check_all(struct audit_log *log, struct check *check, struct builder *text,
                          struct audit_check_result *ret_result, struct error *err) {
    struct checkpoint last;
    struct audit_tail tail;
    struct audit_check_result result = {0};
    TRY(checkpoint_last_text(audit_log_state(log), text, &last, err));
    TRY(audit_log_tail(log, &tail, err));
    check->total = tail.frontier.size;
    check->signed_size = last.size;
    if (last.size > tail.frontier.size) {
        return error_set(err, ERROR_AUDIT_ROLLED_BACK, 0,
                         "the log was rolled back or truncated: it has %" PRIu64
                         " entries, a checkpoint over %" PRIu64 " was signed",
                         tail.frontier.size, last.size);
    }
    TRY(check_rows(log, check, &tail, err));
    if (last.size > 0) {
        struct note note;
        if (!note_parse(builder_slice(text), &note)) {
            return error_set(err, ERROR_AUDIT_DAMAGED, 0, "the last checkpoint is malformed");
        }
        TRY(check_signed(check, &note, audit_log_state(log), err));
        static_assert(sizeof result.origin == NOTE_NAME_BYTES);
        memcpy(result.origin, last.origin, NOTE_NAME_BYTES);
    }
    result.size = tail.frontier.size;
    result.root = tail.root;
    result.signed_size = last.size;
    result.gone = check->gone;
    *ret_result = result;
    return STATUS_OK;
}

status_t audit_log_check(struct audit_log *log, const struct audit_check_options *options,
                         struct audit_check_result *ret_result, struct error *err) {
    struct check check = {.options = options};
    struct checkpoint second;
    struct builder text;
    struct builder second_text;
    struct audit_check_result result;
    merkle_frontier_init(&check.frontier);
    builder_init(&text, NOTE_BYTES_MAX);
    builder_init(&second_text, NOTE_BYTES_MAX);
    /* Read before the first one, so that it is not ahead of it when others go on signing. */
    status_t status = checkpoint_second_text(audit_log_state(log), &second_text, &second, err);
    if (status_is_ok(status)) {
        status = check_all(log, &check, &text, &result, err);
    }
    if (status_is_ok(status)) {
        status =
            audit_check_second(log, &second, builder_slice(&second_text), result.signed_size, err);
    }
    builder_deinit(&second_text);
    builder_deinit(&text);
    if (status_is_ok(status)) {
        result.second_size = second.size;
        *ret_result = result;
    }
    return status;
}
