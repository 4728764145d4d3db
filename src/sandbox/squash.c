/* SPDX-License-Identifier: Apache-2.0
 *
 * A squash is built under a name of its own and renamed when it is whole; one that a crash left
 * half is never looked at, and goes with its run. Two that build the same one do no harm to each
 * other: the second finds the name taken.
 *
 * Laying layers over each other, at one path, newest first: the newest entry counts. When it is a
 * folder, those below it take part in it, up to one that hides what lies below: an opaque folder,
 * or anything that is no folder. The folder that comes out is opaque then, because it hides the
 * workspace too. A whiteout stays one for the same reason.
 */
#include "sandbox/squash.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "base/assert.h"
#include "base/cleanup.h"
#include "codec/text.h"
#include "sandbox/merge_steps.h"
#include "sandbox/stage_view.h"
#include "sys/fd.h"
#include "sys/file.h"

enum {
    STEP = LIMIT_STAGE_SQUASH_KEPT,
    INPUT_COUNT_MAX = STEP + 1,
    NAME_BYTES = 33,
};

/* A folder of the result: which inputs take part in it, and whether it hides what lies below. */
struct squash_folder {
    char *path;      /* owned; "" for the top */
    uint32_t inputs; /* bit i: input i, 0 the newest */
    bool opaque;
};

struct squasher {
    int inputs[INPUT_COUNT_MAX]; /* owned; newest first */
    size_t input_count;
    int out;                       /* owned; the folder that is built */
    struct squash_folder *folders; /* owned; in the order they were made */
    size_t folder_count, folder_capacity;
};

static void squasher_deinit(struct squasher *squasher) {
    for (size_t i = 0; i < squasher->input_count; i++) {
        fd_closep(&squasher->inputs[i]);
    }
    for (size_t i = 0; i < squasher->folder_count; i++) {
        free(squasher->folders[i].path);
    }
    free(squasher->folders);
    fd_closep(&squasher->out);
}

static status_t failed(const char *path, struct error *err) {
    return error_set(err, ERROR_IO, errno, "cannot squash %.200s", path);
}

static const char *or_dot(const char *path) {
    return path[0] == '\0' ? "." : path;
}

static status_t add_folder(struct squasher *squasher, const char *path, uint32_t inputs,
                           bool opaque, struct error *err) {
    if (squasher->folder_count == squasher->folder_capacity) {
        size_t capacity = squasher->folder_capacity == 0 ? 64 : squasher->folder_capacity * 2;
        struct squash_folder *folders = reallocarray(squasher->folders, capacity, sizeof *folders);
        if (folders == nullptr) {
            return error_set(err, ERROR_NO_MEMORY, ENOMEM, "cannot squash stages");
        }
        squasher->folders = folders;
        squasher->folder_capacity = capacity;
    }
    char *copy = strdup(path);
    if (copy == nullptr) {
        return error_set(err, ERROR_NO_MEMORY, ENOMEM, "cannot squash stages");
    }
    squasher->folders[squasher->folder_count++] = (struct squash_folder){copy, inputs, opaque};
    return STATUS_OK;
}

/* What one input has at a path. */
enum found : uint8_t { FOUND_NOTHING, FOUND_FOLDER, FOUND_OPAQUE, FOUND_WHITEOUT, FOUND_OTHER };

static enum found look(int input, const char *folder, const char *path) {
    struct stat there;
    CLEANUP(fd_closep) int place = file_open_beneath(input, path, O_PATH | O_NOFOLLOW, 0, true);
    if (place < 0 || fstat(place, &there) != 0) {
        return FOUND_NOTHING;
    }
    if (S_ISDIR(there.st_mode)) {
        CLEANUP(fd_closep) int fd = entry_open_folder(input, path, true);
        return fd >= 0 && upper_mark_of_folder(fd) == UPPER_OPAQUE ? FOUND_OPAQUE : FOUND_FOLDER;
    }
    if (upper_is_whiteout(&there)) {
        return FOUND_WHITEOUT;
    }
    CLEANUP(fd_closep) int parent = entry_open_folder(input, or_dot(folder), true);
    bool is_marked = S_ISREG(there.st_mode) && there.st_size == 0 && parent >= 0 &&
                     upper_mark_of_folder(parent) == UPPER_XWHITEOUTS &&
                     upper_is_xattr_whiteout(input, path);
    return is_marked ? FOUND_WHITEOUT : FOUND_OTHER;
}

