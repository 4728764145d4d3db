/* SPDX-License-Identifier: Apache-2.0
 *
 * The overlay of a workspace. Layers are opened once, their identity is compared on the fd, and
 * overlayfs gets them as names in /proc/self/fd: no path is looked up twice, and none needs the
 * escapes of lowerdir= for ':' ',' and '\'.
 *
 * As root each lower layer is a bind with an id map (its owner -> the payload), and the upper is
 * not id-mapped, because overlayfs silently mounts read-only over an id-mapped upper.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/mount.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "base/assert.h"
#include "base/cleanup.h"
#include "sandbox/jail.h"
#include "sys/fd.h"
#include "sys/userns.h"

struct overlay {
    struct jail_overlay *parts; /* borrowed */
    unsigned first;             /* of its layers in parts->layer */
    int context;                /* parts->context, or one of its own */
    int upper;
    int work;
    bool attaches; /* layers must be attached somewhere: before Linux 6.15 */
};

static void overlay_deinit(struct overlay *overlay) {
    fd_closep(&overlay->upper);
    fd_closep(&overlay->work);
    if (overlay->context != overlay->parts->context) {
        fd_closep(&overlay->context);
    }
}

void jail_overlay_forget(struct jail *jail) {
    for (unsigned i = 0; i < jail->overlay.layer_count; i++) {
        fd_closep(&jail->overlay.layer[i]);
    }
    jail->overlay.layer_count = 0;
    fd_closep(&jail->overlay.userns);
    fd_closep(&jail->overlay.context);
    (void)!chdir("/");
}

/* The end of an overlay syncs the whole filesystem of its upper layer (ovl_sync_fs in the kernel's
 * fs/overlayfs/super.c), whoever else wrote there: milliseconds, in which every other commit of
 * that disk waits too. Nobody here needs it, because who seals a stage has it synced. So the last
 * reference is given to the kernel: a message that waits in a socket which nobody has but that same
 * message is garbage, and is collected by a thread of the kernel's, a moment after the mounts of
 * this namespace are gone (Linux 6.10; below, by whoever ends, as without this). */
void jail_overlay_leave(struct jail *jail) {
    struct jail_overlay *overlay = &jail->overlay;
    struct error ignored = {};
    int pair[2];
    if (overlay->placed_count == 0 || !status_is_ok(socket_pair(pair, &ignored))) {
        return;
    }
    for (unsigned i = 0; i < overlay->placed_count; i++) {
        struct socket_fds garbage = {.fd = {pair[1], overlay->placed[i]}, .count = 2};
        (void)socket_send(pair[0], SLICE_LITERAL("o"), &garbage, &ignored).code;
    }
    /* In this order: it is the end of the other one that has garbage looked for. */
    (void)close(pair[1]);
    (void)close(pair[0]);
}

static status_t overlay_error(struct error *err, const char *what, const char *path) {
    int number = errno;
    enum error_code code = number == ENODEV || number == EINVAL || number == EPERM
                               ? ERROR_SANDBOX_NO_OVERLAY
                               : ERROR_SANDBOX_MOUNT;
    status_t status = error_set(err, code, number, "cannot %s", what);
    error_detail(err, "%.300s", path);
    return status;
}

static struct userns_map map_of(uint32_t uid, uint32_t gid, const struct plan_view *plan) {
    return (struct userns_map){uid, gid, plan->host_uid, plan->host_gid};
}

status_t jail_map_write(pid_t pid, uint32_t uid, uint32_t gid, const struct plan_view *plan,
                        struct error *err) {
    const struct userns_map map = map_of(uid, gid, plan);
    if (!userns_map_write(pid, &map)) {
        return error_set(err, ERROR_SANDBOX_USERNS_DENIED, errno,
                         "cannot map uid %u of the sandbox to %u", uid, plan->host_uid);
    }
    return STATUS_OK;
}

status_t jail_userns_open(uint32_t uid, uint32_t gid, const struct plan_view *plan, int *ret_fd,
                          struct error *err) {
    const struct userns_map map = map_of(uid, gid, plan);
    int fd = userns_open(&map);
    if (fd < 0) {
        return error_set(err, ERROR_SANDBOX_USERNS_DENIED, errno,
                         "cannot make a user namespace that maps uid %u to %u", uid,
                         plan->host_uid);
    }
    *ret_fd = fd;
    return STATUS_OK;
}

