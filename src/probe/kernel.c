/* SPDX-License-Identifier: Apache-2.0
 *
 * What the kernel itself offers: capabilities, namespaces, mounts, calls with a history of holes,
 * its log and memory, devices.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/bpf.h>
#include <linux/capability.h>
#include <linux/keyctl.h>
#include <linux/perf_event.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/klog.h>
#include <sys/mount.h>
#include <sys/personality.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "probe/probe.h"

enum { IO_URING_PARAMS_BYTES = 120, PATH_BYTES = 4096, DEVICE_DEPTH_MAX = 3 };

static unsigned long long status_number(const char *status, const char *name) {
    const char *line = strstr(status, name);
    return line == nullptr ? 0 : strtoull(line + strlen(name), nullptr, 16);
}

void probe_capabilities(struct probe *probe) {
    static const char *const sets[] = {"\nCapInh:\t", "\nCapPrm:\t", "\nCapEff:\t", "\nCapBnd:\t",
                                       "\nCapAmb:\t"};
    char status[8192];
    if (probe_read("/proc/self/status", status, sizeof status) <= 0) {
        probe_found(probe, "/proc/self/status cannot be read");
        return;
    }
    for (size_t i = 0; i < sizeof sets / sizeof sets[0]; i++) {
        unsigned long long set = status_number(status, sets[i]);
        if (set != 0) {
            probe_found(probe, "%.6s %llx", sets[i] + 1, set);
        }
    }
    if (prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) != 1) {
        probe_found(probe, "programs may gain privileges");
    }
    if (status_number(status, "\nSeccomp:\t") != 2) {
        probe_found(probe, "no seccomp filter is in force");
    }
}

static bool can_unshare(const void *context) {
    return unshare(*(const int *)context) == 0;
}

static bool can_clone_3(const void *context) {
    (void)context;
    struct {
        unsigned long long flags, pidfd, child, parent, signal, stack, size, tls;
    } arguments = {.flags = CLONE_NEWUSER, .signal = SIGCHLD};
    long pid = syscall(SYS_clone3, &arguments, sizeof arguments);
    if (pid == 0) {
        _exit(0);
    }
    return pid > 0 && waitpid((pid_t)pid, nullptr, 0) == pid;
}

static bool can_join(const void *context) {
    (void)context;
    int fd = open("/proc/1/ns/mnt", O_RDONLY | O_CLOEXEC);
    return fd >= 0 && setns(fd, 0) == 0;
}

void probe_namespaces(struct probe *probe) {
    static const struct {
        const char *name;
        int flag;
    } kinds[] = {{"user", CLONE_NEWUSER},    {"mount", CLONE_NEWNS}, {"pid", CLONE_NEWPID},
                 {"network", CLONE_NEWNET},  {"ipc", CLONE_NEWIPC},  {"uts", CLONE_NEWUTS},
                 {"cgroup", CLONE_NEWCGROUP}};
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
        if (probe_try(can_unshare, &kinds[i].flag)) {
            probe_found(probe, "%s", kinds[i].name);
        }
    }
    if (probe_try(can_clone_3, nullptr)) {
        probe_found(probe, "user, by clone3");
    }
    if (probe_try(can_join, nullptr)) {
        probe_found(probe, "that of process 1 can be joined");
    }
}

/* Remounting a file on itself changes nothing that lasts: the child has a namespace of its own when
 * it may, and what it mounts is taken off again when it may not. */
static bool can_mount(const void *context) {
    (void)context;
    (void)unshare(CLONE_NEWNS);
    (void)mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr);
    if (mount("none", "/proc", "tmpfs", MS_NOSUID, "size=4096") != 0) {
        return false;
    }
    (void)umount2("/proc", MNT_DETACH);
    return true;
}

static bool can_open_tree(const void *context) {
    (void)context;
    return syscall(SYS_open_tree, AT_FDCWD, "/", 1 /* OPEN_TREE_CLONE */) >= 0;
}

static bool can_fsopen(const void *context) {
    (void)context;
    return syscall(SYS_fsopen, "tmpfs", 0) >= 0;
}

