/* SPDX-License-Identifier: Apache-2.0 */
#include "sys/file.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/openat2.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/assert.h"
#include "base/cleanup.h"
#include "base/limits.h"
#include "sys/fd.h"

int file_open_beneath(int folder_fd, const char *path, int flags, unsigned mode, bool no_symlinks) {
    struct open_how how = {
        .flags = (uint64_t)(unsigned)flags | O_CLOEXEC,
        .mode = (flags & O_CREAT) != 0 || (flags & O_TMPFILE) == O_TMPFILE ? mode : 0,
        .resolve = RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS,
    };
    if (no_symlinks) {
        how.resolve |= RESOLVE_NO_SYMLINKS;
    }
    int fd;
    do {
        /* EAGAIN: a rename raced with the walk; the kernel asks for another try. */
        fd = (int)syscall(SYS_openat2, folder_fd, path, &how, sizeof how);
    } while (fd < 0 && (errno == EINTR || errno == EAGAIN));
    return fd;
}

int file_open_parent(int folder_fd, const char *path, int flags, bool no_symlinks,
                     const char **ret_name) {
    char parent[LIMIT_PATH_BYTES];
    const char *slash = strrchr(path, '/');
    size_t size = slash == nullptr ? 0 : (size_t)(slash - path);
    ASSERT(size < sizeof parent);
    memcpy(parent, path, size);
    parent[size] = '\0';
    *ret_name = slash == nullptr ? path : slash + 1;
    return file_open_beneath(folder_fd, size == 0 ? "." : parent, flags, 0, no_symlinks);
}

status_t file_read(int folder_fd, const char *path, struct builder *builder, bool *ret_found,
                   struct error *err) {
    CLEANUP(fd_closep) int fd = file_open_beneath(folder_fd, path, O_RDONLY | O_NOCTTY, 0, false);
    if (fd < 0) {
        if (errno == ENOENT) {
            *ret_found = false;
            return STATUS_OK;
        }
        return error_set(err, ERROR_IO, errno, "cannot open %s", path);
    }
    TRY(fd_read_to_end(fd, path, builder, err));
    *ret_found = true;
    return STATUS_OK;
}

static status_t file_write_temporary(int folder_fd, const char *temporary, struct slice bytes,
                                     const struct file_write_options *options, struct error *err) {
    unsigned mode = options->mode != 0 ? options->mode : 0600;
    CLEANUP(fd_closep)
    int fd = file_open_beneath(folder_fd, temporary, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, mode,
                               true);
    if (fd < 0) {
        return error_set(err, ERROR_IO, errno, "cannot create %s", temporary);
    }
    TRY(fd_write_all(fd, bytes, temporary, err));
    if (fchmod(fd, mode) != 0) {
        return error_set(err, ERROR_IO, errno, "cannot set the mode of %s", temporary);
    }
    return options->durable ? fd_sync(fd, temporary, err) : STATUS_OK;
}

/* Makes the folder that holds `path` durable, so that a rename in it survives a power loss. */
static status_t file_sync_parent(int folder_fd, const char *path, struct error *err) {
    const char *name;
    CLEANUP(fd_closep)
    int fd = file_open_parent(folder_fd, path, O_RDONLY | O_DIRECTORY, false, &name);
    if (fd < 0) {
        return error_set(err, ERROR_IO, errno, "cannot open the folder of %s", path);
    }
    return fd_sync(fd, path, err);
}

status_t file_write_atomic(int folder_fd, const char *path, struct slice bytes,
                           const struct file_write_options *options, struct error *err) {
    static _Atomic unsigned counter;
    char temporary[LIMIT_PATH_BYTES];
    int size = snprintf(temporary, sizeof temporary, "%s.tmp-%d-%u", path, (int)getpid(),
                        atomic_fetch_add(&counter, 1));
    if (size < 0 || (size_t)size >= sizeof temporary) {
        return error_set(err, ERROR_IO, ENAMETOOLONG, "cannot write %s", path);
    }
    status_t status = file_write_temporary(folder_fd, temporary, bytes, options, err);
    if (status_is_ok(status) && renameat(folder_fd, temporary, folder_fd, path) != 0) {
        status = error_set(err, ERROR_IO, errno, "cannot replace %s", path);
    }
    if (!status_is_ok(status)) {
        (void)unlinkat(folder_fd, temporary, 0);
        return status;
    }
    return options->durable ? file_sync_parent(folder_fd, path, err) : STATUS_OK;
}

status_t file_make_folder(int folder_fd, const char *path, unsigned mode, struct error *err) {
    if (mkdirat(folder_fd, path, mode) == 0) {
        return STATUS_OK;
    }
    int saved = errno;
    struct stat there;
    if (saved == EEXIST && fstatat(folder_fd, path, &there, 0) == 0 && S_ISDIR(there.st_mode)) {
        return STATUS_OK;
    }
    return error_set(err, ERROR_IO, saved, "cannot create the folder %s", path);
}

status_t file_open_folder(int folder_fd, const char *path, bool create, unsigned mode, int *ret_fd,
                          struct error *err) {
    if (create) {
        TRY(file_make_folder(folder_fd, path, mode, err));
    }
    int fd = openat(folder_fd, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOCTTY);
    if (fd < 0) {
        return error_set(err, ERROR_IO, errno, "cannot open the folder %s", path);
    }
    *ret_fd = fd;
    return STATUS_OK;
}

