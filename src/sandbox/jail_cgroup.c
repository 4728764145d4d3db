/* SPDX-License-Identifier: Apache-2.0
 *
 * Limits by cgroup where this machine gives them. Each controller is looked for by itself, because
 * a hybrid host has some in version 2 and some in version 1: version 2 where the parent of our own
 * group hands the controller down and is writable (root, or delegated by systemd), version 1 as
 * root. Memory and processes are had both or not at all; without a group for the processor its
 * quota is sampled. The name of a group holds the run's id, and the launcher removes it at the end.
 *
 * In version 2 all controllers share one folder, beside our own, because a group with processes in
 * it cannot hand controllers down.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/assert.h"
#include "base/cleanup.h"
#include "sandbox/jail.h"
#include "sys/fd.h"

/* A short period: a payload at a quarter of a processor answers after 15 ms, not after 75. */
enum { REMOVE_TRIES = 200, REMOVE_PAUSE_US = 500, CPU_PERIOD_US = 20000, WEIGHT_DEFAULT = 100 };

/* By version 2, and by version 1. */
static const char *const controller_names[JAIL_CONTROLLER_COUNT][2] = {
    [JAIL_MEMORY] = {"memory", "memory"},
    [JAIL_PIDS] = {"pids", "pids"},
    [JAIL_CPU] = {"cpu", "cpu"},
    [JAIL_IO] = {"io", "blkio"},
};

bool jail_group_write(const struct jail_cgroup *cgroup, const char *folder, const char *name,
                      const char *text) {
    char path[JAIL_GROUP_BYTES + 64];
    (void)snprintf(path, sizeof path, "%s/%s", folder, name);
    CLEANUP(fd_closep) int fd = open(path, O_WRONLY | O_CLOEXEC | cgroup->test_flags, 0600);
    size_t size = strlen(text);
    return fd >= 0 && write(fd, text, size) == (ssize_t)size;
}

static bool write_number(const struct jail_cgroup *cgroup, const char *folder, const char *name,
                         uint64_t value) {
    char text[24];
    (void)snprintf(text, sizeof text, "%llu", (unsigned long long)value);
    return jail_group_write(cgroup, folder, name, text);
}

bool jail_group_read(const char *folder, const char *name, char *text, size_t capacity) {
    char path[JAIL_GROUP_BYTES + 64];
    (void)snprintf(path, sizeof path, "%s/%s", folder, name);
    CLEANUP(fd_closep) int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t size = fd < 0 ? -1 : read(fd, text, capacity - 1);
    if (size < 0) {
        return false;
    }
    text[size] = '\0';
    return true;
}

static uint64_t read_number(const char *folder, const char *name) {
    char text[64];
    return jail_group_read(folder, name, text, sizeof text) ? strtoull(text, nullptr, 10) : 0;
}

/* The number after a word of a file of "word number" lines. */
static uint64_t read_labelled(const char *folder, const char *name, const char *label) {
    char text[2048];
    if (!jail_group_read(folder, name, text, sizeof text)) {
        return 0;
    }
    const char *at = strstr(text, label);
    return at == nullptr ? 0 : strtoull(at + strlen(label), nullptr, 10);
}

/* Whether a list with these separators holds the word. */
static bool list_has(const char *list, size_t size, const char *word, const char *separators) {
    size_t length = strlen(word);
    for (size_t at = 0; at < size;) {
        size_t part = strcspn(list + at, separators);
        part = part < size - at ? part : size - at;
        if (part == length && strncmp(list + at, word, length) == 0) {
            return true;
        }
        at += part + 1;
    }
    return false;
}

/* A line of /proc/self/cgroup: "4:cpu,cpuacct:/path"; "0::/path" is version 2. */
struct line {
    const char *controllers, *path;
    int controllers_size, path_size;
};

static bool find_line(const char *table, const char *controller, struct line *ret_line) {
    for (const char *at = table; *at != '\0';) {
        const char *end = strchrnul(at, '\n');
        const char *first = memchr(at, ':', (size_t)(end - at));
        const char *second =
            first == nullptr ? nullptr : memchr(first + 1, ':', (size_t)(end - first - 1));
        if (second != nullptr) {
            *ret_line = (struct line){
                .controllers = first + 1,
                .controllers_size = (int)(second - first - 1),
                .path = second + 1,
                .path_size = (int)(end - second - 1),
            };
            bool is_it = controller[0] == '\0'
                             ? ret_line->controllers_size == 0
                             : list_has(ret_line->controllers, (size_t)ret_line->controllers_size,
                                        controller, ",");
            if (is_it) {
                return true;
            }
        }
        at = *end == '\0' ? end : end + 1;
    }
    return false;
}

