/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "audit/checkpoint.h"
#include "audit/jsonl.h"
#include "audit/jsonl_names.h"
#include "base/cleanup.h"
#include "codec/text.h"
#include "crypto/commitment.h"

struct opening {
    char *commitment; /* owned */
    char *caller;     /* owned */
};

struct checking {
    FILE *in;
    struct opening *openings; /* owned */
    size_t opening_count;
    struct builder line; /* owned */
    uint64_t line_number;
    struct merkle_frontier frontier;
    struct digest previous;
    uint64_t gone_told; /* how many entries retention says it deleted */
    struct audit_jsonl_check result;
    struct error *err;
};

struct json *jsonl_facts(struct json *entry) {
    /* Entries that were just parsed are ours to change. */
    return (struct json *)(uintptr_t)json_get(entry, "facts");
}

static status_t wrong(struct checking *checking, enum error_code code, const char *what) {
    return error_set(checking->err, code, 0, "line %" PRIu64 ": %s", checking->line_number, what);
}

/* The next line without its end, at most JSONL_LINE_BYTES_MAX of it; false when none came whole. */
static bool line_take(FILE *in, struct builder *line) {
    builder_reset(line);
    int byte = getc_unlocked(in);
    while (byte != EOF && byte != '\n' && builder_is_ok(line)) {
        builder_u8(line, (uint8_t)byte);
        byte = getc_unlocked(in);
    }
    return byte == '\n' && builder_is_ok(line);
}

/* The next line as JSON; *ret is nullptr at the end. */
static status_t next_line(struct checking *checking, FILE *in, struct json **ret) {
    struct error why = {0};
    *ret = nullptr;
    bool whole = line_take(in, &checking->line);
    if (ferror(in) != 0) {
        return error_set(checking->err, ERROR_IO, errno, "cannot read the export");
    }
    if (!whole && feof(in) != 0 && checking->line.size == 0) {
        return STATUS_OK;
    }
    checking->line_number++;
    if (!whole) {
        return wrong(checking, ERROR_RECEIPT_MALFORMED, "the line is cut short or too long");
    }
    return status_is_ok(json_parse(builder_slice(&checking->line), "the line", ret, &why))
               ? STATUS_OK
               : wrong(checking, ERROR_RECEIPT_MALFORMED, "this is no JSON");
}

static bool opening_holds(const struct json *row) {
    uint8_t salt[COMMITMENT_SALT_BYTES];
    struct digest named;
    struct digest computed;
    const char *caller = json_get_text(row, "caller");
    const char *salt_text = json_get_text(row, "salt");
    const char *commitment = json_get_text(row, "commitment");
    size_t prefix = sizeof JSONL_COMMITMENT - 1;
    if (caller == nullptr || salt_text == nullptr || commitment == nullptr ||
        strncmp(commitment, JSONL_COMMITMENT, prefix) != 0 ||
        !text_unhex(slice_of_string(salt_text), salt, sizeof salt) ||
        !text_unhex(slice_of_string(commitment + prefix), named.bytes, DIGEST_BYTES)) {
        return false;
    }
    commitment_make(JSONL_KIND_CALLER, salt, slice_of_string(caller), &computed);
    return digest_equal(&named, &computed);
}

static status_t read_openings(struct checking *checking, FILE *in) {
    for (;;) {
        CLEANUP(json_freep) struct json *row = nullptr;
        TRY(next_line(checking, in, &row));
        if (row == nullptr) {
            checking->line_number = 0;
            return STATUS_OK;
        }
        if (checking->opening_count == (size_t)LIMIT_EXPORT_CALLERS || !opening_holds(row)) {
            return wrong(checking, ERROR_RECEIPT_MALFORMED,
                         "of the salts: it does not open its commitment");
        }
        struct opening *opening = &checking->openings[checking->opening_count++];
        opening->caller = strdup(json_get_text(row, "caller"));
        opening->commitment = strdup(json_get_text(row, "commitment"));
        if (opening->caller == nullptr || opening->commitment == nullptr) {
            return error_set(checking->err, ERROR_NO_MEMORY, 0, "cannot keep the salts");
        }
    }
}

/* Puts the caller back where it can; false when an object's caller stays closed. */
static bool open_caller(const struct checking *checking, struct json *object) {
    const char *text = json_get_text(object, "caller");
    if (text == nullptr || strncmp(text, JSONL_COMMITMENT, sizeof JSONL_COMMITMENT - 1) != 0) {
        return true;
    }
    for (size_t i = 0; i < checking->opening_count; i++) {
        if (strcmp(checking->openings[i].commitment, text) == 0) {
            json_set_text(object, "caller", checking->openings[i].caller);
            return true;
        }
    }
    return false;
}

static status_t check_content(struct checking *checking, struct json *entry,
                              const struct digest *leaf) {
    struct digest computed;
    struct builder bytes;
    bool is_open = open_caller(checking, entry) && open_caller(checking, jsonl_facts(entry));
    if (!is_open) {
        checking->result.salted++;
        return STATUS_OK;
    }
    builder_init(&bytes, LIMIT_ENTRY_BYTES);
    json_write_canonical(entry, &bytes);
    merkle_leaf(builder_slice(&bytes), &computed);
    bool same = builder_is_ok(&bytes) && digest_equal(&computed, leaf);
    builder_deinit(&bytes);
    return same ? STATUS_OK
                : wrong(checking, ERROR_RECEIPT_ENTRY, "the entry is not the one that was hashed");
}

