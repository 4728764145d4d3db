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
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "sandbox/jail.h"
#include "sys/entry.h"
#include "sys/fd.h"

/* Deeper than this the walk goes on without a descriptor per folder. */
enum { WALK_DEPTH_MAX = 128, ENTRY_BYTES_MIN = 4096 };
enum : uint64_t {
    SAMPLE_NS = (uint64_t)JAIL_SAMPLE_MS * 1000000,
    SAMPLE_NS_IDLE = 1000000000,
    SAMPLE_NS_MAX = 5000000000,
    SAMPLE_SHARE = 20,
};

static uint64_t least(uint64_t a, uint64_t b) {
    return a < b ? a : b;
}

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
    walk_from(jail->caches, ".");
    walk_from(AT_FDCWD, "/tmp");
    if (strcmp(jail->plan.home, jail->plan.workspace) != 0) {
        walk_from(AT_FDCWD, jail->plan.home);
    }
    return walked_bytes;
}

bool jail_disk_is_short(const struct jail *jail, uint64_t limit_bytes, uint64_t *ret_room) {
    enum { RESERVE_SHARE = 32 };
    static uint64_t free_at_start;
    struct statvfs disk;
    *ret_room = 0;
    if (fstatvfs(jail->upper, &disk) != 0) {
        return false;
    }
    uint64_t free_now = (uint64_t)disk.f_bavail * disk.f_frsize;
    uint64_t reserve = (uint64_t)disk.f_blocks * disk.f_frsize / RESERVE_SHARE;
    if (free_at_start == 0) {
        free_at_start = free_now;
    }
    uint64_t taken = free_at_start > free_now ? free_at_start - free_now : 0;
    *ret_room = jail_room(free_now, reserve);
    return free_now < reserve && (taken > limit_bytes || taken > free_at_start / 2);
}

/* A small file of /proc, whole. False when it is gone. */
static bool read_file(int folder, const char *name, char *text, size_t capacity) {
    CLEANUP(fd_closep) int fd = openat(folder, name, O_RDONLY | O_CLOEXEC);
    ssize_t size = fd < 0 ? -1 : read(fd, text, capacity - 1);
    if (size <= 0) {
        return false;
    }
    text[size] = '\0';
    return true;
}

/* The number after `label` in such a file, or 0. */
static uint64_t read_number(int folder, const char *name, const char *label) {
    char text[2048];
    const char *at = read_file(folder, name, text, sizeof text) ? strstr(text, label) : nullptr;
    return at == nullptr ? 0 : strtoull(at + strlen(label), nullptr, 10);
}

/* Adds what /proc/PID/stat says (proc_pid_stat(5)). A process may choose its own name, so fields
 * are counted from the last bracket. */
static void add_process(const char *text, struct jail_sample *sample) {
    enum { UTIME = 14, CSTIME = 17, THREADS = 20, RESIDENT = 24 };
    const char *at = strrchr(text, ')');
    uint64_t ticks = 0;
    for (unsigned field = 3; at != nullptr && field <= RESIDENT; field++) {
        at = strchr(at + 1, ' ');
        uint64_t value = at == nullptr ? 0 : strtoull(at + 1, nullptr, 10);
        if (field >= UTIME && field <= CSTIME) {
            ticks += value;
        } else if (field == THREADS) {
            sample->thread_count += (uint32_t)value;
        } else if (field == RESIDENT) {
            sample->resident_bytes += value * (uint64_t)sysconf(_SC_PAGESIZE);
        }
    }
    sample->cpu_us += ticks * (1000000u / (uint64_t)sysconf(_SC_CLK_TCK));
}

