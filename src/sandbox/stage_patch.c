/* SPDX-License-Identifier: Apache-2.0 */
#include "sandbox/stage_patch.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "codec/text.h"
#include "sandbox/merge_steps.h"
#include "sandbox/stage_view.h"
#include "sys/fd.h"

/* What is to stand at one path. */
struct patched {
    char *path;             /* owned */
    struct builder content; /* owned; of a file, or the target of a link */
    struct entry_state old; /* what it was made from */
    int source_fd;          /* holds that at `old_path`; borrowed from the view */
    const char *old_path;   /* borrowed from the patch; nullptr: it is new */
    uint32_t mode;          /* st_mode; 0: it is deleted */
};

struct stage_patch {
    struct stage_view view;
    struct patched *items;
    size_t count;
    size_t bytes; /* of all contents */
};

void stage_patch_free(struct stage_patch *patch) {
    if (patch == nullptr) {
        return;
    }
    for (size_t i = 0; i < patch->count; i++) {
        free(patch->items[i].path);
        builder_deinit(&patch->items[i].content);
    }
    free(patch->items);
    stage_view_close(&patch->view);
    free(patch);
}

/* In memory. */

static status_t wrong(enum error_code code, const char *path, const char *what, struct error *err) {
    CLEANUP(builder_deinit) struct builder name;
    builder_init(&name, (size_t)LIMIT_PATH_BYTES * 4);
    text_escape(slice_of_string(path), &name);
    return error_set(err, code, 0, "%.200s %s", builder_c_string(&name), what);
}

/* All that is above a path is a folder, or is not there yet. */
static status_t check_parents(const struct stage_view *view, const char *path, struct error *err) {
    char folder[LIMIT_PATH_BYTES];
    (void)snprintf(folder, sizeof folder, "%s", path);
    for (char *slash = strchr(folder, '/'); slash != nullptr; slash = strchr(slash + 1, '/')) {
        struct entry_state there;
        *slash = '\0';
        TRY(stage_view_look(view, folder, ENTRY_STAT, &there, nullptr, err));
        if (there.kind != ENTRY_FOLDER && there.kind != ENTRY_NONE) {
            return wrong(ERROR_PATCH_REFUSED, path, "leads through what is no folder", err);
        }
        *slash = '/';
    }
    return STATUS_OK;
}

static status_t read_old(struct patched *patched, struct builder *text, struct error *err) {
    if (patched->old.kind == ENTRY_LINK) {
        char target[LIMIT_PATH_BYTES];
        if (!entry_read_link(patched->source_fd, patched->old_path, target, sizeof target)) {
            return error_set(err, ERROR_IO, errno, "cannot read a link");
        }
        builder_text(text, target);
        return STATUS_OK;
    }
    CLEANUP(fd_closep) int fd = entry_open_file(patched->source_fd, patched->old_path, true);
    if (fd < 0) {
        return error_set(err, ERROR_IO, errno, "cannot read %.200s", patched->old_path);
    }
    if (patched->old.size > (uint64_t)LIMIT_PATCH_FILE_BYTES) {
        limit_hit(LIMIT_ID_PATCH_FILE_BYTES);
        return error_set(err, ERROR_LIMIT, 0, "a file to be patched has more than %lld bytes",
                         (long long)LIMIT_PATCH_FILE_BYTES);
    }
    return fd_read_to_end(fd, patched->old_path, text, err);
}

/* The mode a patch names is what git knows of it, 644 or 755, or all of it. */
static bool mode_fits(uint32_t named, const struct entry_state *there) {
    if (named == 0) {
        return true;
    }
    if (S_ISLNK(named) || there->kind == ENTRY_LINK) {
        return S_ISLNK(named) && there->kind == ENTRY_LINK;
    }
    bool is_short = (named & 0777) == 0644 || (named & 0777) == 0755;
    return is_short ? ((named ^ there->mode) & 0100) == 0 : (named & 0777) == there->mode;
}

