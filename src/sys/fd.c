/* SPDX-License-Identifier: Apache-2.0 */
#include "sys/fd.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/assert.h"
#include "base/cleanup.h"
#include "base/limits.h"

void fd_closep(int *fd) {
    if (*fd >= 0) {
        int saved = errno;
        (void)close(*fd);
        errno = saved;
        *fd = -1;
    }
}

bool fd_open_standard(void) {
    for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++) {
        /* The lowest number that is free is this one: those below it are open. */
        if (fcntl(fd, F_GETFD) < 0 && (errno != EBADF || open("/dev/null", O_RDWR) != fd)) {
            return false;
        }
    }
    return true;
}

status_t fd_write_all(int fd, struct slice bytes, const char *what, struct error *err) {
    size_t done = 0;
    while (done < bytes.size) {
        ssize_t written = write(fd, bytes.data + done, bytes.size - done);
        if (written < 0) {
            if (errno == EINTR) {
                continue;
            }
            return error_set(err, ERROR_IO, errno, "cannot write %s", what);
        }
        done += (size_t)written;
    }
    return STATUS_OK;
}

status_t fd_read_to_end(int fd, const char *what, struct builder *builder, struct error *err) {
    uint8_t chunk[16384];
    for (;;) {
        ssize_t got = read(fd, chunk, sizeof chunk);
        if (got < 0) {
            if (errno == EINTR) {
                continue;
            }
            return error_set(err, ERROR_IO, errno, "cannot read %s", what);
        }
        if (got == 0) {
            return STATUS_OK;
        }
        builder_bytes(builder, slice_of(chunk, (size_t)got));
        if (!builder_is_ok(builder)) {
            return error_set(err, ERROR_LIMIT, 0, "%s is larger than the %zu bytes it may have",
                             what, builder->size_max);
        }
    }
}

status_t fd_sync(int fd, const char *what, struct error *err) {
    if (fsync(fd) != 0) {
        return error_set(err, ERROR_IO, errno, "cannot make %s durable", what);
    }
    return STATUS_OK;
}

status_t fd_sync_filesystem(int fd, const char *what, struct error *err) {
    if (syncfs(fd) != 0) {
        return error_set(err, ERROR_IO, errno, "cannot make %s durable", what);
    }
    return STATUS_OK;
}

bool fd_set_nonblocking(int fd, bool on) {
    int flags = fcntl(fd, F_GETFL);
    if (flags < 0) {
        return false;
    }
    int wanted = on ? flags | O_NONBLOCK : flags & ~O_NONBLOCK;
    return wanted == flags || fcntl(fd, F_SETFL, wanted) == 0;
}

status_t fd_sealed_memory(const char *name, struct slice bytes, int *ret_fd, struct error *err) {
    CLEANUP(fd_closep) int fd = memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING);
    if (fd < 0) {
        return error_set(err, ERROR_IO, errno, "cannot make a memory file for %s", name);
    }
    TRY(fd_write_all(fd, bytes, name, err));
    int seals = F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE;
    if (fcntl(fd, F_ADD_SEALS, seals) != 0) {
        return error_set(err, ERROR_IO, errno, "cannot seal the memory file for %s", name);
    }
    *ret_fd = fd_take(&fd);
    return STATUS_OK;
}
