/* SPDX-License-Identifier: Apache-2.0 */
#include "sandbox/choices.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "codec/text.h"
#include "sandbox/diff_file.h"
#include "sandbox/patch.h"

void apply_choices_deinit(struct apply_choices *choices) {
    for (size_t i = 0; i < choices->count; i++) {
        free(choices->items[i].path);
        free(choices->items[i].blocks);
    }
    free(choices->items);
    *choices = (struct apply_choices){0};
}

static size_t choices_lower_bound(const struct apply_choices *choices, const char *path) {
    size_t low = 0;
    size_t high = choices->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (path_order(choices->items[middle].path, path) < 0) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

const struct apply_choice *apply_choices_find(const struct apply_choices *choices,
                                              const char *path) {
    size_t at = choices_lower_bound(choices, path);
    bool found = at < choices->count && strcmp(choices->items[at].path, path) == 0;
    return found ? &choices->items[at] : nullptr;
}

/* Makes room for a choice at its place; one that is there for the path is replaced. */
static status_t choices_insert(struct apply_choices *choices, const char *path,
                               struct apply_choice **ret, struct error *err) {
    size_t at = choices_lower_bound(choices, path);
    if (at < choices->count && strcmp(choices->items[at].path, path) == 0) {
        free(choices->items[at].blocks);
        char *kept = choices->items[at].path;
        choices->items[at] = (struct apply_choice){.path = kept};
        *ret = &choices->items[at];
        return STATUS_OK;
    }
    if (choices->count == choices->capacity) {
        size_t capacity = choices->capacity == 0 ? 16 : choices->capacity * 2;
        struct apply_choice *items = reallocarray(choices->items, capacity, sizeof *items);
        if (items == nullptr) {
            return error_set(err, ERROR_NO_MEMORY, ENOMEM, "cannot keep what was chosen");
        }
        choices->items = items;
        choices->capacity = capacity;
    }
    char *copy = strdup(path);
    if (copy == nullptr) {
        return error_set(err, ERROR_NO_MEMORY, ENOMEM, "cannot keep what was chosen");
    }
    memmove(choices->items + at + 1, choices->items + at,
            (choices->count - at) * sizeof *choices->items);
    choices->count++;
    choices->items[at] = (struct apply_choice){.path = copy};
    *ret = &choices->items[at];
    return STATUS_OK;
}

status_t apply_choices_add_whole(struct apply_choices *choices, const char *path,
                                 struct error *err) {
    struct apply_choice *choice = nullptr;
    TRY(choices_insert(choices, path, &choice, err));
    choice->is_whole = true;
    return STATUS_OK;
}

/* What there is to choose from. */

void choosable_deinit(struct choosable *choosable) {
    hunk_set_deinit(&choosable->set);
    builder_deinit(&choosable->before);
    builder_deinit(&choosable->after);
}

static status_t choosable_compare(const struct merge *merge, struct choosable *choosable,
                                  struct error *err) {
    const struct change *change = choosable->change;
    bool is_text = false;
    TRY(diff_read_texts(merge, change, &choosable->before, &choosable->after, &is_text, err));
    if (!is_text) {
        return STATUS_OK;
    }
    struct digest before;
    struct digest after;
    sha256_of(builder_slice(&choosable->before), &before);
    sha256_of(builder_slice(&choosable->after), &after);
    if (!digest_equal(&after, &change->after.digest)) {
        return error_set(err, ERROR_STAGE_DAMAGED, 0, "a file in the stage was changed");
    }
    if (!digest_equal(&before, &change->before.digest)) {
        return STATUS_OK; /* what it was made from is gone: whole or not at all */
    }
    TRY(hunk_set_make(builder_slice(&choosable->before), builder_slice(&choosable->after),
                      &choosable->set, &choosable->has_hunks, err));
    choosable->has_hunks = choosable->has_hunks && choosable->set.count > 0;
    return STATUS_OK;
}

status_t choosable_read(const struct merge *merge, const struct change *change,
                        struct choosable *ret, struct error *err) {
    *ret = (struct choosable){.change = change};
    builder_init(&ret->before, (size_t)LIMIT_PATCH_FILE_BYTES + 1);
    builder_init(&ret->after, (size_t)LIMIT_PATCH_FILE_BYTES + 1);
    bool both = change->before.kind == ENTRY_FILE && change->after.kind == ENTRY_FILE &&
                change->refusal == REFUSAL_NONE &&
                !digest_equal(&change->before.digest, &change->after.digest);
    ret->has_mode = both && change->before.mode != change->after.mode;
    return both ? choosable_compare(merge, ret, err) : STATUS_OK;
}

status_t apply_choices_add(struct apply_choices *choices, const struct choosable *choosable,
                           const uint8_t *blocks, bool takes_mode, struct error *err) {
    size_t taken = 0;
    for (size_t i = 0; i < choosable->set.count; i++) {
        taken += blocks[i] != 0;
    }
    bool all_mode = takes_mode || !choosable->has_mode;
    if (taken == choosable->set.count && all_mode) {
        return apply_choices_add_whole(choices, choosable->change->path, err);
    }
    if (taken == 0 && !(takes_mode && choosable->has_mode)) {
        return STATUS_OK;
    }
    struct apply_choice *choice = nullptr;
    TRY(choices_insert(choices, choosable->change->path, &choice, err));
    choice->takes_mode = takes_mode && choosable->has_mode;
    choice->before = choosable->change->before.digest;
    choice->after = choosable->change->after.digest;
    choice->block_count = choosable->set.count;
    choice->blocks = malloc(choosable->set.count);
    if (choice->blocks == nullptr) {
        return error_set(err, ERROR_NO_MEMORY, ENOMEM, "cannot keep what was chosen");
    }
    memcpy(choice->blocks, blocks, choosable->set.count);
    return STATUS_OK;
}

/* Choosing by a patch. */

static status_t no_subset(const char *path, const char *what, struct error *err) {
    CLEANUP(builder_deinit) struct builder name;
    builder_init(&name, (size_t)LIMIT_PATH_BYTES * 4);
    text_escape(slice_of_string(path), &name);
    return error_set(err, ERROR_PATCH_NO_SUBSET, 0, "%.200s: %s", builder_c_string(&name), what);
}

/* What the patch makes out of one side must be what the stage holds, byte for byte. */
static status_t add_one_sided(struct apply_choices *choices, const struct merge *merge,
                              const struct change *change, const struct patch *patch,
                              const struct patch_file *file, struct error *err) {
    const char *path = patch_file_path(file);
    CLEANUP(builder_deinit) struct builder content;
    struct digest digest;
    bool adds = file->kind == PATCH_ADD;
    const struct entry_state *gone = adds ? &change->before : &change->after;
    const struct entry_state *there = adds ? &change->after : &change->before;
    if (gone->kind != ENTRY_NONE || there->kind == ENTRY_FOLDER || there->kind == ENTRY_OTHER) {
        return no_subset(path, adds ? "the stage does not add it" : "the stage does not delete it",
                         err);
    }
    builder_init(&content, (size_t)LIMIT_PATCH_FILE_BYTES + 1);
    for (size_t i = 0; i < file->hunk_count; i++) {
        const struct patch_hunk *hunk = &patch->hunks[file->first_hunk + i];
        for (size_t k = 0; k < hunk->line_count; k++) {
            builder_bytes(&content, patch->lines[hunk->first_line + k].text);
        }
    }
    sha256_of(builder_slice(&content), &digest);
    if (!builder_is_ok(&content) || !digest_equal(&digest, &there->digest)) {
        return no_subset(path, "the patch holds other lines than the stage", err);
    }
    uint32_t mode = adds ? file->new_mode : 0;
    bool same_mode =
        mode == 0 ||
        (S_ISLNK(mode) == (there->kind == ENTRY_LINK) &&
         (there->kind == ENTRY_LINK || ((mode & 0100) != 0) == ((there->mode & 0100) != 0)));
    if (!same_mode) {
        return no_subset(path, "the patch gives it another mode than the stage", err);
    }
    (void)merge;
    return apply_choices_add_whole(choices, path, err);
}

static status_t add_modified(struct apply_choices *choices, const struct merge *merge,
                             const struct change *change, const struct patch *patch,
                             const struct patch_file *file, struct error *err) {
    CLEANUP(choosable_deinit) struct choosable choosable = {0};
    CLEANUP(memory_freep) uint8_t *blocks = nullptr;
    TRY(choosable_read(merge, change, &choosable, err));
    bool takes_mode = file->new_mode != 0;
    bool mode_fits = !takes_mode || (change->after.kind == ENTRY_FILE &&
                                     ((file->new_mode & 0777) == change->after.mode ||
                                      ((file->new_mode ^ change->after.mode) & 0100) == 0));
    if (!mode_fits) {
        return no_subset(file->new_path, "the patch gives it another mode than the stage", err);
    }
    if (!choosable.has_hunks && file->hunk_count == 0 && takes_mode &&
        change->before.kind == ENTRY_FILE &&
        digest_equal(&change->before.digest, &change->after.digest)) {
        return apply_choices_add_whole(choices, file->new_path, err);
    }
    if (!choosable.has_hunks) {
        return no_subset(file->new_path, "it can be applied whole only: name it instead", err);
    }
    blocks = calloc(choosable.set.count, 1);
    if (blocks == nullptr) {
        return error_set(err, ERROR_NO_MEMORY, ENOMEM, "cannot keep what was chosen");
    }
    TRY(hunk_set_choose(&choosable.set, patch, file, blocks, err));
    return apply_choices_add(choices, &choosable, blocks, takes_mode, err);
}

status_t apply_choices_add_patch(struct apply_choices *choices, const struct merge *merge,
                                 const struct patch *patch, struct error *err) {
    for (size_t i = 0; i < patch->file_count; i++) {
        const struct patch_file *file = &patch->files[i];
        const char *path = patch_file_path(file);
        const struct change *change = change_list_find(&merge->list, path);
        if (change == nullptr) {
            return no_subset(path, "the stage does not change it", err);
        }
        if (file->kind == PATCH_RENAME || file->kind == PATCH_COPY) {
            return no_subset(path, "a stage knows no renames: take its lines from airlock diff",
                             err);
        }
        bool modifies = file->kind == PATCH_MODIFY;
        TRY(modifies ? add_modified(choices, merge, change, patch, file, err)
                     : add_one_sided(choices, merge, change, patch, file, err));
    }
    return STATUS_OK;
}