static uint32_t mode_after(const struct patch_file *file, const struct entry_state *old) {
    uint32_t named = file->new_mode;
    if (old->kind == ENTRY_NONE || S_ISLNK(named)) {
        return named != 0 ? named : S_IFREG | 0644;
    }
    bool is_short = (named & 0777) == 0644 || (named & 0777) == 0755;
    if (named == 0 || (named == (S_IFREG | 0644) && (old->mode & 0111) == 0)) {
        return entry_mode(old);
    }
    if (!is_short) {
        return named;
    }
    /* Whoever may read may execute, as chmod +x; or nobody. */
    bool executes = (named & 0100) != 0;
    return S_IFREG | (executes ? old->mode | (old->mode & 0444) >> 2 : old->mode & 0666);
}

static status_t look_at_old(const struct stage_patch *all, const struct patch_file *file,
                            struct patched *patched, struct error *err) {
    const char *path = file->old_path != nullptr ? file->old_path : file->new_path;
    TRY(check_parents(&all->view, path, err));
    TRY(stage_view_look(&all->view, path, ENTRY_STAT, &patched->old, &patched->source_fd, err));
    if (file->kind == PATCH_ADD) {
        return patched->old.kind == ENTRY_NONE
                   ? STATUS_OK
                   : wrong(ERROR_PATCH_MISMATCH, path, "is there already", err);
    }
    if (patched->old.kind == ENTRY_NONE) {
        return wrong(ERROR_PATCH_MISMATCH, path, "is not there", err);
    }
    if (patched->old.kind != ENTRY_FILE && patched->old.kind != ENTRY_LINK) {
        return wrong(ERROR_PATCH_REFUSED, path, "is no file and no link", err);
    }
    /* A link's target is text to a patch only when it says that it is one. */
    bool link_named = S_ISLNK(file->old_mode) || S_ISLNK(file->new_mode);
    if (!mode_fits(file->old_mode, &patched->old) ||
        (patched->old.kind == ENTRY_LINK && !link_named && file->hunk_count > 0)) {
        return wrong(ERROR_PATCH_MISMATCH, path, "has another mode than the patch says", err);
    }
    if (file->new_mode != 0 && S_ISLNK(file->new_mode) != (patched->old.kind == ENTRY_LINK)) {
        return wrong(ERROR_PATCH_MISMATCH, path, "changes between file and link, which takes two",
                     err);
    }
    patched->old_path = file->old_path;
    return STATUS_OK;
}

static status_t check_target(const struct stage_patch *all, const struct patch_file *file,
                             struct error *err) {
    struct entry_state there;
    if (file->kind != PATCH_RENAME && file->kind != PATCH_COPY) {
        return STATUS_OK;
    }
    TRY(check_parents(&all->view, file->new_path, err));
    TRY(stage_view_look(&all->view, file->new_path, ENTRY_STAT, &there, nullptr, err));
    return there.kind == ENTRY_NONE
               ? STATUS_OK
               : wrong(ERROR_PATCH_MISMATCH, file->new_path, "is there already", err);
}

static status_t check_content(const struct patch_file *file, const struct patched *patched,
                              struct error *err) {
    if (file->kind == PATCH_DELETE && patched->content.size > 0) {
        return wrong(ERROR_PATCH_MISMATCH, patched->path, "has more lines than the patch deletes",
                     err);
    }
    bool is_link = S_ISLNK(patched->mode);
    const struct builder *content = &patched->content;
    bool has_nul = content->size > 0 && memchr(content->data, 0, content->size) != nullptr;
    if (is_link && (content->size == 0 || content->size >= LIMIT_PATH_BYTES || has_nul)) {
        return wrong(ERROR_PATCH_REFUSED, patched->path, "would be a link that cannot be", err);
    }
    return STATUS_OK;
}

static status_t make_content(struct stage_patch *all, const struct patch *patch,
                             const struct patch_file *file, struct patched *patched,
                             struct error *err) {
    CLEANUP(builder_deinit) struct builder old;
    builder_init(&old, (size_t)LIMIT_PATCH_FILE_BYTES + 1);
    if (patched->old_path != nullptr) {
        TRY(read_old(patched, &old, err));
    }
    TRY(patch_apply_file(patch, file, builder_slice(&old), &patched->content, err));
    TRY(check_content(file, patched, err));
    all->bytes += patched->content.size;
    if (all->bytes > (size_t)LIMIT_PATCH_TOTAL_BYTES) {
        limit_hit(LIMIT_ID_PATCH_TOTAL_BYTES);
        return error_set(err, ERROR_LIMIT, 0, "the patched files have more than %lld bytes",
                         (long long)LIMIT_PATCH_TOTAL_BYTES);
    }
    return STATUS_OK;
}