/* Beside our own group. False when version 2 does not hand this controller down there. */
static bool place_version_2(const struct jail_cgroup_host *host, const char *run_id,
                            const char *controller, struct jail_group *group) {
    struct line line;
    char controllers[256];
    char parent[JAIL_GROUP_BYTES];
    if (!find_line(host->table, "", &line)) {
        return false;
    }
    while (line.path_size > 0 && line.path[line.path_size - 1] != '/') {
        line.path_size--;
    }
    line.path_size -= line.path_size > 0 ? 1 : 0;
    (void)snprintf(parent, sizeof parent, "%.100s/cgroup.controllers", host->root);
    bool is_unified = access(parent, F_OK) == 0;
    int size = snprintf(parent, sizeof parent - 80, "%.100s%s%.*s", host->root,
                        is_unified ? "" : "/unified", line.path_size, line.path);
    if (size < 0 || (size_t)size >= sizeof parent - 80 ||
        !jail_group_read(parent, "cgroup.subtree_control", controllers, sizeof controllers) ||
        !list_has(controllers, strlen(controllers), controller, " \n")) {
        return false;
    }
    (void)snprintf(group->folder, sizeof group->folder, "%.*s/airlock-%.64s", size, parent, run_id);
    group->is_version_2 = true;
    return true;
}

/* Below our own group. */
static bool place_version_1(const struct jail_cgroup_host *host, const char *run_id,
                            const char *controller, struct jail_group *group) {
    struct line line;
    if (!host->is_root || !find_line(host->table, controller, &line)) {
        return false;
    }
    bool is_top = line.path_size == 1;
    int size =
        snprintf(group->own, sizeof group->own - 80, "%.100s/%.*s%.*s", host->root,
                 line.controllers_size, line.controllers, is_top ? 0 : line.path_size, line.path);
    if (size < 0 || (size_t)size >= sizeof group->own - 80) {
        group->own[0] = '\0';
        return false;
    }
    (void)snprintf(group->folder, sizeof group->folder, "%.*s/airlock-%.64s", size, group->own,
                   run_id);
    return true;
}

static bool set_memory(const struct jail_cgroup *cgroup, const struct jail_group *group,
                       const struct template_limits *limits) {
    bool is_2 = group->is_version_2;
    bool set = write_number(cgroup, group->folder, is_2 ? "memory.max" : "memory.limit_in_bytes",
                            limits->memory_bytes_max);
    /* What is swapped out is not held; where swap is not counted there is no such file. */
    (void)write_number(cgroup, group->folder,
                       is_2 ? "memory.swap.max" : "memory.memsw.limit_in_bytes",
                       is_2 ? 0 : limits->memory_bytes_max);
    return set;
}

static bool set_cpu(const struct jail_cgroup *cgroup, const struct jail_group *group,
                    const struct template_limits *limits) {
    char text[48];
    uint64_t weight = limits->cpu_weight != 0 ? limits->cpu_weight : WEIGHT_DEFAULT;
    uint64_t quota_us = (uint64_t)limits->cpu_percent_max * CPU_PERIOD_US / 100;
    bool has_quota = limits->cpu_percent_max != 0;
    if (group->is_version_2) {
        (void)snprintf(text, sizeof text, "%llu %u", (unsigned long long)quota_us, CPU_PERIOD_US);
        return write_number(cgroup, group->folder, "cpu.weight", weight) &&
               (!has_quota || jail_group_write(cgroup, group->folder, "cpu.max", text));
    }
    return write_number(cgroup, group->folder, "cpu.shares", weight * 1024 / WEIGHT_DEFAULT) &&
           (!has_quota ||
            (write_number(cgroup, group->folder, "cpu.cfs_period_us", CPU_PERIOD_US) &&
             write_number(cgroup, group->folder, "cpu.cfs_quota_us", quota_us)));
}

