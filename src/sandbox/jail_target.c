/* SPDX-License-Identifier: Apache-2.0
 *
 * Targets of mounts, below the sandbox's new root. No symbolic link is followed, so that nothing in
 * a source can lead a mount to another place.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/openat2.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "sandbox/jail.h"
#include "sys/fd.h"

static int open_beneath(int folder, const char *path, uint64_t flags) {
    struct open_how how = {
        .flags = flags | O_CLOEXEC,
        .resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS,
    };
    return (int)syscall(SYS_openat2, folder, path, &how, sizeof how);
}

/* Makes the folders of a path, one after the other, and opens the last. `path` has no final '/'. */
static int make_folders(int root, const char *path) {
    CLEANUP(fd_closep) int folder = open_beneath(root, ".", O_PATH | O_DIRECTORY);
    for (const char *part = path; folder >= 0 && *part != '\0';) {
        char name[NAME_MAX + 1];
        size_t size = strcspn(part, "/");
        if (size > NAME_MAX) {
            errno = ENAMETOOLONG;
            return -1;
        }
        memcpy(name, part, size);
        name[size] = '\0';
        int made = mkdirat(folder, name, 0755);
        int number = errno;
        int inner = open_beneath(folder, name, O_PATH | O_DIRECTORY);
        if (inner < 0 && made != 0) {
            errno = number;
        }
        (void)close(folder);
        folder = inner;
        part += size + (part[size] == '/');
    }
    return fd_take(&folder);
}

int jail_target_parent(struct jail *jail, const char *target, const char **ret_last) {
    const char *last = strrchr(target, '/') + 1;
    size_t size = (size_t)(last - target) - 1; /* 0 for the root */
    *ret_last = last;
    if (jail->parent >= 0 && strncmp(jail->parent_path, target, size) == 0 &&
        jail->parent_path[size] == '\0') {
        return jail->parent;
    }
    fd_closep(&jail->parent);
    memcpy(jail->parent_path, target, size);
    jail->parent_path[size] = '\0';
    const char *relative = size == 0 ? "." : jail->parent_path + 1;
    jail->parent = open_beneath(jail->root, relative, O_PATH | O_DIRECTORY);
    if (jail->parent < 0 && errno == ENOENT) {
        jail->parent = make_folders(jail->root, relative);
    }
    return jail->parent;
}

void jail_target_cover(struct jail *jail, const char *target) {
    if (jail->parent >= 0 && jail->parent_path[0] != '\0' &&
        plan_path_is_below(jail->parent_path, target)) {
        fd_closep(&jail->parent);
    }
}

int jail_target_find(struct jail *jail, const char *target) {
    const char *below = target[1] == '\0' ? "." : target + 1;
    return open_beneath(jail->root, below, O_PATH | O_NOFOLLOW);
}

int jail_target_open(struct jail *jail, const char *target, bool folder) {
    const char *last;
    int parent = jail_target_parent(jail, target, &last);
    if (parent < 0) {
        return -1;
    }
    if (!folder) {
        unsigned flags = O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC;
        int made = openat(parent, last, (int)flags, 0444);
        if (made >= 0 || errno != EEXIST) {
            return made;
        }
        return open_beneath(parent, last, O_PATH);
    }
    int fd = -1;
    int number = mkdirat(parent, last, 0755) == 0 ? 0 : errno;
    fd = open_beneath(parent, last, O_PATH);
    if (fd < 0 && number != 0) {
        errno = number;
    }
    return fd;
}
