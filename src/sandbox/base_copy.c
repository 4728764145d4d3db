/* SPDX-License-Identifier: Apache-2.0 */
#include "sandbox/base_copy.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "sys/fd.h"
#include "sys/file.h"

/* Keeps a copy when it is a text of at most LIMIT_BASE_COPY_BYTES: a file without NUL in its first
 * 8,000 bytes, the test git makes. */
static status_t base_copy_file(int source_fd, const struct change *change, int base_fd,
                               const char *name, bool *ret_copied, struct error *err) {
    uint8_t head[8000];
    CLEANUP(fd_closep) int from = entry_open_file(source_fd, change->path, false);
    ssize_t size = from < 0 ? -1 : pread(from, head, sizeof head, 0);
    if (size < 0 || memchr(head, 0, (size_t)size) != nullptr) {
        return STATUS_OK;
    }
    CLEANUP(fd_closep)
    int to = openat(base_fd, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (to < 0) {
        return error_set(err, ERROR_IO, errno, "cannot keep a copy of %s", change->path);
    }
    if (ioctl(to, FICLONE, from) != 0) {
        CLEANUP(builder_deinit) struct builder bytes;
        builder_init(&bytes, LIMIT_BASE_COPY_BYTES + 1);
        TRY(fd_read_to_end(from, change->path, &bytes, err));
        TRY(fd_write_all(to, builder_slice(&bytes), change->path, err));
    }
    *ret_copied = true;
    return STATUS_OK;
}

static status_t base_copy_link(int source_fd, const struct change *change, int base_fd,
                               const char *name, bool *ret_copied, struct error *err) {
    char target[LIMIT_PATH_BYTES];
    if (!entry_read_link(source_fd, change->path, target, sizeof target)) {
        return STATUS_OK;
    }
    struct file_write_options options = {.mode = 0600};
    TRY(file_write_atomic(base_fd, name, slice_of_string(target), &options, err));
    *ret_copied = true;
    return STATUS_OK;
}

status_t base_copy(int source_fd, const struct change *change, int base_fd, const char *name,
                   bool *ret_copied, struct error *err) {
    if (change->before.kind == ENTRY_FILE &&
        !limit_past(change->before.size > LIMIT_BASE_COPY_BYTES, LIMIT_ID_BASE_COPY_BYTES)) {
        return base_copy_file(source_fd, change, base_fd, name, ret_copied, err);
    }
    if (change->before.kind == ENTRY_LINK) {
        return base_copy_link(source_fd, change, base_fd, name, ret_copied, err);
    }
    return STATUS_OK;
}