/* The whole entry as it is, under another name. */
static status_t link_entry(const struct squasher *squasher, size_t input, const char *path,
                           bool whiteout, struct error *err) {
    const char *name = nullptr;
    CLEANUP(fd_closep) int from = merge_open_parent(squasher->inputs[input], path, &name);
    CLEANUP(fd_closep) int to = merge_open_parent(squasher->out, path, &name);
    struct stat there;
    if (from < 0 || to < 0 || fstatat(from, name, &there, AT_SYMLINK_NOFOLLOW) != 0) {
        return failed(path, err);
    }
    /* A whiteout in the form of an attribute needs a mark on its folder: the device does not. */
    bool made = whiteout && S_ISREG(there.st_mode) ? mknodat(to, name, S_IFCHR, makedev(0, 0)) == 0
                                                   : linkat(from, name, to, name, 0) == 0;
    return made ? STATUS_OK : failed(path, err);
}

static status_t squash_name(struct squasher *squasher, const struct squash_folder *folder,
                            const char *name, struct error *err) {
    char path[LIMIT_PATH_BYTES];
    uint32_t inputs = 0;
    bool opaque = false;
    if (!path_join(path, folder->path, name)) {
        errno = ENAMETOOLONG;
        return failed(name, err);
    }
    for (size_t i = 0; i < squasher->input_count && !opaque; i++) {
        enum found found = (folder->inputs >> i & 1) == 0
                               ? FOUND_NOTHING
                               : look(squasher->inputs[i], folder->path, path);
        if (found == FOUND_NOTHING) {
            continue;
        }
        bool is_folder = found == FOUND_FOLDER || found == FOUND_OPAQUE;
        if (!is_folder && inputs == 0) {
            return link_entry(squasher, i, path, found == FOUND_WHITEOUT, err);
        }
        inputs |= is_folder ? 1U << i : 0;
        opaque = found != FOUND_FOLDER;
    }
    const char *last = nullptr;
    CLEANUP(fd_closep) int to = merge_open_parent(squasher->out, path, &last);
    if (to < 0 || mkdirat(to, last, 0700) != 0) {
        return failed(path, err);
    }
    return add_folder(squasher, path, inputs, opaque, err);
}

static status_t squash_names(struct squasher *squasher, size_t index, struct error *err) {
    CLEANUP(name_list_deinit) struct name_list names = {0};
    struct squash_folder folder = squasher->folders[index]; /* the array may move */
    for (size_t i = 0; i < squasher->input_count; i++) {
        if ((folder.inputs >> i & 1) == 0) {
            continue;
        }
        CLEANUP(fd_closep)
        int fd = entry_open_folder(squasher->inputs[i], or_dot(folder.path), true);
        if (fd < 0) {
            return failed(folder.path, err);
        }
        TRY(name_list_read(fd, folder.path, &names, err));
    }
    for (size_t i = 0; i < names.count; i++) {
        TRY(squash_name(squasher, &folder, names.names[i], err));
    }
    return STATUS_OK;
}

/* Access lists of a folder, its own and the one it passes on; they are sealed with their stage. */
static bool copy_list(int from, int to, const char *name) {
    char value[4096];
    ssize_t size = fgetxattr(from, name, value, sizeof value);
    return size < 0 ? errno == ENODATA || errno == EOPNOTSUPP
                    : fsetxattr(to, name, value, (size_t)size, 0) == 0;
}

/* The newest of those that take part says what a folder is like; last of all, because it may forbid
 * to write into it. */
static status_t finish_folder(const struct squasher *squasher, const struct squash_folder *folder,
                              struct error *err) {
    struct stat there;
    size_t newest = 0;
    while ((folder->inputs >> newest & 1) == 0) {
        newest++;
    }
    CLEANUP(fd_closep)
    int from = entry_open_folder(squasher->inputs[newest], or_dot(folder->path), true);
    CLEANUP(fd_closep) int to = entry_open_folder(squasher->out, or_dot(folder->path), false);
    bool ok = from >= 0 && to >= 0 && fstat(from, &there) == 0 && upper_copy_attributes(from, to) &&
              copy_list(from, to, "system.posix_acl_access") &&
              copy_list(from, to, "system.posix_acl_default") &&
              (!folder->opaque || fsetxattr(to, "user.overlay.opaque", "y", 1, 0) == 0) &&
              (geteuid() != 0 || fchown(to, there.st_uid, there.st_gid) == 0) &&
              fchmod(to, there.st_mode & 07777) == 0;
    if (!ok) {
        return failed(folder->path, err);
    }
    struct timespec times[2] = {there.st_atim, there.st_mtim};
    return futimens(to, times) == 0 ? STATUS_OK : failed(folder->path, err);
}

static status_t squash_all(struct squasher *squasher, struct error *err) {
    TRY(add_folder(squasher, "", (1U << squasher->input_count) - 1, false, err));
    for (size_t i = 0; i < squasher->folder_count; i++) {
        TRY(squash_names(squasher, i, err));
    }
    for (size_t i = squasher->folder_count; i-- > 0;) {
        TRY(finish_folder(squasher, &squasher->folders[i], err));
    }
    return STATUS_OK;
}

