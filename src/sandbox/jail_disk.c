/* SPDX-License-Identifier: Apache-2.0
 *
 * The rate of disk access, held by the io controller: a row for every disk that the sandbox
 * reaches. Version 1 has no rows for partitions and counts what the kernel writes back later as
 * nobody's, so there only reads, direct writes and what a process waits for (fsync) are held.
 *
 * Whoever waits for a disk cannot be killed, so the rows are lifted when a run is ended.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "sandbox/jail_cgroup.h"

enum { ROW_BYTES = 96 };

/* The disk that a file system is on: the one a partition is a part of. False for what is no disk:
 * memory, networks, and file systems that span several. */
static bool find_disk(const struct jail_cgroup_host *host, dev_t device, struct jail_disk *ret) {
    char path[JAIL_GROUP_BYTES];
    char text[32];
    struct jail_disk disk = {major(device), minor(device)};
    int size = snprintf(path, sizeof path, "%.200s/%u:%u", host->devices, disk.major, disk.minor);
    if (size < 0 || (size_t)size >= sizeof path || access(path, F_OK) != 0) {
        return false;
    }
    if (jail_group_read(path, "partition", text, sizeof text)) {
        if (!jail_group_read(path, "../dev", text, sizeof text) ||
            sscanf(text, "%u:%u", &disk.major, &disk.minor) != 2) {
            return false;
        }
    }
    *ret = disk;
    return true;
}

static bool write_row(const struct jail_cgroup *cgroup, const struct jail_disk *disk,
                      const char *file, uint64_t rate) {
    char row[ROW_BYTES];
    (void)snprintf(row, sizeof row, "%u:%u %llu", disk->major, disk->minor,
                   (unsigned long long)rate);
    return jail_group_write(cgroup, cgroup->group[JAIL_IO].folder, file, row);
}

/* 0: none. */
static bool write_rates(const struct jail_cgroup *cgroup, const struct jail_disk *disk,
                        uint64_t read_rate, uint64_t write_rate) {
    if (!cgroup->group[JAIL_IO].is_version_2) {
        return write_row(cgroup, disk, "blkio.throttle.read_bps_device", read_rate) &&
               write_row(cgroup, disk, "blkio.throttle.write_bps_device", write_rate);
    }
    char read_text[24] = "max";
    char write_text[24] = "max";
    char row[ROW_BYTES];
    if (read_rate != 0) {
        (void)snprintf(read_text, sizeof read_text, "%llu", (unsigned long long)read_rate);
    }
    if (write_rate != 0) {
        (void)snprintf(write_text, sizeof write_text, "%llu", (unsigned long long)write_rate);
    }
    (void)snprintf(row, sizeof row, "%u:%u rbps=%s wbps=%s", disk->major, disk->minor, read_text,
                   write_text);
    return jail_group_write(cgroup, cgroup->group[JAIL_IO].folder, "io.max", row);
}

static bool is_known(const struct jail_cgroup *cgroup, const struct jail_disk *disk) {
    for (unsigned i = 0; i < cgroup->disk_count; i++) {
        if (cgroup->disk[i].major == disk->major && cgroup->disk[i].minor == disk->minor) {
            return true;
        }
    }
    return false;
}

void jail_disk_hold_on(struct jail_cgroup *cgroup, const struct jail_cgroup_host *host,
                       const struct plan_view *plan) {
    const struct template_limits *limits = &plan->limits;
    /* The first is where everything that it writes goes. */
    const char *const paths[] = {plan->run_folder, plan->workspace, "/usr"};
    static_assert(sizeof paths / sizeof paths[0] <= JAIL_DISK_COUNT);
    cgroup->disk_rate = "";
    cgroup->disk_count = 0;
    if (limits->read_rate_max == 0 && limits->write_rate_max == 0) {
        return;
    }
    bool is_held = jail_cgroup_has(cgroup, JAIL_IO);
    for (unsigned i = 0; is_held && i < sizeof paths / sizeof paths[0]; i++) {
        struct stat status;
        struct jail_disk disk;
        if (stat(paths[i], &status) != 0 || !find_disk(host, status.st_dev, &disk)) {
            is_held = i > 0;
        } else if (!is_known(cgroup, &disk)) {
            is_held = write_rates(cgroup, &disk, limits->read_rate_max, limits->write_rate_max);
            cgroup->disk[cgroup->disk_count++] = disk;
        }
    }
    const char *level = cgroup->group[JAIL_IO].is_version_2 ? "cgroup-v2" : "cgroup-v1";
    cgroup->disk_rate = is_held ? level : "none";
}

void jail_disk_hold(struct jail_cgroup *cgroup, const struct plan_view *plan) {
    struct jail_cgroup_host host = {.devices = "/sys/dev/block"};
    jail_disk_hold_on(cgroup, &host, plan);
}

void jail_disk_release(struct jail_cgroup *cgroup) {
    for (unsigned i = 0; i < cgroup->disk_count; i++) {
        (void)write_rates(cgroup, &cgroup->disk[i], 0, 0);
    }
    cgroup->disk_count = 0;
}

/* Adds up the numbers after a word, in all lines. */
static uint64_t sum_after(const char *text, const char *word) {
    uint64_t sum = 0;
    for (const char *at = strstr(text, word); at != nullptr; at = strstr(at, word)) {
        at += strlen(word);
        sum += strtoull(at, nullptr, 10);
    }
    return sum;
}

void jail_disk_look(struct jail_cgroup *cgroup) {
    const struct jail_group *group = &cgroup->group[JAIL_IO];
    char text[4096];
    const char *file =
        group->is_version_2 ? "io.stat" : "blkio.throttle.io_service_bytes_recursive";
    if (group->folder[0] != '\0' && jail_group_read(group->folder, file, text, sizeof text)) {
        cgroup->usage.io_read_bytes = sum_after(text, group->is_version_2 ? " rbytes=" : " Read ");
        cgroup->usage.io_write_bytes =
            sum_after(text, group->is_version_2 ? " wbytes=" : " Write ");
    }
}
