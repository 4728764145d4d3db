/* SPDX-License-Identifier: Apache-2.0
 *
 * Networks and sockets. No packet leaves but one question to a name server that resolv.conf names.
 * Unix sockets are connected to as a datagram socket: a stream socket answers EPROTOTYPE, which
 * says that it is there and may be reached, and its owner does not notice.
 */
#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <linux/netlink.h>
#include <linux/vm_sockets.h>
#include <net/if.h>
#include <poll.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "probe/probe.h"

enum { TABLE_BYTES = 262144, ANSWER_MS = 1000, SOCKET_DEPTH_MAX = 4, PATH_BYTES = 4096 };

static char table[TABLE_BYTES];

/* The lines of a file in /proc/net, after its heading. */
static const char *first_line(const char *path, unsigned headings) {
    if (probe_read(path, table, sizeof table) <= 0) {
        return "";
    }
    const char *line = table;
    for (unsigned i = 0; i < headings && *line != '\0'; i++) {
        line += strcspn(line, "\n");
        line += *line == '\n';
    }
    return line;
}

static const char *next_line(const char *line) {
    line += strcspn(line, "\n");
    return line + (*line == '\n');
}

void probe_interfaces(struct probe *probe) {
    for (const char *line = first_line("/proc/net/dev", 2); *line != '\0'; line = next_line(line)) {
        char name[64] = "";
        if (sscanf(line, " %63[^: ]", name) == 1 && strcmp(name, "lo") != 0) {
            probe_found(probe, "%s", name);
        }
    }
}

/* A datagram socket may be connected without a packet; it fails where no route leads. */
static void try_route(struct probe *probe, const char *text, int family) {
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(9)};
    struct sockaddr_in6 address6 = {.sin6_family = AF_INET6, .sin6_port = htons(9)};
    bool is_6 = family == AF_INET6;
    int fd = socket(family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    (void)inet_pton(family, text, is_6 ? (void *)&address6.sin6_addr : (void *)&address.sin_addr);
    const struct sockaddr *to =
        is_6 ? (const struct sockaddr *)&address6 : (const struct sockaddr *)&address;
    if (fd >= 0 && connect(fd, to, is_6 ? sizeof address6 : sizeof address) == 0) {
        probe_found(probe, "to %s", text);
    }
    if (fd >= 0) {
        (void)close(fd);
    }
}

void probe_routes(struct probe *probe) {
    try_route(probe, "192.0.2.1", AF_INET);
    try_route(probe, "10.0.0.1", AF_INET);
    try_route(probe, "169.254.169.254", AF_INET);
    try_route(probe, "2001:db8::1", AF_INET6);
}

/* Asks for the name servers of the root; any answer is one. */
static bool answers(const char *server) {
    static const unsigned char question[] = {0x41, 0x4b, 1, 0, 0, 1, 0, 0, 0,
                                             0,    0,    0, 0, 0, 2, 0, 1};
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(53)};
    struct sockaddr_in6 address6 = {.sin6_family = AF_INET6, .sin6_port = htons(53)};
    bool is_4 = inet_pton(AF_INET, server, &address.sin_addr) == 1;
    if (!is_4 && inet_pton(AF_INET6, server, &address6.sin6_addr) != 1) {
        return false;
    }
    int fd = socket(is_4 ? AF_INET : AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    const struct sockaddr *to =
        is_4 ? (const struct sockaddr *)&address : (const struct sockaddr *)&address6;
    unsigned char answer[512];
    struct pollfd waiting = {.fd = fd, .events = POLLIN};
    bool is_answered = fd >= 0 && connect(fd, to, is_4 ? sizeof address : sizeof address6) == 0 &&
                       send(fd, question, sizeof question, 0) == (ssize_t)sizeof question &&
                       poll(&waiting, 1, ANSWER_MS) == 1 && recv(fd, answer, sizeof answer, 0) > 2;
    if (fd >= 0) {
        (void)close(fd);
    }
    return is_answered;
}

void probe_names(struct probe *probe) {
    for (const char *line = first_line("/etc/resolv.conf", 0); *line != '\0';
         line = next_line(line)) {
        char server[64];
        if (sscanf(line, "nameserver %63[0-9a-fA-F.:]", server) == 1 && answers(server)) {
            probe_found(probe, "%s", server);
        }
    }
}

