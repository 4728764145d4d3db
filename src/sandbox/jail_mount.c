/* SPDX-License-Identifier: Apache-2.0
 *
 * Executes the operations of a plan. Sources of binds are cloned with open_tree(2), get all their
 * flags in one mount_setattr(2) while nobody can reach them, and are moved into place last. As root
 * the launcher has opened them before it made the child, which could not reach what lies behind a
 * 0700 folder of root; as a plain user the child opens them, because only its own user namespace
 * may mount.
 *
 * Targets are opened below the new root without following any symbolic link, so that nothing in a
 * source can lead a mount to another place.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/mount.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "sandbox/jail.h"
#include "sys/fd.h"

/* Where the new root is put together. Nothing of /sys is ever a source. */
#define BUILD_FOLDER "/sys"

static status_t mount_error(struct error *err, const char *what, const char *target) {
    int number = errno;
    status_t status = error_set(err, ERROR_SANDBOX_MOUNT, number, "cannot %s", what);
    error_detail(err, "%.300s", target);
    return status;
}

static bool set_flags(int fd, uint64_t set, bool recursive) {
    struct mount_attr attr = {.attr_set = set, .propagation = MS_PRIVATE};
    unsigned flags = AT_EMPTY_PATH | (recursive ? AT_RECURSIVE : 0);
    return syscall(SYS_mount_setattr, fd, "", flags, &attr, sizeof attr) == 0;
}

static bool move(struct jail *jail, int mount, int target, const char *path) {
    jail_target_cover(jail, path);
    return syscall(SYS_move_mount, mount, "", target, "",
                   MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH) == 0;
}

/* The flags that a mount must have are compared with those it has: some ways to mount drop or add
 * some silently. */
static status_t verify_flags(int fd, bool writable, bool device, const char *target,
                             struct error *err) {
    struct statfs status;
    if (fstatfs(fd, &status) != 0) {
        return mount_error(err, "look at a mount", target);
    }
    unsigned long flags = (unsigned long)status.f_flags;
    bool right = (flags & ST_NOSUID) != 0 && ((flags & ST_NODEV) != 0 || device) &&
                 ((flags & ST_RDONLY) == 0) == writable;
    if (!right) {
        errno = EROFS;
        return mount_error(err, "get a mount with the flags it was asked for", target);
    }
    return STATUS_OK;
}

/* As root, what belongs to the user would seem nobody's to the payload, and git refuses such a
 * repository: its owner is mapped to the payload. */
static status_t map_owner(const struct jail *jail, int fd, const struct stat *owner,
                          struct error *err) {
    CLEANUP(fd_closep) int map = -1;
    TRY(jail_userns_open(owner->st_uid, owner->st_gid, &jail->plan, &map, err));
    struct mount_attr attr = {.attr_set = MOUNT_ATTR_IDMAP, .userns_fd = (uint64_t)map};
    if (syscall(SYS_mount_setattr, fd, "", AT_EMPTY_PATH, &attr, sizeof attr) != 0) {
        return mount_error(err, "map the owner of a folder to the payload", "");
    }
    return STATUS_OK;
}

status_t jail_source_open(const struct jail *jail, const struct plan_operation *operation,
                          int *ret_fd, struct error *err) {
    bool writable = (operation->flags & PLAN_FLAG_WRITABLE) != 0;
    bool device = (operation->flags & PLAN_FLAG_DEVICE) != 0;
    CLEANUP(fd_closep)
    int fd = (int)syscall(SYS_open_tree, AT_FDCWD, operation->source,
                          OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_RECURSIVE | AT_SYMLINK_NOFOLLOW);
    if (fd < 0) {
        if ((operation->flags & PLAN_FLAG_OPTIONAL) != 0 && errno == ENOENT) {
            *ret_fd = -1;
            return STATUS_OK;
        }
        if (errno == EPERM) {
            return error_set(err, ERROR_SANDBOX_USERNS_DENIED, errno,
                             "cannot mount in a user namespace");
        }
        return mount_error(err, "bind a part of the host", operation->source);
    }
    struct stat status;
    if (fstat(fd, &status) != 0) {
        return mount_error(err, "look at a part of the host", operation->source);
    }
    if (S_ISLNK(status.st_mode) || (device && !S_ISCHR(status.st_mode)) ||
        (operation->ino != 0 &&
         (operation->ino != status.st_ino || operation->dev != status.st_dev))) {
        errno = ESTALE;
        return mount_error(err, "bind what the plan describes", operation->source);
    }
    uint64_t flags = MOUNT_ATTR_NOSUID;
    flags |= device ? 0 : MOUNT_ATTR_NODEV;
    flags |= writable || device ? 0 : MOUNT_ATTR_RDONLY;
    if (!set_flags(fd, flags, S_ISDIR(status.st_mode))) {
        return mount_error(err, "set the flags of a mount", operation->source);
    }
    if (jail->is_root && (operation->flags & PLAN_FLAG_OWNED) != 0) {
        TRY(map_owner(jail, fd, &status, err));
    }
    TRY(verify_flags(fd, writable || device, device, operation->target, err));
    *ret_fd = fd_take(&fd);
    return STATUS_OK;
}

