/* SPDX-License-Identifier: Apache-2.0
 *
 * What a sandbox uses, measured by its init, which has every right over the payload's files and
 * processes and none over others.
 */
#include <dirent.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "sandbox/jail.h"
#include "sys/fd.h"

/* nftw(3) hands nothing through; init is one thread. */
static uint64_t walked_bytes;

static int walk_one(const char *path, const struct stat *status, int type, struct FTW *place) {
    (void)path;
    (void)place;
    if (type != FTW_NS) {
        uint64_t bytes = (uint64_t)status->st_blocks * 512u;
        bool is_shared = status->st_nlink > 1 && !S_ISDIR(status->st_mode);
        walked_bytes += is_shared ? bytes / status->st_nlink : bytes;
    }
    return 0;
}

uint64_t jail_disk_bytes(const struct jail *jail) {
    walked_bytes = 0;
    int flags = FTW_PHYS | FTW_MOUNT | FTW_CHDIR;
    char upper[32];
    (void)snprintf(upper, sizeof upper, "/proc/self/fd/%d/.", jail->upper);
    (void)nftw(upper, walk_one, 16, flags);
    (void)nftw("/tmp", walk_one, 16, flags);
    if (strcmp(jail->plan.home, jail->plan.workspace) != 0) {
        (void)nftw(jail->plan.home, walk_one, 16, flags);
    }
    (void)!chdir("/");
    return walked_bytes;
}

/* The first number after `label` in a file of /proc/PID, or 0. */
static uint64_t read_number(int folder, const char *name, const char *label, unsigned skip) {
    char text[2048];
    CLEANUP(fd_closep) int fd = openat(folder, name, O_RDONLY | O_CLOEXEC);
    ssize_t size = fd < 0 ? -1 : read(fd, text, sizeof text - 1);
    if (size <= 0) {
        return 0;
    }
    text[size] = '\0';
    const char *at = label[0] == '\0' ? text : strstr(text, label);
    if (at == nullptr) {
        return 0;
    }
    at += strlen(label);
    char *end = nullptr;
    uint64_t value = strtoull(at, &end, 10);
    for (unsigned i = 0; i < skip; i++) {
        value = strtoull(end, &end, 10);
    }
    return value;
}

/* One pass over the processes: resident pages first, because they are cheap and never too low. */
static uint64_t sum_processes(bool exact) {
    DIR *folder = opendir("/proc");
    if (folder == nullptr) {
        return 0;
    }
    uint64_t page = (uint64_t)sysconf(_SC_PAGESIZE);
    uint64_t sum = 0;
    const struct dirent *entry;
    while ((entry = readdir(folder)) != nullptr) {
        if (entry->d_name[0] < '1' || entry->d_name[0] > '9') {
            continue;
        }
        CLEANUP(fd_closep)
        int process = openat(dirfd(folder), entry->d_name, O_PATH | O_DIRECTORY | O_CLOEXEC);
        if (process < 0) {
            continue;
        }
        sum += exact ? read_number(process, "smaps_rollup", "Pss:", 0) * 1024u
                     : read_number(process, "statm", "", 1) * page;
    }
    (void)closedir(folder);
    return sum;
}

bool jail_memory_is_over(uint64_t limit_bytes) {
    return sum_processes(false) > limit_bytes && sum_processes(true) > limit_bytes;
}