static bool set_limits(const struct jail_cgroup *cgroup, enum jail_controller controller,
                       const struct template_limits *limits) {
    const struct jail_group *group = &cgroup->group[controller];
    switch (controller) {
    case JAIL_MEMORY:
        return set_memory(cgroup, group, limits);
    case JAIL_PIDS: /* one more for init */
        return write_number(cgroup, group->folder, "pids.max", limits->pid_count_max + 1u);
    case JAIL_CPU:
        return set_cpu(cgroup, group, limits);
    case JAIL_IO: /* when the disks are known */
        return true;
    case JAIL_CONTROLLER_COUNT:
        break;
    }
    return false;
}

/* The folder of an earlier controller, in version 2. */
static bool is_shared(const struct jail_cgroup *cgroup, enum jail_controller controller) {
    for (unsigned i = 0; i < controller; i++) {
        if (strcmp(cgroup->group[i].folder, cgroup->group[controller].folder) == 0) {
            return true;
        }
    }
    return false;
}

static void remove_one(const struct jail_cgroup *cgroup, enum jail_controller controller) {
    const char *folder = cgroup->group[controller].folder;
    if (folder[0] == '\0' || is_shared(cgroup, controller)) {
        return;
    }
    /* Processes that were just killed leave their group a moment later. */
    for (int i = 0; i < REMOVE_TRIES && rmdir(folder) != 0 && errno == EBUSY; i++) {
        (void)usleep(REMOVE_PAUSE_US);
    }
}

static bool make_one(struct jail_cgroup *cgroup, const struct jail_cgroup_host *host,
                     const struct plan_view *plan, enum jail_controller controller) {
    struct jail_group *group = &cgroup->group[controller];
    const char *const *names = controller_names[controller];
    bool is_placed = place_version_2(host, plan->run_id, names[0], group) ||
                     place_version_1(host, plan->run_id, names[1], group);
    bool made = is_placed && (is_shared(cgroup, controller) || mkdir(group->folder, 0755) == 0);
    if (made && set_limits(cgroup, controller, &plan->limits)) {
        return true;
    }
    if (made) {
        remove_one(cgroup, controller);
    }
    *group = (struct jail_group){};
    return false;
}

static void start_over(struct jail_cgroup *cgroup) {
    *cgroup =
        (struct jail_cgroup){.level = "rlimit", .disk_rate = "", .test_flags = cgroup->test_flags};
}

void jail_cgroup_make_on(struct jail_cgroup *cgroup, const struct jail_cgroup_host *host,
                         const struct plan_view *plan) {
    start_over(cgroup);
    if (!make_one(cgroup, host, plan, JAIL_MEMORY)) {
        return;
    }
    if (!make_one(cgroup, host, plan, JAIL_PIDS)) {
        remove_one(cgroup, JAIL_MEMORY);
        start_over(cgroup);
        return;
    }
    const struct template_limits *limits = &plan->limits;
    if (limits->cpu_percent_max != 0 ||
        (limits->cpu_weight != 0 && limits->cpu_weight != WEIGHT_DEFAULT)) {
        (void)make_one(cgroup, host, plan, JAIL_CPU);
    }
    if (limits->read_rate_max != 0 || limits->write_rate_max != 0) {
        (void)make_one(cgroup, host, plan, JAIL_IO);
    }
    bool is_memory_2 = cgroup->group[JAIL_MEMORY].is_version_2;
    bool is_pids_2 = cgroup->group[JAIL_PIDS].is_version_2;
    cgroup->level = is_memory_2 && is_pids_2   ? "cgroup-v2"
                    : is_memory_2 || is_pids_2 ? "cgroup-hybrid"
                                               : "cgroup-v1";
}

void jail_cgroup_make(struct jail_cgroup *cgroup, const struct plan_view *plan) {
    char table[4096] = "";
    *cgroup = (struct jail_cgroup){.level = "rlimit", .disk_rate = ""};
    if (jail_group_read("/proc/self", "cgroup", table, sizeof table)) {
        struct jail_cgroup_host host = {
            .root = "/sys/fs/cgroup", .table = table, .is_root = geteuid() == 0};
        jail_cgroup_make_on(cgroup, &host, plan);
    }
}

bool jail_cgroup_place(const char *run_id, const char *controller, struct jail_group *ret_group) {
    char table[4096] = "";
    struct jail_cgroup_host host = {
        .root = "/sys/fs/cgroup", .table = table, .is_root = geteuid() == 0};
    return jail_group_read("/proc/self", "cgroup", table, sizeof table) &&
           place_version_1(&host, run_id, controller, ret_group);
}

