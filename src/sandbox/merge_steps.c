/* SPDX-License-Identifier: Apache-2.0 */
#include "sandbox/merge_steps.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/assert.h"
#include "base/cleanup.h"
#include "sys/fd.h"
#include "sys/file.h"

#define STEPS_VERSION "airlock-apply 1\n"

void (*merge_test_hook)(void) = nullptr;

void merge_step_begins(void) {
    if (merge_test_hook != nullptr) {
        merge_test_hook();
    }
}

void merge_steps_deinit(struct merge_steps *steps) {
    for (size_t i = 0; i < steps->count; i++) {
        free(steps->items[i].path);
    }
    free(steps->items);
    steps->items = nullptr;
    steps->count = 0;
    steps->capacity = 0;
}

status_t merge_steps_add(struct merge_steps *steps, enum merge_operation operation,
                         const char *path, const struct entry_state *current,
                         struct merge_step **ret_step, struct error *err) {
    if (steps->count == steps->capacity) {
        size_t capacity = steps->capacity == 0 ? 64 : steps->capacity * 2;
        struct merge_step *items = reallocarray(steps->items, capacity, sizeof *items);
        if (items == nullptr) {
            return error_set(err, ERROR_NO_MEMORY, ENOMEM, "cannot list the steps");
        }
        steps->items = items;
        steps->capacity = capacity;
    }
    char *copy = strdup(path);
    if (copy == nullptr) {
        return error_set(err, ERROR_NO_MEMORY, ENOMEM, "cannot list the steps");
    }
    struct merge_step *step = &steps->items[steps->count++];
    *step = (struct merge_step){
        .operation = operation,
        .path = copy,
        .kind = current->kind,
        .dev = current->dev,
        .ino = current->ino,
        .size = current->size,
        .mtime_ns = current->mtime_ns,
    };
    *ret_step = step;
    return STATUS_OK;
}

void merge_steps_encode(const struct merge_steps *steps, struct builder *out) {
    builder_text(out, STEPS_VERSION);
    builder_string(out, steps->run_id);
    builder_u8(out, steps->closes_stage);
    builder_string(out, steps->workspace);
    builder_u32(out, (uint32_t)steps->count);
    for (size_t i = 0; i < steps->count; i++) {
        const struct merge_step *step = &steps->items[i];
        builder_u8(out, step->operation);
        builder_string(out, step->path);
        builder_u32(out, step->temporary);
        builder_u8(out, step->makes_room);
        builder_u32(out, step->mode);
        builder_u8(out, step->kind);
        builder_u64(out, step->dev);
        builder_u64(out, step->ino);
        builder_u64(out, step->size);
        builder_u64(out, (uint64_t)step->mtime_ns);
    }
}

static status_t merge_steps_decode_one(struct cursor *in, struct merge_steps *steps,
                                       struct error *err) {
    uint8_t operation = cursor_u8(in);
    const char *path = cursor_string(in);
    uint32_t temporary = cursor_u32(in);
    uint8_t makes_room = cursor_u8(in);
    uint32_t mode = cursor_u32(in);
    uint8_t kind = cursor_u8(in);
    struct entry_state current = {.dev = cursor_u64(in)};
    current.ino = cursor_u64(in);
    current.size = cursor_u64(in);
    current.mtime_ns = (int64_t)cursor_u64(in);
    if (!cursor_is_ok(in) || operation > MERGE_ATTRIBUTES || makes_room > 1 || kind > ENTRY_OTHER ||
        path[0] == '\0') {
        return error_set(err, ERROR_BAD_ENCODING, 0, "a step list is damaged");
    }
    current.kind = (enum entry_kind)kind;
    struct merge_step *step = nullptr;
    TRY(merge_steps_add(steps, (enum merge_operation)operation, path, &current, &step, err));
    step->temporary = temporary;
    step->makes_room = makes_room == 1;
    step->mode = mode;
    return STATUS_OK;
}