/* The user namespace that maps a layer's owner to the payload. */
static status_t find_userns(const struct jail *jail, struct overlay *overlay,
                            const struct stat *owner, int sandbox_userns, int *ret_fd,
                            struct error *err) {
    if (sandbox_userns >= 0 && owner->st_uid == jail->plan.uid && owner->st_gid == jail->plan.gid) {
        *ret_fd = sandbox_userns;
        return STATUS_OK;
    }
    struct jail_overlay *parts = overlay->parts;
    if (parts->userns < 0 || parts->userns_uid != owner->st_uid ||
        parts->userns_gid != owner->st_gid) {
        fd_closep(&parts->userns);
        TRY(jail_userns_open(owner->st_uid, owner->st_gid, &jail->plan, &parts->userns, err));
        parts->userns_uid = owner->st_uid;
        parts->userns_gid = owner->st_gid;
    }
    *ret_fd = parts->userns;
    return STATUS_OK;
}

/* Overlayfs before Linux 6.15 takes no layer that is attached nowhere. The launcher then makes
 * itself a mount namespace, in which a layer covers its own path; it serves one run, so nobody else
 * sees. */
static bool enter_private_mounts(void) {
    return unshare(CLONE_NEWNS) == 0 &&
           mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) == 0;
}

/* Attaches a tree over the folder that *fd is, and makes *fd the tree's root as it is attached. */
static bool attach_over(int tree, int *fd) {
    unsigned flags = MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH;
    if (syscall(SYS_move_mount, tree, "", *fd, "", flags) != 0) {
        return false;
    }
    int root = openat(tree, ".", O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (root < 0) {
        return false;
    }
    fd_closep(fd);
    *fd = root;
    return true;
}

static bool needs_attached_layers(void) {
    struct utsname name;
    unsigned major = 0;
    unsigned minor = 0;
    return uname(&name) != 0 || sscanf(name.release, "%u.%u", &major, &minor) != 2 || major < 6 ||
           (major == 6 && minor < 15);
}

static status_t open_layer(const struct jail *jail, struct overlay *overlay, const char *path,
                           const struct plan_operation *identity, int userns, struct error *err) {
    CLEANUP(fd_closep) int fd = open(path, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    struct stat status;
    if (fd < 0 || fstat(fd, &status) != 0) {
        return overlay_error(err, "open a layer of an overlay", path);
    }
    if (identity != nullptr && identity->ino != 0 &&
        (identity->ino != status.st_ino || identity->dev != status.st_dev)) {
        status_t moved = error_set(err, ERROR_WORKSPACE_MOVED, 0,
                                   "a folder is not the one that the plan describes");
        error_detail(err, "%.300s", path);
        return moved;
    }
    bool is_mapped = jail->is_root &&
                     (status.st_uid != jail->plan.host_uid || status.st_gid != jail->plan.host_gid);
    if (is_mapped) {
        int map = -1;
        TRY(find_userns(jail, overlay, &status, userns, &map, err));
        CLEANUP(fd_closep) int tree = userns_view(map, fd);
        if (tree < 0) {
            return overlay_error(err, "map the owner of a folder to the payload", path);
        }
        if (overlay->attaches && !attach_over(tree, &fd)) {
            return overlay_error(err, "attach a layer of an overlay", path);
        }
        if (!overlay->attaches) {
            fd_closep(&fd);
            fd = fd_take(&tree);
        }
    }
    overlay->parts->layer[overlay->parts->layer_count++] = fd_take(&fd);
    return STATUS_OK;
}

static status_t open_layers(const struct jail *jail, const struct plan_operation *operation,
                            struct overlay *overlay, int userns, struct error *err) {
    struct slice rest = operation->content;
    while (rest.size > 0) {
        const char *path = (const char *)rest.data;
        TRY(open_layer(jail, overlay, path, nullptr, userns, err));
        size_t used = strlen(path) + 1;
        rest = slice_of(rest.data + used, rest.size - used);
    }
    return open_layer(jail, overlay, operation->source, operation, userns, err);
}

static status_t open_folder(const struct jail *jail, const char *name, int *ret_fd,
                            struct error *err) {
    char path[LIMIT_PATH_BYTES + 64];
    (void)snprintf(path, sizeof path, "%s/%s", jail->plan.run_folder, name);
    *ret_fd = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    return *ret_fd >= 0 ? STATUS_OK : overlay_error(err, "open a folder of the run", path);
}

static bool configure(int context, const char *key, const char *value) {
    return syscall(SYS_fsconfig, context, FSCONFIG_SET_STRING, key, value, 0) == 0;
}

static status_t begin(int *ret_context, struct error *err) {
    int context = (int)syscall(SYS_fsopen, "overlay", FSOPEN_CLOEXEC);
    *ret_context = context;
    if (context < 0 || !configure(context, "source", "airlock") ||
        !configure(context, "index", "off") || !configure(context, "metacopy", "off") ||
        !configure(context, "xino", "off") ||
        syscall(SYS_fsconfig, context, FSCONFIG_SET_FLAG, "userxattr", nullptr, 0) != 0) {
        return overlay_error(err, "make an overlay", "overlay");
    }
    return STATUS_OK;
}

status_t jail_overlay_begin(struct jail *jail, struct error *err) {
    /* To stay there: nobody waits for this, as for the rest. */
    if (chdir("/proc/self/fd") != 0) {
        return overlay_error(err, "read /proc/self/fd", "overlay");
    }
    return begin(&jail->overlay.context, err);
}

/* The layers as "5:6:7", names in the current folder, /proc/self/fd. */
static int mount_overlay(const struct overlay *overlay) {
    char lower[256] = "";
    size_t used = 0;
    for (unsigned i = overlay->first; i < overlay->parts->layer_count; i++) {
        int size = snprintf(lower + used, sizeof lower - used, "%s%d",
                            i == overlay->first ? "" : ":", overlay->parts->layer[i]);
        used += (size_t)size;
        if (used >= sizeof lower) {
            errno = E2BIG;
            return -1;
        }
    }
    char upper[16];
    char work[16];
    (void)snprintf(upper, sizeof upper, "%d", overlay->upper);
    (void)snprintf(work, sizeof work, "%d", overlay->work);
    int context = overlay->context;
    if (!configure(context, "lowerdir", lower) || !configure(context, "upperdir", upper) ||
        !configure(context, "workdir", work) ||
        syscall(SYS_fsconfig, context, FSCONFIG_CMD_CREATE, nullptr, nullptr, 0) != 0) {
        return -1;
    }
    return (int)syscall(SYS_fsmount, context, FSMOUNT_CLOEXEC,
                        MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV);
}

/* The folders of the run that take what is written. */
static status_t open_folders(struct jail *jail, const struct plan_operation *operation,
                             struct overlay *overlay, struct error *err) {
    if (operation->type == PLAN_OVERLAY) {
        TRY(open_folder(jail, "upper", &overlay->upper, err));
        return open_folder(jail, "work", &overlay->work, err);
    }
    char name[48];
    (void)snprintf(name, sizeof name, "caches/upper-%u", (unsigned)operation->size);
    TRY(open_folder(jail, name, &overlay->upper, err));
    (void)snprintf(name, sizeof name, "caches/work-%u", (unsigned)operation->size);
    TRY(open_folder(jail, name, &overlay->work, err));
    return jail->caches >= 0 ? STATUS_OK : open_folder(jail, "caches", &jail->caches, err);
}

static status_t open_parts(struct jail *jail, const struct plan_operation *operation, int userns,
                           struct overlay *overlay, struct error *err) {
    overlay->attaches = jail->is_root && needs_attached_layers();
    if (overlay->attaches && !jail->overlay.is_private && !enter_private_mounts()) {
        return overlay_error(err, "make a mount namespace for the layers", operation->target);
    }
    jail->overlay.is_private = overlay->attaches;
    if (operation->type == PLAN_CACHE) {
        TRY(begin(&overlay->context, err));
    }
    TRY(open_layers(jail, operation, overlay, userns, err));
    return open_folders(jail, operation, overlay, err);
}

status_t jail_overlay_open(struct jail *jail, const struct plan_operation *operation, int userns,
                           int *ret_fd, struct error *err) {
    CLEANUP(overlay_deinit)
    struct overlay overlay = {
        .parts = &jail->overlay,
        .first = jail->overlay.layer_count,
        .context = jail->overlay.context,
        .upper = -1,
        .work = -1,
    };
    TRY(open_parts(jail, operation, userns, &overlay, err));
    int fd = mount_overlay(&overlay);
    if (fd < 0) {
        return overlay_error(err, "mount an overlay", operation->source);
    }
    if (operation->type == PLAN_OVERLAY) {
        fd_closep(&jail->upper);
        jail->upper = fd_take(&overlay.upper);
    }
    *ret_fd = fd;
    return STATUS_OK;
}
