/* SPDX-License-Identifier: Apache-2.0 */
#include "sandbox/patch.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/cleanup.h"
#include "codec/text.h"

void patch_deinit(struct patch *patch) {
    for (size_t i = 0; i < patch->file_count; i++) {
        free(patch->files[i].old_path);
        free(patch->files[i].new_path);
    }
    free(patch->files);
    free(patch->hunks);
    free(patch->lines);
    *patch = (struct patch){0};
}

const char *patch_file_path(const struct patch_file *file) {
    return file->new_path != nullptr ? file->new_path : file->old_path;
}

static const char *component_refusal(struct slice component) {
    if (component.size == 0) {
        return "has an empty component";
    }
    if (slice_equal(component, SLICE_LITERAL(".")) || slice_equal(component, SLICE_LITERAL(".."))) {
        return "has a component . or ..";
    }
    if (component.size == 4 && strncasecmp((const char *)component.data, ".git", 4) == 0) {
        return "leads into .git";
    }
    if (component.size >= 8 && strncasecmp((const char *)component.data, ".airlock", 8) == 0 &&
        (component.size == 8 || component.data[8] == '-')) {
        return "leads into .airlock, or has a name that an apply uses itself";
    }
    return nullptr;
}

const char *patch_path_refusal(const char *path) {
    if (path[0] == '/') {
        return "is absolute";
    }
    if (strlen(path) >= LIMIT_PATH_BYTES) {
        return "is too long";
    }
    for (const char *at = path;; at++) {
        size_t size = strcspn(at, "/");
        const char *refusal = component_refusal(slice_of(at, size));
        if (refusal != nullptr) {
            return refusal;
        }
        at += size;
        if (*at == '\0') {
            return nullptr;
        }
    }
}

/* Applying. */

static struct slice next_line(struct slice text, size_t offset) {
    const uint8_t *at = text.data + offset;
    const uint8_t *newline = memchr(at, '\n', text.size - offset);
    return slice_of(at, newline == nullptr ? text.size - offset : (size_t)(newline + 1 - at));
}

static status_t mismatch(const struct patch_file *file, size_t line, const char *what,
                         struct error *err) {
    CLEANUP(builder_deinit) struct builder name;
    builder_init(&name, (size_t)LIMIT_PATH_BYTES * 4);
    text_escape(slice_of_string(patch_file_path(file)), &name);
    return error_set(err, ERROR_PATCH_MISMATCH, 0, "%.200s: line %zu %s", builder_c_string(&name),
                     line + 1, what);
}

struct patcher {
    const struct patch *patch;
    const struct patch_file *file;
    struct slice old;
    size_t offset, line; /* how far the old file is read */
    struct builder *out;
};

static status_t patcher_hunk(struct patcher *patcher, const struct patch_hunk *hunk,
                             struct error *err) {
    while (patcher->line < hunk->old_start) {
        if (patcher->offset == patcher->old.size) {
            return mismatch(patcher->file, patcher->line, "is past the end of the file", err);
        }
        struct slice line = next_line(patcher->old, patcher->offset);
        builder_bytes(patcher->out, line);
        patcher->offset += line.size;
        patcher->line++;
    }
    for (size_t i = 0; i < hunk->line_count; i++) {
        const struct patch_line *wanted = &patcher->patch->lines[hunk->first_line + i];
        if (wanted->mark != '+') {
            struct slice line = patcher->offset < patcher->old.size
                                    ? next_line(patcher->old, patcher->offset)
                                    : slice_of(nullptr, 0);
            if (!slice_equal(line, wanted->text)) {
                return mismatch(patcher->file, patcher->line, "is not what the patch says", err);
            }
            patcher->offset += line.size;
            patcher->line++;
        }
        if (wanted->mark != '-') {
            struct slice done = builder_slice(patcher->out);
            if (done.size > 0 && done.data[done.size - 1] != '\n') {
                return mismatch(patcher->file, patcher->line, "follows one that has no newline",
                                err);
            }
            builder_bytes(patcher->out, wanted->text);
        }
    }
    return STATUS_OK;
}

status_t patch_apply_file(const struct patch *patch, const struct patch_file *file,
                          struct slice old, struct builder *out, struct error *err) {
    struct patcher patcher = {.patch = patch, .file = file, .old = old, .out = out};
    for (size_t i = 0; i < file->hunk_count; i++) {
        TRY(patcher_hunk(&patcher, &patch->hunks[file->first_hunk + i], err));
        struct slice done = builder_slice(out);
        bool more = patcher.offset < old.size || i + 1 < file->hunk_count;
        /* A line without a newline can only be the last one. */
        if (more && done.size > 0 && done.data[done.size - 1] != '\n') {
            return mismatch(file, patcher.line, "follows one that has no newline", err);
        }
    }
    builder_bytes(out, slice_of(old.data + patcher.offset, old.size - patcher.offset));
    if (!builder_is_ok(out)) {
        limit_hit(LIMIT_ID_PATCH_FILE_BYTES);
        return error_set(err, ERROR_LIMIT, 0, "a patched file has more than %lld bytes",
                         (long long)LIMIT_PATCH_FILE_BYTES);
    }
    return STATUS_OK;
}
