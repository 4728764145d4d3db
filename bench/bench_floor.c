/* SPDX-License-Identifier: Apache-2.0
 *
 * What the kernel itself takes for the walls of a sandbox: the fewest system calls that make the
 * same namespaces, root, overlay and Landlock domain, from one process into another, without a
 * plan, its checks, a log, seccomp or limits. bench_floor COUNT RUN_FOLDER WORKSPACE prints three
 * rows, to be read beside those of bench_launcher and bench_pool: from the moment when all but the
 * workspace stands, from the beginning, and for a process that waits on a pipe to be told to
 * execute this program, until it has. Needs root and Linux 6.15, and says so otherwise.
 */
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/landlock.h>
#include <linux/mount.h>
#include <sched.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "bench_sandbox.h"
#include "sys/fd.h"
#include "sys/socket.h"
#include "sys/userns.h"

enum { PAYLOAD_ID = 2000000, FOLDER_BYTES = 4096 };

/* This program; with an argument it ends at once. */
static const char self[] = "/proc/self/exe";
static const char nothing[] = "--nothing";

struct floor {
    const char *run_folder;
    const char *workspace;
    bool standing; /* all but the workspace is there when the clock starts */
};

/* Whatever goes wrong here, there is nothing to measure. */
static void need(bool holds, const char *what) {
    if (!holds) {
        (void)fprintf(stderr, "bench_floor: cannot %s: %s\n", what, strerror(errno));
        _exit(77);
    }
}

