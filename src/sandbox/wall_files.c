/* SPDX-License-Identifier: Apache-2.0
 *
 * The overlay on the filesystem of the state folder. That it can be mounted is not enough: over an
 * upper that takes no extended attributes it mounts with a warning that nobody sees, and a folder
 * that was removed and made again fails long after. So a file is written, a whiteout is left, and a
 * folder is replaced, and the lower layer has to look as before.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <linux/mount.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/vfs.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "sandbox/wall_try.h"
#include "sys/fd.h"
#include "sys/file.h"
#include "sys/ids.h"

struct ground {
    const struct state *state;
    char name[32];
};

static status_t lay(const struct ground *ground, struct error *err) {
    static const char *const names[] = {"", "/lower", "/lower/folder", "/upper", "/work"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        char path[64];
        (void)snprintf(path, sizeof path, "%s%s", ground->name, names[i]);
        TRY(file_make_folder(ground->state->fd, path, 0755, err));
    }
    char path[64];
    (void)snprintf(path, sizeof path, "%s/lower/file", ground->name);
    struct file_write_options options = {.mode = 0644};
    return file_write_atomic(ground->state->fd, path, SLICE_LITERAL("old"), &options, err);
}

static int configure(int context, const char *key, const char *value) {
    return (int)syscall(SYS_fsconfig, context, FSCONFIG_SET_STRING, key, value, 0);
}

static int open_overlay(void) {
    CLEANUP(fd_closep) int context = (int)syscall(SYS_fsopen, "overlay", FSOPEN_CLOEXEC);
    bool is_made =
        context >= 0 && configure(context, "lowerdir", "lower") == 0 &&
        configure(context, "upperdir", "upper") == 0 &&
        configure(context, "workdir", "work") == 0 && configure(context, "index", "off") == 0 &&
        configure(context, "metacopy", "off") == 0 &&
        syscall(SYS_fsconfig, context, FSCONFIG_SET_FLAG, "userxattr", nullptr, 0) == 0 &&
        syscall(SYS_fsconfig, context, FSCONFIG_CMD_CREATE, nullptr, nullptr, 0) == 0;
    return is_made ? (int)syscall(SYS_fsmount, context, FSMOUNT_CLOEXEC, 0) : -1;
}

/* What builds and editors do to files, and git to folders. */
static int use_overlay(int overlay) {
    CLEANUP(fd_closep) int file = openat(overlay, "file", O_WRONLY | O_TRUNC | O_CLOEXEC);
    bool works = file >= 0 && write(file, "new", 3) == 3 && unlinkat(overlay, "file", 0) == 0 &&
                 unlinkat(overlay, "folder", AT_REMOVEDIR) == 0 &&
                 mkdirat(overlay, "folder", 0755) == 0;
    return works ? 0 : errno;
}

static int try_overlay(void *context) {
    const struct ground *ground = context;
    /* First: a mount namespace takes the current folder along, but no descriptor. */
    if (fchdir(ground->state->fd) != 0 || chdir(ground->name) != 0) {
        return errno;
    }
    /* A run mounts as root when it is root of the machine, else in a user namespace. */
    int number =
        ids_are_all_ours() ? (unshare(CLONE_NEWNS) == 0 ? 0 : errno) : wall_enter(CLONE_NEWNS);
    if (number != 0) {
        return number;
    }
    CLEANUP(fd_closep) int overlay = open_overlay();
    if (overlay < 0) {
        return errno;
    }
    number = use_overlay(overlay);
    struct stat lower;
    return number != 0 ? number : stat("lower/file", &lower) == 0 && lower.st_size == 3 ? 0 : EIO;
}

static const char *filesystem_name(const struct state *state) {
    static const struct {
        unsigned long magic;
        const char *name;
    } names[] = {
        {EXT4_SUPER_MAGIC, "ext4"},         {XFS_SUPER_MAGIC, "xfs"},
        {BTRFS_SUPER_MAGIC, "btrfs"},       {TMPFS_MAGIC, "tmpfs"},
        {OVERLAYFS_SUPER_MAGIC, "overlay"}, {RAMFS_MAGIC, "ramfs"},
        {F2FS_SUPER_MAGIC, "f2fs"},         {0x2fc12fc1, "zfs"},
        {MSDOS_SUPER_MAGIC, "vfat"},        {FUSE_SUPER_MAGIC, "fuse"},
        {ECRYPTFS_SUPER_MAGIC, "ecryptfs"},
    };
    struct statfs status;
    if (fstatfs(state->fd, &status) != 0) {
        return "an unknown filesystem";
    }
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        if (names[i].magic == (unsigned long)status.f_type) {
            return names[i].name;
        }
    }
    return "another filesystem";
}

