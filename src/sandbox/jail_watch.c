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
#include <sys/statvfs.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "sandbox/jail.h"
#include "sys/entry.h"
#include "sys/fd.h"

/* Deeper than this the walk goes on without a descriptor per folder. */
enum { WALK_DEPTH_MAX = 128, ENTRY_BYTES_MIN = 4096 };

/* nftw(3) hands nothing through; init is one thread. */
static uint64_t walked_bytes;

/* An empty file takes an inode, and inodes run out too. */
static void count(uint64_t blocks, uint64_t link_count, bool is_folder) {
    uint64_t bytes = blocks * 512u;
    if (link_count > 1 && !is_folder) {
        walked_bytes += bytes / link_count;
    } else {
        walked_bytes += bytes > ENTRY_BYTES_MIN ? bytes : ENTRY_BYTES_MIN;
    }
}

static int count_one(const char *path, const struct stat *status, int type, struct FTW *place) {
    (void)path;
    (void)place;
    if (type != FTW_NS) {
        count((uint64_t)status->st_blocks, status->st_nlink, S_ISDIR(status->st_mode));
    }
    return 0;
}

/* Walks one mount: toolchains below HOME are mounts of the same filesystem, so that st_dev does not
 * tell them apart. What vanishes meanwhile is passed over; nftw(3) would end its walk there, and a
 * payload could have that happen all the time. Takes the folder. */
static void walk(int folder, uint64_t mount, unsigned depth) {
    if (depth == WALK_DEPTH_MAX) {
        char path[32];
        (void)snprintf(path, sizeof path, "/proc/self/fd/%d/.", folder);
        (void)nftw(path, count_one, 16, FTW_PHYS | FTW_MOUNT | FTW_CHDIR);
        (void)!chdir("/");
        (void)close(folder);
        return;
    }
    DIR *stream = fdopendir(folder);
    if (stream == nullptr) {
        (void)close(folder);
        return;
    }
    const struct dirent *entry;
    while ((entry = readdir(stream)) != nullptr) {
        struct entry_status status;
        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0 ||
            !entry_status_at(folder, entry->d_name, &status) || status.mount_id != mount) {
            continue;
        }
        bool is_folder = S_ISDIR(status.mode);
        count(status.blocks, status.link_count, is_folder);
        int inner = is_folder ? openat(folder, entry->d_name,
                                       O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)
                              : -1;
        if (inner >= 0) {
            walk(inner, mount, depth + 1);
        }
    }
    (void)closedir(stream);
}

static void walk_from(int base, const char *path) {
    struct entry_status status;
    int folder = openat(base, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (folder < 0) {
        return;
    }
    if (!entry_status_at(folder, "", &status)) {
        (void)close(folder);
        return;
    }
    walk(folder, status.mount_id, 0);
}

uint64_t jail_disk_bytes(const struct jail *jail) {
    walked_bytes = 0;
    walk_from(jail->upper, ".");
    walk_from(AT_FDCWD, "/tmp");
    if (strcmp(jail->plan.home, jail->plan.workspace) != 0) {
        walk_from(AT_FDCWD, jail->plan.home);
    }
    return walked_bytes;
}

bool jail_disk_is_short(const struct jail *jail, uint64_t limit_bytes) {
    enum { RESERVE_SHARE = 32 };
    static uint64_t free_at_start;
    struct statvfs disk;
    if (fstatvfs(jail->upper, &disk) != 0) {
        return false;
    }
    uint64_t free_now = (uint64_t)disk.f_bavail * disk.f_frsize;
    uint64_t reserve = (uint64_t)disk.f_blocks * disk.f_frsize / RESERVE_SHARE;
    if (free_at_start == 0) {
        free_at_start = free_now;
    }
    uint64_t taken = free_at_start > free_now ? free_at_start - free_now : 0;
    return free_now < reserve && (taken > limit_bytes || taken > free_at_start / 2);
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

/* As jail_disk_is_short(), for memory that no process maps: memory files, buffers of pipes and
 * sockets, shared memory. */
static bool memory_is_short(uint64_t limit_bytes) {
    enum { RESERVE_SHARE = 16 };
    static uint64_t free_at_start;
    uint64_t total = read_number(AT_FDCWD, "/proc/meminfo", "MemTotal:", 0) * 1024u;
    uint64_t free_now = read_number(AT_FDCWD, "/proc/meminfo", "MemAvailable:", 0) * 1024u;
    if (free_at_start == 0) {
        free_at_start = free_now;
    }
    uint64_t taken = free_at_start > free_now ? free_at_start - free_now : 0;
    return free_now < total / RESERVE_SHARE && (taken > limit_bytes || taken > free_at_start / 2);
}

bool jail_memory_is_over(uint64_t limit_bytes) {
    return memory_is_short(limit_bytes) ||
           (sum_processes(false) > limit_bytes && sum_processes(true) > limit_bytes);
}
