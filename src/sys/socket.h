/* SPDX-License-Identifier: Apache-2.0
 *
 * Messages between our own processes: Unix SOCK_SEQPACKET, a fixed-size message and a few file
 * descriptors at a time.
 */
#pragma once

#include <stddef.h>

#include "base/bytes.h"
#include "base/error.h"

enum { SOCKET_FD_COUNT_MAX = 8 };

struct socket_fds {
    int fd[SOCKET_FD_COUNT_MAX]; /* -1 past count */
    size_t count;
};

/* A connected pair, close-on-exec. */
status_t socket_pair(int ret_fds[2], struct error *err);

/* Sends one message; `fds` may be nullptr. Never raises SIGPIPE. The fds stay the caller's. */
status_t socket_send(int fd, struct slice message, const struct socket_fds *fds, struct error *err);

/* Receives one message of at most `capacity` bytes. *ret_size = 0: the peer is gone. A longer
 * message, or more fds than SOCKET_FD_COUNT_MAX, is ERROR_JAIL_PROTOCOL. `ret_fds` may be nullptr,
 * then fds are an error. Received fds are the caller's. Blocks unless the socket is non-blocking.
 */
status_t socket_receive(int fd, void *buffer, size_t capacity, size_t *ret_size,
                        struct socket_fds *ret_fds, struct error *err);

void socket_fds_close(struct socket_fds *fds);