/* Names. */

size_t squash_depth(size_t count) {
    return count <= LIMIT_STAGE_LAYERS ? 0 : (count - STEP) / STEP * STEP;
}

static void cover_name(const struct run *const *open, size_t count, size_t from,
                       char ret[static NAME_BYTES]) {
    struct sha256 hash;
    struct digest digest;
    sha256_init(&hash);
    for (size_t i = from; i < count; i++) {
        sha256_update(&hash, slice_of(open[i]->id, strlen(open[i]->id) + 1));
    }
    sha256_final(&hash, &digest);
    for (size_t i = 0; i < (NAME_BYTES - 1) / 2; i++) {
        (void)snprintf(ret + 2 * i, 3, "%02x", digest.bytes[i]);
    }
}

static bool squash_is_there(const struct run *const *open, size_t count, size_t from) {
    char name[NAME_BYTES];
    char path[NAME_BYTES + sizeof "squash/"];
    cover_name(open, count, from, name);
    (void)snprintf(path, sizeof path, "squash/%s", name);
    return faccessat(open[from]->fd, path, F_OK, AT_SYMLINK_NOFOLLOW) == 0;
}

/* The inputs of the squash of [from, count): eight stages, and the squash below them. */
static status_t open_inputs(struct squasher *squasher, const struct run *const *open, size_t count,
                            size_t from, struct error *err) {
    struct stat first = {0};
    for (size_t i = 0; i < STEP; i++) {
        TRY(file_open_folder(open[from + i]->fd, "upper", false, 0,
                             &squasher->inputs[squasher->input_count], err));
        squasher->input_count++;
    }
    if (from + STEP < count) {
        char name[NAME_BYTES];
        char path[NAME_BYTES + sizeof "squash/"];
        cover_name(open, count, from + STEP, name);
        (void)snprintf(path, sizeof path, "squash/%s", name);
        TRY(file_open_folder(open[from + STEP]->fd, path, false, 0,
                             &squasher->inputs[squasher->input_count], err));
        squasher->input_count++;
    }
    for (size_t i = 0; i < squasher->input_count; i++) {
        struct stat there = {0};
        bool looked = fstat(squasher->inputs[i], &there) == 0;
        first = i == 0 ? there : first;
        if (!looked || there.st_uid != first.st_uid) {
            return error_set(err, ERROR_IO, errno,
                             "the stages of run %s and those below belong to different users",
                             open[from]->id);
        }
    }
    return STATUS_OK;
}

static status_t build(const struct run *const *open, size_t count, size_t from, struct error *err) {
    CLEANUP(squasher_deinit) struct squasher squasher = {.out = -1};
    CLEANUP(fd_closep) int folder = -1;
    char name[NAME_BYTES];
    char temporary[ID_TEXT_BYTES + 8];
    char id[ID_TEXT_BYTES];
    id_generate(0, id);
    cover_name(open, count, from, name);
    (void)snprintf(temporary, sizeof temporary, ".new-%s", id);
    TRY(open_inputs(&squasher, open, count, from, err));
    TRY(file_open_folder(open[from]->fd, "squash", true, 0700, &folder, err));
    TRY(file_open_folder(folder, temporary, true, 0700, &squasher.out, err));
    status_t status = squash_all(&squasher, err);
    bool placed = status_is_ok(status) && renameat(folder, temporary, folder, name) == 0;
    if (status_is_ok(status) && !placed && errno != EEXIST && errno != ENOTEMPTY) {
        status = failed(name, err);
    }
    if (!placed) { /* it failed, or somebody else was first */
        struct error ignored;
        (void)!status_is_ok(file_remove_tree(folder, temporary, &ignored));
    }
    return status;
}

status_t squash_make(const struct state *state, const struct run *const *open, size_t count,
                     size_t from, char ret_path[static LIMIT_PATH_BYTES], struct error *err) {
    char name[NAME_BYTES];
    ASSERT(from < count && (count - from) % STEP == 0);
    size_t start = from;
    while (start < count && !squash_is_there(open, count, start)) {
        start += STEP;
    }
    while (start > from) {
        start -= STEP;
        TRY(build(open, count, start, err));
    }
    cover_name(open, count, from, name);
    int size = snprintf(ret_path, LIMIT_PATH_BYTES, "%s/runs/%s/squash/%s", state->path,
                        open[from]->id, name);
    return size > 0 && size < LIMIT_PATH_BYTES
               ? STATUS_OK
               : error_set(err, ERROR_STATE_UNUSABLE, ENAMETOOLONG, "the path is too long");
}