/* The source of a bind: as the launcher sends it, or opened here. */
static status_t find_source(struct jail *jail, const struct plan_operation *operation, int *ret_fd,
                            struct error *err) {
    if (!jail->is_root) {
        return jail_source_open(jail, operation, ret_fd, err);
    }
    struct jail_order *sources = &jail->sources;
    if (sources->source_count == 0) {
        TRY(jail_order_receive(jail, ORDER_SOURCES, sources, &jail->source_fds, err));
        unsigned present = (unsigned)__builtin_popcount(sources->source_mask);
        if (sources->source_count == 0 || jail->source_fds.count != present) {
            return error_set(err, ERROR_JAIL_PROTOCOL, 0, "the sources did not come");
        }
    }
    *ret_fd = -1;
    if ((sources->source_mask & 1) != 0) {
        *ret_fd = jail->source_fds.fd[0];
        jail->source_fds.count--;
        memmove(jail->source_fds.fd, jail->source_fds.fd + 1,
                jail->source_fds.count * sizeof jail->source_fds.fd[0]);
    }
    sources->source_mask >>= 1;
    sources->source_count--;
    return STATUS_OK;
}

static status_t do_bind(struct jail *jail, const struct plan_operation *operation,
                        struct error *err) {
    CLEANUP(fd_closep) int fd = -1;
    TRY(find_source(jail, operation, &fd, err));
    if (fd < 0) {
        return STATUS_OK;
    }
    struct stat status;
    CLEANUP(fd_closep) int target = -1;
    if (fstat(fd, &status) == 0) {
        target = jail_target_open(jail, operation->target, S_ISDIR(status.st_mode));
    }
    if (target < 0 || !move(jail, fd, target, operation->target)) {
        return mount_error(err, "put a part of the host in place", operation->target);
    }
    return STATUS_OK;
}

/* A new filesystem, detached. Options come in pairs and end with nullptr. */
static int new_filesystem(const char *type, const char *const *options, uint64_t flags) {
    CLEANUP(fd_closep) int context = (int)syscall(SYS_fsopen, type, FSOPEN_CLOEXEC);
    if (context < 0) {
        return -1;
    }
    for (size_t i = 0; options != nullptr && options[i] != nullptr; i += 2) {
        if (syscall(SYS_fsconfig, context, FSCONFIG_SET_STRING, options[i], options[i + 1], 0)) {
            return -1;
        }
    }
    if (syscall(SYS_fsconfig, context, FSCONFIG_CMD_CREATE, nullptr, nullptr, 0) != 0) {
        return -1;
    }
    return (int)syscall(SYS_fsmount, context, FSMOUNT_CLOEXEC, flags);
}

static status_t do_filesystem(struct jail *jail, const struct plan_operation *operation,
                              struct error *err) {
    char mode[16];
    char size[32];
    (void)snprintf(mode, sizeof mode, "%o", operation->mode);
    (void)snprintf(size, sizeof size, "%llu", (unsigned long long)operation->size);
    const char *tmpfs[] = {"mode", mode, "size", size, nullptr};
    const char *devpts[] = {"ptmxmode", "0666", "mode", "0600", "max", "256", nullptr};
    uint64_t flags = MOUNT_ATTR_NOSUID | MOUNT_ATTR_NOEXEC;
    CLEANUP(fd_closep) int fd = -1;
    if (operation->type == PLAN_TMPFS) {
        fd = new_filesystem("tmpfs", tmpfs, MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV);
    } else if (operation->type == PLAN_DEVPTS) {
        fd = new_filesystem("devpts", devpts, flags);
    } else {
        fd = new_filesystem("proc", nullptr, flags | MOUNT_ATTR_NODEV);
    }
    CLEANUP(fd_closep) int target = fd < 0 ? -1 : jail_target_open(jail, operation->target, true);
    if (fd < 0 && operation->type == PLAN_PROC && errno == EPERM) {
        status_t status = mount_error(err, "mount a procfs of the sandbox's own", "/proc");
        error_hint(err, "Parts of /proc are covered here, as containers do it; start the "
                        "container with --security-opt systempaths=unconfined.");
        return status;
    }
    if (target < 0 || !move(jail, fd, target, operation->target)) {
        return mount_error(err, "mount a filesystem of the sandbox's own", operation->target);
    }
    return STATUS_OK;
}