static status_t check_entry(struct checking *checking, struct json *entry,
                            const struct digest *leaf) {
    int64_t seq;
    int64_t time_ms = 0;
    char genesis[64];
    struct digest named;
    struct digest expected = checking->previous;
    const char *previous = json_get_text(entry, "prev_hash");
    if (!json_get_integer(entry, "seq", &seq) || (uint64_t)seq != checking->frontier.size ||
        !json_get_integer(entry, "time_ms", &time_ms) || time_ms < 0) {
        return wrong(checking, ERROR_RECEIPT_ENTRY, "the entry names another place");
    }
    if (seq == 0) {
        int size = snprintf(genesis, sizeof genesis, "genesis:%" PRId64, time_ms);
        sha256_of(slice_of(genesis, (size_t)size), &expected);
    }
    if (previous == nullptr || !text_unhex(slice_of_string(previous), named.bytes, DIGEST_BYTES) ||
        !digest_equal(&named, &expected)) {
        return wrong(checking, ERROR_RECEIPT_ENTRY, "the entry does not name the one before it");
    }
    return check_content(checking, entry, leaf);
}

/* Only what retention says it deleted may be missing; its newest entry tells the whole of it. */
static void note_deleted(struct checking *checking, const struct json *entry) {
    const char *type = json_get_text(entry, "type");
    int64_t to;
    if (type != nullptr && strcmp(type, audit_event_text(AUDIT_EVENT_ARCHIVE_DELETED)) == 0 &&
        json_get_integer(entry, "to", &to) && to >= 0) {
        checking->gone_told = (uint64_t)to + 1;
    }
}

static status_t check_line(struct checking *checking, struct json *line) {
    int64_t seq;
    struct digest leaf;
    struct digest completed[64];
    unsigned count;
    const char *text = json_get_text(line, "leaf");
    if (!json_get_integer(line, "seq", &seq) || (uint64_t)seq != checking->frontier.size ||
        text == nullptr || !text_unhex(slice_of_string(text), leaf.bytes, DIGEST_BYTES)) {
        return wrong(checking, ERROR_RECEIPT_ENTRY, "an entry is missing or out of order");
    }
    struct json *entry = (struct json *)(uintptr_t)json_get(line, "entry");
    if (json_object_count(line) != (entry == nullptr ? 2U : 3U)) {
        return wrong(checking, ERROR_RECEIPT_MALFORMED, "the line has members of no meaning");
    }
    if (entry == nullptr) {
        if (checking->result.gone++ != (uint64_t)seq) {
            return wrong(checking, ERROR_RECEIPT_ENTRY, "the entry itself is missing");
        }
    } else {
        note_deleted(checking, entry);
        TRY(check_entry(checking, entry, &leaf));
    }
    merkle_frontier_append(&checking->frontier, &leaf, completed, &count);
    checking->previous = leaf;
    return STATUS_OK;
}

static status_t check_head(struct checking *checking, const struct json *head,
                           const struct note_keys *keys, struct checkpoint *ret_checkpoint) {
    struct note note;
    int64_t version = 0;
    const char *text = json_get_text(head, "checkpoint");
    if (!json_get_integer(head, "airlock_export", &version) || version != 1 || text == nullptr ||
        !note_parse(slice_of_string(text), &note)) {
        return wrong(checking, ERROR_RECEIPT_MALFORMED, "this is no export of a log");
    }
    struct error why = {0};
    struct note_signers signers;
    if (!status_is_ok(checkpoint_judge(&note, keys, true, &signers, &why))) {
        return wrong(checking, why.code, why.message);
    }
    checking->result.has_pq = signers.has_pq;
    checking->result.unknown = signers.unknown;
    *ret_checkpoint = note.checkpoint;
    return STATUS_OK;
}

static status_t check_all(struct checking *checking, const struct note_keys *keys) {
    struct checkpoint checkpoint = {0};
    for (;;) {
        CLEANUP(json_freep) struct json *line = nullptr;
        TRY(next_line(checking, checking->in, &line));
        if (line == nullptr) {
            break;
        }
        TRY(checking->line_number == 1 ? check_head(checking, line, keys, &checkpoint)
                                       : check_line(checking, line));
    }
    if (checking->line_number == 0 || checking->frontier.size != checkpoint.size) {
        return wrong(checking, ERROR_RECEIPT_ROOT,
                     "the export has fewer or more entries than its checkpoint names");
    }
    if (checking->result.gone > checking->gone_told) {
        return wrong(checking, ERROR_RECEIPT_ENTRY,
                     "entries are missing, and none says that retention deleted them");
    }
    struct digest root;
    merkle_frontier_root(&checking->frontier, &root);
    if (!digest_equal(&root, &checkpoint.root)) {
        return wrong(checking, ERROR_RECEIPT_ROOT,
                     "the entries do not lead to the root that was signed");
    }
    checking->result.size = checkpoint.size;
    memcpy(checking->result.origin, checkpoint.origin, NOTE_NAME_BYTES);
    return STATUS_OK;
}

status_t audit_jsonl_check(FILE *in, FILE *openings, const struct note_keys *keys,
                           struct audit_jsonl_check *ret_check, struct error *err) {
    struct checking checking = {.in = in, .err = err};
    checking.openings = calloc((size_t)LIMIT_EXPORT_CALLERS, sizeof *checking.openings);
    if (checking.openings == nullptr) {
        return error_set(err, ERROR_NO_MEMORY, 0, "cannot check an export");
    }
    builder_init(&checking.line, JSONL_LINE_BYTES_MAX);
    status_t status = openings == nullptr ? STATUS_OK : read_openings(&checking, openings);
    if (status_is_ok(status)) {
        status = check_all(&checking, keys);
    }
    for (size_t i = 0; i < checking.opening_count; i++) {
        free(checking.openings[i].caller);
        free(checking.openings[i].commitment);
    }
    free(checking.openings);
    builder_deinit(&checking.line);
    TRY(status);
    *ret_check = checking.result;
    return STATUS_OK;
}
