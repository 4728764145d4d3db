/* SPDX-License-Identifier: Apache-2.0 */
#include "sandbox/merge.h"

#include <errno.h>
#include <fcntl.h>
#include <fnmatch.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "sandbox/choices.h"
#include "sys/fd.h"
#include "sys/file.h"

/* By path, then the newest stage first. */
static int merge_order(const void *a, const void *b) {
    const struct change *left = a;
    const struct change *right = b;
    int order = path_order(left->path, right->path);
    return order != 0 ? order : left->after_layer - right->after_layer;
}

/* Folds the changes of one path, newest first, into one. */
static void merge_fold(struct change_list *list) {
    size_t kept = 0;
    for (size_t i = 0; i < list->count;) {
        struct change folded = list->items[i];
        size_t next = i + 1;
        while (next < list->count && strcmp(list->items[next].path, folded.path) == 0) {
            const struct change *older = &list->items[next];
            folded.before = older->before;
            folded.before_layer = older->before_layer;
            folded.number = older->number;
            folded.has_copy = older->has_copy;
            folded.moved = folded.moved || older->moved;
            folded.is_relisted = folded.is_relisted || older->is_relisted;
            free(list->items[next].path);
            next++;
        }
        if (folded.refusal == REFUSAL_NONE && !folded.is_relisted &&
            entry_is_equal(&folded.before, &folded.after)) {
            free(folded.path);
        } else {
            list->items[kept++] = folded;
        }
        i = next;
    }
    list->count = kept;
}

static status_t merge_load_layer(struct merge *merge, size_t layer, struct error *err) {
    const struct run *run = &merge->stack->runs[layer];
    CLEANUP(change_list_deinit) struct change_list list = {0};
    struct digest digest;
    TRY(base_record_read(run, &list, err));
    base_record_digest(&list, &digest);
    if (!digest_equal(&digest, &run->stage_digest)) {
        return error_set(err, ERROR_STAGE_DAMAGED, 0, "the record of run %s was changed", run->id);
    }
    TRY(file_open_folder(run->fd, "upper", false, 0, &merge->upper_fds[layer], err));
    for (size_t i = 0; i < list.count; i++) {
        list.items[i].before_layer = (uint8_t)layer;
        list.items[i].after_layer = (uint8_t)layer;
        TRY(change_list_add(&merge->list, &list.items[i], err));
    }
    return STATUS_OK;
}

static status_t merge_load(const struct state *state, const struct run *run, struct merge *merge,
                           struct error *err) {
    TRY(run_stack_read(state, run, merge->stack, err));
    for (size_t i = 0; i < merge->stack->count; i++) {
        if (run_stage_is_open(&merge->stack->runs[i])) {
            TRY(merge_load_layer(merge, i, err));
        }
    }
    if (merge->list.count > 1) {
        qsort(merge->list.items, merge->list.count, sizeof merge->list.items[0], merge_order);
    }
    merge_fold(&merge->list);
    merge->workspace_fd = open(run->workspace, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
    return merge_rebase_parts(merge, err);
}

status_t merge_open(const struct state *state, const struct run *run, struct merge *ret_merge,
                    struct error *err) {
    if (run->state == RUN_LIVE) {
        return error_set(err, ERROR_RUN_UNFINISHED, 0, "run %s still runs", run->id);
    }
    if (run->state == RUN_APPLIED || run->state == RUN_DISCARDED) {
        return error_set(err, ERROR_RUN_STAGE_CLOSED, 0, "the stage of run %s is %s", run->id,
                         run_state_text(run->state));
    }
    struct merge merge = {.stack = calloc(1, sizeof(struct run_stack)), .workspace_fd = -1};
    for (size_t i = 0; i < sizeof merge.upper_fds / sizeof merge.upper_fds[0]; i++) {
        merge.upper_fds[i] = -1;
    }
    if (merge.stack == nullptr) {
        return error_set(err, ERROR_NO_MEMORY, ENOMEM, "cannot read the stage");
    }
    status_t status = merge_load(state, run, &merge, err);
    if (!status_is_ok(status)) {
        merge_close(&merge);
        return status;
    }
    *ret_merge = merge;
    return STATUS_OK;
}

void merge_close(struct merge *merge) {
    if (merge->stack == nullptr) {
        return;
    }
    run_stack_close(merge->stack);
    free(merge->stack);
    merge->stack = nullptr;
    change_list_deinit(&merge->list);
    for (size_t i = 0; i < sizeof merge->upper_fds / sizeof merge->upper_fds[0]; i++) {
        fd_closep(&merge->upper_fds[i]);
    }
    fd_closep(&merge->workspace_fd);
}

/* A file whose content could not be read. */
static bool entry_is_unread(const struct entry_state *state) {
    static const struct digest none;
    return (state->kind == ENTRY_FILE || state->kind == ENTRY_LINK) &&
           digest_equal(&state->digest, &none);
}

status_t merge_relate(const struct merge *merge, const struct change *change,
                      struct entry_state *ret_current, enum merge_relation *ret_relation,
                      struct error *err) {
    struct entry_state current;
    TRY(entry_look(merge->workspace_fd, change->path, ENTRY_STAT, &current, err));
    if (entry_is_same_inode(&current, &change->before)) {
        current.digest = change->before.digest;
        current.xattrs = change->before.xattrs;
        *ret_relation = change->moved ? MERGE_CONFLICT : MERGE_CLEAN;
        *ret_current = current;
        return STATUS_OK;
    }
    TRY(entry_hash(merge->workspace_fd, change->path, ENTRY_CONTENT, &current, err));
    if (entry_is_unread(&current)) {
        *ret_relation = MERGE_CONFLICT;
    } else if (entry_is_equal(&current, &change->after)) {
        *ret_relation = MERGE_DONE;
    } else {
        bool clean = !change->moved && entry_is_equal(&current, &change->before);
        *ret_relation = clean ? MERGE_CLEAN : MERGE_CONFLICT;
    }
    *ret_current = current;
    return STATUS_OK;
}

bool merge_is_selected(const char *path, const char *const *patterns) {
    if (patterns == nullptr || patterns[0] == nullptr) {
        return true;
    }
    for (size_t i = 0; patterns[i] != nullptr; i++) {
        const char *pattern = patterns[i];
        size_t size = strlen(pattern);
        while (size > 1 && pattern[size - 1] == '/') {
            size--;
        }
        bool within =
            strncmp(path, pattern, size) == 0 && (path[size] == '\0' || path[size] == '/');
        if (within || strcmp(pattern, ".") == 0 || fnmatch(pattern, path, 0) == 0) {
            return true;
        }
    }
    return false;
}
