/* SPDX-License-Identifier: Apache-2.0
 *
 * escape NAME [ARG]: tries one way out and says how it went. Exit 0: it worked; 1: refused, with
 * errno on stdout; 2: no such probe. The scripts run it inside, where it must not work, and where
 * possible outside too, to see that it can.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/bpf.h>
#include <linux/if_packet.h>
#include <linux/vm_sockets.h>
#include <sched.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

static int can_open(const char *path, int flags) {
    int fd = open(path, flags | O_CLOEXEC);
    if (fd >= 0) {
        (void)close(fd);
    }
    return fd < 0 ? -1 : 0;
}

static int can_socket(int family, int type, int protocol) {
    int fd = socket(family, type, protocol);
    if (fd >= 0) {
        (void)close(fd);
    }
    return fd < 0 ? -1 : 0;
}

static int try_userns(const char *argument) {
    (void)argument;
    return unshare(CLONE_NEWUSER);
}

static int child_of_clone(void *argument) {
    (void)argument;
    return 0;
}

static int try_clone_userns(const char *argument) {
    (void)argument;
    static char stack[65536];
    pid_t pid = clone(child_of_clone, stack + sizeof stack, CLONE_NEWUSER | SIGCHLD, nullptr);
    return pid < 0 || waitpid(pid, nullptr, 0) < 0 ? -1 : 0;
}

static int try_clone3(const char *argument) {
    (void)argument;
    struct {
        unsigned long long flags, pidfd, child, parent, signal, stack, size, tls;
    } arguments = {.flags = CLONE_NEWUSER, .signal = SIGCHLD};
    long pid = syscall(SYS_clone3, &arguments, sizeof arguments);
    if (pid == 0) {
        _exit(0);
    }
    return pid < 0 ? -1 : 0;
}

static int try_mount(const char *argument) {
    return mount("none", argument, "tmpfs", 0, nullptr);
}

static int try_new_mount(const char *argument) {
    (void)argument;
    return syscall(SYS_fsopen, "tmpfs", 0) < 0 ? -1 : 0;
}

static int try_umount(const char *argument) {
    return umount2(argument, MNT_DETACH);
}

static int try_chroot(const char *argument) {
    return chroot(argument);
}

static int try_pivot(const char *argument) {
    (void)argument;
    return (int)syscall(SYS_pivot_root, ".", ".");
}

static int try_setns(const char *argument) {
    int fd = open(argument, O_RDONLY | O_CLOEXEC);
    return fd < 0 ? -1 : setns(fd, 0);
}

static int try_ptrace(const char *argument) {
    return (int)ptrace(PTRACE_SEIZE, atoi(argument), nullptr, nullptr);
}

static int try_io_uring(const char *argument) {
    (void)argument;
    char parameters[120] = {};
    return syscall(SYS_io_uring_setup, 1, parameters) < 0 ? -1 : 0;
}

static int try_vsock(const char *argument) {
    (void)argument;
    return can_socket(AF_VSOCK, SOCK_STREAM, 0);
}

static int try_packet(const char *argument) {
    (void)argument;
    return can_socket(AF_PACKET, SOCK_RAW, 0);
}

static int try_raw(const char *argument) {
    (void)argument;
    return can_socket(AF_INET, SOCK_RAW, IPPROTO_ICMP);
}

static int try_netlink(const char *argument) {
    (void)argument;
    return can_socket(AF_NETLINK, SOCK_RAW, 12 /* netfilter */);
}

static int try_bpf(const char *argument) {
    (void)argument;
    union bpf_attr attr = {.map_type = BPF_MAP_TYPE_ARRAY, .key_size = 4, .value_size = 4};
    attr.max_entries = 1;
    return syscall(SYS_bpf, BPF_MAP_CREATE, &attr, sizeof attr) < 0 ? -1 : 0;
}

static int try_keyctl(const char *argument) {
    (void)argument;
    return syscall(SYS_keyctl, 0, -3, 1) < 0 ? -1 : 0;
}

static int try_kexec(const char *argument) {
    (void)argument;
    /* EINVAL from the kernel itself would mean that the call went through. */
    return syscall(SYS_kexec_load, 0, 17, nullptr, 0) < 0 && errno != EINVAL ? -1 : 0;
}

static int try_userfaultfd(const char *argument) {
    (void)argument;
    return syscall(SYS_userfaultfd, 1) < 0 ? -1 : 0;
}

static int try_perf(const char *argument) {
    (void)argument;
    return syscall(SYS_perf_event_open, nullptr, 0, -1, -1, 0) < 0 && errno != EFAULT ? -1 : 0;
}

static int try_personality(const char *argument) {
    (void)argument;
    return syscall(SYS_personality, 0x0040000) < 0 ? -1 : 0;
}

static int try_handle(const char *argument) {
    (void)argument;
    char handle[64] = {8, 0, 0, 0, 1};
    return syscall(SYS_open_by_handle_at, AT_FDCWD, handle, O_RDONLY) < 0 &&
                   (errno == EPERM || errno == ENOSYS)
               ? -1
               : 0;
}

static int try_x32(const char *argument) {
    (void)argument;
#ifdef __x86_64__
    /* getpid with the x32 bit; a kernel without x32 answers ENOSYS by itself. */
    return syscall(0x40000000 + 39) < 0 ? -1 : 0;
#else
    errno = ENOSYS;
    return -1;
#endif
}

