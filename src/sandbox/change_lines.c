/* SPDX-License-Identifier: Apache-2.0 */
#include "sandbox/change_lines.h"

#include <string.h>

#include "base/cleanup.h"
#include "codec/text.h"
#include "sandbox/diff_file.h"
#include "sandbox/diff_lines.h"

/* Without its end; a carriage return before the newline belongs to that. */
static struct slice line_text(struct slice line) {
    size_t size = line.size;
    size -= size > 0 && line.data[size - 1] == '\n';
    size -= size > 0 && line.data[size - 1] == '\r';
    return slice_of(line.data, size);
}

/* Tabs are seen; nothing else that is no visible character is. */
static bool line_is_plain(struct slice line) {
    while (line.size > 0) {
        const uint8_t *tab = memchr(line.data, '\t', line.size);
        size_t size = tab == nullptr ? line.size : (size_t)(tab - line.data);
        if (!text_is_plain(slice_of(line.data, size))) {
            return false;
        }
        size += tab != nullptr;
        line = slice_of(line.data + size, line.size - size);
    }
    return true;
}

static void count_side(const struct diff_lines *lines, uint64_t *ret_count,
                       const char **ret_unreadable) {
    for (size_t i = 0; i < lines->count; i++) {
        if (!lines->changed[i]) {
            continue;
        }
        struct slice line = line_text(lines->lines[i]);
        ++*ret_count;
        if (limit_past(line.size > (size_t)LIMIT_AUTO_LINE_BYTES, LIMIT_ID_AUTO_LINE_BYTES)) {
            *ret_unreadable = "it has a line that is too long to count as one";
        } else if (!line_is_plain(line)) {
            *ret_unreadable = "it has characters that are not seen";
        }
    }
}

static bool has_nul(struct slice text) {
    return text.size > 0 && memchr(text.data, 0, text.size) != nullptr;
}

status_t change_lines_compare(struct slice before, struct slice after,
                              struct change_lines *ret_lines, struct error *err) {
    CLEANUP(diff_lines_deinit) struct diff_lines old = {0};
    CLEANUP(diff_lines_deinit) struct diff_lines new = {0};
    struct change_lines lines = {0};
    bool old_fits = true;
    bool new_fits = true;
    if (has_nul(before) || has_nul(after)) {
        *ret_lines = (struct change_lines){.unreadable = "it is binary"};
        return STATUS_OK;
    }
    TRY(diff_lines_split(before, &old, &old_fits, err));
    TRY(diff_lines_split(after, &new, &new_fits, err));
    if (!old_fits || !new_fits) {
        *ret_lines = (struct change_lines){.unreadable = "it has too many lines to compare"};
        return STATUS_OK;
    }
    TRY(diff_lines_compare(&old, &new, err));
    count_side(&old, &lines.deleted, &lines.unreadable);
    count_side(&new, &lines.added, &lines.unreadable);
    *ret_lines = lines;
    return STATUS_OK;
}

static bool kind_is_countable(enum entry_kind kind) {
    return kind == ENTRY_NONE || kind == ENTRY_FILE || kind == ENTRY_FOLDER;
}

static bool has_attributes(const struct entry_state *state) {
    static const struct digest none = {0};
    return !digest_equal(&state->xattrs, &none);
}

/* What a count of lines would say nothing of; nullptr: nothing. */
static const char *beside_lines(const struct change *change) {
    const struct entry_state *before = &change->before;
    const struct entry_state *after = &change->after;
    if (before->kind == ENTRY_LINK || after->kind == ENTRY_LINK) {
        return "it is a symbolic link";
    }
    bool stays = before->kind == after->kind;
    if (!kind_is_countable(before->kind) || !kind_is_countable(after->kind) ||
        (!stays && before->kind != ENTRY_NONE && after->kind != ENTRY_NONE)) {
        return "it becomes another kind of thing";
    }
    if (stays && before->mode != after->mode) {
        return "its permissions change";
    }
    if (change->is_relisted) {
        return "its access list changes";
    }
    if (stays ? !digest_equal(&before->xattrs, &after->xattrs) : has_attributes(after)) {
        return "its attributes change";
    }
    if (before->size > (uint64_t)LIMIT_PATCH_FILE_BYTES ||
        after->size > (uint64_t)LIMIT_PATCH_FILE_BYTES) {
        return "it is too large to compare";
    }
    return nullptr;
}

/* What was read is what the record says. */
static bool is_recorded(struct slice text, const struct entry_state *state) {
    struct digest found;
    sha256_of(text, &found);
    return state->kind != ENTRY_FILE || digest_equal(&found, &state->digest);
}

status_t change_lines_count(const struct merge *merge, const struct change *change,
                            struct change_lines *ret_lines, struct error *err) {
    const char *beside = beside_lines(change);
    bool has_text = change->before.kind == ENTRY_FILE || change->after.kind == ENTRY_FILE;
    if (beside != nullptr || !has_text) {
        *ret_lines = (struct change_lines){.unreadable = beside};
        return STATUS_OK;
    }
    CLEANUP(builder_deinit) struct builder before;
    CLEANUP(builder_deinit) struct builder after;
    bool is_text = false;
    builder_init(&before, (size_t)LIMIT_PATCH_FILE_BYTES + 1);
    builder_init(&after, (size_t)LIMIT_PATCH_FILE_BYTES + 1);
    TRY(diff_read_texts(merge, change, &before, &after, &is_text, err));
    if (!is_text) {
        *ret_lines = (struct change_lines){.unreadable = "it is binary, or its text is gone"};
        return STATUS_OK;
    }
    if (!is_recorded(builder_slice(&before), &change->before) ||
        !is_recorded(builder_slice(&after), &change->after)) {
        *ret_lines = (struct change_lines){.unreadable = "its text is gone"};
        return STATUS_OK;
    }
    return change_lines_compare(builder_slice(&before), builder_slice(&after), ret_lines, err);
}