struct remover {
    dev_t device;
    ino_t *above; /* owned; of the folders we are inside of, the top first */
    size_t depth;
    size_t capacity;
    struct error *err;
    status_t first; /* the first failure; later ones are dropped */
};

static void remover_note(struct remover *remover, const char *what) {
    if (status_is_ok(remover->first)) {
        remover->first = error_set(remover->err, ERROR_IO, errno, "cannot remove %s", what);
    }
}

static int remover_open(int parent_fd, const char *name) {
    int flags = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC;
    int fd = openat(parent_fd, name, flags);
    if (fd < 0 && errno == EACCES) {
        /* The caller owns the tree, so what its mode forbids it may allow itself. */
        if (fchmodat(parent_fd, name, 0700, 0) == 0) {
            fd = openat(parent_fd, name, flags);
        }
    }
    return fd;
}

static bool name_is_dots(const char *name) {
    return strcmp(name, ".") == 0 || strcmp(name, "..") == 0;
}

/* Empties the folder `fd` as far as it can without descending: returns the name of a folder that
 * must be emptied first in `ret_child`, or false when nothing is left to descend into. */
static bool remover_sweep(struct remover *remover, int fd, char ret_child[NAME_MAX + 1]) {
    int copy = openat(fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *folder = copy < 0 ? nullptr : fdopendir(copy);
    if (folder == nullptr) {
        fd_closep(&copy);
        remover_note(remover, "a folder's content");
        return false;
    }
    bool found = false;
    struct dirent *entry;
    while (!found && (entry = readdir(folder)) != nullptr) {
        if (name_is_dots(entry->d_name) || unlinkat(fd, entry->d_name, 0) == 0) {
            continue;
        }
        if (errno != EISDIR && errno != EPERM) {
            remover_note(remover, entry->d_name);
        } else if (unlinkat(fd, entry->d_name, AT_REMOVEDIR) != 0) {
            if (errno == ENOTEMPTY || errno == EEXIST || errno == EACCES) {
                (void)snprintf(ret_child, NAME_MAX + 1, "%s", entry->d_name);
                found = true;
            } else {
                remover_note(remover, entry->d_name);
            }
        }
    }
    (void)closedir(folder);
    return found;
}

static bool remover_descend(struct remover *remover, ino_t from) {
    if (remover->depth == remover->capacity) {
        size_t capacity = remover->capacity == 0 ? 64 : 2 * remover->capacity;
        ino_t *above = reallocarray(remover->above, capacity, sizeof *above);
        if (above == nullptr) {
            return false;
        }
        remover->above = above;
        remover->capacity = capacity;
    }
    remover->above[remover->depth++] = from;
    return true;
}

/* Goes up, and nowhere but to where we came from: somebody who owns the tree may have moved the
 * folder meanwhile, and then ".." is a place of his choice. -1: it is. */
static int remover_ascend(struct remover *remover, int fd) {
    CLEANUP(fd_closep) int above = openat(fd, "..", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    struct stat there;
    if (above < 0 || fstat(above, &there) != 0 || there.st_dev != remover->device ||
        there.st_ino != remover->above[remover->depth - 1]) {
        errno = ESTALE;
        remover_note(remover, "..");
        return -1;
    }
    remover->depth--;
    return fd_take(&above);
}

/* Iterative, so that a hostile depth cannot exhaust the stack. */
status_t file_remove_tree(int folder_fd, const char *path, struct error *err) {
    if (unlinkat(folder_fd, path, 0) == 0 || errno == ENOENT || errno == ENOTDIR ||
        unlinkat(folder_fd, path, AT_REMOVEDIR) == 0) { /* empty, as most are */
        return STATUS_OK;
    }
    CLEANUP(fd_closep) int fd = remover_open(folder_fd, path);
    struct stat top;
    if (fd < 0 || fstat(fd, &top) != 0) {
        return error_set(err, ERROR_IO, errno, "cannot open %s to remove it", path);
    }
    struct remover remover = {.device = top.st_dev, .err = err};
    ino_t current = top.st_ino;
    for (;;) {
        char child[NAME_MAX + 1];
        if (status_is_ok(remover.first) && remover_sweep(&remover, fd, child)) {
            int below = remover_open(fd, child);
            struct stat there;
            if (below < 0 || fstat(below, &there) != 0 || there.st_dev != remover.device) {
                fd_closep(&below);
                remover_note(&remover, child);
                continue;
            }
            if (((there.st_mode & 0700) != 0700 && fchmod(below, 0700) != 0) ||
                !remover_descend(&remover, current)) {
                fd_closep(&below);
                remover_note(&remover, child);
                continue;
            }
            fd_closep(&fd);
            fd = below;
            current = there.st_ino;
        } else if (remover.depth == 0 || !status_is_ok(remover.first)) {
            break;
        } else {
            current = remover.above[remover.depth - 1];
            int above = remover_ascend(&remover, fd);
            fd_closep(&fd);
            fd = above;
        }
    }
    free(remover.above);
    if (status_is_ok(remover.first) && unlinkat(folder_fd, path, AT_REMOVEDIR) != 0) {
        remover_note(&remover, path);
    }
    return remover.first;
}