status_t merge_steps_decode(struct slice bytes, struct merge_steps *ret_steps, struct error *err) {
    struct cursor in = cursor_of(bytes);
    struct slice version = cursor_bytes(&in, sizeof STEPS_VERSION - 1);
    const char *id = cursor_string(&in);
    uint8_t closes_stage = cursor_u8(&in);
    *ret_steps = (struct merge_steps){.closes_stage = closes_stage == 1};
    const char *workspace = cursor_string(&in);
    uint32_t count = cursor_u32(&in);
    if (!cursor_is_ok(&in) || !slice_equal(version, SLICE_LITERAL(STEPS_VERSION)) ||
        closes_stage > 1 || !id_is_valid(id) || strlen(workspace) >= sizeof ret_steps->workspace) {
        return error_set(err, ERROR_BAD_ENCODING, 0, "a step list is damaged");
    }
    (void)snprintf(ret_steps->run_id, sizeof ret_steps->run_id, "%s", id);
    (void)snprintf(ret_steps->workspace, sizeof ret_steps->workspace, "%s", workspace);
    for (uint32_t i = 0; i < count; i++) {
        status_t status = merge_steps_decode_one(&in, ret_steps, err);
        if (!status_is_ok(status)) {
            merge_steps_deinit(ret_steps);
            return status;
        }
    }
    if (!cursor_is_finished(&in)) {
        merge_steps_deinit(ret_steps);
        return error_set(err, ERROR_BAD_ENCODING, 0, "a step list has bytes past its end");
    }
    return STATUS_OK;
}

/* Paths. */

bool merge_temporary_path(const char *run_id, const char *path, uint32_t number,
                          char ret[static LIMIT_PATH_BYTES]) {
    const char *slash = strrchr(path, '/');
    int folder = slash == nullptr ? 0 : (int)(slash - path + 1);
    int size = snprintf(ret, LIMIT_PATH_BYTES, "%.*s.airlock-%s-%u", folder, path, run_id, number);
    return size >= 0 && size < LIMIT_PATH_BYTES;
}

int merge_open_parent(int workspace_fd, const char *path, const char **ret_name) {
    return file_open_parent(workspace_fd, path, O_PATH | O_DIRECTORY, true, ret_name);
}

/* Executing. */

/* What stands there is what was checked. Not the change time: removing one hard link of a file
 * changes it for the others. */
static bool step_target_is_expected(const struct merge_step *step, int parent_fd,
                                    const char *name) {
    struct stat there;
    if (fstatat(parent_fd, name, &there, AT_SYMLINK_NOFOLLOW) != 0) {
        return errno == ENOENT && step->kind == ENTRY_NONE;
    }
    if (step->kind == ENTRY_FOLDER) {
        return S_ISDIR(there.st_mode) && there.st_ino == step->ino && there.st_dev == step->dev;
    }
    int64_t mtime_ns = there.st_mtim.tv_sec * 1000000000 + there.st_mtim.tv_nsec;
    return step->kind != ENTRY_NONE && there.st_dev == step->dev && there.st_ino == step->ino &&
           (uint64_t)there.st_size == step->size && mtime_ns == step->mtime_ns;
}

static bool step_is_gone(int parent_fd, const char *name) {
    struct stat there;
    return fstatat(parent_fd, name, &there, AT_SYMLINK_NOFOLLOW) != 0 && errno == ENOENT;
}

/* Each returns false when the step is left undone. */

static bool step_rename(const struct merge_step *step, int parent_fd, const char *name,
                        const char *temporary) {
    if (step_is_gone(parent_fd, temporary)) {
        /* Done before a crash; but when what was there still is, or nothing is, then somebody
         * removed the temporary, and the stage must not be closed. */
        return !step_is_gone(parent_fd, name) && !step_target_is_expected(step, parent_fd, name);
    }
    /* A folder that was there has been removed by a step of its own by now. */
    bool fresh =
        step->kind == ENTRY_NONE || step->kind == ENTRY_FOLDER || step_is_gone(parent_fd, name);
    if (!fresh && !step_target_is_expected(step, parent_fd, name)) {
        return false;
    }
    if (!fresh) {
        return renameat(parent_fd, temporary, parent_fd, name) == 0;
    }
    if (renameat2(parent_fd, temporary, parent_fd, name, RENAME_NOREPLACE) == 0) {
        return true;
    }
    return errno == EINVAL && step_is_gone(parent_fd, name) &&
           renameat(parent_fd, temporary, parent_fd, name) == 0;
}

