/* SPDX-License-Identifier: Apache-2.0
 *
 * Files below a folder that is already open. Paths are relative to that folder, and resolution
 * never leaves it.
 */
#pragma once

#include <stdint.h>
#include <sys/stat.h>

#include "base/bytes.h"
#include "base/error.h"

/* openat2(2) with RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS, O_CLOEXEC added. Returns the fd or -1
 * with errno. `no_symlinks` adds RESOLVE_NO_SYMLINKS. */
int file_open_beneath(int folder_fd, const char *path, int flags, unsigned mode, bool no_symlinks);

/* Opens the folder that holds `path`, which is at most PATH_MAX long, the same way; *ret_name is
 * the last part of the path. */
int file_open_parent(int folder_fd, const char *path, int flags, bool no_symlinks,
                     const char **ret_name);

/* Reads a whole file of at most the builder's maximum. A missing file is *ret_found = false. */
status_t file_read(int folder_fd, const char *path, struct builder *builder, bool *ret_found,
                   struct error *err);

struct file_write_options {
    unsigned mode; /* 0600 when 0 */
    bool durable;  /* fsync the file and its folder before returning */
};

/* Replaces a file whole: a temporary beside it, then rename. Readers see the old or the new one.
 * Not found folders are errors. */
status_t file_write_atomic(int folder_fd, const char *path, struct slice bytes,
                           const struct file_write_options *options, struct error *err);

/* mkdir, fine when it is there already as a folder. */
status_t file_make_folder(int folder_fd, const char *path, unsigned mode, struct error *err);

/* Opens a folder O_PATH-free (readable), creating it with `mode` when it is not there. */
status_t file_open_folder(int folder_fd, const char *path, bool create, unsigned mode, int *ret_fd,
                          struct error *err);

/* Removes a whole tree below folder_fd, without following links or crossing into other mounts,
 * giving itself permission where a folder's mode denies it (overlayfs leaves work/work at 000).
 * A tree that is not there is fine. Goes on after a failure and reports the first one. */
status_t file_remove_tree(int folder_fd, const char *path, struct error *err);