static status_t do_node(struct jail *jail, const struct plan_operation *operation,
                        struct error *err) {
    const char *last;
    int parent = jail_target_parent(jail, operation->target, &last);
    bool made = false;
    if (parent >= 0 && operation->type == PLAN_FOLDER) {
        made = mkdirat(parent, last, operation->mode) == 0 || errno == EEXIST;
    } else if (parent >= 0 && operation->type == PLAN_SYMLINK) {
        char text[LIMIT_PATH_BYTES];
        (void)snprintf(text, sizeof text, "%.*s", (int)operation->content.size,
                       (const char *)operation->content.data);
        made = symlinkat(text, parent, last) == 0;
    } else if (parent >= 0) {
        CLEANUP(fd_closep)
        int fd = openat(parent, last, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC,
                        operation->mode);
        made = fd >= 0 && write(fd, operation->content.data, operation->content.size) ==
                              (ssize_t)operation->content.size;
    }
    return made ? STATUS_OK : mount_error(err, "make a file of the sandbox", operation->target);
}

/* Covers a path with an empty inode of our own. The cover is compared by identity afterwards: a
 * mask that landed elsewhere, or nowhere, is an error and never a silent hole. */
static status_t do_mask(struct jail *jail, const struct plan_operation *operation,
                        struct error *err) {
    CLEANUP(fd_closep) int target = jail_target_find(jail, operation->target);
    if (target < 0) {
        return errno == ENOENT || errno == ENOTDIR
                   ? STATUS_OK
                   : mount_error(err, "look at what is to be covered", operation->target);
    }
    struct stat old;
    struct stat cover;
    struct stat now;
    if (fstat(target, &old) != 0) {
        return mount_error(err, "look at what is to be covered", operation->target);
    }
    const char *source = S_ISDIR(old.st_mode) ? ".covered/folder" : ".covered/file";
    CLEANUP(fd_closep)
    int fd = (int)syscall(SYS_open_tree, jail->root, source, OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC);
    uint64_t flags = MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC;
    if (fd < 0 || fstat(fd, &cover) != 0 || !set_flags(fd, flags, false) ||
        !move(jail, fd, target, operation->target)) {
        return mount_error(err, "cover a path", operation->target);
    }
    CLEANUP(fd_closep) int seen = jail_target_find(jail, operation->target);
    if (seen < 0 || fstat(seen, &now) != 0 || now.st_dev != cover.st_dev ||
        now.st_ino != cover.st_ino) {
        errno = ESTALE;
        return mount_error(err, "cover a path", operation->target);
    }
    return STATUS_OK;
}

static status_t do_readonly(struct jail *jail, const struct plan_operation *operation,
                            struct error *err) {
    CLEANUP(fd_closep) int target = jail_target_find(jail, operation->target);
    if (target < 0) {
        return mount_error(err, "make a part of the sandbox read-only", operation->target);
    }
    CLEANUP(fd_closep)
    int fd = (int)syscall(SYS_open_tree, target, "",
                          OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_EMPTY_PATH | AT_RECURSIVE);
    uint64_t flags = MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC;
    if (fd < 0 || !set_flags(fd, flags, true) || !move(jail, fd, target, operation->target)) {
        return mount_error(err, "make a part of the sandbox read-only", operation->target);
    }
    CLEANUP(fd_closep) int seen = jail_target_find(jail, operation->target);
    return verify_flags(seen, false, false, operation->target, err);
}

static status_t receive_overlay(struct jail *jail, int *measured, int *ret_fd, struct error *err) {
    struct jail_order order;
    struct socket_fds fds;
    TRY(jail_order_receive(jail, ORDER_OVERLAY, &order, &fds, err));
    if (fds.count != 2) {
        socket_fds_close(&fds);
        return error_set(err, ERROR_JAIL_PROTOCOL, 0, "the overlay did not come");
    }
    *ret_fd = fds.fd[0];
    fd_closep(measured);
    *measured = fds.fd[1];
    return STATUS_OK;
}

