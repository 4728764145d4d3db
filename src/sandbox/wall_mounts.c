/* SPDX-License-Identifier: Apache-2.0
 *
 * Mounts that need no folder of ours: a root in memory with a read-only part of the host in it, a
 * /proc, a pty.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/mount.h>
#include <sched.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "sandbox/wall_try.h"
#include "sys/fd.h"

/* Root of the machine mounts as itself, everybody else in a user namespace. */
static int enter(int flags) {
    int number = wall_enter(flags);
    return number != 0 && geteuid() == 0 ? (unshare(flags) == 0 ? 0 : errno) : number;
}

/* A tmpfs that can be written, and a copy of /usr that cannot. */
static int try_root(void *context) {
    (void)context;
    int number = enter(CLONE_NEWNS);
    if (number != 0) {
        return number;
    }
    CLEANUP(fd_closep) int root = wall_mount("tmpfs", "size", "65536");
    if (root < 0 || mkdirat(root, "usr", 0755) != 0) {
        return errno;
    }
    CLEANUP(fd_closep)
    int usr = (int)syscall(SYS_open_tree, AT_FDCWD, "/usr",
                           OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_RECURSIVE);
    struct mount_attr attr = {.attr_set = MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID};
    if (usr < 0 ||
        syscall(SYS_mount_setattr, usr, "", AT_EMPTY_PATH | AT_RECURSIVE, &attr, sizeof attr) !=
            0 ||
        syscall(SYS_move_mount, usr, "", root, "usr", MOVE_MOUNT_F_EMPTY_PATH) != 0) {
        return errno;
    }
    bool is_read_only = mkdirat(usr, "airlock-doctor", 0700) != 0 && errno == EROFS;
    return is_read_only ? 0 : EIO;
}

static int mount_proc(void *context) {
    (void)context;
    CLEANUP(fd_closep) int proc = wall_mount("proc", nullptr, nullptr);
    CLEANUP(fd_closep) int self = proc < 0 ? -1 : openat(proc, "1/status", O_RDONLY | O_CLOEXEC);
    return self >= 0 ? 0 : errno;
}

static int try_proc(void *context) {
    (void)context;
    int number = enter(CLONE_NEWNS | CLONE_NEWPID);
    return number != 0 ? number : wall_run(mount_proc, nullptr);
}

static int try_pty(void *context) {
    (void)context;
    int number = enter(CLONE_NEWNS);
    if (number != 0) {
        return number;
    }
    CLEANUP(fd_closep) int devpts = wall_mount("devpts", "ptmxmode", "0666");
    CLEANUP(fd_closep)
    int master = devpts < 0 ? -1 : openat(devpts, "ptmx", O_RDWR | O_NOCTTY | O_CLOEXEC);
    int unlocked = 0;
    if (master < 0 || ioctl(master, TIOCSPTLCK, &unlocked) != 0) {
        return errno;
    }
    CLEANUP(fd_closep) int slave = ioctl(master, TIOCGPTPEER, O_RDWR | O_NOCTTY);
    return slave >= 0 ? 0 : errno;
}

static struct wall *add(struct wall_report *report, const char *name, wall_attempt *attempt,
                        const char *level, int *ret_number) {
    struct wall *wall = wall_add(report, name);
    *ret_number = wall_run(attempt, nullptr);
    wall->state = *ret_number == 0 ? WALL_THERE : WALL_MISSING;
    wall->code = *ret_number == 0 ? ERROR_NONE : ERROR_SANDBOX_MOUNT;
    if (*ret_number == 0) {
        wall_level(wall, "%s", level);
    } else {
        wall_level(wall, "refused: %.64s", strerror(*ret_number));
    }
    return wall;
}

static bool is_there(const struct wall_report *report, const char *name) {
    const struct wall *wall = wall_find(report, name);
    return wall != nullptr && wall->state == WALL_THERE;
}

static void add_untried(struct wall_report *report, const char *name, const char *why) {
    struct wall *wall = wall_add(report, name);
    wall->state = WALL_UNTRIED;
    wall_level(wall, "%s", why);
}

static const char *hint_of_mount(int number) {
    if (number == EACCES || number == EPERM || number == ENOSYS) {
        return wall_is_filtered()
                   ? "A seccomp filter is in force here, as in a container. Start the container "
                     "with --security-opt seccomp=unconfined."
                   : "A security module refuses mounts. In a container, start it with "
                     "--security-opt apparmor=unconfined; on Ubuntu give Airlock a profile with "
                     "userns, see: aa-status";
    }
    return error_default_hint(ERROR_SANDBOX_MOUNT);
}

void wall_try_mounts(struct wall_report *report) {
    int number;
    if (!is_there(report, "mount ns")) {
        add_untried(report, "root", "needs the mount namespace");
        add_untried(report, "/proc", "needs the mount namespace");
        add_untried(report, "pty", "needs the mount namespace");
        return;
    }
    struct wall *root = add(report, "root", try_root, "tmpfs, the host's /usr read-only", &number);
    if (number != 0) {
        wall_how(root, "%s", hint_of_mount(number));
    }
    if (!is_there(report, "pid ns")) {
        add_untried(report, "/proc", "needs the pid namespace");
    } else {
        struct wall *proc = add(report, "/proc", try_proc, "of its own processes", &number);
        if (number == EPERM && root->state == WALL_THERE) {
            wall_how(proc, "Parts of this machine's /proc are covered, as in a container, and then "
                           "the kernel permits no new one. Start the container with "
                           "--security-opt systempaths=unconfined (podman: unmask=ALL).");
        } else if (number != 0) {
            wall_how(proc, "%s", hint_of_mount(number));
        }
    }
    struct wall *pty = add(report, "pty", try_pty, "on a devpts of its own", &number);
    if (number != 0) {
        pty->state = WALL_LESS; /* only who sits at a terminal misses it */
        wall_how(pty, "Interactive commands need devpts: mount -t devpts devpts /dev/pts, and a "
                      "kernel with CONFIG_UNIX98_PTYS.");
    }
}
