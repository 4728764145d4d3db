/* SPDX-License-Identifier: Apache-2.0
 *
 * An engine that runs without root is given limits like any other and may drop them without a word,
 * so they are believed when the container's own cgroup shows them.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "engine/gate.h"
#include "sys/fd.h"

/* "max", or what is no number, is no limit. */
static bool holds(int folder, const char *name, uint64_t most) {
    char text[32] = "";
    CLEANUP(fd_closep) int fd = openat(folder, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    ssize_t size = fd < 0 ? -1 : read(fd, text, sizeof text - 1);
    if (size <= 0 || text[0] < '0' || text[0] > '9') {
        return false;
    }
    char *end = nullptr;
    errno = 0;
    unsigned long long value = strtoull(text, &end, 10);
    return errno == 0 && (*end == '\n' || *end == '\0') && value <= most;
}

bool gate_limits_hold(const char *folder, uint64_t memory_bytes, uint64_t pid_count) {
    CLEANUP(fd_closep) int fd = open(folder, O_PATH | O_DIRECTORY | O_CLOEXEC);
    return fd >= 0 && holds(fd, "memory.max", memory_bytes) && holds(fd, "pids.max", pid_count);
}