/* Calls for every process but init with its folder of /proc. */
static void each_process(void (*call)(int folder, void *context), void *context) {
    DIR *folder = opendir("/proc");
    const struct dirent *entry;
    while (folder != nullptr && (entry = readdir(folder)) != nullptr) {
        if (entry->d_name[0] < '1' || entry->d_name[0] > '9' || strcmp(entry->d_name, "1") == 0) {
            continue;
        }
        CLEANUP(fd_closep)
        int process = openat(dirfd(folder), entry->d_name, O_PATH | O_DIRECTORY | O_CLOEXEC);
        if (process >= 0) {
            call(process, context);
        }
    }
    if (folder != nullptr) {
        (void)closedir(folder);
    }
}

static void add_stat(int folder, void *context) {
    char text[1024];
    if (read_file(folder, "stat", text, sizeof text)) {
        add_process(text, context);
    }
}

static void add_share(int folder, void *context) {
    *(uint64_t *)context += read_number(folder, "smaps_rollup", "Pss:") * 1024u;
}

struct jail_sample jail_sample_take(void) {
    struct jail_sample sample = {};
    each_process(add_stat, &sample);
    return sample;
}

/* As jail_disk_is_short(), for memory that no process maps: memory files, buffers of pipes and
 * sockets, shared memory. */
static bool memory_is_short(uint64_t limit_bytes, uint64_t *ret_room) {
    enum { RESERVE_SHARE = 16 };
    static uint64_t free_at_start;
    uint64_t total = read_number(AT_FDCWD, "/proc/meminfo", "MemTotal:") * 1024u;
    uint64_t free_now = read_number(AT_FDCWD, "/proc/meminfo", "MemAvailable:") * 1024u;
    if (free_at_start == 0) {
        free_at_start = free_now;
    }
    uint64_t taken = free_at_start > free_now ? free_at_start - free_now : 0;
    *ret_room = jail_room(free_now, total / RESERVE_SHARE);
    return free_now < total / RESERVE_SHARE && (taken > limit_bytes || taken > free_at_start / 2);
}

/* Resident pages first, because they are at hand and never too low. */
bool jail_memory_is_over(const struct jail_sample *sample, uint64_t limit_bytes,
                         uint64_t *ret_room) {
    bool is_short = memory_is_short(limit_bytes, ret_room);
    *ret_room = least(*ret_room, jail_room(limit_bytes, sample->resident_bytes));
    if (is_short) {
        return true;
    }
    uint64_t shares = 0;
    if (sample->resident_bytes > limit_bytes) {
        each_process(add_share, &shares);
    }
    return shares > limit_bytes;
}

uint64_t jail_time_us(struct timeval time) {
    return (uint64_t)time.tv_sec * 1000000u + (uint64_t)time.tv_usec;
}

/* When to look after a look that began then, and at the latest `idle_ns` after it ended. */
static uint64_t next_look(uint64_t before_ns, uint64_t room_bytes, uint64_t idle_ns) {
    /* No processor fills memory, or the page cache of a disk, faster than 4 bytes in a ns. */
    static uint64_t fill_bytes_per_ns;
    if (fill_bytes_per_ns == 0) {
        long processors = sysconf(_SC_NPROCESSORS_ONLN);
        fill_bytes_per_ns = 4 * (processors > 0 ? (uint64_t)processors : 64);
    }
    uint64_t after = jail_now_ns();
    uint64_t pause = (after - before_ns) * SAMPLE_SHARE;
    uint64_t fill = least(room_bytes / fill_bytes_per_ns, idle_ns);
    pause = pause > fill ? pause : fill;
    pause = pause > SAMPLE_NS ? pause : SAMPLE_NS;
    return after + least(pause, SAMPLE_NS_MAX);
}

uint64_t jail_next_look(uint64_t before_ns, uint64_t room_bytes) {
    static uint64_t begun_ns;
    if (begun_ns == 0) {
        begun_ns = before_ns;
    }
    /* At first often, so that what a short run took at most is seen. */
    uint64_t share = (jail_now_ns() - begun_ns) / SAMPLE_SHARE;
    return next_look(before_ns, room_bytes, least(share, SAMPLE_NS_IDLE));
}

