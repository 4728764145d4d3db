/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "edge/config.h"

/* A non-blocking socket bound as the configuration says, and listening where that means something.
 * A Unix path that nobody listens on any more is taken over; whoever may use it, mode 0660.
 * ERROR_IO. */
status_t listen_open(const struct edge_bind *bind, int *ret_fd, struct error *err);

/* What lies at a Unix socket's path: whether it is still ours when we go. */
struct listen_path {
    uint64_t device, inode; /* 0: nothing of ours */
};
struct listen_path listen_path_of(const struct edge_bind *bind);
/* Removes the path when it is still what it was; whoever took its place keeps it. */
void listen_forget(const struct edge_bind *bind, const struct listen_path *path);
