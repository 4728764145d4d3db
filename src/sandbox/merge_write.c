/* SPDX-License-Identifier: Apache-2.0
 *
 * Steps and temporaries. The order of the steps: what is new or replaced (parents first), then what
 * is removed (children first), then files that take the place of removed folders, then attributes
 * and modes of folders (deepest first, because a folder may become one that cannot be written).
 *
 * Owners: a replaced file keeps its owner, a new one gets its folder's. Only root can and must do
 * that; anybody else's files are their own.
 */
#include "sandbox/merge_write.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "base/assert.h"
#include "base/cleanup.h"
#include "sandbox/parts.h"
#include "sys/fd.h"
#include "sys/file.h"

/* Steps. */

struct step_writer {
    const struct merge *merge;
    const struct merge_plan *plan;
    struct merge_steps *steps;
};

static status_t writer_add(struct step_writer *writer, enum merge_operation operation, size_t index,
                           struct error *err) {
    const struct change *change = &writer->merge->list.items[index];
    struct merge_step *step = nullptr;
    TRY(merge_steps_add(writer->steps, operation, change->path, &writer->plan->items[index].current,
                        &step, err));
    step->mode = change->after.mode;
    step->temporary = (uint32_t)index;
    step->makes_room = (operation == MERGE_REMOVE_FILE || operation == MERGE_REMOVE_FOLDER) &&
                       change->after.kind != ENTRY_NONE;
    return STATUS_OK;
}

static status_t writer_place(struct step_writer *writer, size_t i, struct error *err) {
    const struct merge_plan_item *item = &writer->plan->items[i];
    enum entry_kind after = writer->merge->list.items[i].after.kind;
    bool is_inside = item->top != SIZE_MAX && item->top != i;
    if (is_inside || after == ENTRY_NONE || item->current.kind == ENTRY_FOLDER) {
        return STATUS_OK;
    }
    if (after == ENTRY_FOLDER && item->current.kind != ENTRY_NONE) {
        TRY(writer_add(writer, MERGE_REMOVE_FILE, i, err));
    }
    return writer_add(writer, MERGE_RENAME, i, err);
}

static status_t writer_remove(struct step_writer *writer, size_t i, struct error *err) {
    enum entry_kind current = writer->plan->items[i].current.kind;
    enum entry_kind after = writer->merge->list.items[i].after.kind;
    if (current == ENTRY_FOLDER && after != ENTRY_FOLDER) {
        return writer_add(writer, MERGE_REMOVE_FOLDER, i, err);
    }
    if (after == ENTRY_NONE && current != ENTRY_NONE) {
        return writer_add(writer, MERGE_REMOVE_FILE, i, err);
    }
    return STATUS_OK;
}

/* A folder that is there and stays. */
static bool item_stays_folder(const struct merge *merge, const struct merge_plan *plan, size_t i) {
    return plan->items[i].verdict == MERGE_VERDICT_APPLY &&
           plan->items[i].current.kind == ENTRY_FOLDER &&
           merge->list.items[i].after.kind == ENTRY_FOLDER;
}

static bool item_gets_attributes(const struct merge *merge, const struct merge_plan *plan,
                                 size_t i) {
    return item_stays_folder(merge, plan, i) &&
           !digest_equal(&plan->items[i].current.xattrs, &merge->list.items[i].after.xattrs);
}

status_t merge_write_steps(const struct merge *merge, const struct merge_plan *plan,
                           struct merge_steps *steps, struct error *err) {
    struct step_writer writer = {.merge = merge, .plan = plan, .steps = steps};
    size_t count = merge->list.count;
    for (size_t i = 0; i < count; i++) {
        if (plan->items[i].verdict == MERGE_VERDICT_APPLY) {
            TRY(writer_place(&writer, i, err));
        }
    }
    for (size_t i = count; i-- > 0;) {
        if (plan->items[i].verdict == MERGE_VERDICT_APPLY) {
            TRY(writer_remove(&writer, i, err));
        }
    }
    for (size_t i = 0; i < count; i++) {
        enum entry_kind after = merge->list.items[i].after.kind;
        bool takes_folder = plan->items[i].current.kind == ENTRY_FOLDER &&
                            (after == ENTRY_FILE || after == ENTRY_LINK);
        if (plan->items[i].verdict == MERGE_VERDICT_APPLY && takes_folder) {
            TRY(writer_add(&writer, MERGE_RENAME, i, err));
        }
    }
    for (size_t i = count; i-- > 0;) {
        if (item_gets_attributes(merge, plan, i)) {
            TRY(writer_add(&writer, MERGE_ATTRIBUTES, i, err));
        }
        if (item_stays_folder(merge, plan, i)) {
            TRY(writer_add(&writer, MERGE_MODE, i, err));
        }
    }
    return STATUS_OK;
}

/* Content. */

