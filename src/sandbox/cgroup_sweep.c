/* SPDX-License-Identifier: Apache-2.0 */
#include "sandbox/cgroup_sweep.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "sys/fd.h"

enum { REMOVE_TRIES = 1000, REMOVE_PAUSE_NS = 2000000, TABLE_BYTES = 4096, PATH_BYTES = 1024 };

static void remove_group(const char *folder, const char *run_id) {
    char path[PATH_BYTES];
    int size = snprintf(path, sizeof path, "%s/airlock-%.64s", folder, run_id);
    if (size < 0 || (size_t)size >= sizeof path) {
        return;
    }
    /* What is frozen in a freezer of version 1 does not die before it is thawed. */
    char state[PATH_BYTES + 16];
    (void)snprintf(state, sizeof state, "%s/freezer.state", path);
    CLEANUP(fd_closep) int fd = open(state, O_WRONLY | O_CLOEXEC);
    (void)!write(fd, "THAWED", 6);
    /* Processes that were just killed leave their group a moment later. */
    const struct timespec pause = {.tv_nsec = REMOVE_PAUSE_NS};
    for (int i = 0; i < REMOVE_TRIES && rmdir(path) != 0 && errno == EBUSY; i++) {
        (void)nanosleep(&pause, nullptr);
    }
}

/* A line of /proc/self/cgroup: "4:memory:/path", or "0::/path" for version 2. */
static void sweep_line(char *line, const char *run_id) {
    char *controllers = strchr(line, ':');
    char *path = controllers == nullptr ? nullptr : strchr(controllers + 1, ':');
    if (path == nullptr) {
        return;
    }
    controllers++;
    *path++ = '\0';
    char *slash = strrchr(path, '/');
    char folder[PATH_BYTES];
    if (controllers[0] == '\0') {
        if (slash != nullptr) { /* version 2 groups stand beside ours, not in it */
            *slash = '\0';
        }
        (void)snprintf(folder, sizeof folder, "/sys/fs/cgroup%.800s", path);
    } else {
        (void)snprintf(folder, sizeof folder, "/sys/fs/cgroup/%.100s%.800s", controllers,
                       strcmp(path, "/") == 0 ? "" : path);
    }
    remove_group(folder, run_id);
}

void cgroup_sweep(const char *run_id) {
    char table[TABLE_BYTES];
    CLEANUP(fd_closep) int fd = open("/proc/self/cgroup", O_RDONLY | O_CLOEXEC);
    ssize_t size = fd < 0 ? -1 : read(fd, table, sizeof table - 1);
    if (size < 0) {
        return;
    }
    table[size] = '\0';
    char *line = table;
    while (line != nullptr) {
        char *next = strchr(line, '\n');
        if (next != nullptr) {
            *next++ = '\0';
        }
        sweep_line(line, run_id);
        line = next;
    }
}