static struct patched *add_item(struct stage_patch *all, const char *path) {
    struct patched *patched = &all->items[all->count];
    *patched = (struct patched){.path = strdup(path), .source_fd = -1};
    builder_init(&patched->content, (size_t)LIMIT_PATCH_FILE_BYTES + 1);
    all->count++;
    return patched->path != nullptr ? patched : nullptr;
}

static status_t make_one(struct stage_patch *all, const struct patch *patch,
                         const struct patch_file *file, struct error *err) {
    struct patched *patched = add_item(all, patch_file_path(file));
    if (patched == nullptr) {
        return error_set(err, ERROR_NO_MEMORY, ENOMEM, "cannot apply the patch");
    }
    TRY(look_at_old(all, file, patched, err));
    TRY(check_target(all, file, err));
    patched->mode = file->kind == PATCH_DELETE ? 0 : mode_after(file, &patched->old);
    TRY(make_content(all, patch, file, patched, err));
    if (file->kind == PATCH_RENAME && add_item(all, file->old_path) == nullptr) {
        return error_set(err, ERROR_NO_MEMORY, ENOMEM, "cannot apply the patch");
    }
    return STATUS_OK;
}

static int item_order(const void *a, const void *b) {
    return path_order(((const struct patched *)a)->path, ((const struct patched *)b)->path);
}

/* None of the patch's paths lies below another: a link it makes would be walked through. */
static status_t check_below(struct stage_patch *all, struct error *err) {
    qsort(all->items, all->count, sizeof *all->items, item_order);
    for (size_t i = 1; i < all->count; i++) {
        if (path_is_within(all->items[i].path, all->items[i - 1].path)) {
            return wrong(ERROR_PATCH_REFUSED, all->items[i].path,
                         "is below another path of the patch", err);
        }
    }
    return STATUS_OK;
}

static status_t make_all(const struct state *state, const struct run *run,
                         const struct patch *patch, struct stage_patch *all, struct error *err) {
    TRY(stage_view_open(state, run, &all->view, err));
    all->items = calloc(2 * patch->file_count + 1, sizeof *all->items);
    if (all->items == nullptr) {
        return error_set(err, ERROR_NO_MEMORY, ENOMEM, "cannot apply the patch");
    }
    for (size_t i = 0; i < patch->file_count; i++) {
        TRY(make_one(all, patch, &patch->files[i], err));
    }
    return check_below(all, err);
}

status_t stage_patch_make(const struct state *state, const struct run *run,
                          const struct patch *patch, struct stage_patch **ret, struct error *err) {
    struct stage_patch *all = calloc(1, sizeof *all);
    if (all == nullptr) {
        return error_set(err, ERROR_NO_MEMORY, ENOMEM, "cannot apply the patch");
    }
    all->view.workspace_fd = -1;
    for (size_t i = 0; i < sizeof all->view.upper_fds / sizeof all->view.upper_fds[0]; i++) {
        all->view.upper_fds[i] = -1;
    }
    status_t status = make_all(state, run, patch, all, err);
    if (!status_is_ok(status)) {
        stage_patch_free(all);
        return status;
    }
    *ret = all;
    return STATUS_OK;
}

/* On disk. */

/* As root a stage belongs to the payload, as that of a command does. */
static bool own(int fd, const struct stat *upper) {
    return geteuid() != 0 || fchown(fd, upper->st_uid, upper->st_gid) == 0;
}

