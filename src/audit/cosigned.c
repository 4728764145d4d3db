/* SPDX-License-Identifier: Apache-2.0 */
#include "audit/cosigned.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "audit/checkpoint.h"
#include "audit/rows.h"
#include "base/assert.h"
#include "base/cleanup.h"
#include "keys/note.h"
#include "sys/file.h"

static const char FOLDER[] = "cosigned";
enum { PATH_BYTES = sizeof FOLDER + 1 + COSIGNED_NAME_BYTES };

bool cosigned_name_is_valid(const char *name) {
    size_t size = strlen(name);
    return size > 0 && size < COSIGNED_NAME_BYTES && name[0] != '.' &&
           strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789._-") == size;
}

static void path_of(const char *name, char ret_path[static PATH_BYTES]) {
    int size = snprintf(ret_path, PATH_BYTES, "%s/%s", FOLDER, name);
    ASSERT(size > 0 && size < PATH_BYTES);
}

status_t cosigned_write(const struct state *state, const char *name, struct slice note,
                        struct slice line, struct error *err) {
    CLEANUP(builder_deinit) struct builder text;
    char path[PATH_BYTES];
    path_of(name, path);
    builder_init(&text, NOTE_BYTES_MAX);
    builder_bytes(&text, note);
    builder_bytes(&text, line);
    if (!builder_is_ok(&text)) {
        return error_set(err, ERROR_LIMIT, 0, "the cosigned checkpoint does not fit");
    }
    TRY(file_make_folder(state->fd, FOLDER, 0700, err));
    const struct file_write_options options = {.mode = 0600, .durable = true};
    return file_write_atomic(state->fd, path, builder_slice(&text), &options, err);
}

status_t cosigned_remove(const struct state *state, const char *name, struct error *err) {
    char path[PATH_BYTES];
    path_of(name, path);
    return unlinkat(state->fd, path, 0) == 0 || errno == ENOENT
               ? STATUS_OK
               : error_set(err, ERROR_IO, errno, "cannot remove %s/%s", state->path, path);
}

/* The file's text in `out`; empty when there is none. */
static status_t read_text(const struct state *state, const char *name, struct builder *out,
                          struct error *err) {
    char path[PATH_BYTES];
    bool found = false;
    path_of(name, path);
    builder_init(out, NOTE_BYTES_MAX);
    return file_read(state->fd, path, out, &found, err);
}

static bool is_of(struct slice text, struct slice note) {
    return note.size > 0 && text.size > note.size && slice_starts_with(text, note);
}

status_t cosigned_find(const struct state *state, const char *name, struct slice note,
                       struct cosigned_state *ret, struct error *err) {
    CLEANUP(builder_deinit) struct builder text = {0};
    struct note ours;
    struct note theirs;
    TRY(read_text(state, name, &text, err));
    *ret = (struct cosigned_state){.is_current = is_of(builder_slice(&text), note)};
    /* What is damaged, or of a log before this one, is no more than not knowing: the witness
     * itself says what it has. */
    if (note_parse(note, &ours) && note_parse(builder_slice(&text), &theirs) &&
        strcmp(ours.checkpoint.origin, theirs.checkpoint.origin) == 0 &&
        theirs.checkpoint.size <= ours.checkpoint.size) {
        ret->known_size = theirs.checkpoint.size;
    }
    return STATUS_OK;
}

static status_t add_line(const struct state *state, const char *name, struct slice note,
                         struct builder *out, struct error *err) {
    CLEANUP(builder_deinit) struct builder text = {0};
    struct note whole;
    TRY(read_text(state, name, &text, err));
    if (is_of(builder_slice(&text), note) && note_parse(builder_slice(&text), &whole)) {
        builder_bytes(out, slice_of(text.data + note.size, text.size - note.size));
    }
    return STATUS_OK;
}

static int name_filter(const struct dirent *entry) {
    return cosigned_name_is_valid(entry->d_name);
}

status_t cosigned_lines(const struct state *state, struct slice note, struct builder *out,
                        struct error *err) {
    struct dirent **names = nullptr;
    char path[32 + sizeof FOLDER]; /* of the very folder: not every C library has scandirat(3) */
    (void)snprintf(path, sizeof path, "/proc/self/fd/%d/%s", state->fd, FOLDER);
    int count = scandir(path, &names, name_filter, alphasort);
    if (count < 0) {
        return errno == ENOENT
                   ? STATUS_OK
                   : error_set(err, ERROR_IO, errno, "cannot read %s/%s", state->path, FOLDER);
    }
    status_t status = STATUS_OK;
    for (int i = 0; i < count; i++) {
        if (status_is_ok(status)) {
            status = add_line(state, names[i]->d_name, note, out, err);
        }
        free(names[i]);
    }
    free(names);
    return status;
}

static bool is_cosigned_entry(void *context, uint64_t seq, struct slice entry) {
    CLEANUP(json_freep) struct json *fields = nullptr;
    struct error ignored;
    bool *is_only = context;
    (void)seq;
    const char *type = status_is_ok(json_parse(entry, "an entry", &fields, &ignored))
                           ? json_get_text(fields, "type")
                           : nullptr;
    *is_only = type != nullptr && strcmp(type, audit_event_text(AUDIT_EVENT_WITNESS_COSIGNED)) == 0;
    return *is_only;
}

status_t cosigned_is_newest(struct audit_log *log, bool *ret_is_newest, struct error *err) {
    CLEANUP(builder_deinit) struct builder note;
    CLEANUP(builder_deinit) struct builder lines;
    struct checkpoint last;
    builder_init(&note, NOTE_BYTES_MAX);
    builder_init(&lines, NOTE_BYTES_MAX);
    TRY(checkpoint_published_text(audit_log_state(log), &note, &last, err));
    TRY(cosigned_lines(audit_log_state(log), builder_slice(&note), &lines, err));
    bool is_only = true;
    if (lines.size > 0) {
        TRY(audit_log_scan(log, last.size, is_cosigned_entry, &is_only, err));
    }
    *ret_is_newest = lines.size > 0 && is_only;
    return STATUS_OK;
}
