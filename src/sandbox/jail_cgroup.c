/* SPDX-License-Identifier: Apache-2.0
 *
 * Limits by cgroup where this machine gives them: version 1 (memory and pids) to root, version 2
 * where a parent of ours is delegated. The name holds the run's id, and the launcher removes the
 * groups at the end.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "sandbox/jail.h"
#include "sys/fd.h"

enum { REMOVE_TRIES = 200, REMOVE_PAUSE_US = 500 };

static bool write_number(const char *folder, const char *name, uint64_t value) {
    char path[600];
    char text[24];
    (void)snprintf(path, sizeof path, "%s/%s", folder, name);
    int size = snprintf(text, sizeof text, "%llu", (unsigned long long)value);
    CLEANUP(fd_closep) int fd = open(path, O_WRONLY | O_CLOEXEC);
    return fd >= 0 && write(fd, text, (size_t)size) == size;
}

static bool read_text(const char *folder, const char *name, char *text, size_t capacity) {
    char path[600];
    (void)snprintf(path, sizeof path, "%s/%s", folder, name);
    CLEANUP(fd_closep) int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t size = fd < 0 ? -1 : read(fd, text, capacity - 1);
    if (size < 0) {
        return false;
    }
    text[size] = '\0';
    return true;
}

/* The path in /proc/self/cgroup of the line whose middle field holds `controller` ("" for v2). */
static bool own_path(const char *table, const char *controller, char *path, size_t capacity) {
    for (const char *line = table; *line != '\0';) {
        const char *end = strchrnul(line, '\n');
        const char *first = memchr(line, ':', (size_t)(end - line));
        const char *second =
            first == nullptr ? nullptr : memchr(first + 1, ':', (size_t)(end - first - 1));
        if (second != nullptr) {
            int size = (int)(second - first - 1);
            if ((size_t)size == strlen(controller) &&
                strncmp(first + 1, controller, (size_t)size) == 0) {
                int length = snprintf(path, capacity, "%.*s", (int)(end - second - 1), second + 1);
                return length > 0 && (size_t)length < capacity;
            }
        }
        line = *end == '\0' ? end : end + 1;
    }
    return false;
}

static bool make_version_1(struct jail_cgroup *cgroup, const struct plan_view *plan,
                           const char *table) {
    char memory[300];
    char pids[300];
    if (geteuid() != 0 || !own_path(table, "memory", memory, sizeof memory) ||
        !own_path(table, "pids", pids, sizeof pids)) {
        return false;
    }
    (void)snprintf(cgroup->own_memory, sizeof cgroup->own_memory, "/sys/fs/cgroup/memory%s",
                   strcmp(memory, "/") == 0 ? "" : memory);
    (void)snprintf(cgroup->own_pids, sizeof cgroup->own_pids, "/sys/fs/cgroup/pids%s",
                   strcmp(pids, "/") == 0 ? "" : pids);
    (void)snprintf(cgroup->memory, sizeof cgroup->memory, "%.400s/airlock-%.64s",
                   cgroup->own_memory, plan->run_id);
    (void)snprintf(cgroup->pids, sizeof cgroup->pids, "%.400s/airlock-%.64s", cgroup->own_pids,
                   plan->run_id);
    /* One more for init. */
    return mkdir(cgroup->memory, 0755) == 0 && mkdir(cgroup->pids, 0755) == 0 &&
           write_number(cgroup->memory, "memory.limit_in_bytes", plan->limits.memory_bytes_max) &&
           write_number(cgroup->pids, "pids.max", plan->limits.pid_count_max + 1u);
}

/* Beside our own group, because a group with processes in it cannot hand controllers down. */
static bool make_version_2(struct jail_cgroup *cgroup, const struct plan_view *plan,
                           const char *table) {
    char own[300];
    char parent[400];
    char controllers[256];
    if (!own_path(table, "", own, sizeof own)) {
        return false;
    }
    char *slash = strrchr(own, '/');
    *slash = '\0';
    (void)snprintf(parent, sizeof parent, "/sys/fs/cgroup%s", own);
    if (!read_text(parent, "cgroup.subtree_control", controllers, sizeof controllers) ||
        strstr(controllers, "memory") == nullptr || strstr(controllers, "pids") == nullptr) {
        return false;
    }
    (void)snprintf(cgroup->memory, sizeof cgroup->memory, "%s/airlock-%.64s", parent, plan->run_id);
    return mkdir(cgroup->memory, 0755) == 0 &&
           write_number(cgroup->memory, "memory.max", plan->limits.memory_bytes_max) &&
           write_number(cgroup->memory, "pids.max", plan->limits.pid_count_max + 1u);
}