static void say_overlay(struct wall *wall, const char *filesystem, int number) {
    wall->code = ERROR_SANDBOX_NO_OVERLAY;
    if (number == ENODEV) {
        wall_how(wall, "Load the driver: modprobe overlay; the kernel needs CONFIG_OVERLAY_FS.");
    } else if (strcmp(filesystem, "tmpfs") == 0 && number != EPERM && number != ENOSYS) {
        wall_how(wall, "On tmpfs it needs Linux 6.6 or newer. Put the state folder on a disk: set "
                       "AIRLOCK_STATE_DIR to a folder on ext4, xfs or btrfs.");
    } else if (number == EPERM || number == EACCES || number == ENOSYS) {
        wall_how(wall, "%s",
                 wall_is_filtered()
                     ? "A seccomp filter is in force here, as in a container. Start the container "
                       "with --security-opt seccomp=unconfined."
                     : "A security module refuses the mount; in a container, start it with "
                       "--security-opt apparmor=unconfined.");
    } else {
        wall_how(wall,
                 "It cannot stand on %s. Put the state folder elsewhere: set AIRLOCK_STATE_DIR to "
                 "a folder on ext4, xfs, btrfs or tmpfs.",
                 filesystem);
    }
}

void wall_try_overlay(const struct state *state, struct wall_report *report) {
    struct wall *wall = wall_add(report, "overlay");
    struct ground ground = {.state = state};
    struct error err = {};
    const char *filesystem = filesystem_name(state);
    (void)snprintf(ground.name, sizeof ground.name, "doctor-%d", getpid());
    int number = EIO;
    if (status_is_ok(lay(&ground, &err))) {
        number = wall_run(try_overlay, &ground);
    }
    wall->state = number == 0 ? WALL_THERE : WALL_MISSING;
    if (number == 0) {
        wall_level(wall, "on %s, userxattr", filesystem);
    } else if (err.code != ERROR_NONE) {
        wall_level(wall, "state folder: %.70s", strerror(err.os_errno));
        wall->code = err.code;
        wall_how(wall, "%s", error_effective_hint(&err));
    } else {
        wall_level(wall, "refused on %s: %.50s", filesystem, strerror(number));
        say_overlay(wall, filesystem, number);
    }
    struct error ignored;
    (void)!status_is_ok(file_remove_tree(state->fd, ground.name, &ignored));
}

/* The user namespace whose map is wanted lives as long as the process that made it. */
static int open_map(pid_t pid) {
    char path[48];
    (void)snprintf(path, sizeof path, "/proc/%d/uid_map", pid);
    bool is_written = wall_write_text(path, "0 2000000 1\n");
    (void)snprintf(path, sizeof path, "/proc/%d/gid_map", pid);
    is_written = is_written && wall_write_text(path, "0 2000000 1\n");
    (void)snprintf(path, sizeof path, "/proc/%d/ns/user", pid);
    return is_written ? open(path, O_RDONLY | O_CLOEXEC) : -1;
}

static int make_map(void) {
    int ready[2];
    char byte = 0;
    if (pipe2(ready, O_CLOEXEC) != 0) {
        return -1;
    }
    pid_t pid = fork();
    if (pid == 0) {
        bool is_made = unshare(CLONE_NEWUSER) == 0 && write(ready[1], &byte, 1) == 1;
        (void)close(ready[1]);
        while (is_made && pause() == -1) { /* until it is killed */
        }
        _exit(1);
    }
    (void)close(ready[1]);
    int map = pid > 0 && read(ready[0], &byte, 1) == 1 ? open_map(pid) : -1;
    int number = errno;
    (void)close(ready[0]);
    if (pid > 0) {
        (void)kill(pid, SIGKILL);
        (void)waitpid(pid, nullptr, 0);
    }
    errno = number;
    return map;
}

/* A view of the state folder in which root's files are another's. */
static int try_idmap(void *context) {
    const struct state *state = context;
    CLEANUP(fd_closep) int map = make_map();
    CLEANUP(fd_closep)
    int tree = (int)syscall(SYS_open_tree, state->fd, "",
                            OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_EMPTY_PATH);
    struct mount_attr attr = {.attr_set = MOUNT_ATTR_IDMAP, .userns_fd = (uint64_t)map};
    struct stat before;
    struct stat after;
    if (map < 0 || tree < 0 || fstat(state->fd, &before) != 0 ||
        syscall(SYS_mount_setattr, tree, "", AT_EMPTY_PATH, &attr, sizeof attr) != 0 ||
        fstat(tree, &after) != 0) {
        return errno;
    }
    return before.st_uid == 0 && after.st_uid == 2000000 ? 0 : EIO;
}

void wall_try_idmap(const struct state *state, struct wall_report *report) {
    struct wall *wall = wall_add(report, "idmap");
    if (!ids_are_all_ours()) {
        wall_level(wall, "not needed: only root's runs have other ids");
        return;
    }
    const struct wall *user = wall_find(report, "user ns");
    if (user != nullptr && user->state != WALL_THERE) {
        wall->state = WALL_UNTRIED;
        wall_level(wall, "needs the user namespace");
        return;
    }
    struct state borrowed = *state;
    int number = wall_run(try_idmap, &borrowed);
    const char *filesystem = filesystem_name(state);
    wall->state = number == 0 ? WALL_THERE : WALL_MISSING;
    if (number == 0) {
        wall_level(wall, "root's files as uid 2000000, on %s", filesystem);
        return;
    }
    wall_level(wall, "refused on %s: %.50s", filesystem, strerror(number));
    wall->code = ERROR_SANDBOX_NO_OVERLAY;
    wall_how(wall,
             "As root a workspace needs a filesystem that can be id-mapped: ext4, xfs, btrfs, "
             "or tmpfs from Linux 6.3. Or run Airlock as a plain user.");
}
