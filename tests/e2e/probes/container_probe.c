/* SPDX-License-Identifier: Apache-2.0
 *
 * container_probe calls: tries calls that the strict profile refuses and the standard one allows,
 * and prints each with what came of it. container_probe knock PATH: connects to a socket of the
 * kind that a container's gate speaks through. container_probe exec PATH: becomes another program.
 */
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

static void tell(const char *name, long result) {
    (void)printf("%s %s\n", name, result >= 0 ? "done" : strerrorname_np(errno));
}

static long fork_and_wait(void) {
    (void)fflush(stdout);
    long pid = syscall(SYS_fork);
    if (pid == 0) {
        _exit(0);
    }
    return pid < 0 ? pid : waitpid((pid_t)pid, nullptr, 0);
}

static int try_calls(void) {
    struct sockaddr_in nowhere = {.sin_family = AF_INET};
    int pair[2] = {-1, -1};
    tell("read", read(STDIN_FILENO, nullptr, 0));
    tell("socketpair", socketpair(AF_UNIX, SOCK_STREAM, 0, pair));
    tell("socket", socket(AF_INET, SOCK_STREAM, 0));
    tell("bind",
         bind(socket(AF_INET, SOCK_STREAM, 0), (struct sockaddr *)&nowhere, sizeof nowhere));
    tell("fork", fork_and_wait());
    tell("memfd_create", syscall(SYS_memfd_create, "x", 0));
    tell("mkdir", mkdir("/tmp/d", 0700));
    tell("rename", rename("/tmp/d", "/tmp/e"));
    tell("rmdir", rmdir("/tmp/e"));
    tell("truncate", open("/tmp/f", O_CREAT | O_WRONLY, 0600) < 0 ? -1 : truncate("/tmp/f", 0));
    tell("chmod", chmod("/tmp/f", 0700));
    tell("unlink", unlink("/tmp/f"));
    tell("inotify_init1", syscall(SYS_inotify_init1, 0));
    return 0;
}

static int knock(const char *path) {
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_SEQPACKET, 0);
    (void)snprintf(address.sun_path, sizeof address.sun_path, "%s", path);
    tell("connect", fd < 0 ? -1 : connect(fd, (struct sockaddr *)&address, sizeof address));
    return 0;
}

int main(int argc, char **argv) {
    if (argc == 2 && strcmp(argv[1], "calls") == 0) {
        return try_calls();
    }
    if (argc == 3 && strcmp(argv[1], "knock") == 0) {
        return knock(argv[2]);
    }
    if (argc == 3 && strcmp(argv[1], "exec") == 0) {
        (void)execl(argv[2], argv[2], (char *)nullptr);
        tell("exec", -1);
        return 0;
    }
    return 2;
}