/* Copies the next `size` bytes at `offset`. */
static bool copy_range(int from, int to, off_t offset, off_t size) {
    off_t in = offset;
    off_t out = offset;
    while (in < offset + size) {
        ssize_t done = copy_file_range(from, &in, to, &out, (size_t)(offset + size - in), 0);
        if (done < 0 && errno == EINTR) {
            continue;
        }
        if (done <= 0) {
            break;
        }
    }
    while (in < offset + size) { /* the file systems do not know each other */
        char chunk[65536];
        off_t left = offset + size - in;
        ssize_t got =
            pread(from, chunk, left < (off_t)sizeof chunk ? (size_t)left : sizeof chunk, in);
        ssize_t put = got <= 0 ? got : pwrite(to, chunk, (size_t)got, in);
        if (put <= 0) {
            if (got == 0 || errno == EINTR) {
                errno = got == 0 ? EIO : errno;
                if (errno == EINTR) {
                    continue;
                }
            }
            return false;
        }
        in += put;
    }
    return true;
}

/* Shares the content where the file system can, else copies it; holes stay holes. */
static bool copy_content(int from, int to, off_t size) {
    if (ioctl(to, FICLONE, from) == 0) {
        return true;
    }
    off_t at = 0;
    while (at < size) {
        off_t data = lseek(from, at, SEEK_DATA);
        if (data < 0) {
            if (errno == ENXIO) {
                break; /* only a hole is left */
            }
            data = at;
        }
        off_t hole = lseek(from, data, SEEK_HOLE);
        hole = hole < 0 || hole > size ? size : hole;
        if (!copy_range(from, to, data, hole - data)) {
            return false;
        }
        at = hole;
    }
    return ftruncate(to, size) == 0;
}

/* Temporaries. */

struct owner {
    uint32_t uid, gid;
};

static struct owner owner_of(const struct merge_plan_item *item, int parent_fd) {
    struct owner owner = {item->current.uid, item->current.gid};
    struct stat folder;
    if (item->current.kind == ENTRY_NONE && fstat(parent_fd, &folder) == 0) {
        owner = (struct owner){folder.st_uid, folder.st_gid};
    }
    return owner;
}

