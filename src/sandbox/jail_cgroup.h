/* SPDX-License-Identifier: Apache-2.0
 *
 * airlock-jail's limits by cgroup, and the pauses that need one.
 */
#pragma once

#include "sandbox/plan_format.h"

enum jail_controller : uint8_t {
    JAIL_MEMORY,
    JAIL_PIDS,
    JAIL_CPU,
    JAIL_IO,
    JAIL_CONTROLLER_COUNT,
};
enum { JAIL_GROUP_BYTES = 512, JAIL_DISK_COUNT = 4 };

/* The group for one controller. */
struct jail_group {
    char folder[JAIL_GROUP_BYTES]; /* "": there is none */
    char own[JAIL_GROUP_BYTES];    /* version 1: where the launcher itself is */
    bool is_version_2;
};

/* What groups have counted; 0: unknown. */
struct jail_usage {
    bool was_oom; /* the kernel killed for memory */
    uint32_t pid_count_peak;
    uint64_t memory_peak_bytes;
    uint64_t cpu_throttled_us;
    uint64_t io_read_bytes, io_write_bytes;
};

struct jail_disk {
    unsigned major, minor;
};

struct jail_cgroup {
    const char *level; /* "cgroup-v2", "cgroup-v1", "cgroup-hybrid" or "rlimit" */
    struct jail_group group[JAIL_CONTROLLER_COUNT];
    struct jail_usage usage;
    int test_flags; /* O_CREAT where a plain folder stands for a cgroup tree */
    bool launcher_is_inside;
    const char *disk_rate; /* what holds it: a version, or "none"; "": nobody asked */
    struct jail_disk disk[JAIL_DISK_COUNT];
    unsigned disk_count;
};

/* The tree of groups that limits are looked for in. */
struct jail_cgroup_host {
    const char *root;  /* "/sys/fs/cgroup" */
    const char *table; /* what stands in /proc/self/cgroup */
    bool is_root;
    const char *devices; /* "/sys/dev/block" */
};

/* A sandbox that stands still. Time in a pause is nobody's: it counts against no limit. */
struct jail_pause {
    bool is_held;
    bool is_by_init;                /* every process was stopped; else a cgroup is frozen */
    char freezer[JAIL_GROUP_BYTES]; /* the frozen group, or "" */
    bool is_version_2;
    uint64_t since_ns;
    uint64_t total_ns; /* of pauses that ended */
};

/* Makes the cgroups with the plan's limits; none that can be had is level "rlimit". */
void jail_cgroup_make(struct jail_cgroup *cgroup, const struct plan_view *plan);
void jail_cgroup_make_on(struct jail_cgroup *cgroup, const struct jail_cgroup_host *host,
                         const struct plan_view *plan);
/* Where a group of version 1 for this controller would stand. */
bool jail_cgroup_place(const char *run_id, const char *controller, struct jail_group *ret_group);
bool jail_cgroup_has(const struct jail_cgroup *cgroup, enum jail_controller controller);
/* Around the clone. Version 1: the launcher steps in, its child is born there, and it steps out
 * again. Version 2: the child is moved. */
status_t jail_cgroup_step_in(struct jail_cgroup *cgroup, struct error *err);
status_t jail_cgroup_step_out(struct jail_cgroup *cgroup, pid_t pid, struct error *err);
/* jail_disk.c: holds the rate of disk access that the plan asks for, and sets cgroup->disk_rate. */
void jail_disk_hold(struct jail_cgroup *cgroup, const struct plan_view *plan);
void jail_disk_hold_on(struct jail_cgroup *cgroup, const struct jail_cgroup_host *host,
                       const struct plan_view *plan);
/* Whoever waits for a disk may go on, and can be killed. */
void jail_disk_release(struct jail_cgroup *cgroup);
void jail_disk_look(struct jail_cgroup *cgroup);
/* Brings cgroup->usage up to date. */
void jail_cgroup_look(struct jail_cgroup *cgroup);
/* How long until the kernel's kills are asked for again, of a run that took so long already. */
uint64_t jail_cgroup_look_ms(uint64_t run_ns);
void jail_cgroup_remove(struct jail_cgroup *cgroup);
/* A file of a group, whole. False when it cannot be had. */
bool jail_group_read(const char *folder, const char *name, char *text, size_t capacity);
bool jail_group_write(const struct jail_cgroup *cgroup, const char *folder, const char *name,
                      const char *text);