/* A folder of the upper on the way to a path: as the one below it, where there is one. */
static status_t write_folder(const struct stage_patch *all, const struct stat *upper, int upper_fd,
                             const char *folder, struct error *err) {
    struct entry_state there;
    int source = -1;
    const char *name = nullptr;
    CLEANUP(fd_closep) int parent = merge_open_parent(upper_fd, folder, &name);
    if (parent < 0 || mkdirat(parent, name, 0700) != 0) {
        return errno == EEXIST ? STATUS_OK
                               : error_set(err, ERROR_IO, errno, "cannot write the stage");
    }
    TRY(stage_view_look(&all->view, folder, ENTRY_STAT, &there, &source, err));
    bool is_there = there.kind == ENTRY_FOLDER;
    CLEANUP(fd_closep) int to = entry_open_folder(upper_fd, folder, false);
    CLEANUP(fd_closep) int from = is_there ? entry_open_folder(source, folder, true) : -1;
    bool ok = to >= 0 && (!is_there || (from >= 0 && upper_copy_attributes(from, to) &&
                                        upper_copy_access_list(from, to)));
    if (!ok || !own(to, upper) || fchmod(to, is_there ? there.mode : 0755) != 0) {
        return error_set(err, ERROR_IO, errno, "cannot write the stage");
    }
    return STATUS_OK;
}

static status_t write_parents(const struct stage_patch *all, const struct stat *upper, int upper_fd,
                              const char *path, struct error *err) {
    char folder[LIMIT_PATH_BYTES];
    (void)snprintf(folder, sizeof folder, "%s", path);
    for (char *slash = strchr(folder, '/'); slash != nullptr; slash = strchr(slash + 1, '/')) {
        *slash = '\0';
        TRY(write_folder(all, upper, upper_fd, folder, err));
        *slash = '/';
    }
    return STATUS_OK;
}

static status_t write_file(const struct patched *patched, const struct stat *upper, int parent,
                           const char *name, struct error *err) {
    CLEANUP(fd_closep)
    int to = openat(parent, name, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (to < 0) {
        return error_set(err, ERROR_IO, errno, "cannot write the stage");
    }
    TRY(fd_write_all(to, builder_slice(&patched->content), "the stage", err));
    CLEANUP(fd_closep)
    int from = patched->old_path != nullptr
                   ? entry_open_file(patched->source_fd, patched->old_path, true)
                   : -1;
    bool same_place = from >= 0 && strcmp(patched->path, patched->old_path) == 0;
    if ((from >= 0 && !upper_copy_attributes(from, to)) ||
        (same_place && !upper_copy_access_list(from, to)) || !own(to, upper) ||
        fchmod(to, patched->mode & 0777) != 0) {
        return error_set(err, ERROR_IO, errno, "cannot write the stage");
    }
    return STATUS_OK;
}

static status_t write_one(const struct stage_patch *all, const struct stat *upper,
                          struct patched *patched, int upper_fd, struct error *err) {
    TRY(write_parents(all, upper, upper_fd, patched->path, err));
    const char *name = nullptr;
    CLEANUP(fd_closep) int parent = merge_open_parent(upper_fd, patched->path, &name);
    bool ok = parent >= 0;
    if (ok && S_ISREG(patched->mode)) {
        return write_file(patched, upper, parent, name, err);
    }
    if (ok && patched->mode == 0) {
        ok = mknodat(parent, name, S_IFCHR, makedev(0, 0)) == 0;
    } else if (ok) {
        ok = symlinkat(builder_c_string(&patched->content), parent, name) == 0;
    }
    ok = ok && (geteuid() != 0 ||
                fchownat(parent, name, upper->st_uid, upper->st_gid, AT_SYMLINK_NOFOLLOW) == 0);
    return ok ? STATUS_OK : error_set(err, ERROR_IO, errno, "cannot write the stage");
}

status_t stage_patch_write(const struct run *run, const struct stage_patch *patch,
                           struct error *err) {
    struct stat upper;
    CLEANUP(fd_closep) int made = -1;
    if (fstatat(run->fd, "upper", &upper, AT_SYMLINK_NOFOLLOW) != 0 ||
        mkdirat(run->fd, "work/upper", 0700) != 0) {
        return error_set(err, ERROR_IO, errno, "cannot write the stage");
    }
    made = openat(run->fd, "work/upper", O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
    if (made < 0) {
        return error_set(err, ERROR_IO, errno, "cannot write the stage");
    }
    for (size_t i = 0; i < patch->count; i++) {
        TRY(write_one(patch, &upper, &patch->items[i], made, err));
    }
    if (!own(made, &upper) || fchmod(made, upper.st_mode & 07777) != 0 ||
        renameat(run->fd, "work/upper", run->fd, "upper") != 0) {
        return error_set(err, ERROR_IO, errno, "cannot write the stage");
    }
    return STATUS_OK;
}