static uint64_t now_ns(void) {
    struct timespec now;
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

static bool attribute(int fd, uint64_t set, int userns) {
    struct mount_attr attr = {.attr_set = set, .userns_fd = userns < 0 ? 0 : (uint64_t)userns};
    return syscall(SYS_mount_setattr, fd, "", AT_EMPTY_PATH, &attr, sizeof attr) == 0;
}

static bool put(int mount, int root, const char *name) {
    return syscall(SYS_move_mount, mount, "", root, name, MOVE_MOUNT_F_EMPTY_PATH) == 0;
}

static int make(int context) {
    need(syscall(SYS_fsconfig, context, FSCONFIG_CMD_CREATE, nullptr, nullptr, 0) == 0,
         "make a filesystem");
    int fd = (int)syscall(SYS_fsmount, context, FSMOUNT_CLOEXEC, MOUNT_ATTR_NOSUID);
    need(fd >= 0, "make a mount");
    return fd;
}

static int tree_of(const char *path) {
    int fd = (int)syscall(SYS_open_tree, AT_FDCWD, path, OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC);
    need(fd >= 0, "clone a mount");
    return fd;
}

static int open_overlay(const struct floor *floor, int userns) {
    static const char *const names[] = {"lowerdir", "upperdir", "workdir"};
    char path[FOLDER_BYTES];
    int layers[3] = {tree_of(floor->workspace), -1, -1};
    need(attribute(layers[0], MOUNT_ATTR_IDMAP | MOUNT_ATTR_RDONLY, userns), "map an owner");
    for (int i = 1; i < 3; i++) {
        (void)snprintf(path, sizeof path, "%s/%s", floor->run_folder, i == 1 ? "upper" : "work");
        layers[i] = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    }
    int context = (int)syscall(SYS_fsopen, "overlay", FSOPEN_CLOEXEC);
    need(syscall(SYS_fsconfig, context, FSCONFIG_SET_FLAG, "userxattr", nullptr, 0) == 0,
         "make an overlay");
    for (int i = 0; i < 3; i++) {
        char value[16];
        (void)snprintf(value, sizeof value, "%d", layers[i]);
        need(syscall(SYS_fsconfig, context, FSCONFIG_SET_STRING, names[i], value, 0) == 0,
             "name a layer");
    }
    int fd = make(context);
    (void)close(context);
    for (int i = 0; i < 3; i++) {
        (void)close(layers[i]);
    }
    return fd;
}

static void hear(int socket, struct socket_fds *ret_fds) {
    struct error err = {};
    char word;
    size_t size = 0;
    need(status_is_ok(socket_receive(socket, &word, 1, &size, ret_fds, &err)) && size == 1,
         "hear the other process");
}

static void tell(int socket, const struct socket_fds *fds) {
    struct error err = {};
    need(status_is_ok(socket_send(socket, SLICE_LITERAL("w"), fds, &err)),
         "tell the other process");
}

static int make_root(void) {
    int root = make((int)syscall(SYS_fsopen, "tmpfs", FSOPEN_CLOEXEC));
    need(put(root, AT_FDCWD, "/sys"), "mount a root");
    int usr = tree_of("/usr");
    need(attribute(usr, MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV, -1),
         "make a mount read-only");
    need(mkdirat(root, "usr", 0755) == 0 && put(usr, root, "usr"), "bind a folder");
    need(mkdirat(root, "work", 0755) == 0, "make a folder");
    need(fchdir(root) == 0 && syscall(SYS_pivot_root, ".", ".") == 0 &&
             umount2(".", MNT_DETACH) == 0,
         "change the root");
    (void)close(usr);
    return root;
}

[[noreturn]] static void inside(int socket) {
    struct socket_fds overlay = {};
    hear(socket, nullptr);
    need(setgroups(0, nullptr) == 0 && setresgid(0, 0, 0) == 0 && setresuid(0, 0, 0) == 0,
         "become the mapped id");
    int root = make_root();
    need(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0, "give up privileges");
    struct landlock_ruleset_attr handled = {.handled_access_fs = LANDLOCK_ACCESS_FS_WRITE_FILE};
    int rules = (int)syscall(SYS_landlock_create_ruleset, &handled, 8, 0);
    need(rules >= 0, "use Landlock");
    tell(socket, nullptr);
    hear(socket, &overlay);
    need(put(overlay.fd[0], root, "work"), "mount an overlay");
    need(attribute(root, MOUNT_ATTR_RDONLY, -1), "make the root read-only");
    struct landlock_path_beneath_attr rule = {
        .allowed_access = LANDLOCK_ACCESS_FS_WRITE_FILE,
        .parent_fd = open("/work", O_PATH | O_DIRECTORY | O_CLOEXEC),
    };
    need(syscall(SYS_landlock_add_rule, rules, LANDLOCK_RULE_PATH_BENEATH, &rule, 0) == 0 &&
             syscall(SYS_landlock_restrict_self, rules, 0) == 0,
         "apply Landlock");
    uint64_t time = now_ns();
    struct error err = {};
    need(status_is_ok(socket_send(socket, slice_of(&time, sizeof time), nullptr, &err)), "tell");
    _exit(0);
}

static uint64_t once(const struct floor *floor) {
    struct error err = {};
    struct clone_args_small {
        uint64_t flags, pidfd, child_tid, parent_tid, exit_signal, stack, stack_size, tls;
    } arguments = {
        .flags = CLONE_NEWUSER | CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWIPC | CLONE_NEWUTS |
                 CLONE_NEWCGROUP | CLONE_NEWNET,
        .exit_signal = SIGCHLD,
    };
    int pair[2];
    char path[64];
    need(status_is_ok(bench_folders_make(floor->run_folder, PAYLOAD_ID, PAYLOAD_ID, &err)) &&
             status_is_ok(socket_pair(pair, &err)),
         "begin");
    uint64_t start = now_ns();
    pid_t pid = (pid_t)syscall(SYS_clone3, &arguments, sizeof arguments);
    need(pid >= 0, "make the namespaces");
    if (pid == 0) {
        (void)close(pair[0]);
        inside(pair[1]);
    }
    (void)close(pair[1]);
    const struct userns_map map = {0, 0, PAYLOAD_ID, PAYLOAD_ID};
    need(userns_map_write(pid, &map), "map an id");
    tell(pair[0], nullptr);
    (void)snprintf(path, sizeof path, "/proc/%d/ns/user", pid);
    int userns = open(path, O_RDONLY | O_CLOEXEC);
    if (floor->standing) {
        hear(pair[0], nullptr);
        (void)usleep(2000);
        start = now_ns();
    }
    struct socket_fds overlay = {.fd = {open_overlay(floor, userns)}, .count = 1};
    if (!floor->standing) {
        hear(pair[0], nullptr);
    }
    tell(pair[0], &overlay);
    uint64_t end = 0;
    size_t size = 0;
    need(status_is_ok(socket_receive(pair[0], &end, sizeof end, &size, nullptr, &err)) &&
             size == sizeof end,
         "hear the end");
    (void)close(overlay.fd[0]);
    (void)close(userns);
    (void)close(pair[0]);
    (void)waitpid(pid, nullptr, 0);
    return end - start;
}

/* One start of a program, to its end. */
static uint64_t start_and_end(const char *path, const char *argument) {
    char name[FOLDER_BYTES];
    char word[32];
    char *const arguments[] = {name, argument == nullptr ? nullptr : word, nullptr};
    char *const environment[] = {nullptr};
    (void)snprintf(name, sizeof name, "%s", path);
    (void)snprintf(word, sizeof word, "%s", argument == nullptr ? "" : argument);
    pid_t pid = -1;
    int status = -1;
    uint64_t start = now_ns();
    errno = posix_spawn(&pid, path, nullptr, nullptr, arguments, environment);
    need(errno == 0 && waitpid(pid, &status, 0) == pid && status == 0, "start a program");
    return now_ns() - start;
}

/* One write over bytes that are there, and its flush. */
static uint64_t write_and_flush(const struct floor *floor) {
    static const char page[FOLDER_BYTES];
    char path[FOLDER_BYTES];
    (void)snprintf(path, sizeof path, "%s/flushed", floor->run_folder);
    CLEANUP(fd_closep) int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    struct stat status;
    bool is_new = fd < 0 || fstat(fd, &status) != 0 || status.st_size != sizeof page;
    need(fd >= 0 && (!is_new || (write(fd, page, sizeof page) == sizeof page && fsync(fd) == 0)),
         "write a file");
    uint64_t start = now_ns();
    need(pwrite(fd, page, sizeof page, 0) == sizeof page && fdatasync(fd) == 0, "flush a file");
    return now_ns() - start;
}

/* What a run cannot do without, one after the other: three programs of ours that do nothing, the
 * walls, the command, and the two flushes at its end. */
static uint64_t whole(const struct floor *floor) {
    uint64_t time = once(floor) + start_and_end("/usr/bin/true", nullptr);
    for (int i = 0; i < 3; i++) {
        time += start_and_end(self, nothing);
    }
    return time + write_and_flush(floor) + write_and_flush(floor);
}

/* A process that waits, told to execute a static program; its pipe ends when it has. */
static uint64_t wake_and_execute(void) {
    int go[2];
    int done[2];
    char word = 'g';
    need(pipe2(go, O_CLOEXEC) == 0 && pipe2(done, O_CLOEXEC) == 0, "make a pipe");
    pid_t pid = fork();
    need(pid >= 0, "make a process");
    if (pid == 0) {
        need(read(go[0], &word, 1) == 1, "wait");
        (void)execl(self, self, nothing, nullptr);
        need(false, "execute this program");
    }
    (void)close(done[1]);
    (void)usleep(2000);
    uint64_t start = now_ns();
    need(write(go[1], &word, 1) == 1 && read(done[0], &word, 1) == 0, "tell the other process");
    uint64_t end = now_ns();
    (void)close(go[0]);
    (void)close(go[1]);
    (void)close(done[0]);
    (void)waitpid(pid, nullptr, 0);
    return end - start;
}

int main(int argc, char **argv) {
    if (argc == 2) {
        return 0; /* executed by wake_and_execute() */
    }
    if (argc != 4) {
        (void)fprintf(stderr, "usage: bench_floor COUNT RUN_FOLDER WORKSPACE\n");
        return 2;
    }
    size_t number = strtoul(argv[1], nullptr, 10);
    struct floor floor = {.run_folder = argv[2], .workspace = argv[3]};
    CLEANUP(memory_freep) uint64_t *times = calloc(number, sizeof *times);
    need(number > 0 && times != nullptr && chdir("/proc/self/fd") == 0, "begin");
    for (int row = 0; row < 2; row++) {
        floor.standing = row == 0;
        for (size_t i = 0; i < number; i++) {
            times[i] = once(&floor);
        }
        bench_print_times(
            row == 0 ? "ground laid before   floor us:" : "all of it            floor us:", times,
            number);
    }
    for (size_t i = 0; i < number; i++) {
        times[i] = wake_and_execute();
    }
    bench_print_times("waiting, told to go  floor us:", times, number);
    for (size_t i = 0; i < number; i++) {
        times[i] = whole(&floor);
    }
    bench_print_times("airlock run -- true  floor us:", times, number);
    return 0;
}
