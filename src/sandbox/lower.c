/* SPDX-License-Identifier: Apache-2.0 */
#include "sandbox/lower.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/mount.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "sys/fd.h"
#include "sys/file.h"

static const char LOWER[] = "lower";

static bool map_write(pid_t pid, const char *name, uint32_t inside, uint32_t outside) {
    char path[64];
    char text[64];
    (void)snprintf(path, sizeof path, "/proc/%d/%s", pid, name);
    int size = snprintf(text, sizeof text, "%u %u 1\n", inside, outside);
    CLEANUP(fd_closep) int fd = open(path, O_WRONLY | O_CLOEXEC);
    return fd >= 0 && write(fd, text, (size_t)size) == size;
}

/* A user namespace lives in a process of it; an open descriptor keeps it after that. */
static status_t map_open(const struct stat *owner, const struct lower_options *options, int *ret_fd,
                         struct error *err) {
    struct clone_args {
        uint64_t flags, pidfd, child_tid, parent_tid, exit_signal, stack, stack_size, tls;
    } arguments = {.flags = CLONE_NEWUSER, .exit_signal = SIGCHLD};
    pid_t pid = (pid_t)syscall(SYS_clone3, &arguments, sizeof arguments);
    if (pid == 0) {
        (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
        for (;;) {
            (void)pause();
        }
    }
    char path[64];
    (void)snprintf(path, sizeof path, "/proc/%d/ns/user", pid);
    bool is_mapped = pid > 0 && map_write(pid, "uid_map", owner->st_uid, options->uid) &&
                     map_write(pid, "gid_map", owner->st_gid, options->gid);
    int fd = is_mapped ? open(path, O_RDONLY | O_CLOEXEC) : -1;
    int number = errno;
    if (pid > 0) {
        (void)kill(pid, SIGKILL);
        (void)waitpid(pid, nullptr, 0);
    }
    if (fd < 0) {
        return error_set(err, ERROR_SANDBOX_USERNS_DENIED, number,
                         "cannot map the owner of the workspace to %u", options->uid);
    }
    *ret_fd = fd;
    return STATUS_OK;
}

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
    TRY(map_open(&owner, options, &map, err));
    CLEANUP(fd_closep)
    int tree =
        (int)syscall(SYS_open_tree, fd, "", OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_EMPTY_PATH);
    struct mount_attr attr = {
        .attr_set = MOUNT_ATTR_IDMAP | MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV,
        .userns_fd = (uint64_t)map,
    };
    if (tree < 0 || syscall(SYS_mount_setattr, tree, "", AT_EMPTY_PATH, &attr, sizeof attr) != 0) {
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
