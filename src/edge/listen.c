/* SPDX-License-Identifier: Apache-2.0 */
#include "edge/listen.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "sys/fd.h"

enum { BACKLOG = 4096, UNIX_MODE = 0660 }; /* the kernel takes somaxconn at most */

struct listen_path listen_path_of(const struct edge_bind *bind) {
    const struct sockaddr_un *address = (const struct sockaddr_un *)&bind->address;
    struct stat status;
    return bind->transport == EDGE_UNIX && lstat(address->sun_path, &status) == 0 &&
                   S_ISSOCK(status.st_mode)
               ? (struct listen_path){status.st_dev, status.st_ino}
               : (struct listen_path){};
}

void listen_forget(const struct edge_bind *bind, const struct listen_path *path) {
    const struct listen_path now = listen_path_of(bind);
    if (path->inode != 0 && now.inode == path->inode && now.device == path->device) {
        (void)unlink(((const struct sockaddr_un *)&bind->address)->sun_path);
    }
}

/* What a process that was killed left: a socket's path where nobody listens. Any other answer may
 * be somebody's. */
static void take_over(const struct edge_bind *bind) {
    const struct sockaddr_un *address = (const struct sockaddr_un *)&bind->address;
    struct stat status;
    CLEANUP(fd_closep) int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd >= 0 && lstat(address->sun_path, &status) == 0 && S_ISSOCK(status.st_mode) &&
        connect(fd, (const struct sockaddr *)&bind->address, bind->size) != 0 &&
        errno == ECONNREFUSED) {
        (void)unlink(address->sun_path);
    }
}

static bool set_options(int fd, const struct edge_bind *bind) {
    const int on = 1;
    const int off = 0;
    bool is_set = setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) == 0;
    if (bind->transport == EDGE_TCP) { /* whoever is accepted inherits it */
        is_set = is_set && setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on) == 0;
        /* What is marked as urgent is a byte of the stream; else it would be left out. */
        (void)setsockopt(fd, SOL_SOCKET, SO_OOBINLINE, &on, sizeof on);
    }
    if (bind->address.ss_family == AF_INET6) {
        is_set = is_set && setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof off) == 0;
    }
    return is_set;
}

static uint16_t port_of(const struct edge_bind *bind) {
    return ntohs(bind->address.ss_family == AF_INET
                     ? ((const struct sockaddr_in *)&bind->address)->sin_port
                     : ((const struct sockaddr_in6 *)&bind->address)->sin6_port);
}

/* Paths have mistakes of their own. */
static status_t fail_path(const char *path, int number, struct error *err) {
    struct stat status;
    const char *slash = strrchr(path, '/');
    int folder = slash == path ? 1 : (int)(slash - path);
    if (number == ENOENT) {
        error_hint(err, "The folder is not there: mkdir -p %.*s", folder, path);
    } else if (number == EADDRINUSE && lstat(path, &status) == 0 && !S_ISSOCK(status.st_mode)) {
        error_hint(err, "Something that is no socket has this path: see ls -l %.100s", path);
    } else if (number == EADDRINUSE) {
        error_hint(err, "Another program listens there: see which with ss -lxp, or use another "
                        "path.");
    } else if (number == EACCES) {
        error_hint(err, "The user that the proxy runs as must be able to write the folder %.*s.",
                   folder, path);
    }
    return (status_t){ERROR_IO};
}

static status_t fail(const struct edge_bind *bind, int number, struct error *err) {
    (void)error_set(err, ERROR_IO, number, "cannot listen at %s", bind->text);
    if (bind->transport == EDGE_UNIX) {
        return fail_path(((const struct sockaddr_un *)&bind->address)->sun_path, number, err);
    }
    if (number == EADDRINUSE) {
        error_hint(err,
                   "Another program listens there: see which with ss -ltnup, or bind elsewhere.");
    } else if (number == EACCES) {
        error_hint(
            err,
            "Ports below 1024 want CAP_NET_BIND_SERVICE (systemd: AmbientCapabilities=), or: "
            "sysctl net.ipv4.ip_unprivileged_port_start=%u",
            (unsigned)port_of(bind));
    } else if (number == EADDRNOTAVAIL) {
        error_hint(err, "No interface has this address: see them with ip address, or bind [::].");
    }
    return (status_t){ERROR_IO};
}

status_t listen_open(const struct edge_bind *bind_to, int *ret_fd, struct error *err) {
    bool is_udp = bind_to->transport == EDGE_UDP;
    int type = (is_udp ? SOCK_DGRAM : SOCK_STREAM) | SOCK_NONBLOCK | SOCK_CLOEXEC;
    CLEANUP(fd_closep) int fd = socket(bind_to->address.ss_family, type, 0);
    if (fd < 0 || (bind_to->transport != EDGE_UNIX && !set_options(fd, bind_to))) {
        return fail(bind_to, errno, err);
    }
    if (bind_to->transport == EDGE_UNIX) {
        take_over(bind_to);
    }
    /* No other thread makes files; and once it is confined chmod(2) is no more. */
    mode_t before = umask(0777 & ~(mode_t)UNIX_MODE);
    bool is_bound = bind(fd, (const struct sockaddr *)&bind_to->address, bind_to->size) == 0;
    int number = errno;
    (void)umask(before);
    if (!is_bound) {
        return fail(bind_to, number, err);
    }
    if (!is_udp && listen(fd, BACKLOG) != 0) {
        return fail(bind_to, errno, err);
    }
    *ret_fd = fd_take(&fd);
    return STATUS_OK;
}