static bool can_chroot(const void *context) {
    (void)context;
    return chroot("/") == 0;
}

void probe_mounts(struct probe *probe) {
    static const struct {
        const char *name;
        bool (*attempt)(const void *context);
    } rows[] = {{"mount", can_mount},
                {"open_tree", can_open_tree},
                {"fsopen", can_fsopen},
                {"chroot", can_chroot}};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        if (probe_try(rows[i].attempt, nullptr)) {
            probe_found(probe, "%s", rows[i].name);
        }
    }
}

static bool can_bpf(const void *context) {
    (void)context;
    union bpf_attr attr = {
        .map_type = BPF_MAP_TYPE_ARRAY, .key_size = 4, .value_size = 4, .max_entries = 1};
    return syscall(SYS_bpf, BPF_MAP_CREATE, &attr, sizeof attr) >= 0;
}

static bool can_io_uring(const void *context) {
    (void)context;
    char parameters[IO_URING_PARAMS_BYTES] = {};
    return syscall(SYS_io_uring_setup, 1, parameters) >= 0;
}

static bool can_userfaultfd(const void *context) {
    (void)context;
    return syscall(SYS_userfaultfd, O_CLOEXEC) >= 0 || syscall(SYS_userfaultfd, 1) >= 0;
}

static bool can_keyctl(const void *context) {
    (void)context;
    return syscall(SYS_keyctl, KEYCTL_GET_KEYRING_ID, KEY_SPEC_SESSION_KEYRING, 0) >= 0 ||
           syscall(SYS_add_key, "user", "airlock-probe", "x", 1, KEY_SPEC_PROCESS_KEYRING) >= 0;
}

static bool can_perf(const void *context) {
    (void)context;
    struct perf_event_attr attr = {.type = PERF_TYPE_SOFTWARE, .size = sizeof attr};
    return syscall(SYS_perf_event_open, &attr, 0, -1, -1, 0) >= 0;
}

static bool can_open_by_handle(const void *context) {
    (void)context;
    struct {
        struct file_handle handle;
        unsigned char bytes[MAX_HANDLE_SZ];
    } file = {.handle = {.handle_bytes = MAX_HANDLE_SZ}};
    int mount_id;
    return syscall(SYS_name_to_handle_at, AT_FDCWD, "/", &file, &mount_id, 0) == 0 &&
           syscall(SYS_open_by_handle_at, AT_FDCWD, &file, O_RDONLY) >= 0;
}

static bool can_personality(const void *context) {
    (void)context;
    return personality(ADDR_NO_RANDOMIZE) >= 0 && personality(0xffffffff) == ADDR_NO_RANDOMIZE;
}

/* A byte pushed into a terminal's input is a command of the user's. Tried on a terminal of our own:
 * nobody types for the user, not even a probe. */
static bool can_type(const void *context) {
    (void)context;
    int unlocked = 0;
    int master = open("/dev/ptmx", O_RDWR | O_CLOEXEC | O_NOCTTY);
    if (setsid() < 0 || master < 0 || ioctl(master, TIOCSPTLCK, &unlocked) != 0) {
        return false;
    }
    int slave = ioctl(master, TIOCGPTPEER, O_RDWR);
    return slave >= 0 && ioctl(slave, TIOCSTI, "x") == 0;
}

static bool can_make_device(const void *context) {
    (void)context;
    char path[64];
    (void)snprintf(path, sizeof path, "/tmp/airlock-probe-%d", getpid());
    if (mknod(path, S_IFCHR | 0600, (1 << 8) | 7) != 0) {
        return false;
    }
    bool is_open = probe_can_open(path, 0);
    (void)unlink(path);
    return is_open;
}

void probe_calls(struct probe *probe) {
    static const struct {
        const char *name;
        bool (*attempt)(const void *context);
    } rows[] = {
        {"bpf", can_bpf},
        {"io_uring", can_io_uring},
        {"userfaultfd", can_userfaultfd},
        {"keyctl", can_keyctl},
        {"perf_event_open", can_perf},
        {"open_by_handle_at", can_open_by_handle},
        {"personality", can_personality},
        {"TIOCSTI", can_type},
        {"mknod", can_make_device},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        if (probe_try(rows[i].attempt, nullptr)) {
            probe_found(probe, "%s", rows[i].name);
        }
    }
}

