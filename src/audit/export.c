/* SPDX-License-Identifier: Apache-2.0 */
#include "audit/export.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "audit/checkpoint.h"
#include "audit/cosigned.h"
#include "audit/receipt.h"
#include "audit/rows.h"
#include "audit/tile.h"
#include "base/assert.h"
#include "sys/fd.h"
#include "sys/file.h"

enum { BUNDLE_BYTES_MAX = TILE_WIDTH * (2 + (int)LIMIT_ENTRY_BYTES) };

struct export {
    struct audit_log *log;
    int folder;
    struct builder bytes;
    struct audit_export_result result;
    bool is_gone; /* the bundle at hand has entries without bytes: it is not written */
};

static status_t make_parents(int folder, const char *path, struct error *err) {
    char parent[LIMIT_PATH_BYTES];
    for (const char *slash = strchr(path, '/'); slash != nullptr; slash = strchr(slash + 1, '/')) {
        size_t size = (size_t)(slash - path);
        ASSERT(size < sizeof parent);
        memcpy(parent, path, size);
        parent[size] = '\0';
        TRY(file_make_folder(folder, parent, 0755, err));
    }
    return STATUS_OK;
}

static status_t write_file(struct export *export, const char *path, struct error *err) {
    if (!builder_is_ok(&export->bytes)) {
        return error_set(err, ERROR_NO_MEMORY, 0, "cannot hold %s", path);
    }
    TRY(make_parents(export->folder, path, err));
    TRY(file_write_atomic(export->folder, path, builder_slice(&export->bytes),
                          &(struct file_write_options){.mode = 0644}, err));
    export->result.files++;
    return STATUS_OK;
}

static bool is_there(int folder, const char *path) {
    struct stat file;
    return fstatat(folder, path, &file, AT_SYMLINK_NOFOLLOW) == 0 && S_ISREG(file.st_mode);
}

static status_t fill_hashes(struct export *export, unsigned level, uint64_t first, unsigned width,
                            struct error *err) {
    for (unsigned i = 0; i < width; i++) {
        struct digest hash;
        TRY(audit_log_read_hash(export->log, level * TILE_HEIGHT, first + i, &hash, err));
        builder_bytes(&export->bytes, slice_of(hash.bytes, DIGEST_BYTES));
    }
    return STATUS_OK;
}

static status_t fill_entries(struct export *export, uint64_t first, unsigned width,
                             struct error *err) {
    struct builder entry;
    builder_init(&entry, LIMIT_ENTRY_BYTES);
    status_t status = STATUS_OK;
    for (unsigned i = 0; i < width && status_is_ok(status); i++) {
        bool found = false;
        builder_reset(&entry);
        status = audit_log_read(export->log, first + i, &entry, &found, err);
        if (status_is_ok(status) && !found) {
            status =
                error_set(err, ERROR_AUDIT_DAMAGED, 0, "entry %" PRIu64 " is missing", first + i);
        }
        export->is_gone = export->is_gone || entry.size == 0;
        builder_u16_be(&export->bytes, (uint16_t)entry.size);
        builder_bytes(&export->bytes, builder_slice(&entry));
    }
    builder_deinit(&entry);
    return status;
}

static status_t write_tile(struct export *export, const struct tile *tile, struct error *err) {
    struct builder path;
    builder_init(&path, TILE_PATH_BYTES_MAX + 1);
    tile_path(tile, &path);
    ASSERT(builder_is_ok(&path));
    status_t status = STATUS_OK;
    if (!is_there(export->folder, builder_c_string(&path))) {
        builder_reset(&export->bytes);
        export->is_gone = false;
        status = tile->entries
                     ? fill_entries(export, tile->index * TILE_WIDTH, tile->width, err)
                     : fill_hashes(export, tile->level, tile->index * TILE_WIDTH, tile->width, err);
        export->result.gone += export->is_gone;
        if (status_is_ok(status) && !export->is_gone) {
            status = write_file(export, builder_c_string(&path), err);
        }
    }
    builder_deinit(&path);
    return status;
}

/* All tiles of one level; `count` hashes stand in it. */
static status_t write_level(struct export *export, bool entries, unsigned level, uint64_t count,
                            struct error *err) {
    struct tile tile = {.entries = entries, .level = level};
    for (; tile_find(count, tile.index, &tile.width); tile.index++) {
        TRY(write_tile(export, &tile, err));
    }
    return STATUS_OK;
}

static status_t write_all(struct export *export, struct builder *note, struct error *err) {
    struct checkpoint last;
    TRY(checkpoint_published_text(audit_log_state(export->log), note, &last, err));
    if (last.size == 0) {
        return error_set(err, ERROR_AUDIT_NO_SUCH_ENTRY, 0, "nothing of this log was signed yet");
    }
    export->result.size = last.size;
    TRY(write_level(export, true, 0, last.size, err));
    for (unsigned level = 0; tile_hash_count(last.size, level) > 0; level++) {
        TRY(write_level(export, false, level, tile_hash_count(last.size, level), err));
    }
    /* Last, so that a reader never sees a checkpoint whose tiles are not there. */
    builder_reset(&export->bytes);
    builder_bytes(&export->bytes, builder_slice(note));
    TRY(cosigned_lines(audit_log_state(export->log), builder_slice(note), &export->bytes, err));
    return write_file(export, "checkpoint", err);
}

status_t audit_export_tiles(struct audit_log *log, int folder_fd,
                            struct audit_export_result *ret_result, struct error *err) {
    struct export export = {.log = log, .folder = folder_fd};
    struct builder note;
    builder_init(&note, NOTE_BYTES_MAX);
    builder_init(&export.bytes, BUNDLE_BYTES_MAX);
    status_t status = write_all(&export, &note, err);
    builder_deinit(&export.bytes);
    builder_deinit(&note);
    if (status_is_ok(status)) {
        *ret_result = export.result;
    }
    return status;
}

status_t audit_export_spicy(struct audit_log *log, uint64_t seq, int folder_fd, struct error *err) {
    static const struct file_write_options PUBLIC = {.mode = 0644};
    struct receipt_parts parts;
    char name[64];
    TRY(receipt_parts_make(log, seq, &parts, err));
    (void)snprintf(name, sizeof name, "entry-%" PRIu64 ".json", seq);
    status_t status = file_write_atomic(folder_fd, name, builder_slice(&parts.entry), &PUBLIC, err);
    if (status_is_ok(status)) {
        (void)snprintf(name, sizeof name, "entry-%" PRIu64 ".json.spicy", seq);
        status = file_write_atomic(folder_fd, name, builder_slice(&parts.proof), &PUBLIC, err);
    }
    receipt_parts_deinit(&parts);
    return status;
}
