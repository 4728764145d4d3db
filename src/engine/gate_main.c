/* SPDX-License-Identifier: Apache-2.0
 *
 * airlock-gate: the first process of a container; engine/gate.h tells what for. It stands in a root
 * that it knows nothing of, so it is static, reads no file, and looks nothing up but the command.
 * Its descriptors 0, 1 and 2 are the command's and stay untouched.
 */
#include <errno.h>
#include <linux/seccomp.h>
#include <net/if.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/limits.h"
#include "engine/gate.h"
#include "sys/fd.h"
#include "sys/one_program.h"
#include "sys/socket.h"

enum { LISTENER_BACKLOG = 1024, FAILED = 125, NOT_EXECUTABLE = 126, NOT_FOUND = 127 };

/* The container's PATH, in which the command is looked up. */
static const char *search_path(void) {
    static const char NAME[] = "PATH=";
    for (char **entry = environ; *entry != nullptr; entry++) {
        if (strncmp(*entry, NAME, sizeof NAME - 1) == 0) {
            return *entry + sizeof NAME - 1;
        }
    }
    return "/usr/local/bin:/usr/bin:/bin";
}

static int connect_out(void) {
    static const struct sockaddr_un address = {.sun_family = AF_UNIX, .sun_path = GATE_SOCKET_PATH};
    CLEANUP(fd_closep) int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
    if (fd < 0 || connect(fd, (const struct sockaddr *)&address, sizeof address) != 0) {
        return -1;
    }
    return fd_take(&fd);
}

static bool reply_send(int peer, enum gate_state state, int os_errno, int fd) {
    const struct gate_reply reply = {.state = state, .os_errno = (uint32_t)os_errno};
    const struct socket_fds fds = {.fd = {fd}, .count = fd < 0 ? 0 : 1};
    struct builder bytes;
    struct error ignored;
    builder_init(&bytes, GATE_REPLY_BYTES);
    bool is_sent = gate_reply_encode(&reply, &bytes) &&
                   status_is_ok(socket_send(peer, builder_slice(&bytes), &fds, &ignored));
    builder_deinit(&bytes);
    return is_sent;
}

static bool loopback_is_up(int fd) {
    struct ifreq request = {.ifr_name = "lo"};
    return ioctl(fd, SIOCGIFFLAGS, &request) == 0 && (request.ifr_flags & IFF_UP) != 0;
}

/* Where the command will look for its proxy; served from outside, there is still no route. */
static bool get_ready(int peer, const struct gate_setup *setup) {
    const struct sockaddr_in address = {
        .sin_family = AF_INET,
        .sin_port = htons(setup->port),
        .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
    };
    if (setup->memory_bytes != 0 &&
        !gate_limits_hold("/sys/fs/cgroup", setup->memory_bytes, setup->pid_count)) {
        (void)reply_send(peer, GATE_NO_LIMITS, 0, -1);
        return false;
    }
    if (setup->port == 0) {
        return reply_send(peer, GATE_READY, 0, -1);
    }
    CLEANUP(fd_closep) int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0 || bind(fd, (const struct sockaddr *)&address, sizeof address) != 0 ||
        listen(fd, LISTENER_BACKLOG) != 0) {
        (void)reply_send(peer, GATE_NO_LISTENER, errno, -1);
        return false;
    }
    if (!loopback_is_up(fd)) {
        (void)reply_send(peer, GATE_NO_LOOPBACK, ENETDOWN, -1);
        return false;
    }
    return reply_send(peer, GATE_READY, 0, fd);
}

/* Landlock first, which a profile of an engine may not know; ours permits it. */
static bool put_on(int peer, struct gate_setup *setup, const char *name) {
    const struct sock_fprog program = {
        .len = (unsigned short)setup->line_count,
        .filter = setup->lines,
    };
    bool is_set = prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0;
    if (is_set && setup->one_program && !one_program_enforce(name, search_path())) {
        (void)reply_send(peer, GATE_NO_LANDLOCK, errno, -1);
        return false;
    }
    if (!is_set || (setup->line_count > 0 &&
                    syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &program) != 0)) {
        (void)reply_send(peer, GATE_NO_FILTER, errno, -1);
        return false;
    }
    return true;
}

/* As execvp(3), but that nothing is handed to a shell. Returns when nothing could be executed. */
static void become(char *const *argv) {
    int first = ENOENT;
    if (strchr(argv[0], '/') != nullptr || argv[0][0] == '\0') {
        (void)execv(argv[0], argv);
        return;
    }
    for (const char *part = search_path(); *part != '\0';) {
        char path[LIMIT_PATH_BYTES];
        int size = (int)strcspn(part, ":");
        int length = snprintf(path, sizeof path, "%.*s/%s", size, part, argv[0]);
        if (size > 0 && length > 0 && (size_t)length < sizeof path) {
            (void)execv(path, argv);
            if (errno != ENOENT && errno != ENOTDIR && first == ENOENT) {
                first = errno;
            }
        }
        part += size + (part[size] == ':');
    }
    errno = first;
}

int main(int argc, char **argv) {
    static uint8_t bytes[GATE_SETUP_BYTES];
    static struct gate_setup setup;
    struct error ignored;
    size_t size = 0;
    uint8_t go = 0;
    CLEANUP(fd_closep) int peer = connect_out();
    if (peer < 0 || argc < 2) {
        (void)fputs("airlock-gate is what airlock starts in a container, not by hand\n", stderr);
        return FAILED;
    }
    if (!status_is_ok(socket_receive(peer, bytes, sizeof bytes, &size, nullptr, &ignored)) ||
        !gate_setup_decode(slice_of(bytes, size), &setup) || !get_ready(peer, &setup)) {
        return FAILED;
    }
    if (!status_is_ok(socket_receive(peer, &go, sizeof go, &size, nullptr, &ignored)) ||
        size != sizeof go || go != GATE_GO) {
        return FAILED; /* airlock is gone */
    }
    if (!put_on(peer, &setup, argv[1])) {
        return FAILED;
    }
    become(argv + 1);
    int os_errno = errno;
    (void)reply_send(peer, GATE_NO_PROGRAM, os_errno, -1);
    return os_errno == ENOENT || os_errno == ENOTDIR ? NOT_FOUND : NOT_EXECUTABLE;
}