void jail_cgroup_make(struct jail_cgroup *cgroup, const struct plan_view *plan) {
    char table[4096] = "";
    *cgroup = (struct jail_cgroup){.level = "rlimit"};
    if (!read_text("/proc/self", "cgroup", table, sizeof table)) {
        return;
    }
    if (make_version_2(cgroup, plan, table)) {
        cgroup->level = "cgroup-v2";
        return;
    }
    jail_cgroup_remove(cgroup);
    *cgroup = (struct jail_cgroup){.level = "rlimit"};
    if (make_version_1(cgroup, plan, table)) {
        cgroup->level = "cgroup-v1";
        return;
    }
    jail_cgroup_remove(cgroup);
    *cgroup = (struct jail_cgroup){.level = "rlimit"};
}

static status_t move(const char *folder, const char *file, pid_t pid, struct error *err) {
    if (folder[0] != '\0' && !write_number(folder, file, (uint64_t)pid)) {
        return error_set(err, ERROR_SANDBOX_LIMITS, errno,
                         "cannot put the sandbox into its cgroup");
    }
    return STATUS_OK;
}

/* Moving another process takes a lock that waits for an RCU grace period, 10 ms on a busy machine.
 * Moving oneself, a single thread, through `tasks` takes none (kernel/cgroup/cgroup.c,
 * cgroup_procs_write_start), and children are born where their parent is. */
status_t jail_cgroup_step_in(struct jail_cgroup *cgroup, struct error *err) {
    if (cgroup->own_memory[0] == '\0') {
        return STATUS_OK;
    }
    cgroup->launcher_is_inside = true;
    TRY(move(cgroup->memory, "tasks", 0, err));
    return move(cgroup->pids, "tasks", 0, err);
}

status_t jail_cgroup_step_out(struct jail_cgroup *cgroup, pid_t pid, struct error *err) {
    if (cgroup->own_memory[0] == '\0') {
        return move(cgroup->memory, "cgroup.procs", pid, err);
    }
    cgroup->launcher_is_inside = false;
    TRY(move(cgroup->own_memory, "tasks", 0, err));
    return move(cgroup->own_pids, "tasks", 0, err);
}

bool jail_cgroup_was_oom(const struct jail_cgroup *cgroup, uint64_t *ret_peak_bytes) {
    char text[1024];
    bool is_version_2 = strcmp(cgroup->level, "cgroup-v2") == 0;
    *ret_peak_bytes = 0;
    if (cgroup->memory[0] == '\0') {
        return false;
    }
    if (read_text(cgroup->memory, is_version_2 ? "memory.peak" : "memory.max_usage_in_bytes", text,
                  sizeof text)) {
        *ret_peak_bytes = strtoull(text, nullptr, 10);
    }
    if (!read_text(cgroup->memory, is_version_2 ? "memory.events" : "memory.oom_control", text,
                   sizeof text)) {
        return false;
    }
    const char *count = strstr(text, "oom_kill ");
    return count != nullptr && strtoull(count + 9, nullptr, 10) > 0;
}

static void remove_one(const char *folder) {
    if (folder[0] == '\0') {
        return;
    }
    /* Processes that were just killed leave their group a moment later. */
    for (int i = 0; i < REMOVE_TRIES && rmdir(folder) != 0 && errno == EBUSY; i++) {
        (void)usleep(REMOVE_PAUSE_US);
    }
}

void jail_cgroup_remove(struct jail_cgroup *cgroup) {
    struct error ignored;
    if (cgroup->launcher_is_inside) { /* after a failure */
        (void)jail_cgroup_step_out(cgroup, 0, &ignored).code;
    }
    remove_one(cgroup->memory);
    remove_one(cgroup->pids);
}