bool jail_cgroup_has(const struct jail_cgroup *cgroup, enum jail_controller controller) {
    return cgroup->group[controller].folder[0] != '\0';
}

static status_t move(const struct jail_cgroup *cgroup, const char *folder, const char *file,
                     pid_t pid, struct error *err) {
    if (!write_number(cgroup, folder, file, (uint64_t)pid)) {
        return error_set(err, ERROR_SANDBOX_LIMITS, errno,
                         "cannot put the sandbox into its cgroup");
    }
    return STATUS_OK;
}

/* Moving another process takes a lock that waits for an RCU grace period, 10 ms on a busy machine.
 * Moving oneself, a single thread, through `tasks` takes none (kernel/cgroup/cgroup.c,
 * cgroup_procs_write_start), and children are born where their parent is. */
status_t jail_cgroup_step_in(struct jail_cgroup *cgroup, struct error *err) {
    for (unsigned i = 0; i < JAIL_CONTROLLER_COUNT; i++) {
        if (cgroup->group[i].own[0] != '\0') {
            cgroup->launcher_is_inside = true;
            TRY(move(cgroup, cgroup->group[i].folder, "tasks", 0, err));
        }
    }
    return STATUS_OK;
}

status_t jail_cgroup_step_out(struct jail_cgroup *cgroup, pid_t pid, struct error *err) {
    cgroup->launcher_is_inside = false;
    for (unsigned i = 0; i < JAIL_CONTROLLER_COUNT; i++) {
        const struct jail_group *group = &cgroup->group[i];
        if (group->own[0] != '\0') {
            TRY(move(cgroup, group->own, "tasks", 0, err));
        } else if (group->is_version_2 && !is_shared(cgroup, i) && pid != 0) {
            TRY(move(cgroup, group->folder, "cgroup.procs", pid, err));
        }
    }
    return STATUS_OK;
}

void jail_cgroup_look(struct jail_cgroup *cgroup) {
    const char *memory = cgroup->group[JAIL_MEMORY].folder;
    const char *pids = cgroup->group[JAIL_PIDS].folder;
    const char *cpu = cgroup->group[JAIL_CPU].folder;
    struct jail_usage *usage = &cgroup->usage;
    if (memory[0] == '\0') {
        return;
    }
    bool is_2 = cgroup->group[JAIL_MEMORY].is_version_2;
    usage->memory_peak_bytes =
        read_number(memory, is_2 ? "memory.peak" : "memory.max_usage_in_bytes");
    usage->was_oom =
        read_labelled(memory, is_2 ? "memory.events" : "memory.oom_control", "oom_kill ") > 0;
    uint64_t peak = read_number(pids, "pids.peak"); /* not everywhere; else as often as we look */
    peak = peak != 0 ? peak : read_number(pids, "pids.current");
    peak -= peak > 0 ? 1 : 0; /* init */
    usage->pid_count_peak = peak > usage->pid_count_peak ? (uint32_t)peak : usage->pid_count_peak;
    if (cpu[0] != '\0') {
        usage->cpu_throttled_us = cgroup->group[JAIL_CPU].is_version_2
                                      ? read_labelled(cpu, "cpu.stat", "throttled_usec ")
                                      : read_labelled(cpu, "cpu.stat", "throttled_time ") / 1000;
    }
    jail_disk_look(cgroup);
}

void jail_cgroup_remove(struct jail_cgroup *cgroup) {
    struct error ignored;
    if (cgroup->launcher_is_inside) { /* after a failure */
        (void)jail_cgroup_step_out(cgroup, 0, &ignored).code;
    }
    for (unsigned i = JAIL_CONTROLLER_COUNT; i-- > 0;) {
        remove_one(cgroup, i);
    }
}

uint64_t jail_cgroup_look_ms(uint64_t run_ns) {
    enum { LEAST_MS = 50, MOST_MS = 1000, SHARE = 20 };
    /* Somebody who ran for long may hear a little later that the kernel killed one of his
     * processes; many sandboxes that wait must cost nothing. */
    uint64_t share_ms = run_ns / 1000000u / SHARE;
    uint64_t look_ms = share_ms > LEAST_MS ? share_ms : LEAST_MS;
    return look_ms < MOST_MS ? look_ms : MOST_MS;
}
