/* SPDX-License-Identifier: Apache-2.0 */
#include "sys/socket.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>

#include "base/assert.h"
#include "sys/fd.h"

status_t socket_pair(int ret_fds[2], struct error *err) {
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ret_fds) != 0) {
        return error_set(err, ERROR_IO, errno, "cannot make a socket pair");
    }
    return STATUS_OK;
}

union socket_control {
    struct cmsghdr header; /* for its alignment */
    char bytes[CMSG_SPACE(sizeof(int) * SOCKET_FD_COUNT_MAX)];
};

status_t socket_send(int fd, struct slice message, const struct socket_fds *fds,
                     struct error *err) {
    ASSERT(message.size > 0);
    /* iovec is shared by readers and writers, hence its pointer to non-const. */
    struct iovec part = {.iov_len = message.size};
    memcpy(&part.iov_base, &message.data, sizeof part.iov_base);
    union socket_control control;
    struct msghdr header = {.msg_iov = &part, .msg_iovlen = 1};
    if (fds != nullptr && fds->count > 0) {
        ASSERT(fds->count <= SOCKET_FD_COUNT_MAX);
        size_t size = sizeof(int) * fds->count;
        memset(&control, 0, sizeof control);
        header.msg_control = control.bytes;
        header.msg_controllen = CMSG_SPACE(size);
        struct cmsghdr *rights = CMSG_FIRSTHDR(&header);
        rights->cmsg_level = SOL_SOCKET;
        rights->cmsg_type = SCM_RIGHTS;
        rights->cmsg_len = CMSG_LEN(size);
        memcpy(CMSG_DATA(rights), fds->fd, size);
    }
    ssize_t sent;
    do {
        sent = sendmsg(fd, &header, MSG_NOSIGNAL);
    } while (sent < 0 && errno == EINTR);
    if (sent < 0) {
        return error_set(err, ERROR_IO, errno, "cannot send a message to another process of ours");
    }
    return STATUS_OK;
}

void socket_fds_close(struct socket_fds *fds) {
    for (size_t i = 0; i < fds->count; i++) {
        fd_closep(&fds->fd[i]);
    }
    fds->count = 0;
}

static void socket_collect_fds(struct msghdr *header, struct socket_fds *ret_fds) {
    for (struct cmsghdr *part = CMSG_FIRSTHDR(header); part != nullptr;
         part = CMSG_NXTHDR(header, part)) {
        if (part->cmsg_level != SOL_SOCKET || part->cmsg_type != SCM_RIGHTS) {
            continue;
        }
        size_t count = (part->cmsg_len - CMSG_LEN(0)) / sizeof(int);
        for (size_t i = 0; i < count; i++) {
            int fd;
            memcpy(&fd, CMSG_DATA(part) + i * sizeof(int), sizeof fd);
            ASSERT(ret_fds->count < SOCKET_FD_COUNT_MAX);
            ret_fds->fd[ret_fds->count++] = fd;
        }
    }
}

status_t socket_receive(int fd, void *buffer, size_t capacity, size_t *ret_size,
                        struct socket_fds *ret_fds, struct error *err) {
    struct iovec part = {buffer, capacity};
    union socket_control control;
    struct msghdr header = {
        .msg_iov = &part,
        .msg_iovlen = 1,
        .msg_control = control.bytes,
        .msg_controllen = sizeof control.bytes,
    };
    ssize_t got;
    do {
        /* ECONNRESET, told once: the peer went without having read everything. What it sent before
         * that is still to be had, and then the end. */
        got = recvmsg(fd, &header, MSG_CMSG_CLOEXEC);
    } while (got < 0 && (errno == EINTR || errno == ECONNRESET));
    if (got < 0) {
        return error_set(err, ERROR_IO, errno,
                         "cannot receive a message from another process of ours");
    }
    struct socket_fds fds = {.fd = {-1, -1, -1, -1, -1, -1, -1, -1}};
    socket_collect_fds(&header, &fds);
    if ((header.msg_flags & (MSG_TRUNC | MSG_CTRUNC)) != 0 ||
        (ret_fds == nullptr && fds.count > 0)) {
        socket_fds_close(&fds);
        return error_set(err, ERROR_JAIL_PROTOCOL, 0,
                         "a process of ours sent a message of a wrong size");
    }
    if (ret_fds != nullptr) {
        *ret_fds = fds;
    }
    *ret_size = (size_t)got;
    return STATUS_OK;
}
