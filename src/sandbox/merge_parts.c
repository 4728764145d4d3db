/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <string.h>

#include "base/cleanup.h"
#include "codec/text.h"
#include "sandbox/choices.h"
#include "sandbox/parts.h"

/* What was applied in part before. */

static status_t rebase_one(struct merge *merge, const struct part *part, size_t layer,
                           struct error *err) {
    struct change *change = change_list_find(&merge->list, part->path);
    struct entry_state current;
    if (change == nullptr || change->refusal != REFUSAL_NONE) {
        return STATUS_OK;
    }
    TRY(entry_look(merge->workspace_fd, part->path, ENTRY_STAT, &current, err));
    if (current.kind != ENTRY_FILE || current.size != part->state.size) {
        return STATUS_OK;
    }
    TRY(entry_hash(merge->workspace_fd, part->path, ENTRY_CONTENT, &current, err));
    if (entry_is_equal(&current, &part->state)) {
        change->before = current;
        change->before_part = (uint8_t)(layer + 1);
        change->moved = false; /* it was not, or no part had been applied */
    }
    return STATUS_OK;
}

status_t merge_rebase_parts(struct merge *merge, struct error *err) {
    if (merge->workspace_fd < 0) {
        return STATUS_OK;
    }
    for (size_t layer = 0; layer < merge->stack->count; layer++) {
        if (!run_stage_is_open(&merge->stack->runs[layer])) {
            continue;
        }
        CLEANUP(part_list_deinit) struct part_list parts = {0};
        TRY(parts_read(&merge->stack->runs[layer], &parts, err));
        for (size_t i = 0; i < parts.count; i++) {
            TRY(rebase_one(merge, &parts.items[i], layer, err));
        }
    }
    return STATUS_OK;
}

/* What is applied in part now. */

static status_t stale(const char *path, struct error *err) {
    CLEANUP(builder_deinit) struct builder name;
    builder_init(&name, (size_t)LIMIT_PATH_BYTES * 4);
    text_escape(slice_of_string(path), &name);
    status_t status =
        error_set(err, ERROR_STAGE_CONFLICT, 0,
                  "%.200s is not as it was when its hunks were chosen", builder_c_string(&name));
    error_hint(err, "Nothing was applied. Choose again: airlock apply -p");
    return status;
}

static status_t take_part(struct merge *merge, struct change *change,
                          const struct apply_choice *choice, struct error *err) {
    CLEANUP(choosable_deinit) struct choosable choosable = {0};
    CLEANUP(builder_deinit) struct builder content;
    TRY(choosable_read(merge, change, &choosable, err));
    if (!choosable.has_hunks || choosable.set.count != choice->block_count ||
        !digest_equal(&choice->before, &change->before.digest) ||
        !digest_equal(&choice->after, &change->after.digest)) {
        return stale(change->path, err);
    }
    builder_init(&content, (size_t)LIMIT_PATCH_FILE_BYTES * 2);
    hunk_set_content(&choosable.set, choice->blocks, &content);
    if (!builder_is_ok(&content)) {
        return error_set(err, ERROR_LIMIT, 0, "a file is too large to be applied in part");
    }
    struct entry_state part = change->before; /* owner, attributes: what stands there keeps them */
    part.mode = choice->takes_mode ? change->after.mode : change->before.mode;
    part.size = content.size;
    sha256_of(builder_slice(&content), &part.digest);
    change->after = part;
    change->after_is_part = true;
    change->is_relisted = false;
    return parts_keep(&merge->stack->runs[0], builder_slice(&content), err);
}

status_t merge_take_parts(struct merge *merge, const struct apply_choices *choices,
                          struct error *err) {
    for (size_t i = 0; i < choices->count; i++) {
        const struct apply_choice *choice = &choices->items[i];
        struct change *change = change_list_find(&merge->list, choice->path);
        if (change == nullptr) {
            return stale(choice->path, err);
        }
        if (!choice->is_whole) {
            TRY(take_part(merge, change, choice, err));
        }
    }
    return STATUS_OK;
}

/* Whether a row of the old record still counts: its path is not applied now, or is in that state.
 */
static bool row_is_kept(const struct merge *merge, const struct part *row) {
    const struct change *change = change_list_find(&merge->list, row->path);
    return change == nullptr || !change->after_is_part ||
           entry_is_equal(&row->state, &change->before);
}

status_t merge_record_parts(const struct merge *merge, struct error *err) {
    CLEANUP(part_list_deinit) struct part_list old = {0};
    CLEANUP(part_list_deinit) struct part_list rows = {0};
    const struct run *run = &merge->stack->runs[0];
    bool any = false;
    TRY(parts_read(run, &old, err));
    for (size_t i = 0; i < old.count; i++) {
        if (row_is_kept(merge, &old.items[i])) {
            TRY(part_list_add(&rows, old.items[i].path, &old.items[i].state, err));
        }
    }
    for (size_t i = 0; i < merge->list.count; i++) {
        const struct change *change = &merge->list.items[i];
        if (change->after_is_part) {
            any = true;
            TRY(part_list_add(&rows, change->path, &change->after, err));
        }
    }
    return any ? parts_write(run, &rows, err) : STATUS_OK;
}
