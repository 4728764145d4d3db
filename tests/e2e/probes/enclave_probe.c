/* SPDX-License-Identifier: Apache-2.0
 *
 * Runs as the program of a simulated enclave and says what it finds there: `see` its arguments,
 * environment, ids, limits and every file; `calls` what system calls answer; `write PATH` whether a
 * file can be written; `quote` makes evidence be asked for. A word a line.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/io_uring.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <unistd.h>

enum { PATH_BYTES = 1024, DEPTH_MAX = 8 };

static void list(const char *folder, unsigned depth) {
    char path[PATH_BYTES];
    struct stat status;
    DIR *stream = depth < DEPTH_MAX ? opendir(folder) : nullptr;
    const struct dirent *entry = stream != nullptr ? readdir(stream) : nullptr;
    for (; entry != nullptr; entry = readdir(stream)) {
        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0) {
            continue;
        }
        (void)snprintf(path, sizeof path, "%s%s%s", folder, strcmp(folder, "/") == 0 ? "" : "/",
                       entry->d_name);
        if (lstat(path, &status) == 0 && S_ISDIR(status.st_mode)) {
            list(path, depth + 1);
        } else {
            (void)printf("file %s\n", path);
        }
    }
    if (stream != nullptr) {
        (void)closedir(stream);
    }
}

static void see(int argc, char **argv, char **environment) {
    char folder[PATH_BYTES];
    struct rlimit descriptors = {};
    for (int i = 0; i < argc; i++) {
        (void)printf("argument %s\n", argv[i]);
    }
    for (; *environment != nullptr; environment++) {
        (void)printf("variable %s\n", *environment);
    }
    (void)getrlimit(RLIMIT_NOFILE, &descriptors);
    (void)printf("ids %u %u %d\nfolder %s\ndescriptors %llu\n", getuid(), getgid(), getpid(),
                 getcwd(folder, sizeof folder), (unsigned long long)descriptors.rlim_max);
    for (int fd = 3; fd < 64; fd++) {
        if (fcntl(fd, F_GETFD) >= 0) {
            (void)printf("open %d\n", fd);
        }
    }
    list("/", 0);
}

static void say(const char *name, long result) {
    (void)printf("%s %s\n", name, result >= 0 ? "works" : strerrorname_np(errno));
}

static void *idle(void *nothing) {
    return nothing;
}

static void try_sockets(void) {
    static const struct {
        const char *name;
        int level, option;
    } OPTIONS[] = {
        {"nodelay", IPPROTO_TCP, TCP_NODELAY},
        {"reuseport", SOL_SOCKET, SO_REUSEPORT},
        {"ulp", IPPROTO_TCP, TCP_ULP},
        {"zerocopy", SOL_SOCKET, SO_ZEROCOPY},
        {"incoming-cpu", SOL_SOCKET, SO_INCOMING_CPU},
        {"pktinfo", IPPROTO_IP, IP_PKTINFO},
    };
    int one = 1;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    say("stream", fd);
    say("unix-stream", socket(AF_UNIX, SOCK_STREAM, 0));
    say("unix-datagram", socket(AF_UNIX, SOCK_DGRAM, 0));
    say("unix-seqpacket", socket(AF_UNIX, SOCK_SEQPACKET, 0));
    say("internet-datagram", socket(AF_INET6, SOCK_DGRAM, 0));
    say("netlink", socket(AF_NETLINK, SOCK_DGRAM, 0));
    say("packet", socket(AF_PACKET, SOCK_RAW, 0));
    for (size_t i = 0; i < sizeof OPTIONS / sizeof OPTIONS[0]; i++) {
        say(OPTIONS[i].name, setsockopt(fd, OPTIONS[i].level, OPTIONS[i].option, &one, sizeof one));
    }
    say("send-zerocopy", send(fd, "x", 1, MSG_ZEROCOPY | MSG_NOSIGNAL));
    say("send-oob", send(fd, "x", 1, MSG_OOB | MSG_NOSIGNAL));
}

static void try_calls(void) {
    struct io_uring_params parameters = {};
    pthread_t thread;
    int ends[2];
    char bytes[8];
    say("io_uring_setup", syscall(SYS_io_uring_setup, 8, &parameters));
    say("splice", syscall(SYS_splice, 0, nullptr, 1, nullptr, 1, 0));
    say("tee", syscall(SYS_tee, 0, 1, 1, 0));
    say("timerfd", syscall(SYS_timerfd_create, CLOCK_MONOTONIC, 0));
    say("signalfd", syscall(SYS_signalfd4, -1, bytes, 8, 0));
    say("eventfd", eventfd(0, 0));
    say("memfd", syscall(SYS_memfd_create, "x", 0));
    say("statx", syscall(SYS_statx, AT_FDCWD, "/", 0, 0, nullptr));
    say("openat2", syscall(SYS_openat2, AT_FDCWD, "/", nullptr, 0));
    say("clone3", syscall(SYS_clone3, nullptr, 0));
    say("prctl", syscall(SYS_prctl, 0, 0, 0, 0, 0));
    say("ptrace", syscall(SYS_ptrace, 0, 0, 0, 0));
    say("mount", syscall(SYS_mount, "x", "/tmp", "tmpfs", 0, nullptr));
    say("unshare", syscall(SYS_unshare, CLONE_NEWUSER));
    say("bpf", syscall(SYS_bpf, 0, nullptr, 0));
    say("mremap", syscall(SYS_mremap, nullptr, 0, 0, 0, nullptr));
    say("epoll_pwait2", syscall(SYS_epoll_pwait2, -1, nullptr, 0, nullptr, nullptr, 0));
    say("x32", syscall(0x40000000 | SYS_getpid));
    say("flock", syscall(SYS_flock, 0, 8));
    say("fork", syscall(SYS_fork));
    say("clone", syscall(SYS_clone, SIGCHLD, nullptr, nullptr, nullptr, nullptr));
    say("thread", -(long)pthread_create(&thread, nullptr, idle, nullptr));
    say("epoll", syscall(SYS_epoll_create1, 0));
    say("pipe", pipe(ends));
    say("getrandom", syscall(SYS_getrandom, bytes, sizeof bytes, 0));
    say("memory", malloc((size_t)1 << 40) == nullptr ? -1 : 0);
    try_sockets();
}

static void try_write(const char *path) {
    int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    say(path, fd < 0 ? -1 : write(fd, "x", 1));
}

static void ask_for_quote(void) {
    struct sockaddr_un address = {.sun_family = AF_UNIX,
                                  .sun_path = "/dev/attestation/airlock-simulation"};
    char report[64] = "report";
    char quote[4096];
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);
    ssize_t size = -1;
    if (connect(fd, (struct sockaddr *)&address, sizeof address) == 0 &&
        write(fd, report, sizeof report) == (ssize_t)sizeof report) {
        size = read(fd, quote, sizeof quote);
    }
    (void)printf("quote %.24s %s\n", quote,
                 size > 0 && memmem(quote, (size_t)size, report, sizeof report) != nullptr
                     ? "holds"
                     : "fails");
}

/* A socket that has a name in the network's namespace alone. */
static void try_abstract(const char *name) {
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    size_t size = strlen(name);
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);
    memcpy(address.sun_path + 1, name, size);
    say("abstract", connect(fd, (struct sockaddr *)&address,
                            (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + size)));
}

static void hold(int number) {
    (void)!write(1, number == SIGTERM ? "term\n" : "other\n", number == SIGTERM ? 5 : 6);
    _exit(7);
}

int main(int argc, char **argv, char **environment) {
    (void)setvbuf(stdout, nullptr, _IOLBF, 0);
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "see") == 0) {
            see(argc, argv, environment);
        } else if (strcmp(argv[i], "calls") == 0) {
            try_calls();
        } else if (strcmp(argv[i], "quote") == 0) {
            ask_for_quote();
        } else if (strcmp(argv[i], "write") == 0 && i + 1 < argc) {
            try_write(argv[++i]);
        } else if (strcmp(argv[i], "abstract") == 0 && i + 1 < argc) {
            try_abstract(argv[++i]);
        } else if (strcmp(argv[i], "wait") == 0) {
            (void)signal(SIGTERM, hold);
            (void)puts("waiting");
            (void)pause();
        } else if (strcmp(argv[i], "exit") == 0 && i + 1 < argc) {
            return atoi(argv[i + 1]);
        }
    }
    return 0;
}