/* State 0A is LISTEN. A payload that has just begun listens nowhere. */
static void list_listeners(struct probe *probe, const char *path) {
    for (const char *line = first_line(path, 1); *line != '\0'; line = next_line(line)) {
        char address[40];
        unsigned port;
        unsigned state;
        if (sscanf(line, " %*d: %39[0-9A-F]:%x %*[0-9A-F]:%*x %x", address, &port, &state) == 3 &&
            state == 0x0a) {
            probe_found(probe, "tcp port %u", port);
        }
    }
}

void probe_listeners(struct probe *probe) {
    list_listeners(probe, "/proc/net/tcp");
    list_listeners(probe, "/proc/net/tcp6");
}

/* `path` beginning with '@' is an abstract name. */
static bool reaches_socket(const char *path, int type) {
    struct sockaddr_un name = {.sun_family = AF_UNIX};
    size_t size = strlen(path);
    if (size >= sizeof name.sun_path) {
        return false;
    }
    (void)memcpy(name.sun_path, path, size);
    if (path[0] == '@') {
        name.sun_path[0] = '\0';
    }
    socklen_t length = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + size);
    int fd = socket(AF_UNIX, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    int number = fd < 0 || connect(fd, (struct sockaddr *)&name, length) == 0 ? 0 : errno;
    bool reached = fd >= 0 && (number == 0 || number == EPROTOTYPE || number == EAGAIN);
    if (fd >= 0) {
        (void)close(fd);
    }
    return reached;
}

static void walk_sockets(struct probe *probe, const char *folder, unsigned depth) {
    DIR *stream = depth > SOCKET_DEPTH_MAX ? nullptr : opendir(folder);
    if (stream == nullptr) {
        return;
    }
    for (struct dirent *entry; (entry = readdir(stream)) != nullptr;) {
        char path[PATH_BYTES];
        struct stat status;
        int size = snprintf(path, sizeof path, "%s/%s", folder, entry->d_name);
        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0 ||
            (size_t)size >= sizeof path || lstat(path, &status) != 0) {
            continue;
        }
        if (S_ISSOCK(status.st_mode) && reaches_socket(path, SOCK_DGRAM)) {
            probe_found(probe, "%s", path);
        } else if (S_ISDIR(status.st_mode)) {
            walk_sockets(probe, path, depth + 1);
        }
    }
    (void)closedir(stream);
}

void probe_sockets(struct probe *probe) {
    walk_sockets(probe, "/run", 0);
    walk_sockets(probe, "/tmp", 0);
    walk_sockets(probe, "/var/lib", 0);
    for (size_t i = 0; probe->environment[i] != nullptr; i++) {
        const char *value = strchr(probe->environment[i], '=');
        struct stat status;
        if (value != nullptr && value[1] == '/' && stat(value + 1, &status) == 0 &&
            S_ISSOCK(status.st_mode) && reaches_socket(value + 1, SOCK_DGRAM)) {
            probe_found(probe, "%s", value + 1);
        }
    }
}

void probe_abstract(struct probe *probe) {
    for (const char *line = first_line("/proc/net/unix", 1); *line != '\0';
         line = next_line(line)) {
        char name[128];
        if (sscanf(line, "%*[0-9a-fA-F]: %*s %*s %*s %*s %*s %*s @%120[^\n]", name) == 1) {
            probe_found(probe, "@%s", name);
        }
    }
}

void probe_hidden(struct probe *probe) {
    for (size_t i = 0; i < probe->hidden_count; i++) {
        const char *path = probe->hidden[i];
        struct stat status;
        bool is_socket = path[0] != '@' && stat(path, &status) == 0 && S_ISSOCK(status.st_mode);
        if (path[0] == '@'
                ? reaches_socket(path, SOCK_STREAM)
                : probe_can_open(path, 0) || (is_socket && reaches_socket(path, SOCK_DGRAM))) {
            probe_found(probe, "%s", path);
        }
    }
}

void probe_families(struct probe *probe) {
    static const struct {
        const char *name;
        int family, type, protocol;
    } rows[] = {
        {"raw", AF_INET, SOCK_RAW, IPPROTO_ICMP},
        {"packet", AF_PACKET, SOCK_RAW, 0},
        {"vsock", AF_VSOCK, SOCK_STREAM, 0},
        {"audit netlink", AF_NETLINK, SOCK_RAW, NETLINK_AUDIT},
        {"netfilter netlink", AF_NETLINK, SOCK_RAW, NETLINK_NETFILTER},
        {"crypto", AF_ALG, SOCK_SEQPACKET, 0},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        int fd = socket(rows[i].family, rows[i].type | SOCK_CLOEXEC, rows[i].protocol);
        if (fd >= 0) {
            probe_found(probe, "%s", rows[i].name);
            (void)close(fd);
        }
    }
}
