/* SPDX-License-Identifier: Apache-2.0
 *
 * What stands at a path: in an overlay's upper folder, in the workspace. The content of both may be
 * hostile, so nothing here follows a symlink, opens a device, or leaves the folder it starts from.
 */
#pragma once

#include <sys/stat.h>

#include "base/error.h"
#include "crypto/hash.h"

enum entry_kind : uint8_t {
    ENTRY_NONE,
    ENTRY_FILE,
    ENTRY_FOLDER,
    ENTRY_LINK,
    ENTRY_OTHER, /* device, fifo, socket, or not to be reached without following a symlink */
};

struct entry_state {
    enum entry_kind kind;
    bool owner_is_payload; /* in an upper: the owner is the upper's own */
    uint32_t mode;         /* permission bits and setuid, setgid, sticky */
    uint32_t uid, gid;
    uint64_t dev, ino, size;
    int64_t mtime_ns, ctime_ns;
    struct digest digest; /* content of a file, target of a link; zero when it cannot be read */
    struct digest xattrs; /* of the user.* attributes that are kept; zero for none */
};

/* Relations between two states. */
bool entry_is_equal(const struct entry_state *a,
                    const struct entry_state *b); /* what apply writes */
bool entry_is_same_inode(const struct entry_state *a, const struct entry_state *b); /* untouched */
/* The kind and its permission bits as st_mode; 0 for none. */
uint32_t entry_mode(const struct entry_state *state);

enum entry_depth : uint8_t {
    ENTRY_STAT,
    ENTRY_CONTENT, /* content and attributes too, as far as they can be read */
    ENTRY_FORCED,  /* the same in a stage, where what forbids it is overruled; never a workspace */
};
/* Reads what stands at `path` below the folder. *ret_state is ENTRY_NONE when nothing does. */
status_t entry_look(int folder_fd, const char *path, enum entry_depth depth,
                    struct entry_state *ret_state, struct error *err);
/* The digests of a state that was looked at without them. */
status_t entry_hash(int folder_fd, const char *path, enum entry_depth depth,
                    struct entry_state *state, struct error *err);

/* Opens a regular file for reading; -1 with errno. A file of ours that forbids it is opened all the
 * same, its mode as before afterwards, when `force`. */
int entry_open_file(int folder_fd, const char *path, bool force);
/* The same for folders. */
int entry_open_folder(int folder_fd, const char *path, bool force);
/* The target of a link, NUL-terminated; false with errno. */
bool entry_read_link(int folder_fd, const char *path, char *ret, size_t capacity);

/* What sealing adds to the mode of a folder that its owner may not look into. */
enum { UPPER_FOLDER_MODE = 0500 };

/* What overlayfs wrote about an entry. */
enum upper_mark : uint8_t {
    UPPER_PLAIN,
    UPPER_WHITEOUT,   /* the entry is deleted */
    UPPER_OPAQUE,     /* a folder that hides everything below it */
    UPPER_XWHITEOUTS, /* a folder whose empty files with an attribute are whiteouts */
};
enum upper_mark upper_mark_of_folder(int fd);
bool upper_is_whiteout(const struct stat *there);
/* The form for file systems without whiteout devices: an empty file with user.overlay.whiteout. */
bool upper_is_xattr_whiteout(int folder_fd, const char *path);
/* A file or folder that stood below when it was first changed. Files with more than one link and
 * symlinks never tell. */
bool upper_is_copied_up(int folder_fd, const char *path);

/* Whether the open file has an attribute that is refused. */
bool upper_has_refused_attribute(int fd);
/* Over the kept attributes of an open file, in any order; zero for none. False with errno. */
bool upper_attributes_digest(int fd, struct digest *ret);
/* Copies the attributes that are kept; false with errno. */
bool upper_copy_attributes(int from_fd, int to_fd);
/* The same, and removes those of the kept kind that `from_fd` does not have. */
bool upper_replace_attributes(int from_fd, int to_fd);

/* Access lists (acl(5)). b_fd may be -1: the entry has none. */
bool upper_has_same_access_lists(int a_fd, int b_fd);
/* What is made in this folder inherits a list. */
bool upper_has_default_access_list(int fd);
/* Gives a file the list of another, or none when that has none; false with errno. */
bool upper_copy_access_list(int from_fd, int to_fd);