static int try_high_bits(const char *argument) {
    /* TIOCSTI with a bit above the 32 that the kernel reads. */
    (void)argument;
    char letter = 'x';
    return syscall(SYS_ioctl, 0, 0x100000000UL | TIOCSTI, &letter) < 0 && errno == EPERM ? -1 : 0;
}

static int try_tiocsti(const char *argument) {
    (void)argument;
    char letter = 'x';
    return ioctl(0, TIOCSTI, &letter) < 0 && errno == EPERM ? -1 : 0;
}

static int try_prlimit(const char *argument) {
    struct rlimit none = {0, 0};
    return prlimit((pid_t)strtol(argument, nullptr, 10), RLIMIT_NOFILE, &none, nullptr);
}

static int try_mknod(const char *argument) {
    return mknod(argument, S_IFCHR | 0600, 0x103);
}

static int try_whiteout(const char *argument) {
    return mknod(argument, S_IFCHR | 0600, 0);
}

static int try_setuid(const char *argument) {
    return setuid((uid_t)atoi(argument));
}

static int try_read(const char *argument) {
    return can_open(argument, O_RDONLY);
}

static int try_write(const char *argument) {
    return can_open(argument, O_WRONLY);
}

static int try_kill(const char *argument) {
    return kill(atoi(argument), SIGKILL);
}

static int abstract_address(const char *name, struct sockaddr_un *address) {
    address->sun_family = AF_UNIX;
    (void)snprintf(address->sun_path + 1, sizeof address->sun_path - 1, "%s", name);
    return (int)(offsetof(struct sockaddr_un, sun_path) + 1 + strlen(name));
}

static int try_abstract(const char *argument) {
    struct sockaddr_un address = {};
    socklen_t size = (socklen_t)abstract_address(argument, &address);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    return fd < 0 ? -1 : connect(fd, (struct sockaddr *)&address, size);
}

/* Listens for `try_abstract` until it is killed; for the outside. */
static int listen_abstract(const char *argument) {
    struct sockaddr_un address = {};
    socklen_t size = (socklen_t)abstract_address(argument, &address);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0 || bind(fd, (struct sockaddr *)&address, size) != 0 || listen(fd, 8) != 0) {
        return -1;
    }
    for (;;) {
        int peer = accept(fd, nullptr, nullptr);
        if (peer >= 0) {
            (void)close(peer);
        }
    }
}

/* runc CVE-2024-21626: a file descriptor of a folder of the host that came along. */
static int try_leaked_fd(const char *argument) {
    (void)argument;
    for (int fd = 3; fd < 1024; fd++) {
        if (fcntl(fd, F_GETFD) >= 0) {
            printf("fd %d\n", fd);
            return 0;
        }
    }
    errno = EBADF;
    return -1;
}

static int try_capability(const char *argument) {
    (void)argument;
    FILE *file = fopen("/proc/self/status", "re");
    char line[256];
    int found = 0;
    while (file != nullptr && fgets(line, sizeof line, file) != nullptr) {
        unsigned long long value = 0;
        if (strncmp(line, "Cap", 3) == 0 && sscanf(line + 7, "%llx", &value) == 1 && value != 0) {
            found = 1;
        }
    }
    if (file == nullptr) {
        return 0;
    }
    (void)fclose(file);
    errno = EPERM;
    return found ? 0 : -1;
}

static const struct {
    const char *name;
    int (*attempt)(const char *argument);
} probes[] = {
    {"userns", try_userns},
    {"clone-userns", try_clone_userns},
    {"clone3", try_clone3},
    {"mount", try_mount},
    {"new-mount", try_new_mount},
    {"umount", try_umount},
    {"chroot", try_chroot},
    {"pivot", try_pivot},
    {"setns", try_setns},
    {"ptrace", try_ptrace},
    {"io-uring", try_io_uring},
    {"vsock", try_vsock},
    {"packet", try_packet},
    {"raw", try_raw},
    {"netlink", try_netlink},
    {"bpf", try_bpf},
    {"keyctl", try_keyctl},
    {"kexec", try_kexec},
    {"userfaultfd", try_userfaultfd},
    {"perf", try_perf},
    {"personality", try_personality},
    {"handle", try_handle},
    {"x32", try_x32},
    {"high-bits", try_high_bits},
    {"tiocsti", try_tiocsti},
    {"prlimit", try_prlimit},
    {"mknod", try_mknod},
    {"whiteout", try_whiteout},
    {"setuid", try_setuid},
    {"read", try_read},
    {"write", try_write},
    {"kill", try_kill},
    {"abstract", try_abstract},
    {"listen-abstract", listen_abstract},
    {"leaked-fd", try_leaked_fd},
    {"capability", try_capability},
};

int main(int argc, char **argv) {
    const char *name = argc > 1 ? argv[1] : "";
    for (size_t i = 0; i < sizeof probes / sizeof probes[0]; i++) {
        if (strcmp(probes[i].name, name) == 0) {
            errno = 0;
            if (probes[i].attempt(argc > 2 ? argv[2] : "") == 0) {
                printf("%s: went through\n", name);
                return 0;
            }
            printf("%s: refused: %s\n", name, strerror(errno));
            return 1;
        }
    }
    fprintf(stderr, "escape: no probe %s\n", name);
    return 2;
}
