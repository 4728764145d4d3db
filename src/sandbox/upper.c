/* SPDX-License-Identifier: Apache-2.0 */
#include "sandbox/upper.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/limits.h"
#include "sys/fd.h"
#include "sys/file.h"

bool entry_is_equal(const struct entry_state *a, const struct entry_state *b) {
    if (a->kind != b->kind) {
        return false;
    }
    switch (a->kind) {
    case ENTRY_NONE:
        return true;
    case ENTRY_LINK:
        return digest_equal(&a->digest, &b->digest);
    case ENTRY_FOLDER:
        return a->mode == b->mode && digest_equal(&a->xattrs, &b->xattrs);
    case ENTRY_FILE:
        return a->mode == b->mode && a->size == b->size && digest_equal(&a->digest, &b->digest) &&
               digest_equal(&a->xattrs, &b->xattrs);
    case ENTRY_OTHER:
        break;
    }
    return a->dev == b->dev && a->ino == b->ino;
}

bool entry_is_same_inode(const struct entry_state *a, const struct entry_state *b) {
    return a->kind == b->kind && a->mode == b->mode && a->dev == b->dev && a->ino == b->ino &&
           a->size == b->size && a->mtime_ns == b->mtime_ns && a->ctime_ns == b->ctime_ns;
}

uint32_t entry_mode(const struct entry_state *state) {
    switch (state->kind) {
    case ENTRY_FILE:
        return S_IFREG | state->mode;
    case ENTRY_FOLDER:
        return S_IFDIR | state->mode;
    case ENTRY_LINK:
        return S_IFLNK | 0777;
    case ENTRY_NONE:
    case ENTRY_OTHER:
        break;
    }
    return 0;
}

static enum entry_kind entry_kind_of(mode_t mode) {
    if (S_ISREG(mode)) {
        return ENTRY_FILE;
    }
    if (S_ISDIR(mode)) {
        return ENTRY_FOLDER;
    }
    return S_ISLNK(mode) ? ENTRY_LINK : ENTRY_OTHER;
}

static void entry_fill(const struct stat *there, struct entry_state *ret) {
    *ret = (struct entry_state){
        .kind = entry_kind_of(there->st_mode),
        .mode = there->st_mode & 07777,
        .uid = there->st_uid,
        .gid = there->st_gid,
        .dev = there->st_dev,
        .ino = there->st_ino,
        .size = (uint64_t)there->st_size,
        .mtime_ns = there->st_mtim.tv_sec * 1000000000 + there->st_mtim.tv_nsec,
        .ctime_ns = there->st_ctim.tv_sec * 1000000000 + there->st_ctim.tv_nsec,
    };
}

/* Opening what its mode forbids, for a short time, through its parent's fd. */
static int entry_open_forced(int folder_fd, const char *path, int flags) {
    CLEANUP(fd_closep) int place = file_open_beneath(folder_fd, path, O_PATH | O_NOFOLLOW, 0, true);
    struct stat there;
    if (place < 0 || fstat(place, &there) != 0 || there.st_uid != geteuid() ||
        S_ISLNK(there.st_mode)) {
        errno = EACCES;
        return -1;
    }
    char self[64];
    (void)snprintf(self, sizeof self, "/proc/self/fd/%d", place);
    if (chmod(self, (there.st_mode & 07777) | (S_ISDIR(there.st_mode) ? 0500 : 0400)) != 0) {
        return -1;
    }
    int fd = file_open_beneath(folder_fd, path, flags, 0, true);
    int saved = errno;
    if (chmod(self, there.st_mode & 07777) != 0) {
        saved = errno;
        fd_closep(&fd);
    }
    errno = saved;
    return fd;
}

int entry_open_file(int folder_fd, const char *path, bool force) {
    /* O_NONBLOCK: a fifo that took the file's place must not hold us. */
    int flags = O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY;
    CLEANUP(fd_closep) int fd = file_open_beneath(folder_fd, path, flags, 0, true);
    if (fd < 0 && errno == EACCES && force) {
        fd = entry_open_forced(folder_fd, path, flags);
    }
    struct stat there;
    if (fd >= 0 && (fstat(fd, &there) != 0 || !S_ISREG(there.st_mode))) {
        errno = EINVAL;
        return -1;
    }
    return fd_take(&fd);
}

int entry_open_folder(int folder_fd, const char *path, bool force) {
    int flags = O_RDONLY | O_NOFOLLOW | O_DIRECTORY;
    int fd = file_open_beneath(folder_fd, path, flags, 0, true);
    if (fd < 0 && errno == EACCES && force) {
        fd = entry_open_forced(folder_fd, path, flags);
    }
    return fd;
}

bool entry_read_link(int folder_fd, const char *path, char *ret, size_t capacity) {
    CLEANUP(fd_closep) int fd = file_open_beneath(folder_fd, path, O_PATH | O_NOFOLLOW, 0, true);
    ssize_t size = fd < 0 ? -1 : readlinkat(fd, "", ret, capacity);
    if (size < 0 || (size_t)size >= capacity) {
        errno = size < 0 ? errno : ENAMETOOLONG;
        return false;
    }
    ret[size] = '\0';
    return true;
}

/* Overlay marks. */

enum upper_mark upper_mark_of_folder(int fd) {
    char value[4] = "";
    if (fgetxattr(fd, "user.overlay.opaque", value, sizeof value) != 1) {
        return UPPER_PLAIN;
    }
    if (value[0] == 'y') {
        return UPPER_OPAQUE;
    }
    return value[0] == 'x' ? UPPER_XWHITEOUTS : UPPER_PLAIN;
}

