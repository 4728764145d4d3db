/* SPDX-License-Identifier: Apache-2.0 */
#include "audit/jsonl.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "audit/checkpoint.h"
#include "audit/jsonl_names.h"
#include "audit/rows.h"
#include "base/cleanup.h"
#include "codec/text.h"
#include "crypto/commitment.h"
#include "sys/random.h"

/* A caller and what stands in its place. */
struct caller {
    char *name; /* owned */
    char commitment[sizeof JSONL_COMMITMENT + (size_t)2 * DIGEST_BYTES];
};

struct writing {
    FILE *out;
    FILE *openings;
    struct caller *callers; /* owned */
    struct audit_jsonl_result result;
    struct builder line;
    struct error *err;
    status_t status;
};

static void hex_text(struct slice bytes, char *ret_text, size_t size) {
    struct builder hex;
    builder_init(&hex, size);
    text_hex(bytes, &hex);
    (void)snprintf(ret_text, size, "%s", builder_c_string(&hex));
    builder_deinit(&hex);
}

static status_t put_line(struct writing *writing, FILE *to, const struct json *value) {
    builder_reset(&writing->line);
    json_write_canonical(value, &writing->line);
    builder_u8(&writing->line, '\n');
    if (!builder_is_ok(&writing->line)) {
        return error_set(writing->err, ERROR_LIMIT, 0, "a line of the export is too long");
    }
    struct slice line = builder_slice(&writing->line);
    return fwrite(line.data, 1, line.size, to) == line.size
               ? STATUS_OK
               : error_set(writing->err, ERROR_IO, errno, "cannot write the export");
}

/* Draws a salt for a caller not seen before and writes its opening. */
static status_t caller_new(struct writing *writing, const char *name, struct caller *ret_caller) {
    uint8_t salt[COMMITMENT_SALT_BYTES];
    struct digest commitment;
    char hex[2 * DIGEST_BYTES + 1];
    random_fill(salt, sizeof salt);
    commitment_make(JSONL_KIND_CALLER, salt, slice_of_string(name), &commitment);
    hex_text(slice_of(commitment.bytes, DIGEST_BYTES), hex, sizeof hex);
    (void)snprintf(ret_caller->commitment, sizeof ret_caller->commitment, "%s%s", JSONL_COMMITMENT,
                   hex);
    CLEANUP(json_freep) struct json *opening = json_object_new();
    json_set_text(opening, "caller", name);
    json_set_text(opening, "commitment", ret_caller->commitment);
    hex_text(slice_of(salt, sizeof salt), hex, sizeof hex);
    json_set_text(opening, "salt", hex);
    ret_caller->name = strdup(name);
    if (ret_caller->name == nullptr) {
        return error_set(writing->err, ERROR_NO_MEMORY, 0, "cannot keep a caller's name");
    }
    return put_line(writing, writing->openings, opening);
}

static status_t caller_find(struct writing *writing, const char *name, const char **ret) {
    for (size_t i = 0; i < writing->result.callers; i++) {
        if (strcmp(writing->callers[i].name, name) == 0) {
            *ret = writing->callers[i].commitment;
            return STATUS_OK;
        }
    }
    if (writing->result.callers == (uint64_t)LIMIT_EXPORT_CALLERS) {
        limit_hit(LIMIT_ID_EXPORT_CALLERS);
        return error_set(writing->err, ERROR_LIMIT, 0, "the log knows more than %d callers",
                         (int)LIMIT_EXPORT_CALLERS);
    }
    struct caller *caller = &writing->callers[writing->result.callers];
    TRY(caller_new(writing, name, caller));
    writing->result.callers++;
    *ret = caller->commitment;
    return STATUS_OK;
}

/* The member "caller" of an object, if it has one. */
static status_t salt_caller(struct writing *writing, struct json *object) {
    const char *name = json_get_text(object, "caller");
    const char *commitment = nullptr;
    if (name == nullptr) {
        return STATUS_OK;
    }
    TRY(caller_find(writing, name, &commitment));
    json_set_text(object, "caller", commitment);
    return STATUS_OK;
}

static status_t write_row(struct writing *writing, const struct audit_row *row) {
    char leaf[2 * DIGEST_BYTES + 1];
    CLEANUP(json_freep) struct json *line = json_object_new();
    hex_text(row->leaf, leaf, sizeof leaf);
    json_set_text(line, "leaf", leaf);
    json_set_integer(line, "seq", (int64_t)row->seq);
    if (row->bytes.size == 0) {
        writing->result.gone++;
        return put_line(writing, writing->out, line);
    }
    struct json *entry;
    TRY(json_parse(row->bytes, "an entry of the log", &entry, writing->err));
    json_set(line, "entry", entry);
    TRY(salt_caller(writing, entry));
    TRY(salt_caller(writing, jsonl_facts(entry)));
    return put_line(writing, writing->out, line);
}

static bool write_one(void *context, const struct audit_row *row) {
    struct writing *writing = context;
    if (row->seq >= writing->result.size) {
        return false; /* past what was signed */
    }
    writing->status = write_row(writing, row);
    return status_is_ok(writing->status);
}

static status_t write_all(struct audit_log *log, struct writing *writing, struct builder *note) {
    struct checkpoint last;
    TRY(checkpoint_published_text(audit_log_state(log), note, &last, writing->err));
    if (last.size == 0) {
        return error_set(writing->err, ERROR_AUDIT_NO_SUCH_ENTRY, 0,
                         "nothing of this log was signed yet");
    }
    writing->result.size = last.size;
    CLEANUP(json_freep) struct json *head = json_object_new();
    json_set_integer(head, "airlock_export", 1);
    json_set_text(head, "checkpoint", builder_c_string(note));
    json_set_text(head, "origin", last.origin);
    json_set_integer(head, "size", (int64_t)last.size);
    TRY(put_line(writing, writing->out, head));
    TRY(audit_log_scan_rows(log, 0, write_one, writing, writing->err));
    return writing->status;
}

status_t audit_jsonl_write(struct audit_log *log, FILE *out, FILE *openings,
                           struct audit_jsonl_result *ret_result, struct error *err) {
    struct writing writing = {.out = out, .openings = openings, .err = err};
    struct builder note;
    writing.callers = calloc((size_t)LIMIT_EXPORT_CALLERS, sizeof *writing.callers);
    if (writing.callers == nullptr) {
        return error_set(err, ERROR_NO_MEMORY, 0, "cannot export the log");
    }
    builder_init(&note, NOTE_BYTES_MAX);
    builder_init(&writing.line, JSONL_LINE_BYTES_MAX);
    status_t status = write_all(log, &writing, &note);
    for (size_t i = 0; i < (size_t)LIMIT_EXPORT_CALLERS; i++) {
        free(writing.callers[i].name);
    }
    free(writing.callers);
    builder_deinit(&writing.line);
    builder_deinit(&note);
    TRY(status);
    *ret_result = writing.result;
    return STATUS_OK;
}
