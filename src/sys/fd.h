/* SPDX-License-Identifier: Apache-2.0
 *
 * File descriptors. -1 is the empty value; every one is close-on-exec from birth.
 */
#pragma once

#include <stddef.h>
#include <sys/types.h>

#include "base/bytes.h"
#include "base/error.h"

/* Closes *fd when it is open and leaves -1 behind. errno is kept. */
void fd_closep(int *fd);

/* Hands an fd over: the local is left -1. */
static inline int fd_take(int *fd) {
    int taken = *fd;
    *fd = -1;
    return taken;
}

/* Writes all of `bytes`, over short writes and EINTR. `what` names the target in the error. */
status_t fd_write_all(int fd, struct slice bytes, const char *what, struct error *err);

/* Reads up to the end into `builder` (appending), at most the builder's maximum; more is
 * ERROR_LIMIT. */
status_t fd_read_to_end(int fd, const char *what, struct builder *builder, struct error *err);

/* fsync / syncfs with an error that says what was to be made durable. */
status_t fd_sync(int fd, const char *what, struct error *err);
status_t fd_sync_filesystem(int fd, const char *what, struct error *err);

/* Opens /dev/null in place of standard input, output and error that are closed, so that no file or
 * socket gets their numbers, and with them what is printed. False with errno on failure. */
bool fd_open_standard(void);

/* Sets or clears O_NONBLOCK; false with errno on failure. */
bool fd_set_nonblocking(int fd, bool on);

/* A memfd with these bytes, sealed against every change. */
status_t fd_sealed_memory(const char *name, struct slice bytes, int *ret_fd, struct error *err);