static bool step_remove(const struct merge_step *step, int parent_fd, const char *name,
                        const char *temporary) {
    if (step_is_gone(parent_fd, name) || (step->makes_room && step_is_gone(parent_fd, temporary))) {
        return true; /* done before a crash */
    }
    int flags = step->operation == MERGE_REMOVE_FOLDER ? AT_REMOVEDIR : 0;
    return step_target_is_expected(step, parent_fd, name) && unlinkat(parent_fd, name, flags) == 0;
}

static bool step_attributes(const struct merge_step *step, int parent_fd, const char *name,
                            const char *temporary) {
    if (step_is_gone(parent_fd, temporary)) {
        return step_target_is_expected(step, parent_fd, name); /* done before a crash */
    }
    CLEANUP(fd_closep) int from = entry_open_folder(parent_fd, temporary, false);
    CLEANUP(fd_closep) int to = entry_open_folder(parent_fd, name, true);
    return from >= 0 && to >= 0 && step_target_is_expected(step, parent_fd, name) &&
           upper_replace_attributes(from, to) && unlinkat(parent_fd, temporary, AT_REMOVEDIR) == 0;
}

static bool step_execute(const struct merge_steps *steps, const struct merge_step *step,
                         int workspace_fd) {
    char path[LIMIT_PATH_BYTES];
    const char *name = nullptr;
    if (!merge_temporary_path(steps->run_id, step->path, step->temporary, path)) {
        return false;
    }
    const char *slash = strrchr(path, '/');
    const char *temporary = slash == nullptr ? path : slash + 1;
    CLEANUP(fd_closep) int parent = merge_open_parent(workspace_fd, step->path, &name);
    if (parent < 0) {
        /* Its folder was removed or replaced as well, before a crash. */
        bool gone = errno == ENOENT || errno == ENOTDIR;
        return gone &&
               (step->operation == MERGE_REMOVE_FILE || step->operation == MERGE_REMOVE_FOLDER);
    }
    switch (step->operation) {
    case MERGE_RENAME:
        return step_rename(step, parent, name, temporary);
    case MERGE_REMOVE_FILE:
    case MERGE_REMOVE_FOLDER:
        return step_remove(step, parent, name, temporary);
    case MERGE_MODE:
        return step_target_is_expected(step, parent, name) &&
               fchmodat(parent, name, step->mode, AT_SYMLINK_NOFOLLOW) == 0;
    case MERGE_ATTRIBUTES:
        return step_attributes(step, parent, name, temporary);
    }
    return false;
}

status_t merge_steps_execute(const struct merge_steps *steps, int workspace_fd, uint32_t *ret_left,
                             struct error *err) {
    uint32_t left = 0;
    for (size_t i = 0; i < steps->count; i++) {
        merge_step_begins();
        left += !step_execute(steps, &steps->items[i], workspace_fd);
    }
    merge_step_begins();
    TRY(fd_sync_filesystem(workspace_fd, "the workspace", err));
    *ret_left = left;
    return STATUS_OK;
}

void merge_steps_remove_temporaries(const struct merge_steps *steps, int workspace_fd) {
    for (size_t i = 0; i < steps->count; i++) {
        const struct merge_step *step = &steps->items[i];
        char path[LIMIT_PATH_BYTES];
        const char *name = nullptr;
        bool has_temporary = step->operation == MERGE_RENAME || step->operation == MERGE_ATTRIBUTES;
        if (!has_temporary ||
            !merge_temporary_path(steps->run_id, step->path, step->temporary, path)) {
            continue;
        }
        CLEANUP(fd_closep) int parent = merge_open_parent(workspace_fd, path, &name);
        struct error ignored;
        if (parent >= 0) {
            /* Left over at worst: hidden, named after its run, and no content anybody reads. */
            status_t removed = file_remove_tree(parent, name, &ignored);
            (void)removed;
        }
    }
}