/* Reading every file's size takes processor time from the payload. Between two walks that the room
 * asks for, a look at the whole disk tells whether one is worth it: what the payload took is gone
 * there too. */
static bool walk_is_due(const struct jail_walk *walk, uint64_t now, uint64_t disk_room_bytes) {
    enum { ROOM_SHARE = 8 };
    uint64_t gone = jail_room(walk->disk_room_bytes, disk_room_bytes);
    return now >= walk->latest_ns || (now >= walk->soon_ns && gone > walk->room_bytes / ROOM_SHARE);
}

bool jail_walk_is_over(struct jail_walk *walk, const struct jail *jail, uint64_t disk_room_bytes) {
    uint64_t limit = jail->plan.limits.stage_bytes_max;
    uint64_t now = jail_now_ns();
    if (!walk_is_due(walk, now, disk_room_bytes)) {
        return false;
    }
    uint64_t bytes = jail_disk_bytes(jail);
    walk->room_bytes = jail_room(limit, bytes);
    walk->disk_room_bytes = disk_room_bytes;
    walk->soon_ns = jail_next_look(now, walk->room_bytes);
    walk->latest_ns = next_look(now, walk->room_bytes, SAMPLE_NS_IDLE);
    return bytes > limit;
}

uint64_t jail_walk_at_ns(const struct jail_walk *walk, uint64_t now) {
    return walk->soon_ns > now ? walk->soon_ns : walk->latest_ns;
}

static uint64_t cpu_used_us(const struct jail_sample *seen) {
    struct rusage dead = {};
    (void)getrusage(RUSAGE_CHILDREN, &dead);
    return seen->cpu_us + jail_time_us(dead.ru_utime) + jail_time_us(dead.ru_stime);
}

bool jail_meter_runs_on(struct jail_meter *meter) {
    enum { FIRST = 0, COMPARED = 2 };
    uint64_t now = jail_now_ns();
    if (!meter->hold.is_paused && !meter->hold.is_over_cpu) {
        meter->still_looks = FIRST;
        meter->still_at_ns = UINT64_MAX;
        return false;
    }
    if (meter->still_looks != FIRST && now < meter->still_at_ns) {
        return false;
    }
    struct jail_sample seen = jail_sample_take();
    uint64_t used_us = cpu_used_us(&seen);
    if (meter->still_looks < COMPARED) { /* at the first one some are still on their way */
        meter->still_cpu_us = used_us;
        meter->still_looks++;
    }
    meter->still_at_ns = jail_next_look(now, UINT64_MAX);
    if (used_us > meter->still_cpu_us + (uint64_t)LIMIT_HOLD_LEAK_MS * 1000) {
        limit_hit(LIMIT_ID_HOLD_LEAK_MS);
        return true;
    }
    jail_hold_apply(&meter->hold);
    return false;
}

bool jail_meter_look(struct jail_meter *meter, const struct jail *jail) {
    const struct template_limits *limits = &jail->plan.limits;
    uint64_t now = jail_now_ns();
    if (!jail->samples_memory && !jail->samples_cpu) {
        meter->look_at_ns = UINT64_MAX;
    }
    if (now < meter->look_at_ns) {
        return false;
    }
    struct jail_sample seen = jail_sample_take();
    if (seen.resident_bytes > meter->resident_peak_bytes) {
        meter->resident_peak_bytes = seen.resident_bytes;
    }
    if (seen.thread_count > meter->pid_count_peak) {
        meter->pid_count_peak = seen.thread_count;
    }
    if (jail->samples_cpu) {
        jail_hold_charge(&meter->hold, now, cpu_used_us(&seen), limits->cpu_percent_max);
    }
    uint64_t room = UINT64_MAX;
    bool is_over =
        jail->samples_memory && jail_memory_is_over(&seen, limits->memory_bytes_max, &room);
    /* A quota is kept at its own pace, however much room there is. */
    meter->look_at_ns = jail_next_look(now, jail->samples_cpu ? 0 : room);
    return is_over;
}