bool upper_is_whiteout(const struct stat *there) {
    return S_ISCHR(there->st_mode) && there->st_rdev == 0;
}

bool upper_is_xattr_whiteout(int folder_fd, const char *path) {
    CLEANUP(fd_closep) int fd = entry_open_file(folder_fd, path, true);
    struct stat there;
    return fd >= 0 && fstat(fd, &there) == 0 && there.st_size == 0 &&
           fgetxattr(fd, "user.overlay.whiteout", nullptr, 0) >= 0;
}

bool upper_is_copied_up(int folder_fd, const char *path) {
    CLEANUP(fd_closep) int fd = entry_open_file(folder_fd, path, true);
    if (fd < 0) {
        fd = entry_open_folder(folder_fd, path, true);
    }
    return fd >= 0 && fgetxattr(fd, "user.overlay.origin", nullptr, 0) >= 0;
}

/* Looking. */

enum { CHUNK_BYTES = 262144 };

/* Hashes what the file holds at [at, end); a hole is hashed as the zeros it reads as. */
static bool entry_hash_range(int fd, off_t at, off_t end, bool is_hole, uint8_t *chunk,
                             struct sha256 *hash) {
    if (is_hole) {
        memset(chunk, 0, CHUNK_BYTES);
    }
    while (at < end) {
        size_t want = end - at < CHUNK_BYTES ? (size_t)(end - at) : CHUNK_BYTES;
        ssize_t got = is_hole ? (ssize_t)want : pread(fd, chunk, want, at);
        if (got < 0 && errno == EINTR) {
            continue;
        }
        if (got <= 0) {
            errno = got == 0 ? EIO : errno; /* it shrank under us */
            return false;
        }
        sha256_update(hash, slice_of(chunk, (size_t)got));
        at += got;
    }
    return true;
}

/* The content of an open file, in pieces, because a stage may hold files of several gigabytes; and
 * without reading holes, because those gigabytes may be nothing. */
static bool entry_hash_file(int fd, struct digest *ret) {
    CLEANUP(memory_freep) uint8_t *chunk = malloc(CHUNK_BYTES);
    struct sha256 hash;
    struct stat there;
    sha256_init(&hash);
    if (chunk == nullptr || fstat(fd, &there) != 0) {
        return false;
    }
    off_t size = there.st_size;
    for (off_t at = 0; at < size;) {
        off_t data = size > CHUNK_BYTES ? lseek(fd, at, SEEK_DATA) : at;
        data = data < 0 ? (errno == ENXIO ? size : at) : data;
        off_t hole = data < size && size > CHUNK_BYTES ? lseek(fd, data, SEEK_HOLE) : size;
        hole = hole < 0 || hole > size ? size : hole;
        data = data > size ? size : data;
        if (!entry_hash_range(fd, at, data, true, chunk, &hash) ||
            !entry_hash_range(fd, data, hole, false, chunk, &hash)) {
            return false;
        }
        at = hole;
    }
    sha256_final(&hash, ret);
    return true;
}

static status_t entry_hash_link(int folder_fd, const char *path, struct entry_state *state,
                                struct error *err) {
    char target[PATH_MAX];
    if (!entry_read_link(folder_fd, path, target, sizeof target)) {
        return error_set(err, ERROR_IO, errno, "cannot read the link %s", path);
    }
    sha256_of(slice_of_string(target), &state->digest);
    return STATUS_OK;
}

status_t entry_hash(int folder_fd, const char *path, enum entry_depth depth,
                    struct entry_state *state, struct error *err) {
    bool force = depth == ENTRY_FORCED;
    if (state->kind == ENTRY_LINK) {
        return entry_hash_link(folder_fd, path, state, err);
    }
    if (state->kind != ENTRY_FILE && state->kind != ENTRY_FOLDER) {
        return STATUS_OK;
    }
    bool is_file = state->kind == ENTRY_FILE;
    CLEANUP(fd_closep)
    int fd = is_file ? entry_open_file(folder_fd, path, force)
                     : entry_open_folder(folder_fd, path, force);
    if (fd < 0 && (errno == EACCES || errno == EPERM)) {
        return STATUS_OK; /* not ours to read; inode numbers and times tell whether it changes */
    }
    if (fd < 0 || (is_file && !entry_hash_file(fd, &state->digest)) ||
        !upper_attributes_digest(fd, &state->xattrs)) {
        return error_set(err, ERROR_IO, errno, "cannot read %s", path);
    }
    return STATUS_OK;
}

status_t entry_look(int folder_fd, const char *path, enum entry_depth depth,
                    struct entry_state *ret_state, struct error *err) {
    struct entry_state state = {.kind = ENTRY_NONE};
    CLEANUP(fd_closep) int fd = file_open_beneath(folder_fd, path, O_PATH | O_NOFOLLOW, 0, true);
    struct stat there;
    if (fd < 0 && (errno == ELOOP || errno == EXDEV)) {
        state.kind = ENTRY_OTHER;
    } else if (fd < 0 && errno != ENOENT && errno != ENOTDIR) {
        return error_set(err, ERROR_IO, errno, "cannot look at %s", path);
    } else if (fd >= 0) {
        if (fstat(fd, &there) != 0) {
            return error_set(err, ERROR_IO, errno, "cannot look at %s", path);
        }
        entry_fill(&there, &state);
        if (depth != ENTRY_STAT) {
            TRY(entry_hash(folder_fd, path, depth, &state, err));
        }
    }
    *ret_state = state;
    return STATUS_OK;
}