static status_t write_file(const struct merge *merge, const struct change *change, int parent_fd,
                           const char *name, struct owner owner, struct error *err) {
    CLEANUP(fd_closep)
    int from = change->after_is_part
                   ? parts_open(&merge->stack->runs[0], &change->after.digest)
                   : entry_open_file(merge->upper_fds[change->after_layer], change->path, true);
    struct stat there;
    if (from < 0 || fstat(from, &there) != 0) {
        return error_set(err, ERROR_IO, errno, "cannot read %s in the stage", change->path);
    }
    CLEANUP(fd_closep)
    int to = openat(parent_fd, name, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (to < 0) {
        return error_set(err, ERROR_IO, errno, "cannot write beside %s in the workspace",
                         change->path);
    }
    struct timespec times[2] = {{.tv_nsec = UTIME_OMIT}, there.st_mtim};
    /* Who else may use a file is its owner's word and stays as it is. */
    CLEANUP(fd_closep) int replaced = entry_open_file(merge->workspace_fd, change->path, false);
    int attributed = change->after_is_part ? replaced : from;
    if ((replaced >= 0 && !upper_copy_access_list(replaced, to)) ||
        !copy_content(from, to, there.st_size) || !upper_copy_attributes(attributed, to) ||
        (geteuid() == 0 && fchown(to, owner.uid, owner.gid) != 0) ||
        fchmod(to, change->after.mode & 0777) != 0 || futimens(to, times) != 0) {
        return error_set(err, ERROR_IO, errno, "cannot write %s in the workspace", change->path);
    }
    return STATUS_OK;
}

static status_t write_link(const struct merge *merge, const struct change *change, int parent_fd,
                           const char *name, struct owner owner, struct error *err) {
    char target[LIMIT_PATH_BYTES];
    if (!entry_read_link(merge->upper_fds[change->after_layer], change->path, target,
                         sizeof target)) {
        return error_set(err, ERROR_IO, errno, "cannot read the link %s", change->path);
    }
    if (symlinkat(target, parent_fd, name) != 0 ||
        (geteuid() == 0 &&
         fchownat(parent_fd, name, owner.uid, owner.gid, AT_SYMLINK_NOFOLLOW) != 0)) {
        return error_set(err, ERROR_IO, errno, "cannot write the link %s in the workspace",
                         change->path);
    }
    return STATUS_OK;
}

static status_t write_folder(const struct change *change, int parent_fd, const char *name,
                             struct owner owner, struct error *err) {
    if (mkdirat(parent_fd, name, 0700) != 0 ||
        (geteuid() == 0 &&
         fchownat(parent_fd, name, owner.uid, owner.gid, AT_SYMLINK_NOFOLLOW) != 0)) {
        return error_set(err, ERROR_IO, errno, "cannot make the folder %s in the workspace",
                         change->path);
    }
    return STATUS_OK;
}

/* Where a change is written: a temporary beside its place, or its place inside a new folder's. */
static bool temporary_location(const struct merge *merge, const struct merge_plan *plan,
                               const char *run_id, size_t i, char ret[static LIMIT_PATH_BYTES]) {
    size_t top = plan->items[i].top == SIZE_MAX ? i : plan->items[i].top;
    const char *top_path = merge->list.items[top].path;
    if (!merge_temporary_path(run_id, top_path, (uint32_t)top, ret)) {
        return false;
    }
    size_t used = strlen(ret);
    const char *rest = merge->list.items[i].path + strlen(top_path);
    if (used + strlen(rest) >= LIMIT_PATH_BYTES) {
        return false;
    }
    memcpy(ret + used, rest, strlen(rest) + 1);
    return true;
}

static bool item_needs_temporary(const struct merge *merge, const struct merge_plan *plan,
                                 size_t i) {
    const struct merge_plan_item *item = &plan->items[i];
    enum entry_kind after = merge->list.items[i].after.kind;
    return (item->verdict == MERGE_VERDICT_APPLY && after != ENTRY_NONE &&
            !item_stays_folder(merge, plan, i)) ||
           item_gets_attributes(merge, plan, i);
}

static status_t write_one(const struct merge *merge, const struct merge_plan *plan,
                          const char *run_id, size_t i, struct error *err) {
    const struct change *change = &merge->list.items[i];
    char path[LIMIT_PATH_BYTES];
    const char *name = nullptr;
    if (!temporary_location(merge, plan, run_id, i, path)) {
        return error_set(err, ERROR_IO, ENAMETOOLONG, "cannot write %s", change->path);
    }
    CLEANUP(fd_closep) int parent = merge_open_parent(merge->workspace_fd, path, &name);
    if (parent < 0) {
        return error_set(err, ERROR_WORKSPACE_MOVED, errno, "cannot open the folder of %s",
                         change->path);
    }
    struct owner owner = owner_of(&plan->items[i], parent);
    merge_step_begins();
    switch (change->after.kind) {
    case ENTRY_FILE:
        return write_file(merge, change, parent, name, owner, err);
    case ENTRY_LINK:
        return write_link(merge, change, parent, name, owner, err);
    case ENTRY_FOLDER:
        return write_folder(change, parent, name, owner, err);
    case ENTRY_NONE:
    case ENTRY_OTHER:
        break;
    }
    ASSERT(!"only files, links and folders are written");
    return STATUS_OK;
}

/* New folders get mode and attributes when everything is inside; one that only brings attributes to
 * a folder that is there stays as it is. */
static status_t finish_folder(const struct merge *merge, const struct merge_plan *plan,
                              const char *run_id, size_t i, struct error *err) {
    const struct change *change = &merge->list.items[i];
    char path[LIMIT_PATH_BYTES];
    bool fits = temporary_location(merge, plan, run_id, i, path);
    CLEANUP(fd_closep)
    int from = entry_open_folder(merge->upper_fds[change->after_layer], change->path, true);
    CLEANUP(fd_closep) int to = fits ? entry_open_folder(merge->workspace_fd, path, false) : -1;
    if (from < 0 || to < 0 || !upper_copy_attributes(from, to) ||
        (!item_stays_folder(merge, plan, i) && fchmod(to, change->after.mode) != 0)) {
        return error_set(err, ERROR_IO, errno, "cannot finish the folder %s", change->path);
    }
    return STATUS_OK;
}

/* What is only removed writes nothing before the list is committed, so ask first. */
static status_t check_writable(const struct merge *merge, const struct merge_steps *steps,
                               struct error *err) {
    for (size_t i = 0; i < steps->count; i++) {
        const char *name = nullptr;
        CLEANUP(fd_closep)
        int parent = merge_open_parent(merge->workspace_fd, steps->items[i].path, &name);
        bool ok = steps->items[i].operation == MERGE_RENAME || parent < 0 ||
                  faccessat(parent, ".", W_OK, AT_EACCESS) == 0;
        if (!ok) {
            return error_set(err, ERROR_IO, errno, "cannot change the folder of %s",
                             steps->items[i].path);
        }
    }
    return STATUS_OK;
}

status_t merge_write_temporaries(const struct merge *merge, const struct merge_plan *plan,
                                 const struct merge_steps *steps, struct error *err) {
    TRY(check_writable(merge, steps, err));
    for (size_t i = 0; i < merge->list.count; i++) {
        if (item_needs_temporary(merge, plan, i)) {
            TRY(write_one(merge, plan, steps->run_id, i, err));
        }
    }
    for (size_t i = merge->list.count; i-- > 0;) {
        if (item_needs_temporary(merge, plan, i) &&
            merge->list.items[i].after.kind == ENTRY_FOLDER) {
            TRY(finish_folder(merge, plan, steps->run_id, i, err));
        }
    }
    return STATUS_OK;
}