static status_t do_overlay(struct jail *jail, const struct plan_operation *operation,
                           struct error *err) {
    CLEANUP(fd_closep) int fd = -1;
    /* First, because the launcher is still at work on the overlay. */
    CLEANUP(fd_closep) int target = jail_target_open(jail, operation->target, true);
    if (target < 0) {
        return mount_error(err, "make the place of an overlay", operation->target);
    }
    if (jail->is_root) {
        bool is_cache = operation->type == PLAN_CACHE;
        TRY(receive_overlay(jail, is_cache ? &jail->caches : &jail->upper, &fd, err));
    } else {
        TRY(jail_overlay_open(jail, operation, -1, &fd, err));
    }
    TRY(verify_flags(fd, true, false, operation->target, err));
    if (!move(jail, fd, target, operation->target)) {
        return mount_error(err, "put an overlay in place", operation->target);
    }
    jail->overlay.placed[jail->overlay.placed_count++] = fd_take(&fd);
    return STATUS_OK;
}

/* The root: a tmpfs of our own over a folder that is no source of anything. */
static status_t do_root(const struct plan_operation *operation, int *ret_root, struct error *err) {
    char size[32];
    (void)snprintf(size, sizeof size, "%llu", (unsigned long long)operation->size);
    const char *options[] = {"mode", "0755", "size", size, nullptr};
    CLEANUP(fd_closep)
    int fd = new_filesystem("tmpfs", options, MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV);
    if (fd < 0 && (errno == EPERM || errno == EACCES)) {
        return error_set(err, ERROR_SANDBOX_USERNS_DENIED, errno,
                         "cannot mount in a user namespace");
    }
    if (fd < 0 ||
        syscall(SYS_move_mount, fd, "", AT_FDCWD, BUILD_FOLDER, MOVE_MOUNT_F_EMPTY_PATH) != 0) {
        return mount_error(err, "mount the root of the sandbox", BUILD_FOLDER);
    }
    if (mkdirat(fd, ".covered", 0755) != 0 || mkdirat(fd, ".covered/folder", 0555) != 0 ||
        mknodat(fd, ".covered/file", S_IFREG | 0444, 0) != 0) {
        return mount_error(err, "make the covers of the sandbox", "/.covered");
    }
    *ret_root = fd_take(&fd);
    return STATUS_OK;
}

static status_t do_seal(int root, struct error *err) {
    if (!set_flags(root, MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV, false)) {
        return mount_error(err, "make the root read-only", "/");
    }
    return verify_flags(root, false, false, "/", err);
}

/* Between the two calls the host's root lies over ours, and ".." at the root leads to it: nobody
 * here looks at a path meanwhile. */
status_t jail_mount_enter(const struct jail *jail, struct error *err) {
    if (fchdir(jail->root) != 0 || syscall(SYS_pivot_root, ".", ".") != 0) {
        return mount_error(err, "change to the sandbox's root", "/");
    }
    if (umount2(".", MNT_DETACH) != 0 || chdir("/") != 0) {
        return mount_error(err, "let go of the host's root", "/");
    }
    return STATUS_OK;
}

static status_t do_operation(struct jail *jail, uint32_t index, struct error *err) {
    const struct plan_operation *operation = &jail->plan.operations[index];
    switch (operation->type) {
    case PLAN_TMPFS:
        return index == 0 ? do_root(operation, &jail->root, err)
                          : do_filesystem(jail, operation, err);
    case PLAN_PROC:
    case PLAN_DEVPTS:
        return do_filesystem(jail, operation, err);
    case PLAN_FOLDER:
    case PLAN_FILE:
    case PLAN_SYMLINK:
        return do_node(jail, operation, err);
    case PLAN_BIND:
        return do_bind(jail, operation, err);
    case PLAN_READONLY:
        return do_readonly(jail, operation, err);
    case PLAN_MASK:
        return do_mask(jail, operation, err);
    case PLAN_CACHE:
    case PLAN_OVERLAY:
        return do_overlay(jail, operation, err);
    case PLAN_SEAL:
        return do_seal(jail->root, err);
    case PLAN_OPERATION_TYPE_COUNT:
        break;
    }
    return error_set(err, ERROR_PLAN_INVALID, 0, "an operation has no meaning");
}

status_t jail_mount_some(struct jail *jail, uint32_t first, uint32_t end, struct error *err) {
    for (uint32_t i = first; i < end; i++) {
        TRY(do_operation(jail, i, err));
    }
    fd_closep(&jail->parent);
    return STATUS_OK;
}
