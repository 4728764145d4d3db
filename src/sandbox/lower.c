/* SPDX-License-Identifier: Apache-2.0 */
#include "sandbox/lower.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/mount.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "sys/fd.h"
#include "sys/file.h"
#include "sys/userns.h"

static const char LOWER[] = "lower";

static status_t tree_open(const struct lower_options *options, int *ret_tree, struct error *err) {
    CLEANUP(fd_closep)
    int fd = open(options->workspace, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    CLEANUP(fd_closep) int map = -1;
    struct stat owner;
    if (fd < 0 || fstat(fd, &owner) != 0 || owner.st_dev != options->dev ||
        owner.st_ino != options->ino) {
        return error_set(err, ERROR_WORKSPACE_MOVED, 0,
                         "the workspace is not the folder it was a moment ago");
    }
    const struct userns_map owned = {owner.st_uid, owner.st_gid, options->uid, options->gid};
    map = userns_open(&owned);
    if (map < 0) {
        return error_set(err, ERROR_SANDBOX_USERNS_DENIED, errno,
                         "cannot map the owner of the workspace to %u", options->uid);
    }
    CLEANUP(fd_closep) int tree = userns_view(map, fd);
    if (tree < 0) {
        return error_set(err, ERROR_SANDBOX_MOUNT, errno,
                         "cannot map the owner of the workspace to the payload");
    }
    *ret_tree = fd_take(&tree);
    return STATUS_OK;
}

status_t lower_attach(const struct run *run, const struct lower_options *options,
                      struct error *err) {
    CLEANUP(fd_closep) int tree = -1;
    TRY(tree_open(options, &tree, err));
    TRY(file_make_folder(run->fd, LOWER, 0700, err));
    if (syscall(SYS_move_mount, tree, "", run->fd, LOWER, MOVE_MOUNT_F_EMPTY_PATH) != 0) {
        return error_set(err, ERROR_SANDBOX_MOUNT, errno, "cannot mount the workspace for run %s",
                         run->id);
    }
    return STATUS_OK;
}

status_t lower_detach(const struct run *run, struct error *err) {
    char path[64];
    struct stat there;
    if (fstatat(run->fd, LOWER, &there, AT_SYMLINK_NOFOLLOW) != 0) {
        return STATUS_OK;
    }
    (void)snprintf(path, sizeof path, "/proc/self/fd/%d/%s", run->fd, LOWER);
    /* EINVAL: nothing is mounted there. */
    if (umount2(path, MNT_DETACH | UMOUNT_NOFOLLOW) != 0 && errno != EINVAL) {
        return error_set(err, ERROR_SANDBOX_MOUNT, errno, "cannot unmount %s of run %s", LOWER,
                         run->id);
    }
    if (unlinkat(run->fd, LOWER, AT_REMOVEDIR) != 0 && errno != ENOENT) {
        return error_set(err, ERROR_IO, errno, "cannot remove %s of run %s", LOWER, run->id);
    }
    return STATUS_OK;
}