void probe_log(struct probe *probe) {
    enum { READ_ALL = 3 };
    char text[1024];
    if (klogctl(READ_ALL, text, sizeof text) > 0) {
        probe_found(probe, "syslog");
    }
    if (probe_can_open("/dev/kmsg", 0)) {
        probe_found(probe, "/dev/kmsg");
    }
}

void probe_memory(struct probe *probe) {
    static const char *const files[] = {"/proc/kcore", "/dev/mem", "/dev/kmem", "/dev/port"};
    static const char *const texts[] = {"/proc/keys", "/proc/timer_list", "/proc/cmdline",
                                        "/proc/vmallocinfo"};
    char text[4096];
    for (size_t i = 0; i < sizeof files / sizeof files[0]; i++) {
        struct stat status;
        /* A mask is an empty file. */
        if (stat(files[i], &status) == 0 && probe_can_open(files[i], 0) &&
            (S_ISCHR(status.st_mode) ? status.st_rdev != (1 << 8 | 3) : status.st_size > 0)) {
            probe_found(probe, "%s", files[i]);
        }
    }
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        if (probe_read(texts[i], text, sizeof text) > 1) {
            probe_found(probe, "%s", texts[i]);
        }
    }
    if (probe_read("/proc/kallsyms", text, sizeof text) > 0 && strtoull(text, nullptr, 16) != 0) {
        probe_found(probe, "addresses in /proc/kallsyms");
    }
}

static bool is_harmless(const char *path) {
    static const char *const names[] = {"/dev/null",    "/dev/zero", "/dev/full", "/dev/random",
                                        "/dev/urandom", "/dev/tty",  "/dev/ptmx", "/dev/console"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        if (strcmp(path, names[i]) == 0) {
            return true;
        }
    }
    /* To open a watchdog is to start it. */
    return strncmp(path, "/dev/pts", 8) == 0 || strncmp(path, "/dev/watchdog", 13) == 0;
}

static void walk_devices(struct probe *probe, const char *folder, unsigned depth) {
    DIR *stream = depth > DEVICE_DEPTH_MAX ? nullptr : opendir(folder);
    for (struct dirent *entry; stream != nullptr && (entry = readdir(stream)) != nullptr;) {
        char path[PATH_BYTES];
        struct stat status;
        int size = snprintf(path, sizeof path, "%s/%s", folder, entry->d_name);
        if (entry->d_name[0] == '.' || (size_t)size >= sizeof path || is_harmless(path) ||
            lstat(path, &status) != 0) {
            continue;
        }
        if (S_ISDIR(status.st_mode)) {
            walk_devices(probe, path, depth + 1);
        } else if ((S_ISCHR(status.st_mode) || S_ISBLK(status.st_mode)) &&
                   probe_can_open(path, 0)) {
            probe_found(probe, "%s", path);
        }
    }
    if (stream != nullptr) {
        (void)closedir(stream);
    }
}

void probe_devices(struct probe *probe) {
    walk_devices(probe, "/dev", 0);
}

void probe_sysfs(struct probe *probe) {
    static const char *const folders[] = {
        "/sys/class/net", "/sys/class/dmi/id", "/sys/block",    "/sys/bus/pci/devices",
        "/sys/firmware",  "/sys/kernel/debug", "/sys/fs/cgroup"};
    for (size_t i = 0; i < sizeof folders / sizeof folders[0]; i++) {
        DIR *stream = opendir(folders[i]);
        for (struct dirent *entry; stream != nullptr && (entry = readdir(stream)) != nullptr;) {
            if (entry->d_name[0] != '.' && strcmp(entry->d_name, "lo") != 0) {
                probe_found(probe, "%s/%s", folders[i], entry->d_name);
                break;
            }
        }
        if (stream != nullptr) {
            (void)closedir(stream);
        }
    }
}
