/* SPDX-License-Identifier: Apache-2.0
 *
 * Making and removing happen under a lock of extensions/ itself, so that a folder which is not
 * locked was left behind and is not one that is just being made.
 */
#include "kernel/extension_folder.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "codec/text.h"
#include "sandbox/cgroup_sweep.h"
#include "sys/fd.h"
#include "sys/file.h"
#include "sys/random.h"

static const char FOLDER[] = "extensions";

static status_t refuse(const char *path, const char *why, int reason, struct error *err) {
    struct builder shown;
    builder_init(&shown, 512);
    text_escape_short(slice_of_string(path), 300, &shown);
    (void)error_set(err, ERROR_POLICY_EXTENSION, reason, "cannot use the folder %s of an extension",
                    builder_c_string(&shown));
    if (why != nullptr) {
        error_detail(err, "%s", why);
    }
    error_hint(err, "Look at it with: ls -ld %.300s", builder_c_string(&shown));
    builder_deinit(&shown);
    return (status_t){ERROR_POLICY_EXTENSION};
}

status_t extension_folder_check(const char *path, struct stat *ret_status, struct error *err) {
    char resolved[PATH_MAX];
    struct stat folder;
    if (realpath(path, resolved) == nullptr || stat(resolved, &folder) != 0) {
        return refuse(path, nullptr, errno, err);
    }
    if (strcmp(path, resolved) != 0) {
        return refuse(path, "it must be named as it is, without links and dots", 0, err);
    }
    if (!S_ISDIR(folder.st_mode)) {
        return refuse(path, "it is no folder", 0, err);
    }
    if (folder.st_uid != geteuid() && folder.st_uid != 0) {
        return refuse(path, "it belongs to somebody else", 0, err);
    }
    if ((folder.st_mode & (S_IWGRP | S_IWOTH)) != 0) {
        return refuse(path, "others may write it", 0, err);
    }
    *ret_status = folder;
    return STATUS_OK;
}

/* The folder of all, locked until it is closed. */
static status_t open_all(const struct state *state, int *ret_fd, struct error *err) {
    CLEANUP(fd_closep) int all = -1;
    TRY(file_open_folder(state->fd, FOLDER, true, 0700, &all, err));
    while (flock(all, LOCK_EX) != 0) {
        if (errno != EINTR) {
            return error_set(err, ERROR_IO, errno, "cannot lock the folder of extensions");
        }
    }
    *ret_fd = fd_take(&all);
    return STATUS_OK;
}

/* Removes what nobody holds. */
static void sweep(int all) {
    CLEANUP(fd_closep) int copy = openat(all, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *stream = copy < 0 ? nullptr : fdopendir(copy);
    if (stream == nullptr) {
        return;
    }
    copy = -1; /* the stream's now */
    const struct dirent *entry;
    while ((entry = readdir(stream)) != nullptr) {
        if (!id_is_valid(entry->d_name)) {
            continue;
        }
        CLEANUP(fd_closep)
        int one = file_open_beneath(all, entry->d_name, O_RDONLY | O_DIRECTORY, 0, true);
        if (one >= 0 && flock(one, LOCK_EX | LOCK_NB) == 0) {
            struct error ignored = {};
            cgroup_sweep(entry->d_name);
            (void)!status_is_ok(file_remove_tree(all, entry->d_name, &ignored));
        }
    }
    (void)closedir(stream);
}

static status_t make_parts(int folder, uint32_t uid, uint32_t gid, struct error *err) {
    static const char *const names[] = {"workspace", "run",     "run/upper",
                                        "run/work",  "run/tmp", "run/home"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        TRY(file_make_folder(folder, names[i], 0755, err));
        bool is_theirs = i > 1;
        if (is_theirs && fchownat(folder, names[i], uid, gid, 0) != 0) {
            return error_set(err, ERROR_IO, errno, "cannot give a folder to an extension");
        }
    }
    return STATUS_OK;
}

status_t extension_folder_make(const struct state *state, const char *id, uint32_t uid,
                               uint32_t gid, int *ret_fd, struct error *err) {
    CLEANUP(fd_closep) int all = -1;
    CLEANUP(fd_closep) int one = -1;
    TRY(open_all(state, &all, err));
    sweep(all);
    TRY(file_open_folder(all, id, true, 0700, &one, err));
    if (flock(one, LOCK_EX | LOCK_NB) != 0) {
        return error_set(err, ERROR_IO, errno, "cannot lock the folder of an extension");
    }
    TRY(make_parts(one, uid, gid, err));
    *ret_fd = fd_take(&one);
    return STATUS_OK;
}

void extension_folder_remove(const struct state *state, const char *id) {
    struct error ignored = {};
    CLEANUP(fd_closep) int all = -1;
    if (status_is_ok(open_all(state, &all, &ignored))) {
        /* What cannot be removed now, the next sweep tries again. */
        (void)!status_is_ok(file_remove_tree(all, id, &ignored));
    }
}
