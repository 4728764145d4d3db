/* SPDX-License-Identifier: Apache-2.0
 *
 * Other processes, and what came along from the one that started this.
 */
#include <dirent.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "probe/probe.h"

enum { ENVIRONMENT_BYTES = 65536 };

void probe_environment(struct probe *probe) {
    for (size_t i = 0; probe->environment[i] != nullptr; i++) {
        if (probe_is_secret_name(probe->environment[i])) {
            probe_found(probe, "%.*s", (int)strcspn(probe->environment[i], "="),
                        probe->environment[i]);
        }
    }
}

/* An own environment says nothing: probe_environment() has it. That of a parent may hold more. */
static void read_environ(struct probe *probe, pid_t pid) {
    static char text[ENVIRONMENT_BYTES];
    char path[48];
    (void)snprintf(path, sizeof path, "/proc/%d/environ", pid);
    ssize_t size = pid == getpid() ? -1 : probe_read(path, text, sizeof text);
    if (size < 0) {
        return;
    }
    bool is_foreign = !probe_is_family(pid);
    unsigned secrets = 0;
    for (const char *entry = text; entry < text + size; entry += strlen(entry) + 1) {
        secrets += probe_is_secret_name(entry) ? 1 : 0;
    }
    if (secrets > 0 || (is_foreign && size > 0)) {
        probe_found(probe, "/proc/%d/environ, %u names of secrets", pid, secrets);
    }
}

void probe_environs(struct probe *probe) {
    probe_each_process(probe, read_environ);
}

static void name_process(struct probe *probe, pid_t pid) {
    char path[48];
    char name[64];
    if (pid == 1 || probe_is_family(pid)) {
        return;
    }
    (void)snprintf(path, sizeof path, "/proc/%d/comm", pid);
    if (probe_read(path, name, sizeof name) < 0) {
        return; /* it ended meanwhile */
    }
    name[strcspn(name, "\n")] = '\0';
    probe_found(probe, "%d %s", pid, name);
}

void probe_processes(struct probe *probe) {
    probe_each_process(probe, name_process);
}

/* PTRACE_SEIZE does not stop anybody, and is undone at once. */
static bool can_seize(const void *context) {
    pid_t pid = *(const pid_t *)context;
    if (ptrace(PTRACE_SEIZE, pid, nullptr, nullptr) != 0) {
        return false;
    }
    return true; /* the end of this process detaches */
}

static void trace_one(struct probe *probe, pid_t pid) {
    if (pid == getpid() || (pid != 1 && probe_is_family(pid))) {
        return;
    }
    char path[48];
    (void)snprintf(path, sizeof path, "/proc/%d/mem", pid);
    if (probe_can_open(path, 0)) {
        probe_found(probe, "the memory of process %d can be read", pid);
    }
    if (probe_try(can_seize, &pid)) {
        probe_found(probe, "process %d can be traced", pid);
    }
    /* A sandbox's own init may be signalled: it protects itself, or takes only its sandbox along.
     */
    if (pid != 1 && kill(pid, 0) == 0) {
        probe_found(probe, "process %d can be signalled", pid);
    }
}

void probe_trace(struct probe *probe) {
    probe_each_process(probe, trace_one);
}

void probe_descriptors(struct probe *probe) {
    DIR *folder = opendir("/proc/self/fd");
    for (struct dirent *entry; folder != nullptr && (entry = readdir(folder)) != nullptr;) {
        char *end;
        long fd = strtol(entry->d_name, &end, 10);
        if (*end != '\0' || end == entry->d_name || fd <= STDERR_FILENO || fd == dirfd(folder)) {
            continue;
        }
        char path[48];
        char target[256] = "";
        (void)snprintf(path, sizeof path, "/proc/self/fd/%ld", fd);
        (void)!readlink(path, target, sizeof target - 1);
        probe_found(probe, "%ld is %s", fd, target);
    }
    if (folder != nullptr) {
        (void)closedir(folder);
    }
}
